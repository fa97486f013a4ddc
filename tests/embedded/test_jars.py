"""Kafka's jars: pinned, verified, and only ever used whole."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest

from floorpulse.embedded.jars import Jar, installed_libs, pinned
from schemas.errors import ConfigError, InputError, Unavailable

JARS = [
    Jar(f"org.example:part{number}:1.0", hashlib.sha256(f"part{number}-1.0.jar".encode()).hexdigest())
    for number in range(3)
]


def fetch(jar: Jar, scratch: Path) -> Path:
    """A repository that has every jar: its content is its name."""
    scratch.mkdir(exist_ok=True)
    path = scratch / jar.name
    path.write_text(jar.name)
    return path


def no_fetch(jar: Jar, scratch: Path) -> Path:
    """A repository that must not be asked."""
    raise AssertionError(jar)


def test_the_pinned_list_is_whole() -> None:
    """46 jars, each with an exact version and a sha256, no name twice."""
    jars = pinned()

    assert len({jar.name for jar in jars}) == 46
    assert all(len(jar.sha256) == 64 and jar.coordinates.count(":") == 2 for jar in jars)
    assert "kafka_2.13-4.3.1.jar" in {jar.name for jar in jars}


def test_the_first_start_downloads_and_tells_its_progress(tmp_path: Path) -> None:
    """All jars are there under their names, and each one was counted."""
    told: list[tuple[int, int]] = []

    libs = installed_libs(
        cache=tmp_path, jars=JARS, fetch=fetch, progress=lambda done, total: told.append((done, total))
    )

    assert sorted(path.name for path in libs.iterdir()) == [jar.name for jar in JARS]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_second_start_downloads_nothing(tmp_path: Path) -> None:
    """What is there and verified is used."""
    libs = installed_libs(cache=tmp_path, jars=JARS, fetch=fetch)

    assert installed_libs(cache=tmp_path, jars=JARS, fetch=no_fetch) == libs


def test_a_wrong_checksum_is_refused_and_nothing_installed(tmp_path: Path) -> None:
    """One file that is not the pinned one spoils the whole set."""
    jars = [*JARS[:2], Jar("org.example:part2:1.0", "0" * 64)]

    with pytest.raises(InputError, match=r"part2:1\.0: the download is not the pinned file"):
        installed_libs(cache=tmp_path, jars=jars, fetch=fetch)

    assert [path.name for path in tmp_path.iterdir()] == ["install.lock"]


def test_a_half_download_is_never_used(tmp_path: Path) -> None:
    """When the network ends in the middle, the next start begins anew and ends whole."""

    def fails_at_last(jar: Jar, scratch: Path) -> Path:
        if jar == JARS[2]:
            raise Unavailable("the package repository does not answer")
        return fetch(jar, scratch)

    with pytest.raises(Unavailable, match="does not answer"):
        installed_libs(cache=tmp_path, jars=JARS, fetch=fails_at_last)

    assert len(list(installed_libs(cache=tmp_path, jars=JARS, fetch=fetch).iterdir())) == 3


def test_the_rest_of_a_killed_download_is_thrown_away(tmp_path: Path) -> None:
    """Files that a killed process left in the part folder never reach the libs."""
    libs = installed_libs(cache=tmp_path, jars=JARS, fetch=fetch)
    libs.rename(libs.with_name(f"{libs.name}.part"))
    (libs.with_name(f"{libs.name}.part") / "half.jar").write_text("half")

    again = installed_libs(cache=tmp_path, jars=JARS, fetch=fetch)

    assert sorted(path.name for path in again.iterdir()) == [jar.name for jar in JARS]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("tampered")])
def test_tampered_jars_are_refused(tmp_path: Path, damage: object) -> None:
    """A jar changed or removed after its download is noticed at the next start, which says what to do."""
    libs = installed_libs(cache=tmp_path, jars=JARS, fetch=fetch)
    assert callable(damage)

    damage(libs / JARS[1].name)

    with pytest.raises(InputError, match=r"part1-1\.0\.jar: not the pinned file .* `floorpulse install`"):
        installed_libs(cache=tmp_path, jars=JARS, fetch=no_fetch)


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "no space left"), (errno.EACCES, "not writable")])
def test_disk_faults_are_one_line(tmp_path: Path, number: int, words: str) -> None:
    """A full disk and a folder without rights are named, with the folder."""

    def fails(jar: Jar, scratch: Path) -> Path:
        raise OSError(number, "fault")

    with pytest.raises(ConfigError, match=words):
        installed_libs(cache=tmp_path, jars=JARS, fetch=fails)
