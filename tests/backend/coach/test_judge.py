"""The likeliest cause comes first, and what it explains is not said besides."""

from __future__ import annotations

import ast
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from backend.coach import judge
from backend.coach.rule_book import RULES
from tests.backend.coach.told import falling, run

ROOM = Path(judge.__file__).parent


def said(*args: object, **more: object) -> list[str]:
    return [one.rule for one in judge.findings(run(*args, **more))]


def test_every_rule_is_in_the_book_and_is_asked() -> None:
    """By the source: findings have the names of the book, each has its function, and all are asked."""
    made, functions = set(), set()
    for path in (ROOM / "rules").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        keywords = (node for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "rule")
        made |= {node.value.value for node in keywords if isinstance(node.value, ast.Constant)}
    assert made == set(RULES)
    assert made <= functions
    assert {rule.__name__ for rule in judge.ORDER} | {"stalled"} == set(RULES)


def test_what_a_cause_explains_is_not_said_besides() -> None:
    few = {"train_examples": 18, "validation_examples": 2}
    tested = {0: 7.0, 60: 4.0, 130: 5.0, 200: 6.5}
    assert said(falling(last=0.01), facts=few, tested=tested, epochs=60) == ["too_little_data", "overfitting"]
    assert said([7.0, 7.2, 9.0, 14.0, 30.0, np.nan], config={"learning_rate": 0.5}) == ["learning_rate_high"]


def test_the_end_is_told_beside_what_does_not_contradict_it() -> None:
    assert said(falling(), data={"duplicates": 300}, end="completed") == ["duplicates", "learning"]
    loss = np.concatenate((falling(100), np.linspace(2.1, 4, 60)))
    assert said(loss) == ["rising"]


def test_silence_comes_first() -> None:
    record = run(falling(), events=[{"type": "status", "phase": "training", "time": "2026-01-01T00:00:00.000000Z"}])
    now = datetime(2026, 1, 2, tzinfo=timezone.utc)
    assert [one.rule for one in judge.findings(record, now)] == ["stalled", "learning"]
