"""Files read by the code under test, in as small parts as a test likes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worker.contract import DatasetSource, Format, Reading
from worker.data.formats import Row, read_rows
from worker.data.formats.reading import records_of, rows_of
from worker.data.formats.text import pieces

TEXT = Reading(text="text")


class Dribble:
    """Bytes that come in pieces of these sizes, over and over."""

    def __init__(self, data: bytes, sizes: Sequence[int]) -> None:
        self._file = io.BytesIO(data)
        self._sizes = sizes
        self._count = 0

    def read(self, size: int, /) -> bytes:
        self._count += 1
        return self._file.read(min(size, self._sizes[self._count % len(self._sizes)]))


def rows_in(
    data: bytes, sizes: Sequence[int], format: Format, encoding: Any = "utf-8", reading: Reading = TEXT
) -> list[Row]:
    """The rows of bytes that come in such pieces."""
    source = DatasetSource(path="", format=format, encoding=encoding, reading=reading)
    texts = pieces(Dribble(data, sizes), source.encoding)
    return [row for _, row in rows_of(records_of(texts, source), source, 1000)]


def rows_of_file(path: Path, **source: Any) -> list[Row]:
    return [row for chunk in read_rows(DatasetSource(path=str(path), **source)) for row in chunk.rows]
