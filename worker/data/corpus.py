"""The rows of a dataset, read as a stream and split by each row alone. Nothing here holds the whole text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.contract import DEFAULT_MAX_LENGTH, DatasetSource
from worker.data.formats import Chunk, key, plain_text, read_rows, silent
from worker.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COUNT_AT_ONCE = 1_000_000
_SECTION_WINDOWS = 4  # a document is split into sections of about so many windows; each is learned from or tested on
_CHARACTERS_PER_TOKEN = 4  # roughly, in English

Progress = Callable[[int], None]
"""Called now and then with the bytes of the file read so far; may raise to give up."""


@dataclass(frozen=True)
class Split:
    """Which texts are for testing: those whose place is below ``limit`` and not in ``refused`` [sorted, inf at its end].

    ``texts`` and ``test_texts`` count lines: all of them, and those for testing.
    """

    limit: float
    refused: NDArray[np.float64]
    texts: int
    test_texts: int

    def is_test(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each text is for testing: [len(texts)] bool."""
        places = _places(texts)
        refused: NDArray[np.bool_] = self.refused[np.searchsorted(self.refused, places)] == places
        return (places < self.limit) & ~refused


def find_split(chunks: Callable[[], Iterable[list[str]]], share: float) -> Split:
    """Splits the texts that each call of ``chunks`` goes through, so that about ``share`` of them are for testing.

    A text's side depends on the text alone: a duplicate never sits on both, and neither a new seed nor added lines
    move a text across. With two different texts or more and a share above 0, neither side is empty.

    Needs no memory but for one chunk, unless the texts below ``share`` are over half of all lines (one is repeated all
    over, or the share is about a half): then 16 bytes for each different one of them, and twice that while counting.
    """
    count = below = 0
    lowest = np.zeros(0)
    for places in map(_places, chunks()):
        count += len(places)
        below += int(np.count_nonzero(places < share))
        lowest = np.unique(np.concatenate([lowest, places]))[:2]
    room = count / 2  # a line that is repeated all over must not take the test side for itself
    if share == 0 or len(lowest) < 2:
        return Split(0.0, np.array([np.inf]), count, 0)
    if 0 < below <= room:
        return Split(share, np.array([np.inf]), count, below)
    limit, refused, taken = share, [], 0
    # At most one text is over half of all lines, so the two lowest are enough where the share leaves none.
    for place, lines in zip(*_counted(chunks(), max(share, _just_above(lowest[1]))), strict=True):
        if taken and place >= share:
            break
        if lines <= room - taken:
            taken += int(lines)
            limit = max(share, _just_above(place))
        else:
            refused.append(place)
    return Split(limit, np.array([*refused, np.inf]), count, taken)


def _places(texts: Sequence[str]) -> NDArray[np.float64]:
    """For each text a number in [0, 1) that looks random and is the same for the same text on every machine."""
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, dtype=">u8").astype(np.float64) / 2**64


def _just_above(place: float) -> float:
    return float(np.nextafter(place, 2))


def _counted(chunks: Iterable[list[str]], limit: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The different places below ``limit``, ascending, and how many lines have each."""
    places, lines = np.zeros(0), np.zeros(0, dtype=np.int64)
    new: list[NDArray[np.float64]] = []
    waiting = 0
    for found in map(_places, chunks):
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


@dataclass(frozen=True)
class Corpus:
    """A dataset's file, read anew each time it is gone through: all of it, or its first ``most_characters``.

    ``share`` is the part of the file that this is, in bytes.
    """

    source: DatasetSource
    section_characters: int
    most_characters: int | None
    split: Split
    share: float

    @classmethod
    def read(
        cls,
        source: DatasetSource,
        share: float,
        max_length: int | None = None,
        progress: Progress = silent,
        most_characters: int | None = None,
    ) -> Corpus:
        """Goes through the file to know it; ``share`` of it is for testing. ``max_length``: the configured one, if any.

        Raises DataError if it cannot be read or no row holds text.
        """
        section = _SECTION_WINDOWS * _CHARACTERS_PER_TOKEN * (max_length or DEFAULT_MAX_LENGTH)
        path, seen, whole = Path(source.path), 0, False

        def note(bytes_read: int) -> None:
            nonlocal seen
            seen = max(seen, bytes_read)
            progress(bytes_read)

        def rows() -> Iterator[Chunk]:
            nonlocal whole
            yield from read_rows(source, section, note)
            whole = True

        split = find_split(lambda: map(_keys, _first(rows(), most_characters)), share)
        if not split.texts:
            raise DataError(f"{path.name} holds no text.", "Upload a file with one example per line.")
        return cls(source, section, most_characters, split, 1.0 if whole else min(1.0, seen / path.stat().st_size))

    @property
    def path(self) -> Path:
        return Path(self.source.path)

    @cached_property
    def sha256(self) -> str:
        """A digest of the file; computed when it is first asked for."""
        sha = hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(1 << 22):
                sha.update(block)
        return sha.hexdigest()

    def chunks(self, progress: Progress = silent) -> Iterator[tuple[Chunk, NDArray[np.bool_]]]:
        """The rows in the file's order, some at a time, and whether each is for testing."""
        for chunk in _first(read_rows(self.source, self.section_characters, progress), self.most_characters):
            yield chunk, self.split.is_test(_keys(chunk))

    def learn_texts(self) -> Iterator[str]:
        """The rows to learn from, each as one text."""
        for chunk, is_test in self.chunks():
            yield from (plain_text(row) for row, test in zip(chunk.rows, is_test, strict=True) if not test)


def _keys(chunk: Chunk) -> list[str]:
    return [key(row) for row in chunk.rows]


def _first(chunks: Iterable[Chunk], most_characters: int | None) -> Iterator[Chunk]:
    """The first chunks, until they have this many characters."""
    characters = 0
    for chunk in chunks:
        yield chunk
        characters += sum(map(len, _keys(chunk))) if most_characters is not None else 0
        if most_characters is not None and characters >= most_characters:
            return


@dataclass(frozen=True)
class Examples:
    """Token ids of many examples, end to end. Example i is ``tokens[offsets[i]:offsets[i + 1]]``.

    ``targets`` [tokens] bool: whether each is learned; None: all but the first of each example are. ``trained`` [examples]
    int64: how many are. All may be files mapped into memory. ``cut`` counts examples that were longer than the limit,
    ``dropped`` those with nothing to learn, of which ``dropped_rows`` names the first few by their place in the file.
    """

    tokens: NDArray[np.integer[Any]]
    offsets: NDArray[np.int64]
    trained: NDArray[np.int64]
    targets: NDArray[np.bool_] | None = None
    cut: int = 0
    dropped: int = 0
    dropped_rows: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[np.integer[Any]]:
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    def learned(self, index: int) -> NDArray[np.bool_]:
        """Which of an example's predictions count: [its tokens - 1] bool, the first being that of its second token."""
        start, end = self.offsets[index] + 1, self.offsets[index + 1]
        return np.ones(end - start, dtype=bool) if self.targets is None else self.targets[start:end]

    def in_memory(self) -> Examples:
        """The same, without the files it may have been mapped from."""
        targets = None if self.targets is None else np.array(self.targets)
        return replace(
            self,
            tokens=np.array(self.tokens),
            offsets=np.array(self.offsets),
            trained=np.array(self.trained),
            targets=targets,
        )

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens that the model reads of each example: all but the last. Kept, so asking again costs nothing."""
        return np.diff(self.offsets) - 1
