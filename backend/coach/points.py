"""Numbers over updates in bounded memory: the newest as they are, older ones condensed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RAW = 256  # of the newest updates, at least so many stay as they are: what spikes and noise are judged by
MOST_BUCKETS = 1024  # of older ones; more than a chart has pixels, and a few hundred kilobytes


class Track(NamedTuple):
    """One number of a run, a point for each update or for neighbouring ones.

    ``step`` is a point's last update; ``mean``, ``low`` and ``high`` are NaN where no update of it had the number;
    ``updates`` is how many had it. All are of one length.
    """

    step: Floats
    mean: Floats
    low: Floats
    high: Floats
    updates: Floats

    def known(self) -> Track:
        """The points that have a mean."""
        return self.where(self.updates > 0)

    def where(self, chosen: NDArray[np.bool_]) -> Track:
        """The points that are chosen."""
        return Track(*(column[chosen] for column in self))


class Points:
    """Columns of numbers over updates that only go up. What a column lacks at an update is None or NaN."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._raw: list[tuple[float, ...]] = []
        # Each: last update, updates, then for each column count, sum, lowest, highest.
        self._buckets: list[list[float]] = []
        self._width = 1
        self._curves: dict[str, Track] = {}

    def add(self, step: int, values: Sequence[float | None]) -> None:
        """The numbers of an update, in the order of the names."""
        self._raw.append((step, *(math.nan if value is None else value for value in values)))
        self._curves.clear()
        if len(self._raw) >= 2 * RAW:
            self._condense(self._raw[:RAW])
            del self._raw[:RAW]

    def cut(self, step: int) -> None:
        """Takes back all after update ``step``; of what was condensed, the point that it falls into as well."""
        self._raw = [row for row in self._raw if row[0] <= step]
        self._buckets = [bucket for bucket in self._buckets if bucket[0] <= step]
        self._curves.clear()

    def curve(self, name: str) -> Track:
        """One column."""
        if name not in self._curves:
            self._curves[name] = self._curve(self.names.index(name))
        return self._curves[name]

    def newest(self, name: str) -> Floats:
        """The newest numbers as they were told, up to twice RAW of them, without those that are missing."""
        column = np.array([row[self.names.index(name) + 1] for row in self._raw])
        return column[np.isfinite(column)] if len(column) else column

    def _curve(self, column: int) -> Track:
        old = np.array([[bucket[0], *bucket[2 + 4 * column : 6 + 4 * column]] for bucket in self._buckets]).reshape(-1, 5)
        new = np.array([(row[0], row[1 + column]) for row in self._raw]).reshape(-1, 2)
        known = np.isfinite(new[:, 1])
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(old[:, 1] > 0, old[:, 2] / old[:, 1], np.nan)
        low, high = (np.where(old[:, 1] > 0, old[:, place], np.nan) for place in (3, 4))
        value = np.where(known, new[:, 1], np.nan)
        return Track(
            np.concatenate((old[:, 0], new[:, 0])),
            np.concatenate((mean, value)),
            np.concatenate((low, value)),
            np.concatenate((high, value)),
            np.concatenate((old[:, 1], known.astype(float))),
        )

    def _condense(self, rows: list[tuple[float, ...]]) -> None:
        for row in rows:
            if not self._buckets or self._buckets[-1][1] >= self._width:
                self._buckets.append([0.0, 0.0, *([0.0, 0.0, math.inf, -math.inf] * len(self.names))])
            _into(self._buckets[-1], row)
        while len(self._buckets) > MOST_BUCKETS:
            self._buckets = [_merged(*pair) for pair in zip(self._buckets[::2], [*self._buckets[1::2], None], strict=False)]
            self._width *= 2


def _into(bucket: list[float], row: tuple[float, ...]) -> None:
    bucket[0] = row[0]
    bucket[1] += 1
    for place, value in enumerate(row[1:]):
        if math.isfinite(value):
            at = 2 + 4 * place
            bucket[at] += 1
            bucket[at + 1] += value
            bucket[at + 2] = min(bucket[at + 2], value)
            bucket[at + 3] = max(bucket[at + 3], value)


def _merged(left: list[float], right: list[float] | None) -> list[float]:
    if right is None:
        return left
    merged = [right[0], left[1] + right[1]]
    for at in range(2, len(left), 4):
        merged += [
            left[at] + right[at],
            left[at + 1] + right[at + 1],
            min(left[at + 2], right[at + 2]),
            max(left[at + 3], right[at + 3]),
        ]
    return merged
