"""Read a rule file: YAML text in, a `RuleSet` out, or one line that names file, line and key."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, SequenceNode

from alerting.fitness import QUALITY_KPIS, SPEED_KPIS, suggestion
from alerting.rules import Rule, RuleFault, RuleSet
from alerting.spans import ShiftHours
from schemas.errors import ConfigError

_RULE_KEYS = [field.alias or name for name, field in Rule.model_fields.items()]
_HOURS_KEYS = [field.alias or name for name, field in ShiftHours.model_fields.items()]
_TYPED_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null")}
_PLAIN_VALUES = SafeConstructor()

Place = tuple[str | int, ...]


def load_rules(text: str, file: str, revision: int = 0) -> RuleSet:
    """
    The rules of a file's text.

    ConfigError with one line `FILE:LINE: key: what was expected` for the first fault. `file` is only named.
    """
    document = _Document(text, file)
    rules = tuple(document.rule(index, given) for index, given in enumerate(document.rules()))
    _check_ids(document, rules)
    _check_pairs(document, rules)
    return RuleSet(revision=revision, rules=rules)


class _Document:
    """A rule file as plain values, with the line of each of them."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.lines: dict[Place, int] = {(): 1}
        self._seen: set[int] = set()
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise self._broken(error) from None
        self.values = self._plain(root, ()) if root else {}

    def fault(self, place: Place, key: str, expected: str) -> ConfigError:
        """The one line about a place, or about the nearest place around it that has a line."""
        while place not in self.lines:
            place = place[:-1]
        return ConfigError(f"{self.file}:{self.lines[place]}: {key}: {expected}")

    def rules(self) -> list[Any]:
        """The list under `rules`."""
        if not isinstance(self.values, dict):
            raise self.fault((), "rules", "expected a list of rules under the key `rules`")
        for key in self.values:
            if key != "rules":
                raise self.fault((key,), str(key), f"unknown key{suggestion(str(key), ['rules'])}")
        rules = self.values.get("rules")
        if not isinstance(rules, list) or not rules:
            raise self.fault(("rules",), "rules", "expected a list of rules")
        return rules

    def rule(self, index: int, given: Any) -> Rule:
        """One rule of the list."""
        place: Place = ("rules", index)
        if not isinstance(given, dict):
            raise self.fault(place, f"rules[{index}]", "expected the keys of a rule")
        try:
            return Rule.model_validate(given)
        except ValidationError as error:
            key, expected = _words(_first(error))
            raise self.fault((*place, *key), ".".join(map(str, key)), expected) from None

    def _plain(self, node: Node, place: Place) -> Any:
        if id(node) in self._seen:
            raise self.fault(place, ".".join(map(str, place)), "aliases are not read here: write the value out")
        self._seen.add(id(node))
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self._mapping(node, place)
        if isinstance(node, SequenceNode):
            return [self._plain(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, place)

    def _scalar(self, node: Node, place: Place) -> Any:
        # YAML 1.1 reads 12:30 as 750, a number to the base 60; here it is a time.
        if node.tag not in _TYPED_TAGS or ":" in node.value:
            return node.value
        try:
            return _PLAIN_VALUES.construct_object(node)
        except (ValueError, yaml.YAMLError):
            raise self.fault(place, ".".join(map(str, place)), f"{node.value!r} is no value") from None

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            here = (*place, key)
            if key in values:
                self.lines[here] = key_node.start_mark.line + 1
                raise self.fault(here, key, "given twice")
            self.lines[here] = key_node.start_mark.line + 1
            values[key] = self._plain(value_node, here)
        return values

    def _broken(self, error: yaml.YAMLError) -> ConfigError:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        said = " ".join(str(getattr(error, "problem", None) or error).split())
        hint = '; a comparison is written in quotes, ">="' if "block scalar" in str(error) else ""
        return ConfigError(f"{self.file}:{line}: file: not YAML: {said}{hint}")


def _first(error: ValidationError) -> ErrorDetails:
    """The fault to name: a misspelt key before the missing key that it leaves."""
    found = error.errors(include_url=False)
    return next((one for one in found if one["type"] == "extra_forbidden"), found[0])


def _words(fault: ErrorDetails) -> tuple[Place, str]:
    """Where in the rule, and what was expected."""
    place, cause = fault["loc"], fault.get("ctx", {}).get("error")
    if isinstance(cause, RuleFault):
        return (cause.key,), str(cause)
    if fault["type"] == "extra_forbidden":
        known = _HOURS_KEYS if place[0] == "shift_hours" else _RULE_KEYS
        return place, f"unknown key{suggestion(str(place[-1]), known)}"
    if fault["type"] == "missing":
        return place, "missing"
    if place == ("comparison",):
        return place, 'expected one of ">", ">=", "<", "<=", in quotes'
    if place == ("id",):
        return place, "expected small letters, digits and hyphens, such as long-away"
    said = fault["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return place, said[0].lower() + said[1:]


def _check_ids(document: _Document, rules: tuple[Rule, ...]) -> None:
    first: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if rule.id in first:
            line = document.lines[("rules", first[rule.id])]
            raise document.fault(("rules", index, "id"), "id", f"{rule.id!r} is taken by the rule of line {line}")
        first[rule.id] = index


def _check_pairs(document: _Document, rules: tuple[Rule, ...]) -> None:
    kpi_of = {rule.id: rule.kpi for rule in rules}
    for index, rule in enumerate(rules):
        if rule.pairs_with is None:
            continue
        place: Place = ("rules", index, "pairs_with")
        if rule.pairs_with not in kpi_of:
            hint = suggestion(rule.pairs_with, list(kpi_of))
            raise document.fault(place, "pairs_with", f"no rule {rule.pairs_with!r} in this file{hint}")
        if rule.kpi in SPEED_KPIS and kpi_of[rule.pairs_with] not in QUALITY_KPIS:
            raise document.fault(place, "pairs_with", f"expected a rule on one of {', '.join(sorted(QUALITY_KPIS))}")
