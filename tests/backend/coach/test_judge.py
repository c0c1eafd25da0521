"""The likeliest cause comes first, and what it explains is not said besides."""

from __future__ import annotations

import ast
import json
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.coach import judge
from backend.coach.record import RunRecord
from backend.coach.rule_book import RULES
from tests.backend.coach.told import CONFIG, falling, run

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


def test_what_needs_doing_comes_before_what_does_not() -> None:
    loss = np.array(falling(200, noise=0.02))
    loss[119] += 4
    waited = {"type": "timing", "step": 200, "data": 9.0, "forward": 3.0, "backward": 5.0, "optimizer": 1.0}
    assert said(loss, events=[waited]) == ["slow_input", "spike", "learning"]


def test_silence_comes_first() -> None:
    record = run(falling(), events=[{"type": "status", "phase": "training", "time": "2026-01-01T00:00:00.000000Z"}])
    now = datetime(2026, 1, 2, tzinfo=timezone.utc)
    assert [one.rule for one in judge.findings(record, now)] == ["stalled", "learning"]


NUMBERS = st.one_of(st.none(), st.just(0.0), st.floats(1e-9, 1e9))
COUNTS = st.one_of(st.none(), st.integers(0, 3000))
STEPS = st.integers(0, 60)
FACTS = ["resumed_step", "total_steps", "train_examples", "validation_examples", "batch_size"]
TWO = st.lists(NUMBERS, min_size=2, max_size=2)
SEEN = st.fixed_dictionaries({"row": STEPS, "loss": NUMBERS, "tokens": STEPS, "text": st.just("x")})
EVENTS = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("step"), "step": STEPS, "epoch": st.floats(0, 50), "loss": NUMBERS, "lr": st.floats(0, 1),
            "grad_norm": NUMBERS, "tokens": STEPS, "step_ms": st.floats(0, 1e5), "scale": NUMBERS,
            "nonfinite": st.lists(st.sampled_from(["loss", "grad_norm"]), max_size=2),
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("evaluation"), "step": STEPS, "epoch": st.floats(0, 50), "loss": NUMBERS},
        optional={"train_loss": NUMBERS, "question_gain": NUMBERS},
    ),
    st.fixed_dictionaries(
        {"type": st.just("status"), "phase": st.sampled_from(["training", "evaluating", "completed", "failed"])},
        optional=dict.fromkeys(FACTS, COUNTS),
    ),
    st.fixed_dictionaries(
        {"type": st.just("data")} | dict.fromkeys(["examples", "validation_examples", "tokens", "trained_tokens"], STEPS)
        | {"cut": STEPS, "unlearned": STEPS},
        optional=dict.fromkeys(["duplicates", "leaked", "unended", "foreign_marks", "looked_at"], COUNTS),
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("layers"), "step": STEPS, "parts": st.just(["a", "b"]),
            "grad_norm": TWO, "update_ratio": TWO,
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("rows"), "step": STEPS, "cause": st.sampled_from(["spike", "training", "evaluation"])}
        | {"rows": st.lists(SEEN, max_size=3)}
    ),
    st.fixed_dictionaries({"type": st.just("timing"), "step": STEPS, "data": st.floats(0, 9), "forward": st.floats(0, 9)}),
    st.fixed_dictionaries(
        {"type": st.just("system"), "step": STEPS, "gpu_percent": NUMBERS, "gpu_memory_bytes": COUNTS}
    ),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(before=st.integers(0, 80), told=st.lists(EVENTS, max_size=20), data=st.data())
def test_whatever_a_run_tells_a_judgement_comes_of_it(
    before: int, told: list[dict[str, object]], data: st.DataObject
) -> None:
    """Also of one that tells nonsense, or half of it, or goes back."""
    config = data.draw(st.sampled_from([None, CONFIG, {**CONFIG, "model_name": "gpt2", "learning_rate": None}]))
    record = RunRecord(config, device_memory_bytes=data.draw(COUNTS))
    for number, loss in enumerate(falling(before), start=1):
        record.add({"type": "step", "step": number, "epoch": number / 9, "loss": float(loss), "lr": 1e-3})
    for event in told:
        record.add(event)
        for one in judge.findings(record, datetime(2026, 1, 2, tzinfo=timezone.utc)):
            assert one.rule in RULES
            assert one.text
            json.dumps(one.model_dump(), allow_nan=False)
