"""Emails on their way to a mail server on loopback: one that greylists, one that refuses, one that nobody knows."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from socket import create_server
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest

from floorpulse.delivery.channels import Email
from floorpulse.delivery.config import Smtp
from floorpulse.delivery.messages import Message, Notice, message_of
from schemas.errors import InputError, Unavailable

MANY = 40
"""More than a process has threads to share."""
NOW_MS = 1_772_452_800_000
CERTIFICATE = Path(__file__).parent / "mail_server.pem"
"""Of `localhost`, signed by itself, with its key: nothing but these tests knows it."""


class MailServer(ThreadingTCPServer):
    """Speaks SMTP; `answers` are those to RCPT, one after the other, before it says yes; `farewell` that to QUIT."""

    daemon_threads = True

    def __init__(self, *answers: str, starttls: bool = False, farewell: str = "221 bye") -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.answers, self.starttls, self.farewell = list(answers), starttls, farewell
        self.passwords: list[bytes] = []
        self.mails: list[EmailMessage] = []

    def channel(self, to: str = "boss@example.com") -> Email:
        """An email receiver behind this server, who logs in where there is TLS."""
        smtp = Smtp(
            host="localhost", port=self.server_address[1], sender="floor@example.com", starttls=self.starttls,
            user="floor" if self.starttls else "",
        )  # fmt: skip
        return Email(smtp, "the password", to)


class Session(StreamRequestHandler):
    """One connection."""

    server: MailServer

    def handle(self) -> None:
        self._say("220 mail")
        with suppress(ssl.SSLError):  # the client does not like the certificate
            while line := self.rfile.readline():
                word, _, rest = line.decode().strip().partition(" ")
                self._answer(word.upper(), rest)

    def _answer(self, word: str, rest: str) -> None:
        match word.upper():
            case "EHLO":
                in_tls = isinstance(self.request, ssl.SSLSocket)
                self._say("250-mail", "250 AUTH PLAIN" if in_tls else "250 STARTTLS")
            case "STARTTLS":
                self._say("220 go on")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(CERTIFICATE)
                self.request = context.wrap_socket(self.request, server_side=True)
                self.setup()
            case "AUTH":
                self.server.passwords.append(base64.b64decode(rest.split()[1]).split(b"\0")[2])
                self._say("235 welcome")
            case "RCPT":
                self._say(self.server.answers.pop(0) if self.server.answers else "250 fine")
            case "DATA":
                self._say("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.mails.append(message_from_bytes(text, policy=policy.default))
                self._say("250 taken")
            case "QUIT":
                self._say(self.server.farewell)
            case _:
                self._say("250 fine")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


StartServer = Callable[..., MailServer]


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Starts mail servers that end with the test."""
    with ExitStack() as stack:

        def start(*answers: str, **how: Any) -> MailServer:
            server = stack.enter_context(MailServer(*answers, **how))
            stack.callback(server.shutdown)
            Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            return server

        yield start


def message(text: str = "firing (act): slow, agent:a1") -> Message:
    return message_of("manager", [Notice("a", NOW_MS, "alert_firing", "t1", "main", "agent:a1", text)])


@pytest.mark.parametrize("farewell", ["421 too many connections", "500 what?", "250 ok", ""])
async def test_a_mail_that_was_taken_is_not_sent_again_for_its_farewell(
    start_server: StartServer, farewell: str
) -> None:
    """Nor told of as failed: a server with another answer to QUIT would have sent the same mail for 15 minutes."""
    server = start_server(farewell=farewell)

    await server.channel().send(message(), 0)

    assert len(server.mails) == 1


async def test_greylisting_may_pass(start_server: StartServer) -> None:
    """The server says 451 to whom it does not know, and takes the same mail a minute later."""
    server = start_server("451 4.7.1 Greylisted, try again later")

    with pytest.raises(Unavailable, match="Greylisted"):
        await server.channel().send(message(), 0)
    await server.channel().send(message(), 0)

    assert [mail["Message-ID"] for mail in server.mails] == [f"<{message().id}@floorpulse>"]


async def test_a_recipient_who_is_unknown_stays_unknown(start_server: StartServer) -> None:
    """5xx is for ever."""
    server = start_server("550 5.1.1 no such user")

    with pytest.raises(InputError, match="no such user"):
        await server.channel().send(message(), 0)


async def test_one_of_two_recipients_who_may_be_taken_later_is_enough(start_server: StartServer) -> None:
    """As long as nobody has the mail: who is refused for ever does not cost the other theirs."""
    server = start_server("550 5.1.1 no such user", "451 4.7.1 Greylisted, try again later")

    with pytest.raises(Unavailable, match="Greylisted"):
        await server.channel("nobody,boss@example.com").send(message(), 0)


async def test_an_id_with_a_line_break_is_told_in_one_line(start_server: StartServer) -> None:
    """A queue may be called so; the header of a mail may not."""
    server = start_server()

    await server.channel().send(message("firing (act): slow, queue:claims\nvip"), 0)

    assert server.mails[0]["Subject"] == "firing (act): slow, queue:claims vip"
    assert server.mails[0].get_content().strip() == "firing (act): slow, queue:claims vip"


async def test_no_password_goes_to_a_server_that_nobody_vouches_for(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that it signed itself is none, unless this machine trusts it."""
    server = start_server(starttls=True)

    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await server.channel().send(message(), 0)

    assert server.passwords == []
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    await server.channel().send(message(), 0)
    assert (server.passwords, len(server.mails)) == ([b"the password"], 1)


async def test_a_mail_server_that_hangs_holds_up_nobody_else() -> None:
    """However many get their mail by it: the log is read, and others are told, in threads that no email waits in."""
    loop = asyncio.get_running_loop()
    with ExitStack() as open_still:
        server = open_still.enter_context(create_server(("127.0.0.1", 0), backlog=MANY))
        server.setblocking(False)
        smtp = Smtp(host="127.0.0.1", port=server.getsockname()[1], sender="floor@example.com", starttls=False)
        sending = [loop.create_task(Email(smtp, "", f"lead-{n}@example.com").send(message(), 0)) for n in range(MANY)]

        async with asyncio.timeout(15):
            for _ in sending:
                connection, _address = await loop.sock_accept(server)
                open_still.callback(connection.close)
            assert await asyncio.to_thread(lambda: "read") == "read"

    ended = await asyncio.gather(*sending, return_exceptions=True)
    assert {type(fault) for fault in ended} == {Unavailable}
