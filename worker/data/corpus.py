"""The rows of a dataset, read as a stream and split by each row alone. Nothing here holds the whole text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.contract import DEFAULT_MAX_LENGTH, DatasetSource
from worker.data.formats import Chunk, key, plain_text, read_rows, silent
from worker.data.formats.text import Progress
from worker.data.split import ALONE, Groups, Split, find_split
from worker.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SECTION_WINDOWS = 4  # a document is split into sections of about so many windows; each is learned from or tested on
_CHARACTERS_PER_TOKEN = 4  # roughly, in English


def file_digest(path: Path) -> str:
    """SHA-256 in hex."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            sha.update(block)
    return sha.hexdigest()


def section_characters(max_length: int | None) -> int:
    """Characters of the sections that a document comes in. ``max_length``: the configured one, if any."""
    return _SECTION_WINDOWS * _CHARACTERS_PER_TOKEN * (max_length or DEFAULT_MAX_LENGTH)


@dataclass(frozen=True)
class Corpus:
    """A dataset's file, read anew each time it is gone through: all of it, or its first ``most_characters``.

    ``share`` is the part of the file that this is, in bytes. ``test``: another file, which is for testing instead of a part
    of this one. ``mixed``: others that are learned along with it.
    """

    source: DatasetSource
    section_characters: int
    most_characters: int | None
    split: Split
    share: float
    test: Corpus | None = None
    mixed: tuple[Corpus, ...] = ()

    @classmethod
    def read(
        cls,
        source: DatasetSource,
        share: float,
        max_length: int | None = None,
        progress: Progress = silent,
        most_characters: int | None = None,
        groups: Groups = ALONE,
    ) -> Corpus:
        """Goes through the file to know it; ``share`` of it is for testing. ``max_length``: the configured one, if any.
        ``groups`` are of texts that stay on one side.

        Raises DataError if it cannot be read or no row holds text.
        """
        section = section_characters(max_length)
        path, seen, whole = Path(source.path), 0, False

        def note(bytes_read: int) -> None:
            nonlocal seen
            seen = max(seen, bytes_read)
            progress(bytes_read)

        def rows() -> Iterator[Chunk]:
            nonlocal whole
            yield from read_rows(source, section, note)
            whole = True

        split = find_split(lambda: map(_keys, _first(rows(), most_characters)), share, groups)
        if not split.texts:
            raise DataError(f"{path.name} holds no text.", "Upload a file with one example per line.")
        return cls(source, section, most_characters, split, 1.0 if whole else min(1.0, seen / path.stat().st_size))

    @property
    def test_texts(self) -> int:
        """How many rows are for testing."""
        return self.test.split.texts if self.test else self.split.test_texts

    @property
    def path(self) -> Path:
        return Path(self.source.path)

    @cached_property
    def sha256(self) -> str:
        """A digest of the file; computed when it is first asked for."""
        return file_digest(self.path)

    @property
    def learned_sha256(self) -> str:
        """The same of all that is learned from: one file's, or several in a row."""
        return " ".join(part.sha256 for part in (self, *self.mixed))

    def chunks(self, progress: Progress = silent) -> Iterator[tuple[Chunk, NDArray[np.bool_]]]:
        """The rows in the file's order, some at a time, and whether each is for testing."""
        for chunk in _first(read_rows(self.source, self.section_characters, progress), self.most_characters):
            yield chunk, self.split.is_test(_keys(chunk))

    def learn_texts(self) -> Iterator[str]:
        """The rows to learn from, each as one text; of several files, one of each in turn."""
        for texts in zip_longest(self._learn_texts(), *(part.learn_texts() for part in self.mixed)):
            yield from (text for text in texts if text is not None)

    def _learn_texts(self) -> Iterator[str]:
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
    """Token ids of many examples. Example i is ``tokens[starts[i]:ends[i]]``.

    ``targets`` [tokens] bool: whether each is learned; None: all but the first of each example are. ``trained`` [examples]
    int64: how many are. ``rows`` [examples] int64: which row of its dataset each is of, as Chunk numbers them. All may be
    files mapped into memory. ``cut`` counts examples that were longer than the limit, ``dropped`` those with nothing to
    learn, of which ``dropped_rows`` names the first few by their place in the file.
    """

    tokens: NDArray[np.integer[Any]]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    trained: NDArray[np.int64]
    targets: NDArray[np.bool_] | None = None
    rows: NDArray[np.int64] | None = None
    cut: int = 0
    dropped: int = 0
    dropped_rows: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> NDArray[np.integer[Any]]:
        return self.tokens[self.starts[index] : self.ends[index]]

    def learned(self, index: int) -> NDArray[np.bool_]:
        """Which of an example's predictions count: [its tokens - 1] bool, the first being that of its second token."""
        start, end = self.starts[index] + 1, self.ends[index]
        return np.ones(end - start, dtype=bool) if self.targets is None else self.targets[start:end]

    def taken(self, numbers: slice | Sequence[int] | NDArray[np.int64]) -> Examples:
        """These examples, in this order, as often as they stand there; the tokens are not copied."""
        rows = None if self.rows is None else self.rows[numbers]
        return replace(self, starts=self.starts[numbers], ends=self.ends[numbers], trained=self.trained[numbers], rows=rows)

    def require_some(self, max_length: int) -> None:
        """Raises DataError if there is none, saying why nothing can be learned."""
        if len(self):
            return
        if self.targets is None or not self.cut:
            raise DataError("No example is long enough to learn from.", "Give lines of at least a few words.")
        raise DataError(
            f"All answers begin beyond the first {max_length} tokens, which is where their examples are cut.",
            "Raise Max length, or shorten what stands before the answers.",
        )

    def in_memory(self) -> Examples:
        """The same, without the files it may have been mapped from."""
        targets = None if self.targets is None else np.array(self.targets)
        rows = None if self.rows is None else np.array(self.rows)
        return replace(
            self,
            tokens=np.array(self.tokens),
            starts=np.array(self.starts),
            ends=np.array(self.ends),
            trained=np.array(self.trained),
            targets=targets,
            rows=rows,
        )

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens that the model reads of each example: all but the last. Kept, so asking again costs nothing."""
        return self.ends - self.starts - 1
