"""How a message leaves: webhook (Standard Webhooks), Slack-compatible, email. Each says which failures may pass."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from email.message import EmailMessage
from typing import Protocol

import aiohttp

from floorpulse.delivery.config import EmailReceiver, Receiver, Receivers, SlackReceiver, Smtp, WebhookReceiver
from floorpulse.delivery.messages import Message
from schemas.errors import ConfigError, InputError, Unavailable

TIMEOUT_S = 20.0
_MAY_PASS = frozenset({408, 425, 429})


class Channel(Protocol):
    """One way to one receiver."""

    async def send(self, message: Message, now_s: int) -> None:
        """Send once. Unavailable: the same may succeed later; InputError: it never will."""


class Webhook:
    """Posts a message as JSON with the headers of Standard Webhooks."""

    def __init__(self, http: aiohttp.ClientSession, url: str, secrets: list[bytes]) -> None:
        self._http, self._url, self._secrets = http, url, secrets

    async def send(self, message: Message, now_s: int) -> None:
        """See `Channel`."""
        body = message.payload()
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(now_s),
            "webhook-signature": " ".join(signature(key, message.id, now_s, body) for key in self._secrets),
        }
        await _post(self._http, self._url, body, headers)


class Slack:
    """Posts a message as text to an incoming webhook."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url

    async def send(self, message: Message, now_s: int) -> None:
        """See `Channel`; `now_s` is not told, as Slack shows its own time."""
        text = message.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        body = json.dumps({"text": text}).encode()
        await _post(self._http, self._url, body, {"content-type": "application/json"})


class Email:
    """
    Sends a message by SMTP; its Message-ID stays the same over retries.

    In a thread of its own: a mail server that hangs must not take those that the log is read by.
    """

    def __init__(self, smtp: Smtp, password: str, to: str) -> None:
        self._smtp, self._password, self._to = smtp, password, to
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="email")

    async def send(self, message: Message, now_s: int) -> None:
        """See `Channel`; the mail server writes the date."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._send, message)
        except smtplib.SMTPResponseException as error:
            raise self._refusal([(error.smtp_code, error.smtp_error)]) from error
        except smtplib.SMTPRecipientsRefused as error:
            raise self._refusal(list(error.recipients.values())) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(f"{self._smtp.host}: {error}") from error

    def _refusal(self, answers: list[tuple[int, bytes | str]]) -> Unavailable | InputError:
        """Of several answers one that may pass is enough: nobody has the mail yet, and who said 5xx says so again."""
        kind = Unavailable if any(400 <= code < 500 for code, _ in answers) else InputError
        return kind(f"{self._smtp.host}: " + ", ".join(f"{code} {text!r}" for code, text in answers))

    def _send(self, message: Message) -> None:
        mail = EmailMessage()
        mail["Subject"] = message.title[:200]
        mail["From"], mail["To"] = self._smtp.sender, self._to
        mail["Message-ID"] = f"<{message.id}@floorpulse>"
        mail.set_content(message.text)
        with closing(smtplib.SMTP(self._smtp.host, self._smtp.port, timeout=TIMEOUT_S)) as server:
            try:
                self._hand_over(server, mail)
            finally:
                # who has taken the mail has it, whatever they answer to a farewell
                with suppress(OSError, smtplib.SMTPException):
                    server.quit()

    def _hand_over(self, server: smtplib.SMTP, mail: EmailMessage) -> None:
        if self._smtp.starttls:
            server.starttls(context=ssl.create_default_context())
        if self._smtp.user:
            server.login(self._smtp.user, self._password)
        server.send_message(mail)


def signature(key: bytes, message: str, now_s: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over id, time and body, as Standard Webhooks says."""
    signed = f"{message}.{now_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def channels_of(receivers: Receivers, http: aiohttp.ClientSession, secret: Callable[[str], str]) -> dict[str, Channel]:
    """The channel of each receiver by its name; ConfigError: a secret is missing or no good."""
    return {receiver.name: _channel(receiver, receivers.smtp, http, secret) for receiver in receivers.receivers}


def _channel(
    receiver: Receiver, smtp: Smtp | None, http: aiohttp.ClientSession, secret: Callable[[str], str]
) -> Channel:
    match receiver:
        case WebhookReceiver():
            return Webhook(http, receiver.url, [_key(receiver, part) for part in secret(receiver.secret).split()])
        case SlackReceiver():
            return Slack(http, secret(receiver.url_secret))
        case EmailReceiver():
            if smtp is None:
                raise ConfigError(f"{receiver.name}: email: expected a mail server under `smtp`")
            return Email(smtp, secret(smtp.password) if smtp.password else "", receiver.to)


def _key(receiver: WebhookReceiver, text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ConfigError(f"{receiver.secret}: expected whsec_ and base64")
    return key


async def _post(http: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> None:
    """Errors name the host only: the path of an address may be a secret."""
    limit = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with http.post(url, data=body, headers=headers, timeout=limit, allow_redirects=False) as answer:
            status, host = answer.status, answer.url.host
    except aiohttp.InvalidURL:
        raise InputError("the receiver's address is no http(s) URL") from None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"the receiver does not answer: {type(error).__name__}") from None
    if status in _MAY_PASS or status >= 500:
        raise Unavailable(f"{host} answered {status}")
    if not 200 <= status < 300:
        raise InputError(f"{host} answered {status}")
