"""F15 to F17 with the real process: a receiver hangs, delivery is killed in the middle of a message (P4)."""

from __future__ import annotations

import base64
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from floorpulse.publish import publish_registry
from schemas.registry import Floor, Membership, Person, Site, Team
from tests.faults.conftest import MakeFloor
from tests.faults.harness.floor import said
from tests.faults.harness.parts import start_delivery
from tests.faults.harness.seen import Note
from tests.faults.harness.sendings import WATCHED, Feed, now_ms
from tests.faults.harness.waiting import wait_for

SEED = 17
AWAY_S = 600
RECEIVERS = """\
receivers:
  - {{name: hanging, person: lead-1, channel: webhook, url: "http://127.0.0.1:{port}/hanging", secret: HOOK}}
  - {{name: quick, person: lead-1, channel: webhook, url: "http://127.0.0.1:{port}/quick", secret: HOOK}}
"""
SECRET = {"HOOK": "whsec_" + base64.b64encode(b"a secret of the receivers").decode()}


class Hooks:
    """Two receivers: one answers at once, one only when it is let."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.got: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        """Receiver -> (webhook-id, body) in order."""
        self.answers = threading.Event()

    def told(self, receiver: str) -> set[str]:
        """The subjects that a receiver was told of."""
        return {word for _, body in self.got[receiver] for word in WATCHED if word.encode() in body}


@contextmanager
def served(hooks: Hooks) -> Iterator[int]:
    """The port of both."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            name = self.path.strip("/")
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hooks.got[name].append((self.headers["webhook-id"], body))
            if name == "hanging":
                hooks.answers.wait(120)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not worth a line."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        hooks.answers.set()
        server.shutdown()
        server.server_close()


def test_delivery_is_killed_while_a_receiver_hangs(make_floor: MakeFloor, soak: bool, note: Note) -> None:
    """The other receiver is told in time; after the kill the hanging one gets the same message under the same id."""
    if not soak:
        pytest.skip("half a minute: with --soak only; tests/delivery proves it with a log of its own")
    feed, hooks = Feed(SEED, now_ms, away_ms=AWAY_S * 1000), Hooks()
    with make_floor(clock="wall", away_s=AWAY_S) as floor, served(hooks) as port:
        publish_registry(floor.settings, _registry(), "tests")
        settings = floor.settings.model_copy(update={"data": _data(floor.folder, port)})
        delivery = start_delivery(settings, floor.folder / "delivery.log", SECRET)
        floor.start()
        floor.send([feed.fatal_item("w00")])
        first = wait_for(lambda: "w00" in hooks.told("quick") and hooks.got["hanging"], 60, "the first message")
        floor.send([feed.fatal_item("w01")])
        second = wait_for(lambda: "w01" in hooks.told("quick"), 60, "the second message, past the one that hangs")
        delivery.kill()
        before = list(hooks.got["hanging"])
        hooks.answers.set()
        delivery = start_delivery(settings, floor.folder / "delivery.log", SECRET)
        wait_for(lambda: len(hooks.got["hanging"]) > len(before), 60, "the same message again")
        wait_for(lambda: "w01" in hooks.told("hanging"), 60, "what waited")
        delivery.stop()
        floor.drained()
        found = floor.judged()
    assert hooks.got["hanging"][len(before)] == before[0]
    copies = {*hooks.got["quick"], *hooks.got["hanging"]}
    assert len(copies) == len({message for message, _ in copies}), "two messages under one id"
    assert found == [], said(found, SEED)
    note("F15 F17", first_s=first, second_s=second, copies=len(hooks.got["hanging"]))


def _registry() -> Floor:
    people = [Person(id=agent, teams=[Membership(team="t1")]) for agent in WATCHED]
    return Floor(sites=[Site(id="main")], teams=[Team(id="t1", lead="lead-1")], people=people)


def _data(folder: Path, port: int) -> Path:
    data = folder / "delivery"
    data.mkdir()
    (data / "receivers.yaml").write_text(RECEIVERS.format(port=port))
    return data
