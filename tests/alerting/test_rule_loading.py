"""A rule file is read whole, or refused with one line that names file, line, key and what was expected."""

from __future__ import annotations

import pytest

from alerting.load import load_rules
from alerting.rules import Rule
from schemas.alerts import Window
from schemas.errors import ConfigError

GOOD = """\
rules:
  - id: wrap-long
    name: Wrap long
    text: Wrap takes long.
    kpi: avg_wrap_s
    subject: agent
    window: 60m
    comparison: ">"
    threshold: 180
    clear: 150
    for: 90s
    keep_firing_for: 2m
    min_n: 5
    shift_hours: {from: 08:00, to: 22:30}
    pairs_with: quality-low
  - id: quality-low
    name: Quality low
    text: Quality is low.
    kpi: quality
    subject: agent
    window: 14d
    comparison: "<"
    threshold: 75
"""


def test_reads_every_key() -> None:
    """A good file gives its rules with durations in ms and hours in minutes of the day."""
    wrap, quality = load_rules(GOOD, "r.yaml", revision=3).rules

    assert (wrap.for_ms, wrap.keep_ms, wrap.window) == (90_000, 120_000, Window("rolling", minutes=60))
    assert wrap.shift_hours is not None
    assert (wrap.shift_hours.from_minute, wrap.shift_hours.to_minute) == (480, 1350)
    assert (quality.least_n, quality.opens) == (3, "nothing")


def test_definition_reads_back() -> None:
    """What a rule says of itself is a rule again, with the same version."""
    wrap = load_rules(GOOD, "r.yaml").rules[0]

    again = Rule.model_validate(wrap.definition())

    assert again == wrap
    assert again.version() == wrap.version()


# what is written instead of what, and the line that says so
FAULTS = [
    ("min_n: 5", "min_nn: 5", "r.yaml:13: min_nn: unknown key; did you mean `min_n`?"),
    ("min_n: 5", "min_n: five", "r.yaml:13: min_n: expected a valid integer"),
    ("min_n: 5", "min_n: 0", "r.yaml:13: min_n: expected greater than or equal to 1"),
    ("threshold: 180", 'threshold: "180"', "r.yaml:9: threshold: expected a valid number"),
    ("threshold: 180", "threshold: .nan", "r.yaml:9: threshold: expected a finite number"),
    ("    threshold: 75\n", "", "r.yaml:16: threshold: missing"),
    ("kpi: quality", "kpi: qualty", "r.yaml:19: kpi: unknown KPI 'qualty'; did you mean `quality`?"),
    (
        "subject: agent\n    window: 60m",
        "subject: agnet\n    window: 60m",
        "r.yaml:6: subject: expected 'agent', 'queue'",
    ),
    ("clear: 150", "clear: 200", "r.yaml:10: clear: expected a value below the threshold 180"),
    ("threshold: 75", "threshold: 75\n    clear: 70", "r.yaml:24: clear: expected a value above the threshold 75"),
    ("window: 60m", "window: 4m", "r.yaml:7: window: expected 5m to 90m, 1d to 35d, day, shift or now"),
    ("window: 60m", "window: now", "r.yaml:7: window: now is only for time_in_state_s and longest_wait_s"),
    ("window: 14d", "window: 36d", "r.yaml:21: window: expected 5m to 90m, 1d to 35d"),
    ("threshold: 75", "threshold: 75\n    for: 5m", "r.yaml:24: for: a rule over days is judged once"),
    ("for: 90s", "for: 90", "r.yaml:11: for: expected a duration up to 24h, such as 90s"),
    ("for: 90s", "for: 25h", "r.yaml:11: for: expected a duration up to 24h"),
    ("to: 22:30", "to: 24:30", "r.yaml:14: shift_hours.to: expected a local time such as 08:30"),
    ("to: 22:30", "till: 22:30", "r.yaml:14: shift_hours.till: unknown key"),
    ("id: quality-low", "id: wrap-long", "r.yaml:16: id: 'wrap-long' is taken by the rule of line 2"),
    ("id: wrap-long", "id: Wrap long", "r.yaml:2: id: expected small letters, digits and hyphens"),
    ("    pairs_with: quality-low\n", "", "r.yaml:2: pairs_with: a rule on speed names the quality rule"),
    ("with: quality-low", "with: qualityy-low", "r.yaml:15: pairs_with: no rule 'qualityy-low' in this file; did you"),
    ("with: quality-low", "with: wrap-long", "r.yaml:15: pairs_with: expected a rule on one of csat, fatal"),
    ('comparison: ">"', "comparison: >=", "r.yaml:8: file: not YAML:"),
    ('comparison: ">"', 'comparison: "=>"', 'r.yaml:8: comparison: expected one of ">", ">=", "<", "<=", in quotes'),
    ("kpi: quality", "kpi: quality\n    state: away", "r.yaml:20: state: only for time_in_state_s"),
    ("kpi: quality", "kpi: abandon_rate", "r.yaml:20: subject: abandon_rate is a figure of: queue, client, site"),
    ("kpi: quality", "kpi: fatal\n    min_n: 3", "r.yaml:20: min_n: fatal is a count and has no minimum n"),
    ("kpi: quality", "kpi: csat", "r.yaml:23: threshold: csat is a share: expected 0 to 1, such as 0.8"),
    ("kpi: quality", "kpi: quality\n    variant: 2", "r.yaml:20: variant: only for service_level"),
    ("    text: Wrap takes long.\n", "    name: Again\n", "r.yaml:4: name: given twice"),
    ("rules:", "rule:", "r.yaml:1: rule: unknown key; did you mean `rules`?"),
]


@pytest.mark.parametrize(("good", "bad", "line"), FAULTS)
def test_one_line_per_fault(good: str, bad: str, line: str) -> None:
    """A fault is one line with file, line, key and what was expected."""
    assert good in GOOD

    with pytest.raises(ConfigError) as raised:
        load_rules(GOOD.replace(good, bad, 1), "r.yaml")

    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


LIVE_FAULTS = [
    ("state: away", "", "state: time_in_state_s needs the state"),
    ("window: now", "window: 30m", "window: time_in_state_s is a figure of this instant: expected now"),
    ("subject: agent", "subject: team", "subject: time_in_state_s is a figure of: agent"),
    ('comparison: ">"', 'comparison: "<"', 'comparison: time_in_state_s grows with time: expected ">" or ">="'),
    ("threshold: 60", "threshold: 0", "threshold: expected seconds above 0"),
    ("threshold: 60", "threshold: 60\n    clear: -1", "clear: expected seconds from 0 on"),
    ("state: away", "state: ready\n    reason: lunch", "reason: only for the state away"),
    ("state: away", "state: away\n    min_n: 2", "min_n: a figure of this instant has no minimum n"),
]
LIVE = """\
rules:
  - id: away
    name: Away
    text: Away for long.
    kpi: time_in_state_s
    subject: agent
    window: now
    comparison: ">"
    threshold: 60
    state: away
"""


@pytest.mark.parametrize(("good", "bad", "line"), LIVE_FAULTS)
def test_live_rule_faults(good: str, bad: str, line: str) -> None:
    """A rule on a figure of this instant is refused where its other keys do not fit it."""
    assert load_rules(LIVE, "r.yaml").rules[0].is_live

    with pytest.raises(ConfigError, match=r"^r\.yaml:\d+: ") as raised:
        load_rules(LIVE.replace(good, bad, 1), "r.yaml")

    assert line in str(raised.value)


@pytest.mark.parametrize("text", ["", "rules: []", "- 1", "rules: 5", "rules: [5]", "word", "rules: &a [*a]"])
def test_no_rules(text: str) -> None:
    """A file that holds no rules, or refers to itself, is refused in one line."""
    with pytest.raises(ConfigError, match=r"^r\.yaml:1: rules"):
        load_rules(text, "r.yaml")


def test_block_scalar_hint() -> None:
    """Who forgets the quotes of a comparison is told so, as `>=` opens a text block in YAML."""
    with pytest.raises(ConfigError, match='a comparison is written in quotes, ">="'):
        load_rules(GOOD.replace('">"', ">="), "r.yaml")
