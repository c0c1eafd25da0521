"""What happened inside a run, put together from its events, and what can be said of it in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from backend.schemas.inside import NoiseScale, TimeShare
from backend.series.curves import Entries

LABELS = {
    "preparing": "Preparing",
    "data": "Waiting for data",
    "forward": "Forward",
    "backward": "Backward",
    "optimizer": "Optimizer",
    "evaluation": "Evaluating",
    "saving": "Saving",
    "waiting": "Paused or waiting",
    "other": "Other",
}
"""Kind of time → how it is called."""

assert set(LABELS) == set(get_args(TimeShare.model_fields["kind"].annotation))

_SLOW_DATA, _MUCH_EVALUATION, _MUCH_SAVING = 0.15, 0.3, 0.2  # of the time after preparing, pauses left out
_LEAST_SECONDS = 5.0  # of a shorter time nothing is said

_FEWEST_UPDATES = 30
_BLOCKS = 10  # of neighbouring updates, by whose spread the certainty is told
_STUDENT_T = 2.26  # 95 % of a t distribution with 9 degrees of freedom
_SURE = 4.0  # standard errors that the signal is above none
_FAR = 2.0  # times too large or too small: below, a verdict would be worth nothing


def time_shares(events: Sequence[Mapping[str, Any]]) -> list[TimeShare]:
    """Of a run's timing events."""
    seconds = {kind: math.fsum(event.get(kind, 0.0) for event in events) for kind in LABELS}
    whole = math.fsum(seconds.values())
    return [
        TimeShare(kind=kind, label=label, seconds=seconds[kind], share=seconds[kind] / whole if whole else 0.0)
        for kind, label in LABELS.items()
    ]


def time_verdict(shares: Sequence[TimeShare], config: Mapping[str, Any]) -> str | None:
    """The first thing that could be mended of where the time goes, or what most of it is."""
    seconds = {share.kind: share.seconds for share in shares}
    busy = sum(seconds.values()) - seconds.get("preparing", 0.0) - seconds.get("waiting", 0.0)
    if busy < _LEAST_SECONDS:
        return None
    data, evaluation, saving = (seconds[kind] / busy for kind in ("data", "evaluation", "saving"))
    if data > _SLOW_DATA:
        workers = config.get("num_workers", 0)
        more = f"raise Loading threads (num_workers), which {'are' if workers else 'is'} {workers}"
        return f"Waiting for data takes {data:.0%} of the time: {more}."
    if evaluation > _MUCH_EVALUATION:
        return f"Evaluating takes {evaluation:.0%} of the time: evaluate less often (eval_steps), or on fewer rows."
    if saving > _MUCH_SAVING:
        return f"Saving takes {saving:.0%} of the time: save less often (save_steps)."
    computing = sum(seconds[kind] for kind in ("forward", "backward", "optimizer")) / busy
    return f"The model computes {computing:.0%} of the time: nothing here waits for anything else."


def noise_scale(signal: Entries, noise: Entries, batch_size: int) -> NoiseScale | None:
    """Of a run's gradient_signal and gradient_noise, condensed alike, of which the later half counts, as the scale grows
    while a model learns (McCandlish et al. 2018, section 3). None where there is too little, or it is too uncertain.

    Both are averaged before they are divided. How certain the result is, is told by a jackknife over blocks of neighbouring
    updates (Quenouille 1956), of its logarithm, as a ratio has no symmetric error.
    """
    sums = np.stack([signal[:, 3], noise[:, 3], noise[:, 4]], axis=1)
    sums = sums[np.searchsorted(np.cumsum(sums[:, 2]), sums[:, 2].sum() / 2) :]
    updates = int(sums[:, 2].sum())
    if updates < _FEWEST_UPDATES or len(sums) < _BLOCKS:
        return None
    sums = np.array([block.sum(axis=0) for block in np.array_split(sums[:, :2], _BLOCKS)])
    without = sums.sum(axis=0) - sums
    surely = sums[:, 0].mean() > _SURE * sums[:, 0].std(ddof=1) / math.sqrt(_BLOCKS)
    if not surely or (without <= 0).any():  # hardly any of it is signal
        return None
    logs = np.log(without[:, 1] / without[:, 0])
    deviation = math.sqrt((_BLOCKS - 1) / _BLOCKS * float(((logs - logs.mean()) ** 2).sum()))
    whole = sums.sum(axis=0)
    scale, factor = float(whole[1] / whole[0]), math.exp(_STUDENT_T * deviation)
    low, high = scale / factor, scale * factor
    return NoiseScale(
        examples=scale, low=low, high=high, updates=updates, batch_size=batch_size,
        verdict=_batch_verdict(scale, low, high, batch_size),
    )  # fmt: skip


def _batch_verdict(scale: float, low: float, high: float, batch_size: int) -> str | None:
    if batch_size > _FAR * high:
        return (
            f"Your batch is about {_times(batch_size / scale)} larger than it needs to be: of {batch_size} examples in an"
            f" update, about {_rounded(scale)} would teach nearly as much."
        )
    if batch_size * _FAR < low:
        return (
            f"Your batch is about {_times(scale / batch_size)} smaller than where half of a gradient is chance"
            f" ({_rounded(scale)} examples): a larger one would make steadier updates that can be larger, too."
        )
    return None


def _times(ratio: float) -> str:
    return f"{_rounded(ratio)} times"


def _rounded(number: float) -> str:
    """With one digit that counts, two from 1 to 2, where one would be too coarse."""
    digits = 1 if number >= 2 else 2
    value = float(f"{number:.{digits}g}")
    return f"{value:,.0f}" if value >= 2 or value == round(value) else f"{value:g}"
