"""Which way a noisy curve goes, told by medians and differences, so that a single odd value changes nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backend.coach.points import Floats, Track

BINS = 60
"""Points that a curve's course is judged by: enough for its bends, few enough that each is a mean of a long run's many."""

_NORMAL = 1.4826  # a normal distribution's standard deviation, in median absolute deviations


class Course(NamedTuple):
    """A curve in at most BINS points of as many updates each: ``step`` is the last of each, ``value`` its mean; ``noise`` is
    the standard deviation of a value around the curve."""

    step: Floats
    value: Floats
    noise: float

    def part(self, begin: float, end: float) -> Floats:
        """The values of a share of the run, from ``begin`` to ``end`` of 1; at least one."""
        count = len(self.value)
        first = min(int(begin * count), count - 1)
        return self.value[first : max(first + 1, round(end * count))]


class Change(NamedTuple):
    """From the mean of some values to that of others, and its standard error."""

    before: float
    after: float
    error: float

    @property
    def share(self) -> float:
        """Of what it was before; negative where it fell."""
        return (self.after - self.before) / abs(self.before) if self.before else 0.0

    def is_more_than(self, share: float, errors: float) -> bool:
        """Whether it is larger than a share of what it was, and than so many standard errors."""
        return abs(self.share) > share and abs(self.after - self.before) > errors * self.error


def course(curve: Track) -> Course:
    """``curve`` with as many updates in each point."""
    curve = curve.known()
    count = len(curve.step)
    if count <= BINS:
        return Course(curve.step, curve.mean, noise(curve.mean))
    weights = np.cumsum(curve.updates)
    place = np.minimum((weights - curve.updates / 2) / weights[-1] * BINS, BINS - 1).astype(int)
    sums, counts = np.bincount(place, curve.mean * curve.updates, BINS), np.bincount(place, curve.updates, BINS)
    last = np.array([curve.step[place == number][-1] if counts[number] else 0 for number in range(BINS)])
    there = counts > 0
    values = sums[there] / counts[there]
    return Course(last[there], values, noise(values))


def noise(values: Floats) -> float:
    """The standard deviation of neighbouring values around a smooth curve, from the median of how they differ."""
    if len(values) < 3:
        return 0.0
    # Second differences: a straight slope is no noise. Of independent values they have 6 times their variance.
    bends = np.diff(values, 2)
    return float(_NORMAL * np.median(np.abs(bends)) / np.sqrt(6))


def change_of(before: Floats, after: Floats, noise: float) -> Change:
    """Between two stretches of one course."""
    error = noise * np.sqrt(1 / len(before) + 1 / len(after))
    return Change(float(np.mean(before)), float(np.mean(after)), float(error))


def smooth(values: Floats, width: int) -> Floats:
    """The median of the ``width`` values around each, of fewer at the ends."""
    half = width // 2
    padded = np.pad(values, half, constant_values=np.nan)
    return np.asarray(np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1))
