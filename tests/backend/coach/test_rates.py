"""Too high, too low, at once, and too much decay."""

from __future__ import annotations

import numpy as np
import pytest

from backend.coach.record import RunRecord
from backend.coach.rules import rates
from tests.backend.coach.told import falling, run, warmed_up


def diverging(updates: int = 100) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Falls while the rate is small, then jumps up and stays there."""
    return np.concatenate((falling(20, 7, 5.5), 7.5 + 0.3 * np.random.default_rng(0).standard_normal(updates - 20)))


def test_a_rate_that_makes_the_loss_turn_up() -> None:
    said = rates.learning_rate_high(run(diverging(), config={"learning_rate": 0.09}))
    assert said
    assert said.fix == {"learning_rate": 3e-3, "warmup_ratio": 0.1}
    assert "30 times the usual" in said.text
    assert rates.learning_rate_high(run(falling(100), config={"learning_rate": 3e-3})) is None
    assert rates.learning_rate_high(run(falling(100), config={"learning_rate": 0.03})) is None, "it does no harm"


def test_without_a_known_model_the_curve_alone_must_show_it() -> None:
    unknown = {"model_name": None, "learning_rate": None}
    said = rates.learning_rate_high(run(diverging(), config=unknown, lr=warmed_up(100, 0.01)))
    assert said
    assert said.fix == {"learning_rate": 0.001, "warmup_ratio": 0.1}
    assert rates.learning_rate_high(run(falling(100), config=unknown)) is None


def test_a_run_that_broke_under_a_high_rate() -> None:
    said = rates.learning_rate_high(run([7.0, 7.2, 9.0, 14.0, 30.0, np.nan], config={"learning_rate": 0.5}))
    assert said
    assert said.level == "error"
    assert rates.learning_rate_high(run([*falling(50), np.nan])) is None, "another reason: a row, or the precision"


def test_a_rate_at_which_nothing_much_happens() -> None:
    slow = falling(100, 7.0, 6.8)
    said = rates.learning_rate_low(run(slow, config={"learning_rate": 3e-5}))
    assert said
    assert said.fix == {"learning_rate": 3e-3}
    assert rates.learning_rate_low(run(slow, config={"learning_rate": 3e-3})) is None
    assert rates.learning_rate_low(run(falling(100), config={"learning_rate": 3e-5})) is None, "slow, but it learns"


@pytest.mark.parametrize(
    ("model", "usual"), [("tiny", 3e-3), ("mini", 1e-3), ("gpt2", 5e-5), ("run:20260101-000000-abcd", 5e-5)]
)
def test_what_is_usual_depends_on_the_model(model: str, usual: float) -> None:
    assert rates.usual_rate(RunRecord({"model_name": model})) == usual


def test_lora_takes_more_and_so_do_small_models() -> None:
    assert rates.usual_rate(RunRecord({"model_name": "gpt2", "method": "lora"})) == 2e-4
    assert rates.usual_rate(RunRecord()) is None
    small = RunRecord({"model_name": "local:small"})
    small.add({"type": "status", "phase": "training", "parameters": 550_000})
    assert rates.usual_rate(small) == 3e-4


def test_a_jump_at_the_beginning_without_warmup() -> None:
    jumped = np.concatenate((np.array([7.0, 9.0, 8.5, 8.0, 7.5]), falling(95, 7, 3)))
    full = np.full(100, 0.01)
    said = rates.no_warmup(run(jumped, lr=full))
    assert said
    assert said.step == 2
    assert said.fix == {"warmup_ratio": 0.1, "learning_rate": 3e-3}
    usual = rates.no_warmup(run(jumped, lr=np.full(100, 3e-3)))
    assert usual
    assert usual.fix == {"warmup_ratio": 0.1}
    assert rates.no_warmup(run(jumped)) is None, "it was warmed up"
    assert rates.no_warmup(run(falling(100), lr=full)) is None, "it did no harm"
    resumed = {"type": "status", "phase": "training", "resumed_step": 100}
    later = [
        {"type": "step", "step": 100 + step, "epoch": 1.0, "loss": float(loss), "lr": 0.01, "grad_norm": 1.0, "tokens": step,
         "step_ms": 9.0}
        for step, loss in enumerate(jumped, 1)
    ]  # fmt: skip
    assert rates.no_warmup(run(jumped, lr=full, events=[resumed])), "it went on, but its first updates were its own"
    fork = run([], events=[resumed, *later])
    assert rates.no_warmup(fork) is None, "a fork's first updates are another run's"


def test_weight_decay_beyond_use() -> None:
    said = rates.weight_decay_high(run(falling(100), config={"weight_decay": 1.0}))
    assert said
    assert said.evidence["weights shrunk by it alone (%)"] == pytest.approx(15, abs=3)
    assert rates.weight_decay_high(run(falling(100), config={"weight_decay": 0.1})) is None
