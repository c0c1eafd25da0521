"""What is kept of a run: bounded, with its spikes, and nothing of what a worker took back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backend.coach.points import MOST_BUCKETS, RAW, Points
from backend.coach.record import MOST_EVALUATIONS, RunRecord
from tests.backend.coach.told import falling, run


def step(number: int, loss: float | None = 2.0, **more: object) -> dict[str, object]:
    return {"type": "step", "step": number, "epoch": number / 10, "loss": loss, "lr": 1e-3, **more}


@pytest.mark.parametrize("updates", [0, 1, RAW, 2 * RAW, 5_000, 100_000])
def test_a_curve_keeps_sums_and_extremes_at_any_length(updates: int) -> None:
    draw = np.random.default_rng(updates)
    values = draw.standard_normal(updates)
    points = Points(["loss"])
    for number, value in enumerate(values, start=1):
        points.add(number, [float(value)])
    curve = points.curve("loss")
    assert len(curve.step) <= MOST_BUCKETS + 2 * RAW
    assert float(np.nansum(curve.mean * curve.updates)) == pytest.approx(float(values.sum()))
    assert float(curve.updates.sum()) == updates
    if updates:
        assert (curve.low.min(), curve.high.max()) == (values.min(), values.max())
        assert curve.step[-1] == updates
        assert np.all(np.diff(curve.step) > 0)
        assert points.newest("loss")[-RAW:] == pytest.approx(values[-RAW:])


def test_what_is_missing_is_no_zero() -> None:
    points = Points(["loss", "scale"])
    for number in range(1, 1000):
        points.add(number, [None if number % 2 else 3.0, None])
    curve = points.curve("loss")
    assert set(curve.known().mean) == {3.0}
    assert float(curve.updates.sum()) == 499
    assert not len(points.curve("scale").known().step)
    assert not len(points.newest("scale"))


@pytest.mark.parametrize("back", [0, 30, 700])
def test_a_worker_that_goes_on_takes_back_what_came_after_its_checkpoint(back: int) -> None:
    record = RunRecord()
    record.add({"type": "evaluation", "step": 0, "epoch": 0, "loss": 7.0})
    for number in range(1, 1001):
        record.add(step(number, None if number == 800 else 2.0, nonfinite=["loss"] if number == 800 else []))
        if number % 100 == 0:
            record.add({"type": "evaluation", "step": number, "epoch": 1, "loss": 1.0})
    record.add({"type": "status", "phase": "training", "resumed_step": back})
    assert record.step == back
    assert record.broken == []
    assert [one["step"] for one in record.evaluations] == ([] if back == 0 else list(range(0, back + 1, 100)))
    assert all(record.loss.step <= back)
    assert len(record.loss.step) <= back
    record.add(step(back + 1, 5.0))
    assert record.loss.step[-1] == back + 1


def test_as_many_evaluations_as_can_be_told_and_always_the_best() -> None:
    record = RunRecord()
    for number in range(1, 5000):
        record.add({"type": "evaluation", "step": number, "epoch": 1, "loss": 0.5 if number == 7 else 1.0})
    assert len(record.evaluations) <= MOST_EVALUATIONS
    steps = [one["step"] for one in record.evaluations]
    assert steps == sorted(steps)
    assert {7, 4999} <= set(steps)


def test_an_update_that_fp16_left_out_is_not_a_broken_run() -> None:
    record = RunRecord()
    record.add(step(1, 2.0, grad_norm=None, scale=32768.0, nonfinite=["grad_norm"]))
    assert record.broken == []
    record.add(step(2, 2.0, grad_norm=None, scale=None, nonfinite=["grad_norm"]))
    assert record.broken == [2]


def test_events_that_no_rule_needs_are_let_pass() -> None:
    record = run(falling(20), events=[{"type": "checkpoint", "step": 3}, {"type": "server", "fact": "started"}])
    assert record.step == 20
    assert not math.isnan(float(record.loss.mean[-1]))
