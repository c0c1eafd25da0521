"""A dataset's file, read as its source says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from worker.contract import DatasetSource
from worker.data.formats.examples import row_of
from worker.data.formats.json_records import json_lines, json_values
from worker.data.formats.rows import Numbered, Record, Row, Section, key
from worker.data.formats.tables import parquet, table
from worker.data.formats.text import Counted, Progress, lines, open_file, pieces, sections, silent, unpacked

_ROWS_AT_ONCE = 1000
_CHARACTERS_AT_ONCE = 1_000_000
_SECTION_CHARACTERS = 8192
AS_DOCUMENT = "Have it read as one long document."


class Chunk(NamedTuple):
    """Some rows, and the places of their records in the file: of a .txt or .jsonl the line, else the record, from 1. Of a
    .txt that is one document the sections are counted."""

    numbers: list[int]
    rows: list[Row]


def read_rows(
    source: DatasetSource, section_characters: int = _SECTION_CHARACTERS, progress: Progress = silent
) -> Iterator[Chunk]:
    """All that holds something and is not excluded, in the file's order. A document comes in sections of at most
    ``section_characters``.

    Raises DataError, naming the line, for what cannot be read.
    """
    if source.format == "parquet":
        columns = source.reading.used()
        rows = rows_of(parquet(Path(source.path), columns, progress), source, section_characters)
        yield from _chunks(_included(rows, source))
        return
    with open_file(Path(source.path)) as file:
        texts = texts_of(file, source, progress)
        if source.format == "txt" and source.reading.kind == "document":
            rows = enumerate(sections(texts, section_characters), start=1)
        else:
            rows = rows_of(records_of(texts, source), source, section_characters)
        yield from _chunks(_included(rows, source))


def _included(rows: Iterable[tuple[int, Row]], source: DatasetSource) -> Iterable[tuple[int, Row]]:
    excluded = set(source.exclude_rows)
    return ((number, row) for number, row in rows if number not in excluded) if excluded else rows


def read_records(source: DatasetSource) -> Iterator[tuple[int, Record]]:
    """All records as they stand in the file, and their places; of a .txt the lines that hold something. Raises DataError."""
    if source.format == "parquet":
        yield from parquet(Path(source.path), None, silent)
        return
    with open_file(Path(source.path)) as file:
        yield from records_of(texts_of(file, source, silent), source)


def texts_of(file: BinaryIO, source: DatasetSource, progress: Progress) -> Iterator[str]:
    """The text of a file that is no Parquet file."""
    counted = Counted(file, progress)
    return pieces(unpacked(counted) if source.compressed else counted, source.encoding)


def records_of(texts: Iterator[str], source: DatasetSource) -> Iterator[tuple[int, Record]]:
    """The records in the text of ``source``."""
    if source.format == "txt":
        return ((number, line) for number, line in lines(texts, AS_DOCUMENT) if line.strip())
    if source.format == "jsonl":
        return json_lines(texts)
    if source.format == "json":
        return json_values(texts)
    return table(texts, "\t" if source.format == "tsv" else source.delimiter, source.header)


def rows_of(
    records: Iterable[tuple[int, Record]] | Numbered, source: DatasetSource, section_characters: int
) -> Iterator[tuple[int, Row]]:
    """What the records hold; those with nothing in them are left out."""
    what = "Line" if source.format in ("txt", "jsonl") else "Row"
    document = source.reading.kind == "document"
    for number, record in records:
        row = row_of(record, source.reading, f"{what} {number}")
        if row is None:
            continue
        if document and isinstance(row, str):
            yield from ((number, section) for section in sections(iter([row]), section_characters))
        else:
            yield number, row


def _chunks(rows: Iterable[tuple[int, Row]]) -> Iterator[Chunk]:
    chunk, characters = Chunk([], []), 0
    for number, row in rows:
        chunk.numbers.append(number)
        chunk.rows.append(row)
        characters += len(row) if isinstance(row, str) else len(row.text) if isinstance(row, Section) else len(key(row))
        if len(chunk.rows) == _ROWS_AT_ONCE or characters >= _CHARACTERS_AT_ONCE:
            yield chunk
            chunk, characters = Chunk([], []), 0
    if chunk.rows:
        yield chunk
