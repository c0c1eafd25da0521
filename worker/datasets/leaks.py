"""Near-duplicates as a person is told of them: how many, which of them leak from training into validation, and examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from worker.contract import DatasetSource
from worker.data.corpus import section_characters
from worker.data.formats import Row, key, plain_text, read_rows, silent
from worker.data.near_duplicates import NearDuplicates, find
from worker.data.split import Split, places_of
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


class Leaks(NamedTuple):
    """The different texts for testing that are the same or nearly the same as one that is learned, by their places, and
    examples as backend/schemas/data.py's NearDuplicatePair."""

    places: NDArray[np.float64]
    examples: list[dict[str, Any]]


def leaks_between(learned: DatasetSource, test: DatasetSource, max_length: int | None) -> Leaks:
    """Those of ``test``. ``max_length`` as in Corpus.read. Raises DataError."""
    near = find(learned, max_length, test=test)
    ours, theirs = _Texts(learned, max_length), _Texts(test, max_length)
    leaked = np.isin(near.groups.of(theirs.places), near.groups.of(ours.places))
    copies = np.intersect1d(ours.places, theirs.places)[:_MOST_SHOWN]
    pairs = [(ours.row_of(place), theirs.row_of(place), 1.0) for place in copies]
    across = (near.pairs < len(ours.places)).sum(axis=1) == 1
    for pair in _spread(near, np.flatnonzero(across))[: _MOST_SHOWN - len(pairs)]:
        one, two = near.pairs[pair]
        pairs.append((int(one), int(two) - len(ours.places), float(near.in_common[pair])))
    examples = [
        {"in_common": in_common, "rows": [ours.told(one, "train"), theirs.told(two, "validation")]}
        for one, two, in_common in pairs
    ]
    return Leaks(np.unique(theirs.places[leaked]), examples)


class _Texts:
    """The rows of a small file: the ``places`` of their texts, and what to tell of one by its order from 0."""

    def __init__(self, source: DatasetSource, max_length: int | None) -> None:
        chunks = list(read_rows(source, section_characters(max_length), silent))
        self._rows = [row for chunk in chunks for row in chunk.rows]
        self._numbers = [number for chunk in chunks for number in chunk.numbers]
        self.places = places_of([key(row) for row in self._rows])

    def row_of(self, place: float) -> int:
        """The first row whose text has this place."""
        return int(np.argmax(self.places == place))

    def told(self, row: int, side: str) -> dict[str, Any]:
        """backend/schemas/data.py's PlacedRow."""
        return {"row": self._numbers[row], "side": side, "text": plain_text(self._rows[row])[:SHOWN_CHARACTERS]}


def _spread(near: NearDuplicates, pairs: NDArray[np.intp]) -> list[int]:
    """Some of these pairs, from the most to the least alike."""
    ordered = pairs[np.argsort(-near.in_common[pairs], kind="stable")]
    if len(ordered) > _MOST_SHOWN:
        ordered = ordered[np.linspace(0, len(ordered) - 1, _MOST_SHOWN).round().astype(int)]
    return [int(pair) for pair in ordered]
