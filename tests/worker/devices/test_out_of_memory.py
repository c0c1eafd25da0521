"""Running out of memory. No GPU is here: the error is injected where a device would raise it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from worker.contract import RunConfig
from worker.devices.out_of_memory import is_out_of_memory, out_of_memory, smaller_batch
from worker.errors import DeviceError

Prepare = Callable[..., tuple[Any, list[Any]]]


def test_what_counts_as_out_of_memory() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as real:
        torch.empty(1 << 60)
    assert is_out_of_memory(real.value)
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


@pytest.mark.parametrize(("batch_size", "window", "expected"), [(8, 32, 4), (6, 18, 3), (3, 3, 1), (5, 10, 2), (1, 4, None)])
def test_a_smaller_batch_divides_the_window(batch_size: int, window: int, expected: int | None) -> None:
    assert smaller_batch(batch_size, window) == expected


def test_the_advice_is_in_numbers_of_the_run() -> None:
    config = RunConfig(batch_size=8, gradient_accumulation_steps=2)
    error = out_of_memory(torch.device("cpu"), config, 8, 512)
    assert "batch size 8" in error.reason
    for expected in ("Batch size to 4 and Gradient accumulation to 4", "16 examples", "256 tokens", "lora"):
        assert expected in error.hint
    config = RunConfig(model_name="local:base", batch_size=1, gradient_checkpointing=True, method="lora")
    assert "Batch size" not in out_of_memory(torch.device("cpu"), config, 1, 8).hint


def full_above(trainer: Any, batch_size: int) -> None:
    """Makes the model run out of memory where a pass holds more tokens than ``batch_size`` examples could."""
    limit = batch_size * trainer.setup.max_length

    def refuse(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        if kwargs["input_ids"].numel() > limit:
            raise torch.OutOfMemoryError("injected")

    trainer.model.base_model.register_forward_pre_hook(refuse, with_kwargs=True)


@pytest.mark.parametrize("packing", [True, False])
def test_a_retry_with_smaller_batches_gives_the_same_curve(prepare: Prepare, packing: bool) -> None:
    losses = []
    for limit in (None, 2):
        trainer, reported = prepare(
            batch_size=8, gradient_accumulation_steps=1, max_steps=6, packing=packing, precision="fp32"
        )
        if limit:
            full_above(trainer, limit)
        assert trainer.train().phase == "completed"
        losses.append([event.loss for event in reported if event.type in ("step", "evaluation")])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    warnings = [event.text for event in reported if event.type == "message" and event.level == "warning"]
    assert len(warnings) == 2, "from 8 to 4 to 2"
    assert "4 batches of 2" in warnings[-1]
    status = [event for event in reported if event.type == "status"][-1]
    assert (status.batch_size, status.gradient_accumulation_steps) == (2, 4)


@pytest.mark.parametrize(("limit", "config"), [(0, {}), (2, {"on_oom": "fail"})])
def test_what_cannot_fit_fails_with_advice(prepare: Prepare, limit: int, config: dict[str, Any]) -> None:
    trainer, _ = prepare(batch_size=4, max_steps=2, **config)
    full_above(trainer, limit)
    with pytest.raises(DeviceError, match="full at batch size") as caught:
        trainer.train()
    assert "smaller model" in caught.value.hint


def test_a_sample_without_room_does_not_repeat_the_check(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, reported = prepare(batch_size=4, max_steps=2, sample_prompts=["Once"])

    def refuse(prompt: str) -> str:
        raise torch.OutOfMemoryError("injected")

    monkeypatch.setattr(trainer.evaluator, "_sample", refuse)
    with pytest.raises(DeviceError, match="full at batch size 4"):
        trainer.train()
    assert len([event for event in reported if event.type == "evaluation"]) == 1


def test_other_errors_are_not_taken_for_it(prepare: Prepare) -> None:
    trainer, _ = prepare(max_steps=2)
    trainer.model.base_model.register_forward_hook(lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):
        trainer.train()
