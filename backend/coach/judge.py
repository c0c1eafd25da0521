"""All that can be said of a run now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from backend.coach.finding import Finding
from backend.coach.record import RunRecord
from backend.coach.rules import data, generalization, hardware, progress, rates, stability

ORDER: list[Callable[[RunRecord], Finding | None]] = [
    # What was counted or set comes before what has to be inferred from curves, and causes before what they cause.
    stability.fp16_underflow,
    stability.frozen_weights,
    data.short_rows,
    data.unlearned_rows,
    data.wrong_template,
    generalization.too_little_data,
    rates.weight_decay_high,
    rates.no_warmup,
    rates.learning_rate_high,
    rates.learning_rate_low,
    data.mismatched_targets,
    data.sorted_data,
    data.batch_noise,
    data.missing_end,
    data.duplicates,
    data.leaked_validation,
    stability.bad_row,
    stability.nonfinite,
    stability.clipping,
    stability.vanishing_gradient,
    generalization.overfitting,
    progress.near_zero,
    progress.rising,
    stability.spike,
    generalization.small_validation,
    generalization.noisy_evaluation,
    generalization.no_evaluation,
    hardware.memory_full,
    hardware.slow_input,
    hardware.idle_device,
    hardware.small_batch,
    progress.flat,
    progress.learning,
]
"""In the order in which causes are named."""

_EXPLAINS = {
    "fp16_underflow": {"vanishing_gradient", "learning_rate_low", "nonfinite", "clipping", "frozen_weights"},
    "frozen_weights": {"learning_rate_low"},
    "no_warmup": {"spike", "clipping"},
    "learning_rate_high": {"nonfinite", "rising", "spike", "clipping"},
    "too_little_data": {"near_zero", "small_validation", "noisy_evaluation", "duplicates"},
    "duplicates": {"overfitting"},
    "overfitting": {"near_zero"},
    "bad_row": {"spike"},
    "small_validation": {"noisy_evaluation"},
    "batch_noise": {"spike", "clipping"},
    "sorted_data": {"spike", "rising", "learning_rate_high"},
    "slow_input": {"idle_device", "small_batch"},
    "idle_device": {"small_batch"},
    "nonfinite": {"rising"},
}
"""What a finding accounts for, which is then not said besides."""

_CONTRADICT_LEARNING = {
    "nonfinite",
    "rising",
    "learning_rate_high",
    "learning_rate_low",
    "overfitting",
    "too_little_data",
}


def findings(record: RunRecord, now: datetime | None = None) -> list[Finding]:
    """The likeliest cause first, and what needs nobody's doing last. A healthy run has one finding at most: it is learning.

    ``now``, with a time zone, is for telling whether the run is stalled.
    """
    found = {one.rule: one for rule in ORDER if (one := rule(record))}
    if now is not None and (silent := hardware.stalled(record, now)):
        found = {silent.rule: silent, **found}
    for rule in list(found):
        if rule in found:
            for explained in _EXPLAINS.get(rule, ()):
                found.pop(explained, None)
    if any(one.level in ("warning", "error") for one in found.values()):
        found.pop("flat", None)
    if _CONTRADICT_LEARNING & found.keys():
        found.pop("learning", None)
    return sorted(found.values(), key=lambda one: one.level not in ("warning", "error"))
