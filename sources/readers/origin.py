"""Whether a browser sends something on behalf of another site."""

from __future__ import annotations

from collections.abc import Mapping


def is_of_another_site(headers: Mapping[str, str]) -> bool:
    """True for what a browser sends for a page of another site than this one; programs name no origin."""
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host", "")
