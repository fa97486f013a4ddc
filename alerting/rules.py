"""A rule as a floor writes it, and a revision of all of them."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from alerting.fields import EvidenceKind, RuleFields
from alerting.fitness import faults
from schemas.kpis import KPIS, LIVE_KPIS

_EVIDENCE: dict[str, EvidenceKind] = {
    "abandoned": "abandoned",
    "abandon_rate": "abandoned",
    "asa_s": "longest_wait",
    "aht_s": "longest_handle",
    "avg_talk_s": "longest_talk",
    "avg_hold_s": "longest_hold",
    "avg_wrap_s": "longest_wrap",
    "service_level": "missed_threshold",
    "short_call_share": "short",
    "quality": "low_score",
    "fatal": "fatal",
    "time_in_state_s": "state",
    "longest_wait_s": "waiting",
}
_WORDING = {"name", "text", "receiver", "pairs_with", "evidence"}
"""Keys that can change without changing what the rule finds: an episode goes on over such an edit."""


class RuleFault(ValueError):
    """Two keys of a rule that do not go together; `key` is the one to mend."""

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(expected)
        self.key = key


class Rule(RuleFields):
    """One rule: which figure of whom, over which window, beyond which threshold, and what follows."""

    @model_validator(mode="after")
    def _keys_fit(self) -> Rule:
        for key, expected in faults(self):
            raise RuleFault(key, expected)
        return self

    @property
    def is_live(self) -> bool:
        """True for a figure of the present instant, which changes by time alone."""
        return self.kpi in LIVE_KPIS

    @property
    def least_n(self) -> int:
        """Below this n nothing is judged; 0 for counts and live figures."""
        if self.min_n is not None:
            return self.min_n
        return 0 if self.is_live or not KPIS[self.kpi].denominator else KPIS[self.kpi].min_n

    @property
    def evidence_kind(self) -> EvidenceKind:
        """The contacts to copy: as the rule says, else those that tell most about its KPI."""
        if self.evidence:
            return self.evidence
        if self.kpi in {"aht_s", "avg_talk_s"} and self.comparison in {"<", "<="}:
            return "shortest_handle"
        return _EVIDENCE.get(self.kpi, "latest")

    def breaches(self, value: float) -> bool:
        """True where the value is beyond the threshold."""
        if self.comparison in {">", ">="}:
            return value > self.threshold or (self.comparison == ">=" and value == self.threshold)
        return value < self.threshold or (self.comparison == "<=" and value == self.threshold)

    def is_calm(self, value: float) -> bool:
        """True where a firing alert counts as over."""
        if self.clear is None:
            return not self.breaches(value)
        return value <= self.clear if self.comparison in {">", ">="} else value >= self.clear

    def definition(self) -> dict[str, Any]:
        """The rule as its file would say it: JSON that `Rule.model_validate` reads back."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def version(self) -> int:
        """A number of 48 bits that changes with whatever changes what the rule finds or leads to."""
        judged = {key: part for key, part in self.definition().items() if key not in _WORDING}
        digest = blake2b(json.dumps(judged, sort_keys=True).encode(), digest_size=6)
        return int.from_bytes(digest.digest(), "big")


class RuleSet(BaseModel):
    """One revision of the rules, whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: int = 0
    rules: tuple[Rule, ...] = ()

    def rule(self, id_: str) -> Rule | None:
        """The rule of an id; None when there is none."""
        return next((rule for rule in self.rules if rule.id == id_), None)
