"""Is this file usable, and what is in it? A process of its own: the server never reads a file that came from outside.

    python -m worker.datasets.validation check FILENAME PATH           bytes on standard input, while PATH is being written
    python -m worker.datasets.validation again FILENAME SOURCE_JSON    a file on disk, read as the DatasetSource says

The answer is one JSON line on standard output: {"ok": Checked} or {"error": {"message", "hint"}}. It comes as soon as an
error is found. A Parquet file is judged when it is whole.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from worker.contract import Checked, DatasetSource, Reading
from worker.data.formats import guess
from worker.data.formats.cells import encodable
from worker.data.formats.json_records import json_format
from worker.data.formats.reading import AS_DOCUMENT, records_of, rows_of, texts_of
from worker.data.formats.rows import Record, Section
from worker.data.formats.tables import delimiter_of, parquet
from worker.data.formats.text import (
    LONGEST_LINE,
    Counted,
    Readable,
    open_file,
    pieces,
    read_bytes,
    silent,
    too_long,
    unpacked,
)
from worker.errors import DataError

_HEAD_BYTES = 64
_PARQUET = b"PAR1"
_RECORDS_TO_GUESS_FROM = 50
_LINES_TO_GUESS_FROM = 2000
_FEWEST_ROWS = 2
_SHORTEST_DOCUMENT = 20
_LONG_LINE = 1000  # characters: a file of one such line is a document
_WHOLE = sys.maxsize  # characters of a section: a record is counted once

TOO_FEW = "A model needs at least two."


def check(filename: str, file: BinaryIO, path: Path) -> Checked:
    """What is in a file that is read from its beginning to its end, best as we can tell. Raises DataError."""
    format = guess.format_of(filename)
    head = _read_head(file)
    if format == "parquet":
        if not head.startswith(_PARQUET):
            raise DataError("This is no Parquet file.", "Give it the ending of what it is, such as .jsonl or .csv.")
        while file.read(1 << 20):  # the server is still writing it
            pass
        source = DatasetSource(path=str(path), format=format)
        return _check_records(parquet(path, None, silent), source)
    compressed = guess.is_compressed(head)
    stream = Counted(file, silent, head)
    if compressed:
        inner = unpacked(stream)
        head = _read_head(inner)
        stream = Counted(inner, silent, head)
    elif filename.lower().endswith(".gz"):
        raise DataError("The file's name ends in .gz, and it is not compressed by gzip.", "Give it its right name.")
    source = DatasetSource(path=str(path), format=format, encoding=guess.encoding_of(head), compressed=compressed)
    texts = pieces(stream, source.encoding)
    if format == "txt":
        return _check_lines(texts, source, None)
    first = _first_text(texts, whole_line=format != "tsv")
    if format in ("json", "jsonl"):  # whatever the file is called
        source = source.model_copy(update={"format": json_format(first)})
    if format == "csv":
        header = next((line for line in first.split("\n") if line.strip()), "")
        source = source.model_copy(update={"delimiter": delimiter_of(header)})
    return _check_records(records_of(chain([first], texts), source.format, source.delimiter), source)


def check_again(source: DatasetSource) -> Checked:
    """What is in a file that is read as ``source`` says. Raises DataError."""
    if source.format == "parquet":
        return _check_records(parquet(Path(source.path), None, silent), source, source.reading)
    with open_file(Path(source.path)) as file:
        texts = texts_of(file, source, silent)
        if source.format == "txt":
            return _check_lines(texts, source, source.reading)
        return _check_records(records_of(texts, source.format, source.delimiter), source, source.reading)


def _read_head(file: Readable) -> bytes:
    """The first bytes, enough to tell one kind of file from another. Raises DataError if there are none."""
    head = b""
    while len(head) < _HEAD_BYTES and (more := read_bytes(file, _HEAD_BYTES - len(head))):
        head += more
    if not head:
        raise DataError("The file is empty.", "Upload a file with one example per line.")
    return head


def _first_text(texts: Iterator[str], whole_line: bool) -> str:
    """The text up to the first character that is no blank, or to the end of its line, and perhaps more."""
    first = ""
    for text in texts:
        first += text
        begun = first.lstrip()
        if (begun and not whole_line) or "\n" in begun or len(first) > LONGEST_LINE:
            break
    return first


def _check_lines(texts: Iterator[str], source: DatasetSource, reading: Reading | None) -> Checked:
    """Counts the lines of a .txt without ever holding one."""
    lines = _LineCounter()
    for text in texts:
        lines.feed(text)
    lines.finish()
    if not lines.characters:
        raise DataError("The file is empty: it holds only blanks.", "Upload a file with one example per line.")
    if reading is None:
        one_long = lines.usable == 1 and lines.characters >= _LONG_LINE
        wrapped = guess.is_document(lines.first)
        reading = Reading(kind="document" if one_long or wrapped or lines.longest > LONGEST_LINE else "text")
    if reading.kind == "document":
        _require_long_enough(lines.characters)
        return _checked(source, [], reading, ["text", "document"], 1, 0)
    if reading.kind != "text":
        raise DataError(
            "A .txt file has no columns, so it holds texts alone.", "Choose one example per line, or one document."
        )
    if lines.longest > LONGEST_LINE:
        raise too_long(lines.longest_line, AS_DOCUMENT)
    if lines.usable < _FEWEST_ROWS:
        raise DataError(
            f"The file holds only one example. {TOO_FEW}",
            "Put one example on each line, or have it read as one long document.",
        )
    return _checked(source, [], reading, ["text", "document"], lines.usable, lines.empty)


class _LineCounter:
    """``usable`` lines hold more than blanks; ``first`` are the beginnings of the first lines.

    ``longest`` [characters] is that of the lines that span pieces: no other is too long to hold.
    """

    def __init__(self) -> None:
        self.usable = self.empty = self.longest = self.longest_line = self.characters = 0
        self.first: list[str] = []
        self._number = 1
        self._length = 0
        self._has_text = False
        self._start = ""

    def feed(self, text: str) -> None:
        """Takes the next piece."""
        first, *others = text.split("\n")
        self._extend(first)
        if not others:
            return
        self._end_line()
        *others, last = others
        for line in others:
            # The same as _extend and _end_line, for lines that come whole: nearly all do, and there may be ten millions.
            stripped = len(line.strip())
            if stripped:
                self.usable += 1
                self.characters += stripped
            else:
                self.empty += 1
            if self._number <= _LINES_TO_GUESS_FROM:
                self.first.append(line[:_LONG_LINE])
            self._number += 1
        self._extend(last)

    def finish(self) -> None:
        """Counts the last line, unless nothing stands after the last newline."""
        if self._length:
            self._end_line()

    def _extend(self, part: str) -> None:
        if not part:
            return
        self._length += len(part)
        self.characters += len(part.strip())
        self._has_text = self._has_text or not part.isspace()
        if len(self._start) < _LONG_LINE:
            self._start += part[:_LONG_LINE]

    def _end_line(self) -> None:
        self.usable += self._has_text
        self.empty += not self._has_text
        if self._length > self.longest:
            self.longest, self.longest_line = self._length, self._number
        if self._number <= _LINES_TO_GUESS_FROM:
            self.first.append(self._start)
        self._number += 1
        self._length, self._has_text, self._start = 0, False, ""


def _check_records(records: Iterable[tuple[int, Record]], source: DatasetSource, reading: Reading | None = None) -> Checked:
    """Makes a row of every record, as a run will."""
    records = iter(records)
    first = list(islice(records, _RECORDS_TO_GUESS_FROM))
    if not first:
        raise DataError("The file holds no examples.", "It needs two at least, and a .csv or .tsv a header before them.")
    samples = [record for _, record in first if isinstance(record, dict)]
    columns = [encodable(name, "A column's name") for name in dict.fromkeys(name for record in samples for name in record)]
    guessed, readings = guess.reading_of(columns, samples)
    if not readings:
        raise DataError("The file has no column with text.", "Upload one that has.")
    reading = reading or guessed
    for role, column in reading.columns().items():
        if not column:
            raise DataError(f"No column is chosen for {role}.", f"The columns are: {', '.join(columns)}.")
    counted = _Counted(chain(first, records))
    rows = characters = 0
    for _, row in rows_of(counted, source.model_copy(update={"reading": reading}), _WHOLE):
        rows += 1
        characters += len(row.text) if isinstance(row, Section) else 0
    if reading.kind == "document":
        _require_long_enough(characters)
    elif rows < _FEWEST_ROWS:
        one = "only one example" if rows == 1 else "no example: what would be learned is empty in every row"
        raise DataError(f"The file holds {one}. {TOO_FEW}", "Choose another column, or upload a file with more rows.")
    return _checked(source, columns, reading, readings, rows, counted.count - rows)


class _Counted:
    """Records, counted as they are taken."""

    def __init__(self, records: Iterable[tuple[int, Record]]) -> None:
        self._records = records
        self.count = 0

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        for item in self._records:
            self.count += 1
            yield item


def _require_long_enough(characters: int) -> None:
    if characters < _SHORTEST_DOCUMENT:
        raise DataError(f"A text of {characters} characters is too short to learn from.", "Upload a longer one.")


def _checked(
    source: DatasetSource, columns: list[str], reading: Reading, readings: list[Any], rows: int, empty_rows: int
) -> Checked:
    kept = source.model_dump(include={"format", "encoding", "compressed", "delimiter"})
    return Checked(**kept, columns=columns, reading=reading, readings=readings, rows=rows, empty_rows=empty_rows)


def main(arguments: list[str]) -> int:
    """Prints the answer."""
    command, filename, rest = arguments
    try:
        if command == "check":
            checked = check(filename, sys.stdin.buffer, Path(rest))
        else:
            checked = check_again(DatasetSource.model_validate_json(rest))
        answer: dict[str, Any] = {"ok": checked.model_dump()}
    except DataError as error:
        answer = {"error": {"message": error.reason, "hint": error.hint}}
    print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
