"""From the rows of a .csv, .tsv or Parquet file to records."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from worker.data.formats.rows import Numbered
from worker.data.formats.text import LONGEST_LINE, TOO_LONG, Progress, gone, lines
from worker.errors import DataError

_QUOTE = "A cell that holds the separator, a quote or a line break must stand in double quotes."
_HEADER = "The first row must name the columns, each differently."
_ROWS_AT_ONCE = 256
_BUFFER_BYTES = 1 << 20


def table(texts: Iterator[str], delimiter: str | None) -> Numbered:
    """The rows of a .csv or .tsv; the first names the columns. ``delimiter`` None: found in the first row."""
    csv.field_size_limit(LONGEST_LINE)
    numbered = lines(texts, TOO_LONG)
    header = next(((line, text) for line, text in numbered if text.strip()), None)
    if header is None:
        return
    before, first = header[0] - 1, header[1]  # empty lines may stand before the header
    rows = csv.reader(
        (text + "\n" for text in chain([first], (text for _, text in numbered))),
        delimiter=delimiter or delimiter_of(first),
        strict=True,
    )
    names: list[str] = []
    number, line = 0, header[0]
    try:
        names = [name.strip() for name in next(rows)]
        _require_names(names, f"The header, in line {line},")
        line = before + rows.line_num + 1
        for row in rows:
            if row and len(row) != len(names):
                raise DataError(f"Line {line} has {_cells(len(row))}, and the header has {len(names)}.", _QUOTE)
            if row:
                number += 1
                yield number, dict(zip(names, row, strict=True))
            line = before + rows.line_num + 1
    except csv.Error as error:
        if "unexpected end" in str(error) or "field limit" in str(error):
            raise DataError(f"In line {line} a quote is opened that is not closed.", "Close it, or remove it.") from None
        raise DataError(f"Line {before + rows.line_num} cannot be read: {error}.", _QUOTE) from None


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
