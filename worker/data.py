"""From a text file to examples: read as a stream, split by each text alone. Nothing here holds the whole text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LINES_AT_ONCE = 1000
_CHARACTERS_AT_ONCE = 1_000_000
_COUNT_AT_ONCE = 1_000_000

Progress = Callable[[int], None]
"""Called now and then with the bytes of the file read so far; may raise to give up."""


def _silent(bytes_read: int) -> None:
    """No progress is told."""


def read_chunks(path: Path, progress: Progress = _silent) -> Iterator[list[str]]:
    """The file's lines without surrounding blanks, empty ones left out, in lists of 1000 lines, or fewer if they are long.

    UTF-8, with or without a byte-order mark. Raises DataError if there is no such file or it is not UTF-8.
    """
    texts: list[str] = []
    characters = 0
    try:
        with path.open("rb") as raw, TextIOWrapper(raw, encoding="utf-8-sig") as file:
            for line in file:
                if not (text := line.strip()):
                    continue
                texts.append(text)
                characters += len(text)
                if len(texts) == _LINES_AT_ONCE or characters >= _CHARACTERS_AT_ONCE:
                    progress(raw.tell())
                    yield texts
                    texts, characters = [], 0
            if texts:
                yield texts
    except FileNotFoundError:
        raise DataError(f"The dataset {path} is gone.", "Upload the file again, or pick another dataset.") from None
    except UnicodeDecodeError:
        line_number = _first_bad_line(path)
        raise DataError(
            f"Line {line_number} of {path.name} is not UTF-8 text.", "Save the file as UTF-8 and upload it again."
        ) from None


def _first_bad_line(path: Path) -> int:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    raise AssertionError("called for a file that is UTF-8")


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
    """A dataset's file, read anew each time it is gone through."""

    path: Path
    bytes: int
    sha256: str
    split: Split

    @classmethod
    def read(cls, path: Path, share: float, progress: Progress = _silent) -> Corpus:
        """Goes through the file to know it. Raises DataError if it cannot be read or no line holds text."""
        split = find_split(lambda: read_chunks(path, progress), share)
        if not split.texts:
            raise DataError(f"{path.name} holds no text.", "Put one example on each line.")
        return cls(path, path.stat().st_size, _sha256(path, progress), split)

    def chunks(self, progress: Progress = _silent) -> Iterator[tuple[list[str], NDArray[np.bool_]]]:
        """The texts in the file's order, some at a time, and whether each is for testing."""
        for texts in read_chunks(self.path, progress):
            yield texts, self.split.is_test(texts)

    def learn_texts(self) -> Iterator[str]:
        """The texts to learn from."""
        for texts, is_test in self.chunks():
            yield from (text for text, test in zip(texts, is_test, strict=True) if not test)


def _sha256(path: Path, progress: Progress) -> str:
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            sha.update(block)
            progress(file.tell())
    return sha.hexdigest()


@dataclass(frozen=True)
class Examples:
    """Token ids of many examples, end to end. Example i is ``tokens[offsets[i]:offsets[i + 1]]``.

    Both arrays may be files mapped into memory. ``cut`` counts examples that were longer than the limit, ``dropped``
    those with nothing to predict.
    """

    tokens: NDArray[np.integer[Any]]
    offsets: NDArray[np.int64]
    cut: int = 0
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[np.integer[Any]]:
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    @cached_property
    def trained(self) -> NDArray[np.int64]:
        """Predictions each example gives: one for every token but the first. Kept, so asking again costs nothing."""
        return np.diff(self.offsets) - 1
