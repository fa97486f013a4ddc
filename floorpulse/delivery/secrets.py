"""Secrets of receivers: from the environment, or from a file that the environment names."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.errors import ConfigError


def secret(name: str) -> str:
    """The value of `NAME`, else the content of the file that `NAME_FILE` names. ConfigError: neither holds anything."""
    value = os.environ.get(name, "").strip()  # noqa: TID251  their names are in no settings model
    file = os.environ.get(f"{name}_FILE")  # noqa: TID251
    if value:
        return value
    if not file:
        raise ConfigError(f"{name}: expected a secret in the environment variable {name} or {name}_FILE")
    try:
        content = Path(file).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ConfigError(f"{name}_FILE: {file}: expected text in UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{name}_FILE: {file}: {error.strerror}") from None
    if not content:
        raise ConfigError(f"{name}_FILE: {file}: expected a secret, found nothing")
    return content
