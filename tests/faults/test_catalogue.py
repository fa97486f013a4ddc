"""The table of faults is whole, what it names exists, and the page says the same."""

from __future__ import annotations

import ast

from tests.faults.catalogue import PLANTED, ROWS
from tests.faults.page import PAGE, ROOT, page, read_seen
from tests.faults.test_negative_controls import FOUND_BY


def test_every_fault_of_the_matrix_stands_in_the_table() -> None:
    """F1 to F24, in order, each with a proof or a word on why there is none."""
    assert [row.id for row in ROWS] == [f"F{number}" for number in range(1, 25)]
    assert [row.id for row in ROWS if not row.proof and not row.limit] == []


def test_every_proof_exists() -> None:
    """Each node id names a test of the tree, also those of other folders."""
    named = {proof for row in ROWS for proof in row.proof}

    missing = []
    for proof in sorted(named):
        file, _, name = proof.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        if name not in tests:
            missing.append(proof)

    assert missing == []


def test_the_five_negative_controls_are_there() -> None:
    """One bug for each mechanism, each with the check that finds it."""
    assert len(PLANTED) == 5
    assert set(FOUND_BY) == set(PLANTED)


def test_the_page_is_made_of_table_and_results() -> None:
    """`python -m tests.faults.page` would change nothing."""
    assert PAGE.read_text(encoding="utf-8") == page(read_seen())
