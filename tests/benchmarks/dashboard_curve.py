"""The numbers of made-up runs. Needs the standard library alone, for it is also used where Trainboard is not installed."""

from __future__ import annotations

import math
import random

SPIKE = 50.0
"""The loss at the one step that stands out; all others are below 8."""


class Curve:
    """The numbers of a run with a seed: a loss that falls with noise, and what goes with it, by step from 1."""

    def __init__(self, seed: int, steps: int) -> None:
        self._noise, self._steps = random.Random(seed), steps
        self._floor = 1.5 + (seed % 17) / 20

    def loss(self, step: int) -> float:
        return self._floor + 5 * math.exp(-6 * step / self._steps) + self._noise.random() * 0.2

    def update(self, step: int, spike: int | None = None) -> dict[str, float]:
        """The numbers of an update; at step ``spike`` the loss is SPIKE."""
        return {
            "loss": SPIKE if step == spike else self.loss(step),
            "lr": 1e-3 * max(0.0, 1 - step / self._steps) + 1e-5,
            "grad_norm": 1 + self._noise.random(),
            "tokens_per_s": 9000 + 1000 * self._noise.random(),
            "step_ms": 90 + 20 * self._noise.random(),
        }


def spike_of(steps: int) -> int:
    """The step that stands out in a run of so many."""
    return steps * 617 // 1000
