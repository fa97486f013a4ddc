"""Kafka's jars: 46 pinned files, downloaded by coordinates once for each user, verified at every use."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from platformdirs import user_cache_path

from schemas.errors import ConfigError, InputError, Unavailable

DOWNLOADS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned file; `coordinates` are group:artifact:version."""

    coordinates: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name in the libs folder."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


Fetch = Callable[[Jar, Path], Path]
"""Downloads one jar; a scratch folder is given, the path of the file is returned."""

Progress = Callable[[int, int], None]
"""Told after each jar: how many are there, of how many."""


def pinned() -> list[Jar]:
    """The jars that the embedded Kafka runs on, in the order of the list."""
    text = resources.files("floorpulse.embedded").joinpath("kafka_jars.txt").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return [Jar(coordinates, sha256) for coordinates, sha256 in rows]


def cache_folder() -> Path:
    """The user's folder that holds the libs of every floor on this machine."""
    return user_cache_path("floorpulse")


def installed_libs(
    *,
    cache: Path | None = None,
    jars: list[Jar] | None = None,
    fetch: Fetch | None = None,
    progress: Progress | None = None,
) -> Path:
    """
    The folder with exactly the pinned jars, downloaded if it is not there yet.

    Every jar is compared with its sha256 at each call. Nothing but a whole, verified set ever gets the folder's
    final name. InputError: a jar is not the pinned one; Unavailable: no network; ConfigError: disk or rights.
    """
    wanted = pinned() if jars is None else jars
    root = cache_folder() if cache is None else cache
    libs = root / f"kafka-{_list_digest(wanted)}"
    if not libs.is_dir():
        with _one_line_for_disk_faults(root), _alone(root):
            if not libs.is_dir():
                _download_all(wanted, libs, fetch or fetch_by_coordinates, progress or _silent)
    verify(libs, wanted)
    return libs


def verify(libs: Path, jars: list[Jar]) -> None:
    """InputError when a jar is missing or is not the pinned file."""
    for jar in jars:
        path = libs / jar.name
        if not path.is_file() or _sha256(path) != jar.sha256:
            raise InputError(f"{path}: not the pinned file (sha256): delete {libs} and run `floorpulse install`")


def fetch_by_coordinates(jar: Jar, scratch: Path) -> Path:
    """Download one jar with jgo, from the repositories its own settings name. Unavailable: no answer."""
    import requests
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    group, artifact, version = jar.coordinates.split(":")
    context = MavenContext(repo_cache=scratch, timeout=30)
    context.remote_repos.update(GlobalSettings.load().repositories)
    try:
        return context.project(group, artifact).at_version(version).artifact().resolve()
    except requests.RequestException:
        raise Unavailable(
            f"{jar.coordinates}: the package repository does not answer: "
            "the first start needs the network once, to fetch Kafka"
        ) from None
    except RuntimeError:
        raise Unavailable(f"{jar.coordinates}: not found in the package repository") from None


def _silent(done: int, total: int) -> None:
    """Nobody watches."""


def _list_digest(jars: list[Jar]) -> str:
    return hashlib.sha256("\n".join(f"{jar.coordinates} {jar.sha256}" for jar in jars).encode()).hexdigest()[:12]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download_all(jars: list[Jar], libs: Path, fetch: Fetch, progress: Progress) -> None:
    part = libs.with_name(f"{libs.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a download that was killed
    staged = part / "libs"
    staged.mkdir(parents=True)
    try:
        _download_side_by_side(jars, part, fetch, progress)
        staged.rename(libs)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _download_side_by_side(jars: list[Jar], part: Path, fetch: Fetch, progress: Progress) -> None:
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        running = [pool.submit(_download, jar, part, fetch) for jar in jars]
        try:
            for done, future in enumerate(as_completed(running), start=1):
                future.result()
                progress(done, len(jars))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _download(jar: Jar, part: Path, fetch: Fetch) -> None:
    path = fetch(jar, part / "scratch")
    if _sha256(path) != jar.sha256:
        raise InputError(f"{jar.coordinates}: the download is not the pinned file (sha256): nothing was installed")
    path.rename(part / "libs" / jar.name)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Two first starts at once: the second waits for the first and then finds the libs there."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _one_line_for_disk_faults(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ConfigError(f"{folder}: no space left for Kafka's 45 MB of jars") from None
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise ConfigError(f"{folder}: not writable: {error.strerror}") from None
        raise
