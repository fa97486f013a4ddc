"""Exclusive use of a data folder: a lock that ends with its process, and the store's token."""

from __future__ import annotations

import fcntl
import hmac
import secrets
from pathlib import Path
from typing import IO

from schemas.errors import ConfigError, InputError

_WILDCARDS = frozenset("*?{}[]")  # the engine would read them in a path as a pattern


def made_folder(folder: Path) -> Path:
    """The folder, made if missing, as an absolute path. ConfigError: it cannot be made, written to or named."""
    if set(str(folder.absolute())) & _WILDCARDS:
        raise ConfigError(f"{folder}: a data folder's path must not hold any of {' '.join(sorted(_WILDCARDS))}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"{folder}: the data folder is not writable: {error.strerror}") from None
    return folder.resolve()


def lock(path: Path, refusal: str) -> IO[str]:
    """Lock a file until the returned handle is closed or the process ends. InputError: the refusal given."""
    handle = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise InputError(refusal) from None
    return handle


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock."""
    if not path.exists():
        return False
    with path.open("r", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def token_of(path: Path) -> str:
    """The token in the file; a new one, readable by its owner only, when there is none yet."""
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(32), encoding="utf-8")
        fresh.rename(path)
    return path.read_text(encoding="utf-8").strip()


def same(given: str, token: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), token.encode())
