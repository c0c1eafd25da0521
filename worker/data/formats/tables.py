"""From the rows of a .csv, .tsv or Parquet file to records."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path

from worker.data.formats.rows import Numbered
from worker.data.formats.text import LONGEST_LINE, TOO_LONG, Progress, gone, lines
from worker.errors import DataError

_QUOTE = "A cell that holds the separator, a quote or a line break must stand in double quotes."
_HEADER = "The first row must name the columns, each differently."
_SEPARATOR_LINE = re.compile('"?sep=(.)"?', re.IGNORECASE)  # what Excel writes for itself
_OPEN_QUOTE = re.compile('"(?:[^"]|"")*')
_ROWS_AT_ONCE = 256
_BUFFER_BYTES = 1 << 20


def table(texts: Iterator[str], delimiter: str | None, header: bool = True) -> Numbered:
    """The rows of a .csv or .tsv. ``delimiter`` None: found in the first row. ``header``: that names the columns."""
    csv.field_size_limit(LONGEST_LINE)
    numbered = lines(texts, TOO_LONG)
    first = next((line for line in numbered if line[1].strip()), None)
    if first and (told := _SEPARATOR_LINE.fullmatch(first[1].strip())):
        delimiter, first = told[1], next(numbered, None)
    if first is None:
        return
    delimiter = delimiter or delimiter_of(first[1])
    following = chain([first], numbered)
    as_they_are = delimiter == "\t" and not first[1].startswith('"')
    rows = _tab_rows(following) if as_they_are else _quoted_rows(following, delimiter)
    began, cells = next(rows)
    names = column_names(cells) if header else [f"column {place}" for place in range(1, len(cells) + 1)]
    least = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=1) if header else len(names)
    number = 0
    for line, row in rows if header else chain([(began, cells)], rows):
        if not row:
            continue
        if len(row) < least or any(cell.strip() for cell in row[len(names) :]):
            raise DataError(f"Line {line} has {_cells(len(row))}, and the header has {len(names)}.", _QUOTE)
        number += 1
        yield number, dict(zip_longest(names, row[: len(names)], fillvalue=""))


def _quoted_rows(numbered: Iterator[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The line in which each row begins, and its cells. Raises DataError."""
    first = next(numbered)
    before = first[0] - 1  # empty lines may stand before the header
    rows = csv.reader((text + "\n" for _, text in chain([first], numbered)), delimiter=delimiter, strict=True)
    line = first[0]
    try:
        for row in rows:
            yield line, row
            line = before + rows.line_num + 1
    except csv.Error as error:
        if "unexpected end" in str(error) or "field limit" in str(error):
            raise DataError(f"In line {line} a quote is opened that is not closed.", "Close it, or remove it.") from None
        raise DataError(f"Line {before + rows.line_num} cannot be read: {error}.", _QUOTE) from None


def _tab_rows(numbered: Iterator[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """The same for tabs. Some programs put quotes around cells, others write them as they are: a line with as many cells as
    the first is a row, whatever quotes are in it, unless the next line shows that its last cell goes on there. A file of
    which the first cell is in quotes is left to ``_quoted_rows``."""
    width = 0
    line = next(numbered, None)
    while line is not None:
        cells = line[1].split("\t")
        width = width or len(cells)
        following = next(numbered, None)
        goes_on = _OPEN_QUOTE.fullmatch(cells[-1]) and following and following[1].count("\t") + 1 != width
        if '"' in line[1] and (len(cells) != width or goes_on):
            rest = chain([line], [following] if following else [], numbered)
            yield next(_quoted_rows(rest, "\t"))
            following = next(rest, None)
        else:
            yield line[0], [_unquoted(cell) for cell in cells] if line[1] else []
        line = following


def _unquoted(cell: str) -> str:
    """A cell without the quotes around it, and those within not doubled, if that is how it was written."""
    inner = cell[1:-1]
    if len(cell) >= 2 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return cell


def column_names(cells: Sequence[str]) -> list[str]:
    """What the columns are called, of which each has a name of its own."""
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = own = cell.strip() or f"column {place}"
        count = 1
        while own in names:
            count += 1
            own = f"{name} ({count})"
        names.append(own)
    return names


def first_row(text: str) -> tuple[str, list[str]]:
    """What separates the cells of a table that begins with ``text``, and those of its first row."""
    rows = [line for line in text.split("\n") if line.strip()]
    told = _SEPARATOR_LINE.fullmatch(rows[0].strip()) if rows else None
    row = rows[1 if told and len(rows) > 1 else 0] if rows else ""
    delimiter = told[1] if told else delimiter_of(row)
    return delimiter, next(csv.reader([row], delimiter=delimiter), [])


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def delimiter_of(header: str) -> str:
    """What separates the names in a header."""
    return max(",;\t|", key=re.sub('"[^"]*"', "", header).count)


def _require_names(names: list[str], where: str) -> None:
    if "" in names:
        raise DataError(f"{where} has no name for column {names.index('') + 1}.", _HEADER)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{where} has two columns called {twice[:60]!r}.", _HEADER)


def parquet(path: Path, columns: list[str] | None, progress: Progress) -> Numbered:
    """The rows of a Parquet file; of these ``columns`` alone, if it has them all."""
    import pyarrow
    from pyarrow import parquet as files

    try:
        with files.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            names = file.schema_arrow.names
            _require_names(names, "The file")
            wanted = columns if columns and set(columns) <= set(names) else None
            number, size = 0, path.stat().st_size
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted):
                progress(size * number // file.metadata.num_rows)
                yield from enumerate(batch.to_pylist(), number + 1)
                number += len(batch)
            progress(size)
    except FileNotFoundError:
        raise gone(path) from None
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"The Parquet file cannot be read: {first}", "It may be damaged or incomplete. Write it again."
        ) from error
