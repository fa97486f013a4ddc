"""Whether a browser sends something on behalf of another site, which may have its own name point to this machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_of_another_site(headers: Mapping[str, str], names: Collection[str] = ()) -> bool:
    """True for what a browser sends for a page of another site than this one; programs name no origin."""
    origin, host = headers.get("origin"), headers.get("host", "")
    return origin is not None and (origin.partition("://")[2] != host or not is_known_host(host, names))


def is_known_host(host: str, names: Collection[str]) -> bool:
    """
    Whether a `Host` is one that this floor is asked under: an address, a name without a dot, or one of `names`.

    Any other name may be that of a site whose pages a browser then takes for this one's: it would let them read and
    write whatever the person in front of it may.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return "." not in name or name in names or bool(ip_address(name))
    except ValueError:
        return False
