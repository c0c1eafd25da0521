"""Spikes, broken numbers, clipping and what does not move: each said where it is, and not beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from backend.coach.rules import stability
from tests.backend.coach.told import falling, run


def with_spike(at: int, height: float = 4.0, updates: int = 200) -> Any:
    loss = np.array(falling(updates, noise=0.02))
    loss[at - 1] += height
    return loss


def test_a_spike_is_found_where_it_is() -> None:
    said = stability.spike(run(with_spike(120)))
    assert said
    assert (said.from_step, said.step) == (120, 120)
    assert said.evidence["at steps"] == [120]
    assert said.level == "info", "it came back"
    often = with_spike(60)
    often[[90, 130, 170]] += 4
    repeated = stability.spike(run(often))
    assert repeated
    assert repeated.level == "warning"
    assert stability.spike(run(falling())) is None
    assert stability.spike(run(with_spike(120, height=0.2))) is None, "within noise and a few hundredths"


def test_a_spike_of_long_ago_is_still_within_its_point() -> None:
    loss = np.concatenate((with_spike(300, updates=3000), np.full(3000, 2.0)))
    said = stability.spike(run(loss))
    assert said
    assert said.from_step <= 300 <= said.step


def test_a_row_that_made_it_is_named() -> None:
    rows = [{"row": 77, "loss": 9.5, "tokens": 40, "text": "xq!"}, {"row": 3, "loss": 2.1, "tokens": 40, "text": "Once"}]
    told = {"type": "rows", "step": 120, "cause": "spike", "rows": rows}
    said = stability.bad_row(run(with_spike(120), events=[told]))
    assert said
    assert said.evidence["row"] == 77
    assert stability.bad_row(run(with_spike(120), events=[{**told, "step": 60}])) is None
    assert stability.bad_row(run(with_spike(120), events=[{**told, "rows": rows[1:] * 2}])) is None
    assert stability.bad_row(run(falling(), events=[told])) is None


def test_a_loss_that_is_no_number_is_an_error_with_a_fix() -> None:
    said = stability.nonfinite(run([*falling(40), np.nan]))
    assert said
    assert (said.level, said.step) == ("error", 41)
    assert said.fix == {"learning_rate": 0.0003}
    half = stability.nonfinite(run([*falling(40), np.nan], facts={"precision": "fp16"}))
    assert half
    assert half.fix == {"precision": "fp32"}
    assert stability.nonfinite(run(falling(40))) is None


def test_clipping_that_decides_every_update() -> None:
    norms = np.full(100, 0.9)
    said = stability.clipping(run(falling(100), grad_norm=norms, config={"max_grad_norm": 0.001}))
    assert said
    assert said.evidence["updates that were clipped (%)"] == 100
    assert said.fix is None, "AdamW divides by the gradients' size anyway"
    assert stability.clipping(run(falling(100), grad_norm=norms * 3)) is None, "a third is let through: usual at first"
    rare = np.where(np.arange(100) % 10 == 0, 30, 0.5)
    assert stability.clipping(run(falling(100), grad_norm=rare)) is None


def test_a_gradient_that_is_nearly_nothing() -> None:
    loss = np.full(100, 5.0)
    said = stability.vanishing_gradient(run(loss, grad_norm=np.full(100, 1e-6)))
    assert said
    assert stability.vanishing_gradient(run(loss, grad_norm=np.full(100, 0.1))) is None
    assert stability.vanishing_gradient(run(loss / 50, grad_norm=np.full(100, 1e-6))) is None, "nothing is left to learn"


def test_a_lost_loss_scale() -> None:
    said = stability.fp16_underflow(run(falling(100), scale=np.full(100, 2.0**-6)))
    assert said
    assert said.fix == {"precision": "bf16"}
    assert stability.fp16_underflow(run(falling(100), scale=np.full(100, 32768.0))) is None
    assert stability.fp16_underflow(run(falling(100))) is None


def layers(step: int, *ratios: float | None) -> dict[str, Any]:
    parts = ["embeddings", *(f"block {number}" for number in range(1, len(ratios) - 1)), "head"]
    norms = [0.0 if ratio == 0 else 1.0 for ratio in ratios]
    return {"type": "layers", "step": step, "parts": parts, "grad_norm": norms, "update_ratio": list(ratios)}


def test_parts_that_never_change() -> None:
    told = [layers(step, 1e-3, 0.0, 0.0, 1e-3) for step in (10, 20, 30)]
    said = stability.frozen_weights(run(falling(40), events=told))
    assert said
    assert said.evidence["parts that do not change"] == ["block 1", "block 2"]
    once = [*told[:2], layers(30, 1e-3, 1e-4, 1e-4, 1e-3)]
    assert stability.frozen_weights(run(falling(40), events=once)) is None
    unknown = [layers(step, None, None, None, None) for step in (10, 20, 30)]
    assert stability.frozen_weights(run(falling(40), events=unknown)) is None, "another optimizer, of which nothing is told"
    assert stability.frozen_weights(run(falling(40), events=told, config={"method": "lora"})) is None
    assert stability.frozen_weights(run(falling(40))) is None
