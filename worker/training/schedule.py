"""The learning rate's path."""

from __future__ import annotations

import math


def learning_rate_share(schedule: str, step: int, total_steps: int, warmup_ratio: float) -> float:
    """Share of the full learning rate that update ``step`` (from 1 to ``total_steps``) uses.

    It climbs evenly to 1 during the warmup, then stays there or falls along a line or a cosine that would reach 0 one
    update after the last: the first update and the last both still learn something.
    """
    warmup_steps = max(1, round(warmup_ratio * total_steps))
    if step <= warmup_steps:
        return step / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps + 1)
    if schedule == "linear":
        return 1 - progress
    if schedule == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    return 1.0
