"""What `receivers.yaml` may say, and the one line that names what is wrong."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import aiohttp
import pytest

from floorpulse.delivery.channels import channels_of
from floorpulse.delivery.config import Receivers, load_receivers
from floorpulse.delivery.messages import Notice
from floorpulse.delivery.routing import receivers_of
from floorpulse.delivery.secrets import secret
from schemas.errors import ConfigError
from schemas.registry import Floor, Registry, Site, Team
from schemas.times import to_ms

GOOD = """
receivers:
  - {name: lead-hook, person: lead-1, channel: webhook, url: "https://hooks.test/x", secret: HOOK_SECRET}
  - {name: deputy-chat, person: deputy-1, channel: slack, url_secret: CHAT_URL}
  - {name: boss-mail, person: manager-1, channel: email, to: boss@floor.test}
duty:
  lead-1:
    - {days: [mon, tue], from: 22:00, to: 06:00}
  deputy-1:
    - {from: "06:00", to: "14:00"}
smtp: {host: mail.floor.test, sender: alerts@floor.test}
"""


def given(folder: Path, text: str) -> Path:
    file = folder / "receivers.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_no_file_means_the_web_inbox_only(tmp_path: Path) -> None:
    """Nothing to send, and no error."""
    assert load_receivers(tmp_path / "receivers.yaml") == Receivers()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("person: lead-1", "persn: lead-1", r":3: receivers.0.person: Field required"),
        ("https://hooks.test/x", "hooks.test", r":3: receivers.0.url: "),
        ("channel: slack", "channel: pager", r":4: receivers.1: Input tag 'pager'"),
        ("deputy-chat", "lead-hook", r":4: receivers.1.name: 'lead-hook' is given twice"),
        ("smtp: {host", "mail: {host", r":11: mail: Extra inputs"),
        ("smtp: {host: mail.floor.test, sender: alerts@floor.test}", "", r":5: receivers.2.channel: email: expected"),
        ("from: 22:00", "from: 22:00+08:00", r":8: duty.lead-1.0.from: .*expected a local time"),
        ("[mon, tue]", "[mon, tuesday]", r":8: duty.lead-1.0.days.1: Input should be 'mon'"),
        ("receivers:", "receivers: [", r": not YAML: "),
        ("receivers:", "receivers: []\nreceivers:", r": not YAML: receivers is given twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, before: str, after: str, said: str) -> None:
    """One line: file, line, key, what was expected."""
    file = given(tmp_path, GOOD.replace(before, after, 1))

    with pytest.raises(ConfigError, match=said) as fault:
        load_receivers(file)

    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("local", "told"),
    [
        ("2026-03-02T23:30:00+08:00", ["lead-hook"]),
        ("2026-03-04T05:59:00+08:00", ["lead-hook"]),
        ("2026-03-02T06:00:00+08:00", ["deputy-chat"]),
        ("2026-03-02T15:00:00+08:00", ["boss-mail"]),
        ("2026-03-04T23:30:00+08:00", ["boss-mail"]),
    ],
)
def test_the_lead_on_duty_is_told_else_the_deputy_else_the_manager(tmp_path: Path, local: str, told: list[str]) -> None:
    """Hours are those of the site; a span past midnight belongs to the day on which it begins."""
    team = Team(id="t1", site="mnl", lead="lead-1", deputy="deputy-1", manager="manager-1")
    registry = Registry(Floor(sites=[Site(id="mnl", timezone="Asia/Manila")], teams=[team]))
    at_ms = to_ms(datetime.fromisoformat(local))
    notice = Notice("k", at_ms, "alert_firing", "t1", "mnl", "agent:a1", "text")

    assert receivers_of(load_receivers(given(tmp_path, GOOD)), registry, notice) == told


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nowhere else; a missing one is named."""
    (tmp_path / "secret").write_text("from the file\n", encoding="utf-8")
    monkeypatch.setenv("IN_FILE_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("IN_ENVIRONMENT", "from the environment")

    assert (secret("IN_FILE"), secret("IN_ENVIRONMENT")) == ("from the file", "from the environment")
    with pytest.raises(ConfigError, match="NOWHERE: expected a secret"):
        secret("NOWHERE")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "found nothing"),
        (b" \n", "found nothing"),
        (b"\xff\xfe", "expected text in UTF-8"),
        (None, "Is a directory"),
    ],
)
def test_a_secret_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: str
) -> None:
    """A file that was never filled would leave every message without a signature."""
    file = tmp_path / "secret"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    monkeypatch.setenv("HOOK", " ")
    monkeypatch.setenv("HOOK_FILE", str(file))

    with pytest.raises(ConfigError, match=f"HOOK_FILE: .*{said}"):
        secret("HOOK")


@pytest.mark.parametrize("text", ["whsec_", "no base64", "whsec_c2VjcmV0 whsec_"])
async def test_a_key_that_signs_nothing_is_refused(text: str) -> None:
    """A receiver would take a signature by an empty key from anybody."""
    hook = {"name": "hook", "person": "l1", "channel": "webhook", "url": "http://x", "secret": "HOOK"}
    receivers = Receivers.model_validate({"receivers": [hook]})

    async with aiohttp.ClientSession() as http:
        with pytest.raises(ConfigError, match="HOOK: expected whsec_ and base64"):
            channels_of(receivers, http, lambda name: text)
