"""Near-duplicates as a person is told of them: how many, which of them leak from training into validation, and examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from worker.data.formats import Row, plain_text
from worker.data.near_duplicates import NearDuplicates
from worker.data.split import Split
from worker.datasets.preview import SHOWN_CHARACTERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_SHOWN = 6


class Pairs:
    """Pairs to show, leaks before others; ``wanted`` are their rows, by their order in the file from 0."""

    def __init__(self, near: NearDuplicates, split: Split) -> None:
        self._groups = near.groups
        self._split = split
        self._is_test = split.tests(near.places)
        leaks = self._is_test[:, 0] != self._is_test[:, 1]
        self._near = near
        self._chosen = _spread(near, np.flatnonzero(leaks)) or _spread(near, np.arange(len(near.pairs)))
        self.wanted = {int(row) for row in near.pairs[self._chosen].ravel()}

    def found(self, places: NDArray[np.float64], rows: dict[int, tuple[int, Row]]) -> dict[str, Any]:
        """backend/schemas/data.py's NearDuplicates. ``places`` are of all rows' texts; ``rows`` are those wanted, with their
        numbers."""
        shared = self._groups.of(places)
        grouped = shared != places
        is_test = self._split.tests(places)
        sizes = np.unique(shared[grouped], return_counts=True)[1]
        learned = np.unique(shared[grouped & ~is_test])
        return {
            "rows": int(grouped.sum()),
            "groups": len(sizes),
            "largest_group": int(sizes.max(initial=0)),
            "leaked_rows": int(np.isin(shared[grouped & is_test], learned).sum()),
            "examples": [self._example(pair, rows) for pair in self._chosen],
        }

    def _example(self, pair: int, rows: dict[int, tuple[int, Row]]) -> dict[str, Any]:
        found = [rows[int(row)] for row in self._near.pairs[pair]]
        return {
            "in_common": float(self._near.in_common[pair]),
            "rows": [
                {"row": number, "side": "validation" if test else "train", "text": plain_text(row)[:SHOWN_CHARACTERS]}
                for (number, row), test in zip(found, self._is_test[pair], strict=True)
            ],
        }


def _spread(near: NearDuplicates, pairs: NDArray[np.intp]) -> list[int]:
    """Some of these pairs, from the most to the least alike."""
    ordered = pairs[np.argsort(-near.in_common[pairs], kind="stable")]
    if len(ordered) > _MOST_SHOWN:
        ordered = ordered[np.linspace(0, len(ordered) - 1, _MOST_SHOWN).round().astype(int)]
    return [int(pair) for pair in ordered]
