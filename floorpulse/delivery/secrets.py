"""Secrets of receivers: from the environment, or from a file that the environment names."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.errors import ConfigError


def secret(name: str) -> str:
    """The value of `NAME`, else the content of the file that `NAME_FILE` names. ConfigError: neither is there."""
    value = os.environ.get(name)  # noqa: TID251  secrets have names of their own, which no settings model can list
    file = os.environ.get(f"{name}_FILE")  # noqa: TID251
    if value:
        return value
    if not file:
        raise ConfigError(f"{name}: expected a secret in the environment variable {name} or {name}_FILE")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{name}_FILE: {file}: {error.strerror}") from None
