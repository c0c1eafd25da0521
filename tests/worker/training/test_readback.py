"""Numbers that are read late are the same numbers, and a broken update is not made however late it is noticed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from worker.errors import TrainingError
from worker.training.readback import Readback

Prepare = Callable[..., tuple[Any, list[Any]]]


def numbers(loss: float) -> torch.Tensor:
    return torch.tensor([loss, 1.0, math.nan])


def test_numbers_come_back_in_order_one_update_late() -> None:
    readback = Readback(lag=1)
    assert [*readback.push(1, 0.1, 10, numbers(5.0))] == []
    (first,) = readback.push(2, 0.2, 20, numbers(4.0))
    assert (first.step, first.lr, first.tokens, first.loss_sum, first.scale) == (1, 0.1, 10, 5.0, None)
    assert [update.step for update in readback.flush()] == [2]
    assert [*readback.flush()] == []


def test_reading_late_changes_nothing_that_is_told(prepare: Prepare) -> None:
    told = []
    for lag in (0, 1):
        trainer, reported = prepare(max_steps=8, eval_steps=3, save_steps=4)
        trainer.readback = Readback(lag)
        trainer.train()
        of_training = [event for event in reported if event.type not in ("system", "timing", "layers")]  # by the clock
        told.append([event.model_dump(exclude={"tokens_per_s", "step_ms", "bytes"}) for event in of_training])
    assert told[0] == told[1]


def test_no_update_follows_a_broken_one(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=9, validation_split=0.0, save_steps=2)
    trainer.readback = Readback(lag=1)
    weights = []

    def at_step(optimizer: Any, args: Any, kwargs: Any) -> None:
        weights.append(trainer.model.transformer.h[0].mlp.c_fc.weight.detach().clone())

    trainer.optimizer.register_step_post_hook(at_step)

    def break_third(module: Any, args: Any, output: Any) -> Any:
        return output * math.nan if trainer.step == 2 else output

    trainer.forward.register_forward_hook(break_third)
    with pytest.raises(TrainingError, match="step 3") as caught:
        trainer.train()
    assert trainer.step == 4, "one update was under way when the third one's numbers arrived"
    assert torch.equal(weights[1], weights[2])
    assert torch.equal(weights[1], weights[3])
    assert "step-000002 is the latest good checkpoint" in caught.value.reason
    assert [event.step for event in reported if event.type == "step"] == [1, 2, 3]
