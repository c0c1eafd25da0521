"""Which rows are learned from and which are for testing, by each text alone, or by the group of its near-duplicates."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COUNT_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Groups:
    """Texts that stay on one side: ``places`` are theirs [sorted, inf at its end], ``shared`` [as many] what each counts as
    having instead, the same for all texts of a group."""

    places: NDArray[np.float64]
    shared: NDArray[np.float64]

    def of(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """The places that texts with these count as having: those of texts in no group stay."""
        found = np.searchsorted(self.places, places)
        return np.where(self.places[found] == places, self.shared[found], places)


ALONE = Groups(np.array([np.inf]), np.zeros(1))
"""No text belongs to another."""


@dataclass(frozen=True)
class Split:
    """Which texts are for testing: those whose place is below ``limit`` and not in ``refused`` [sorted, inf at its end].

    ``texts`` and ``test_texts`` count lines: all of them, and those for testing.
    """

    limit: float
    refused: NDArray[np.float64]
    texts: int
    test_texts: int
    groups: Groups = ALONE

    @property
    def by_group(self) -> bool:
        """Whether near-duplicates were kept on one side."""
        return self.groups is not ALONE

    def is_test(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each text is for testing: [len(texts)] bool."""
        return self.tests(places_of(texts))

    def tests(self, places: NDArray[np.float64]) -> NDArray[np.bool_]:
        """The same, of texts with these places."""
        places = self.groups.of(places)
        refused: NDArray[np.bool_] = self.refused[np.searchsorted(self.refused, places)] == places
        return (places < self.limit) & ~refused


def find_split(chunks: Callable[[], Iterable[list[str]]], share: float, groups: Groups = ALONE) -> Split:
    """Splits the texts that each call of ``chunks`` goes through, so that about ``share`` of them are for testing.

    A text's side depends on the text alone, or on its group: a duplicate never sits on both, and neither a new seed nor
    added lines move a text across. With two groups or more and a share above 0, neither side is empty.

    Needs no memory but for one chunk, unless the texts below ``share`` are over half of all lines (one is repeated all
    over, or the share is about a half): then 16 bytes for each different one of them, and twice that while counting.
    """
    count = below = 0
    lowest = np.zeros(0)
    for places in _in_groups(chunks(), groups):
        count += len(places)
        below += int(np.count_nonzero(places < share))
        lowest = np.unique(np.concatenate([lowest, places]))[:2]
    room = count / 2  # a line that is repeated all over must not take the test side for itself
    if share == 0 or len(lowest) < 2:
        return Split(0.0, np.array([np.inf]), count, 0, groups)
    if 0 < below <= room:
        return Split(share, np.array([np.inf]), count, below, groups)
    limit, refused, taken = share, [], 0
    # At most one text is over half of all lines, so the two lowest are enough where the share leaves none.
    for place, lines in zip(*_counted(_in_groups(chunks(), groups), max(share, _just_above(lowest[1]))), strict=True):
        if taken and place >= share:
            break
        if lines <= room - taken:
            taken += int(lines)
            limit = max(share, _just_above(place))
        else:
            refused.append(place)
    return Split(limit, np.array([*refused, np.inf]), count, taken, groups)


def places_of(texts: Sequence[str]) -> NDArray[np.float64]:
    """For each text a number in [0, 1) that looks random and is the same for the same text on every machine."""
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, dtype=">u8").astype(np.float64) / 2**64


def _in_groups(chunks: Iterable[list[str]], groups: Groups) -> Iterator[NDArray[np.float64]]:
    return (groups.of(places_of(texts)) for texts in chunks)


def _just_above(place: float) -> float:
    return float(np.nextafter(place, 2))


def _counted(chunks: Iterable[NDArray[np.float64]], limit: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The different places below ``limit``, ascending, and how many lines have each."""
    places, lines = np.zeros(0), np.zeros(0, dtype=np.int64)
    new: list[NDArray[np.float64]] = []
    waiting = 0
    for found in chunks:
        new.append(found[found < limit])
        waiting += len(new[-1])
        if waiting >= max(_COUNT_AT_ONCE, len(places)):  # so that each place is sorted again only a few times
            places, lines = _merged(places, lines, new)
            new, waiting = [], 0
    return _merged(places, lines, new)


def _merged(
    places: NDArray[np.float64], lines: NDArray[np.int64], new: list[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    added, added_lines = np.unique(np.concatenate([*new, np.zeros(0)]), return_counts=True)
    merged, index = np.unique(np.concatenate([places, added]), return_inverse=True)
    total = np.zeros(len(merged), dtype=np.int64)
    np.add.at(total, index, np.concatenate([lines, added_lines]))
    return merged, total
