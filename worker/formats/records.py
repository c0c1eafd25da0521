"""From a file's text to records: of .jsonl, .json, .csv and .tsv, and of Parquet files, which are no text."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from worker.errors import DataError
from worker.formats.text import LONGEST_LINE, lines

Numbered = Iterator[tuple[int, dict[str, Any]]]
"""A record's place in the file, from 1, and what is in it."""

_BLANKS = re.compile(r"[ \t\r\n]*")
_TOO_LONG = "Is this one record? Split it, or upload its text as a .txt file."
_ROWS_AT_ONCE = 1000


def json_lines(texts: Iterator[str]) -> Numbered:
    """An object on each line; numbers are the lines'."""
    for number, line in lines(texts, _TOO_LONG):
        if line.strip():
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(
                    f"Line {number} is not valid JSON: {error.msg} at column {error.colno}.", _MEND_JSON
                ) from None
            except RecursionError:
                raise DataError(f"Line {number} is nested too deeply.", _MEND_JSON) from None
            yield number, _object(record, f"Line {number}")


_MEND_JSON = 'Each line must be an object of its own, such as {"text": "..."}.'


def _object(record: Any, where: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise DataError(f"{where} is not a JSON object with named values.", _MEND_JSON)
    return record


def json_array(texts: Iterator[str]) -> Numbered:
    """The elements of a list of objects, one by one."""
    text = _JsonText(texts)
    if text.skip_blanks() != "[":
        raise DataError(
            f"Line {text.line} does not begin a list of objects.", 'The file must hold a list: [{"text": "..."}, ...]'
        )
    text.place += 1
    number = 0
    while text.skip_blanks() != "]":
        if number and text.take(","):
            text.skip_blanks()
        elif number:
            raise DataError(f"Line {text.line} is not valid JSON: a comma is missing.", "Mend the file.")
        number += 1
        line, record = text.element()
        yield number, _object(record, f"Element {number} in line {line}")
    text.place += 1
    if text.skip_blanks():
        raise DataError(f"Line {text.line} goes on after the list has ended.", "Remove what follows the list.")


class _JsonText:
    """JSON text that comes in pieces, of which only the present element is held. ``place`` is where reading goes on."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._text = ""
        self._line = 1
        self.place = 0

    @property
    def line(self) -> int:
        """Where ``place`` is."""
        return self._line + self._text.count("\n", 0, self.place)

    def skip_blanks(self) -> str:
        """The next character that is no blank, where ``place`` is then; empty at the end."""
        while True:
            match = _BLANKS.match(self._text, self.place)
            assert match
            self.place = match.end()
            if self.place < len(self._text):
                return self._text[self.place]
            if not self._more():
                return ""

    def take(self, character: str) -> bool:
        """Passes by ``character``, if it is next."""
        found = self._text.startswith(character, self.place)
        self.place += found
        return found

    def element(self) -> tuple[int, Any]:
        """The value that begins here, and its line."""
        while True:
            try:
                value, end = json.JSONDecoder().raw_decode(self._text, self.place)
            except (json.JSONDecodeError, RecursionError) as error:
                if self._is_final(error) or not self._more():
                    line = self._line + getattr(error, "lineno", 1) - 1
                    what = getattr(error, "msg", "nested too deeply")
                    raise DataError(f"Line {line} is not valid JSON: {what}.", "Mend the file.") from None
                if len(self._text) - self.place > LONGEST_LINE:
                    raise DataError(
                        f"Line {self.line} begins an element of over 16 million characters.", _TOO_LONG
                    ) from None
            else:
                line = self.line
                self.place = end
                return line, value

    def _is_final(self, error: Exception) -> bool:
        """Whether more text could not mend it: it stands well before the end of what has come, and is no open string."""
        if not isinstance(error, json.JSONDecodeError):
            return True
        return not error.msg.startswith("Unterminated") and error.pos < len(self._text) - 16

    def _more(self) -> bool:
        """Gets as much again as is held, and at least a piece; whether there was any."""
        self._line = self.line
        held = self._text[self.place :]
        parts, length = [held], 0
        for text in self._texts:
            parts.append(text)
            length += len(text)
            if length >= len(held):
                break
        self._text, self.place = "".join(parts), 0
        return length > 0


def table(texts: Iterator[str], delimiter: str | None) -> Numbered:
    """The rows of a .csv or .tsv; the first names the columns. ``delimiter`` None: found in the first row."""
    csv.field_size_limit(LONGEST_LINE)
    numbered = lines(texts, _TOO_LONG)
    first = next(((number, line) for number, line in numbered if line.strip()), None)
    if first is None:
        return
    found = delimiter or delimiter_of(first[1])
    rows = csv.reader(_chain(first, numbered), delimiter=found, strict=True)
    skipped = first[0] - 1  # empty lines before the header
    try:
        names = [name.strip() for name in next(rows)]
        _require_names(names, first[0])
        number = 0
        for row in rows:
            if not row:
                continue
            number += 1
            if len(row) != len(names):
                raise DataError(
                    f"Line {rows.line_num + skipped} has {_cells(len(row))}, and the header has {len(names)}.",
                    "A cell that holds the separator or a line break must stand in double quotes.",
                )
            yield number, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise DataError(
            f"Line {rows.line_num + skipped} cannot be read: {error}.", "Look for a quote that is not closed."
        ) from None


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _chain(first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[str]:
    yield first[1] + "\n"
    for _, line in rest:
        yield line + "\n"


def delimiter_of(header: str) -> str:
    """What separates the names in a header."""
    return max(",;\t|", key=header.count)


def _require_names(names: list[str], line: int) -> None:
    hint = "The first row must name the columns, each differently."
    if "" in names:
        raise DataError(f"Line {line}: column {names.index('') + 1} of the header has no name.", hint)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"Line {line}: the header has two columns called {twice[:60]!r}.", hint)


def parquet(path: Path, columns: list[str] | None) -> Numbered:
    """The rows of a Parquet file; of these ``columns``, if there are any of them."""
    import pyarrow
    from pyarrow import parquet as files

    try:
        with files.ParquetFile(path) as file:
            names = file.schema_arrow.names
            wanted = [name for name in columns if name in names] if columns is not None else None
            number = 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted):
                for record in batch.to_pylist():
                    number += 1
                    yield number, record
    except FileNotFoundError:
        raise DataError(f"The dataset {path} is gone.", "Upload the file again, or pick another dataset.") from None
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"The Parquet file is damaged or incomplete: {first}", "Write it again.") from error
