"""Rows that are nearly the same: MinHash (Broder, 1997) names pairs that may be, and their words decide.

Two rows are near-duplicates if four fifths of the longer one's words stand in the other too, in the same order. A word is
lower case and without punctuation; in scripts without blanks it is a character. Of a long row its beginning is compared,
of a chat what is said, and not the system's message. Memory: about 200 bytes for each row, of which most are a mapped file.
"""

from __future__ import annotations

import os
import re
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np
from rensa import RMinHash

from worker.contract import DatasetSource
from worker.data.corpus import section_characters
from worker.data.formats import Chat, Row, key, plain_text, read_rows, silent
from worker.data.formats.text import Progress
from worker.data.split import Groups, places_of
from worker.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

IN_COMMON = 0.775  # of the longer one's words: four fifths, and a little less where a fifth of few words is rounded
_MOST_CHARACTERS, _MOST_WORDS = 20_000, 2_000  # of a row that are compared
_BLANKLESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LETTER = rf"[^\W_{_BLANKLESS}]"
_WORD = re.compile(rf"[{_BLANKLESS}]|{_LETTER}(?:[^\s{_BLANKLESS}]*{_LETTER})?")

# MinHash takes a row for the set of its neighbouring words. If a fifth of the words differ, two such sets have 0.4 or more
# in common (Jaccard), and 98 in 100 such pairs agree in one band at least; if a tenth differ, all do.
_BANDS, _HASHES = 64, 3  # hashes of a band
_SKETCHED = 2  # of these, the last byte is kept, to tell roughly how much two rows have in common
_SEED = 1
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)  # any odd numbers do
_LIKELY = 0.3  # in common by the sketch; below, words are not looked at
_NEIGHBOURS = 8  # that a row is compared with in a band; a crowd is joined from one to the next
_MOST_MISSES = 24  # of a row, which is let be then: forms filled in are alike, and yet not the same
_BANDS_AT_ONCE = 8
_ROWS_AT_ONCE = 8192
_BLOCK = _ROWS_AT_ONCE * _BANDS * 4  # bytes


class NearDuplicates(NamedTuple):
    """``groups``: texts that are nearly the same, directly or through others. ``pairs`` [n, 2]: rows, by their order in the
    file from 0 and on through the next file, enough to link all of a group; ``places`` [n, 2]: those of their texts;
    ``in_common`` [n]: of their words.
    """

    groups: Groups
    pairs: NDArray[np.int64]
    places: NDArray[np.float64]
    in_common: NDArray[np.float64]


def find(
    source: DatasetSource,
    max_length: int | None,
    progress: Progress = silent,
    folder: Path | None = None,
    test: DatasetSource | None = None,
) -> NearDuplicates:
    """Goes through the whole file, and then through that of ``test``, if there is one. ``max_length`` as in Corpus.read;
    ``folder``: for temporary files.

    Raises DataError if a file cannot be read or the disk is full.
    """
    path = Path(source.path)
    try:
        with ExitStack() as files:
            rows = _Rows(*(files.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in range(3)))
            for each in (source, test) if test else (source,):
                for chunk in read_rows(each, section_characters(max_length), progress):
                    rows.add(chunk.rows)
            return _Search(rows).run(lambda: progress(path.stat().st_size))
    except OSError as error:
        raise no_space(error) from error


def no_space(error: OSError) -> DataError:
    """What to tell of a disk that failed."""
    return DataError(
        f"Near-duplicates could not be looked for: {error}.",
        "Free some space: while it lasts, it takes as much as the text itself and 400 bytes for each example.",
    )


def words_of(row: Row) -> list[str]:
    """What of a row is compared; of one without words its signs."""
    if isinstance(row, Chat):
        row = row._replace(messages=tuple(message for message in row.messages if message.role != "system"))
    text = plain_text(row)[:_MOST_CHARACTERS].lower()
    return _WORD.findall(text)[:_MOST_WORDS] or [text.strip()]


def words_in_order(first: Sequence[str], second: Sequence[str]) -> int:
    """How many words of ``first`` stand in ``second`` too, in the same order: the longest common subsequence.

    Bit by bit, as in Crochemore et al., "A fast and practical bit-vector algorithm for the longest common subsequence
    problem" (2001).
    """
    where: dict[str, int] = {}
    for place, word in enumerate(first):
        where[word] = where.get(word, 0) | 1 << place
    left = every = (1 << len(first)) - 1
    for places in map(where.get, second):
        if places and (hits := left & places):
            left = ((left + hits) | (left - hits)) & every
    return len(first) - left.bit_count()


class _Rows:
    """What is remembered of each row: its text's place, and in files its words and hashes."""

    def __init__(self, bands: IO[bytes], sketches: IO[bytes], words: IO[bytes]) -> None:
        self._bands, self._sketches, self._words = bands, sketches, words
        self._places: list[NDArray[np.float64]] = [np.zeros(0)]
        self._ends = array("q", [0])
        self._counts = array("q")

    def add(self, rows: Sequence[Row]) -> None:
        """Takes the next rows."""
        self._places.append(places_of([key(row) for row in rows]))
        words = [words_of(row) for row in rows]
        neighbours = [[f"{one} {two}" for one, two in pairwise(each)] or each for each in words]
        digests = RMinHash.digests_from_token_sets(neighbours, _BANDS * _HASHES, _SEED)
        hashes = np.array(digests, dtype=np.uint64).reshape(len(rows), _BANDS, _HASHES)
        self._bands.write(((hashes * _MIX).sum(axis=2) >> np.uint64(32)).astype(np.uint32).tobytes())
        self._sketches.write(hashes[:, :, :_SKETCHED].astype(np.uint8).tobytes())
        for each in words:
            text = " ".join(each).encode()
            self._words.write(text)
            self._ends.append(self._ends[-1] + len(text))
            self._counts.append(len(each))

    def finish(self) -> None:
        """All have come."""
        for file in (self._bands, self._sketches, self._words):
            file.flush()

    def places(self) -> NDArray[np.float64]:
        """[rows] float64."""
        return np.concatenate(self._places)

    def counts(self) -> NDArray[np.int64]:
        """How many words each has: [rows] int64."""
        return np.array(self._counts, dtype=np.int64)

    def words(self, row: int) -> list[str]:
        """Those of one row."""
        start, end = self._ends[row], self._ends[row + 1]
        return os.pread(self._words.fileno(), end - start, start).decode().split(" ")

    def sketches(self) -> NDArray[np.uint8]:
        """[rows, _BANDS * _SKETCHED] uint8."""
        return np.memmap(self._sketches, dtype=np.uint8, mode="r").reshape(-1, _BANDS * _SKETCHED)

    def bands(self) -> Iterator[NDArray[np.uint32]]:
        """What the rows have in each band, one band after another: [rows] uint32."""
        for start in range(0, _BANDS, _BANDS_AT_ONCE):
            self._bands.seek(0)
            some = [self._some_bands(block, start) for block in iter(lambda: self._bands.read(_BLOCK), b"")]
            yield from np.concatenate(some).T

    @staticmethod
    def _some_bands(block: bytes, start: int) -> NDArray[np.uint32]:
        return np.frombuffer(block, dtype=np.uint32).reshape(-1, _BANDS)[:, start : start + _BANDS_AT_ONCE].copy()


class _Search:
    """Joins rows to groups. ``_roots`` [rows]: a row of the same group, in the end its first."""

    def __init__(self, rows: _Rows) -> None:
        rows.finish()
        self._rows = rows
        self._places = rows.places()
        self._counts = rows.counts()
        self._roots = np.arange(len(self._places))
        self._misses = bytearray(len(self._places))  # which Python and numpy both count in
        self._pairs: list[tuple[int, int]] = []
        self._shares: list[float] = []

    def run(self, check: Callable[[], object]) -> NearDuplicates:
        """What was found. ``check`` is called now and then, and may raise to give up."""
        different = np.sort(np.unique(self._places, return_index=True)[1])  # of the same text, the first
        if len(different) > 1:
            sketches = self._rows.sketches()
            for band in self._rows.bands():
                check()
                order = different[np.argsort(band[different], kind="stable")]
                self._go_through(order, band[order], sketches)
        return self._result()

    def _go_through(self, order: NDArray[np.int64], band: NDArray[np.uint32], sketches: NDArray[np.uint8]) -> None:
        """Compares the rows in ``order`` with the next few as long as ``band``, which ascends, is the same for both."""
        for distance in range(1, min(_NEIGHBOURS, len(order) - 1) + 1):
            same = np.flatnonzero(band[distance:] == band[:-distance])
            if not len(same):
                return
            for start in range(0, len(same), _ROWS_AT_ONCE):
                some = same[start : start + _ROWS_AT_ONCE]
                self._compare(order[some], order[some + distance], sketches)
            while (self._roots != (nearer := self._roots[self._roots])).any():
                self._roots = nearer

    def _compare(self, one: NDArray[np.int64], two: NDArray[np.int64], sketches: NDArray[np.uint8]) -> None:
        """Looks at those pairs that are not of one group and may be nearly the same, the likeliest first."""
        lengths = np.sort([self._counts[one], self._counts[two]], axis=0)
        tired = np.frombuffer(self._misses, dtype=np.uint8) >= _MOST_MISSES
        may_be = (self._roots[one] != self._roots[two]) & (lengths[0] >= IN_COMMON * lengths[1])
        may_be &= ~tired[one] & ~tired[two]
        one, two = one[may_be], two[may_be]
        likeness = (sketches[one] == sketches[two]).mean(axis=1)
        for place in np.argsort(-likeness, kind="stable"):
            if likeness[place] < _LIKELY:
                return
            self._judge(int(one[place]), int(two[place]))

    def _judge(self, one: int, two: int) -> None:
        root, other = self._root_of(one), self._root_of(two)
        if root == other or max(self._misses[one], self._misses[two]) >= _MOST_MISSES:
            return
        in_order = words_in_order(self._rows.words(one), self._rows.words(two))
        share = in_order / float(max(self._counts[one], self._counts[two]))
        if share < IN_COMMON:
            self._misses[one] += 1
            self._misses[two] += 1
            return
        self._roots[max(root, other)] = min(root, other)
        self._pairs.append((min(one, two), max(one, two)))
        self._shares.append(share)

    def _root_of(self, row: int) -> int:
        while self._roots[row] != row:
            row = int(self._roots[row])
        return row

    def _result(self) -> NearDuplicates:
        pairs = np.array(self._pairs, dtype=np.int64).reshape(-1, 2)
        members = np.unique(pairs)
        lowest = np.full(len(self._places), np.inf)
        np.minimum.at(lowest, self._roots[members], self._places[members])
        # A place of its own for each group: the lowest of several would come to testing more often than others.
        shared = places_of([repr(float(place)) for place in lowest[self._roots[members]]])
        order = np.argsort(self._places[members])
        groups = Groups(np.append(self._places[members][order], np.inf), np.append(shared[order], 0.0))
        return NearDuplicates(groups, pairs, self._places[pairs], np.array(self._shares))
