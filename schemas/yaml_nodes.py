"""The nodes of a YAML text: the values with the lines that they stand on."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def nodes_of(text: str) -> Node | None:
    """
    The root of a text; None of an empty one.

    yaml.YAMLError where it is no YAML, or has a key twice in one place: the later one would count, and nobody would be
    told. The C library is ten times as fast, the reader in Python says more of what is wrong.
    """
    try:
        root: Node | None = yaml.compose(text, Loader=_FAST)
    except yaml.YAMLError:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is not None:
        _refuse_twice(root)
    return root


def values_of(root: Node | None) -> Any:
    """What `yaml.safe_load` gives of the text of these nodes, without reading it again; its errors."""
    return None if root is None else yaml.SafeLoader("").construct_document(root)


def _refuse_twice(root: Node) -> None:
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, SequenceNode):
            waiting += node.value
        elif isinstance(node, MappingNode):
            keys = set[str]()
            for key, value in node.value:
                if not isinstance(key, ScalarNode) or key.value in keys:
                    said = f"{key.value} is given twice" if isinstance(key, ScalarNode) else "a key that is no word"
                    raise yaml.MarkedYAMLError(problem=said, problem_mark=key.start_mark)
                keys.add(key.value)
                waiting.append(value)
