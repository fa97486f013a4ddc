"""Kafka's classes are kept for the next start, which does without where there are none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from floorpulse.embedded import kafka
from floorpulse.embedded.classes import keep_classes
from floorpulse.embedded.jars import installed_libs
from schemas.errors import ConfigError


def started_with(broker: kafka.Broker, libs: Path) -> list[str]:
    """The options of a broker's start that name kept classes."""
    return [part for part in kafka.command_line(broker, libs) if part.startswith("-XX:AOT")]


def test_a_start_names_the_classes_that_are_kept(tmp_path: Path) -> None:
    """And nothing where none are: an option that names no file would be a warning at each start."""
    libs, broker = tmp_path / "libs", kafka.Broker(tmp_path / "kafka", 1, 2)
    before = started_with(broker, libs)

    kafka.class_file(libs).touch()

    assert (before, started_with(broker, libs)) == ([], [f"-XX:AOTCache={kafka.class_file(libs)}"])


def test_the_classes_are_those_of_the_jars_and_of_java(tmp_path: Path) -> None:
    """Other jars, or another Java, have a file of their own."""
    one, other = (kafka.class_file(tmp_path / name).name for name in ("kafka-1", "kafka-2"))

    assert one != other
    assert "-java-" in one


def test_what_is_no_kafka_leaves_nothing_behind(tmp_path: Path) -> None:
    """Java says what is wrong, and no file is there that a later start would take."""
    libs = tmp_path / "libs"
    libs.mkdir()

    with pytest.raises(ConfigError, match="Kafka's storage could not be formatted"):
        keep_classes(libs)

    assert list(tmp_path.iterdir()) == [libs]


def test_java_takes_what_is_kept(tmp_path: Path) -> None:
    """With the options of every start: others, or another order of the jars, and Java would go on without."""
    libs = installed_libs()
    kept = kafka.class_file(libs)
    if not kept.exists():
        pytest.skip("no classes are kept on this machine: floorpulse install keeps them")
    broker = kafka.Broker(tmp_path / "kafka", 1, 2)

    start = [*kafka.java(broker, libs), "-XX:AOTMode=on", "-version"]
    start.remove(f"-Dlog4j2.configurationFile={broker.folder / 'log4j2.yaml'}")
    said = subprocess.run(start, capture_output=True, text=True, check=False)

    assert (said.returncode, said.stderr.count("AOT cache")) == (0, 0), said.stdout + said.stderr
