"""What is counted of the data, and what the order of the data does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backend.coach.finding import Finding
from backend.coach.record import RunRecord
from backend.coach.rules import data
from tests.backend.coach.told import falling, run


@pytest.mark.parametrize(
    ("rule", "wrong", "right"),
    [
        (data.duplicates, {"duplicates": 200}, {"duplicates": 10}),
        (data.leaked_validation, {"leaked": 30}, {"leaked": 1}),
        (data.unlearned_rows, {"unlearned": 400}, {"unlearned": 5}),
        (data.short_rows, {"tokens": 1900}, {"tokens": 9000}),
        (data.missing_end, {"unended": 900}, {"unended": 20}),
        (data.wrong_template, {"foreign_marks": 200, "looked_at": 256}, {"foreign_marks": 2, "looked_at": 256}),
    ],
)
def test_counts(rule: Callable[[RunRecord], Finding | None], wrong: dict[str, Any], right: dict[str, Any]) -> None:
    said = rule(run(falling(20), data=wrong))
    assert said
    assert said.rule == rule.__name__
    assert said.level == "warning"
    assert set(wrong.values()) & set(said.evidence.values()) or said.rule == "short_rows"
    assert rule(run(falling(20), data=right)) is None
    assert rule(run(falling(20), data=dict.fromkeys(wrong, 0) if rule is not data.short_rows else {})) is None
    assert rule(RunRecord()) is None, "a log that tells nothing of its data"


def test_one_example_an_update_and_a_loss_that_jumps() -> None:
    alone = {"batch_size": 1, "gradient_accumulation_steps": 1}
    said = data.batch_noise(run(falling(noise=0.3), facts=alone))
    assert said
    assert said.fix == {"gradient_accumulation_steps": 16}
    assert data.batch_noise(run(falling(noise=0.3))) is None
    assert data.batch_noise(run(falling(noise=0.02), facts=alone)) is None


def test_an_order_that_comes_again_in_each_epoch() -> None:
    in_order = np.tile(1 + 0.2 * np.sin(np.arange(50) / 8), 4)
    shuffled = np.random.default_rng(0).permutation(in_order)
    said = data.sorted_data(run(falling() * in_order, epochs=4))
    assert said
    assert said.evidence["updates an epoch"] == 50
    assert data.sorted_data(run(falling() * shuffled, epochs=4)) is None
    assert data.sorted_data(run(falling() * in_order, epochs=1.5)) is None


@pytest.mark.parametrize(("gain", "last", "said"), [(0.001, 0.95, True), (0.2, 0.95, False), (0.001, 0.2, False)])
def test_answers_that_their_questions_do_not_tell(gain: float, last: float, said: bool) -> None:
    """Not of a run whose questions help, nor of one that is still to learn that they do."""
    loss = np.concatenate((falling(60, 7, 0.95), np.linspace(0.95, last, 140) * falling(140, 1, 1)))
    told = [{"type": "evaluation", "step": step, "epoch": 1.0, "loss": 0.9, "question_gain": gain} for step in (100, 200)]
    assert bool(data.mismatched_targets(run(loss, events=told))) is said
    assert data.mismatched_targets(run(loss, tested={0: 7.0, 100: 0.9, 200: 0.9})) is None, "nothing was swapped"
