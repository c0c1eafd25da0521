"""Is this file usable, and what is in it? A process of its own: the server never reads a file that came from outside.

    python -m worker.datasets.validation check FILENAME PATH           bytes on standard input, while PATH is being written
    python -m worker.datasets.validation again FILENAME SOURCE_JSON    a file on disk, read as the DatasetSource says
    python -m worker.datasets.validation guess FILENAME SOURCE_JSON    the same, but for its reading, which is guessed

The answer is one JSON line on standard output: {"ok": Checked} or {"error": {"message", "hint"}}. It comes as soon as an
error is found. A Parquet file is judged when it is whole.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from worker.contract import Checked, DatasetSource, Reading
from worker.data.formats import guess, plain_text
from worker.data.formats.cells import encodable
from worker.data.formats.examples import says_nothing
from worker.data.formats.json_records import json_format
from worker.data.formats.reading import AS_DOCUMENT, records_of, rows_of, texts_of
from worker.data.formats.rows import Record, Section
from worker.data.formats.tables import first_row, parquet
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
from worker.datasets.columns import columns_of, require_chosen, require_columns
from worker.datasets.line_counter import LONG_LINE, LineCounter
from worker.datasets.notes import notes_on
from worker.errors import DataError

_HEAD_BYTES = 64
_PARQUET = b"PAR1"
_RECORDS_TO_GUESS_FROM = 50
_MOST_COLUMNS = 1000  # of objects with keys of their own each
_FEWEST_ROWS = 2
_SHORTEST_DOCUMENT = 20
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
    first = _first_text(texts)
    if format in ("json", "jsonl"):  # whatever the file is called
        source = source.model_copy(update={"format": json_format(first)})
    else:
        delimiter, cells = first_row(first)
        found = {"delimiter": delimiter if format == "csv" else None, "header": guess.is_header(cells)}
        source = source.model_copy(update=found)
    return _check_records(records_of(chain([first], texts), source), source)


def check_again(source: DatasetSource, *, as_guessed: bool = False) -> Checked:
    """What is in a file that is read as ``source`` says, or but for its format ``as_guessed``. Raises DataError."""
    reading = None if as_guessed else source.reading
    if source.format == "parquet":
        return _check_records(parquet(Path(source.path), None, silent), source, reading)
    with open_file(Path(source.path)) as file:
        texts = texts_of(file, source, silent)
        if source.format == "txt":
            return _check_lines(texts, source, reading)
        return _check_records(records_of(texts, source), source, reading)


def _read_head(file: Readable) -> bytes:
    """The first bytes, enough to tell one kind of file from another. Raises DataError if there are none."""
    head = b""
    while len(head) < _HEAD_BYTES and (more := read_bytes(file, _HEAD_BYTES - len(head))):
        head += more
    if not head:
        raise DataError("The file is empty.", "Upload a file with one example per line.")
    return head


def _first_text(texts: Iterator[str]) -> str:
    """The text up to the end of the second line that is not empty, and perhaps more."""
    first = ""
    for text in texts:
        first += text
        if first.strip().count("\n") >= 2 or len(first) > LONGEST_LINE:
            break
    return first


def _check_lines(texts: Iterator[str], source: DatasetSource, reading: Reading | None) -> Checked:
    """Counts the lines of a .txt without ever holding one."""
    lines = LineCounter()
    for text in texts:
        lines.feed(text)
    lines.finish()
    if not lines.characters:
        raise DataError("The file is empty: it holds only blanks.", "Upload a file with one example per line.")
    if reading is None:
        one_long = lines.usable == 1 and lines.characters >= LONG_LINE
        document = one_long or guess.is_document(lines.first) or lines.longest > LONGEST_LINE
        marks = guess.holds_marks(lines.first)
        reading = Reading(kind="document" if document else "text", special_tokens=marks)
    if reading.kind == "document":
        _require_long_enough(lines.characters)
        return _checked(source, [], reading, ["text", "document"], 1, 0, notes_on(source, [], reading, 0))
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
    notes = notes_on(source, [], reading, 0)
    return _checked(source, [], reading, ["text", "document"], lines.usable, lines.empty, notes)


def _check_records(records: Iterable[tuple[int, Record]], source: DatasetSource, reading: Reading | None = None) -> Checked:
    """Makes a row of every record, as a run will."""
    records = iter(records)
    first = list(islice(records, _RECORDS_TO_GUESS_FROM))
    if not first:
        raise DataError("The file holds no examples.", "It needs two at least, and a .csv or .tsv a header before them.")
    samples = [record for _, record in first if isinstance(record, dict)]
    columns = [encodable(name, "A column's name") for name in columns_of(samples)]
    guessed, readings = guess.reading_of(columns, samples, named=source.header)
    if not readings:
        raise DataError("The file has no column with text.", "Upload one that has.")
    if reading is None:
        shown = [plain_text(row) for _, row in rows_of(first, source.model_copy(update={"reading": guessed}), _WHOLE)]
        reading = guessed.model_copy(update={"special_tokens": guessed.kind != "chat" and guess.holds_marks(shown)})
    require_chosen(reading, columns)
    counted = _Counted(chain(first, records), columns, reading.used() if source.format in ("csv", "tsv") else [])
    rows = characters = 0
    for _, row in rows_of(counted, source.model_copy(update={"reading": reading}), _WHOLE):
        rows += 1
        characters += len(row.text) if isinstance(row, Section) else 0
    if reading.kind == "document":
        _require_long_enough(characters)
    elif rows < _FEWEST_ROWS:
        one = "only one example" if rows == 1 else "no example: what would be learned is empty in every row"
        raise DataError(f"The file holds {one}. {TOO_FEW}", "Choose another column, or upload a file with more rows.")
    require_columns(reading, columns)  # by now those of all records are known
    notes = notes_on(source, columns, reading, counted.words)
    return _checked(source, columns, reading, readings, rows, counted.count - rows, notes)


class _Counted:
    """Records, counted as they are taken. Names that are new are added to ``columns``, and of the cells in those that are
    ``used`` it is counted which say nan or null."""

    def __init__(self, records: Iterable[tuple[int, Record]], columns: list[str], used: list[str]) -> None:
        self._records = records
        self._columns = columns
        self._known = set(columns)
        self._used = used
        self.count = self.words = 0

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        for number, record in self._records:
            self.count += 1
            if isinstance(record, dict):
                if not self._known.issuperset(record):
                    self._note_new(record)
                self.words += sum(says_nothing(record.get(name)) for name in self._used)
            yield number, record

    def _note_new(self, record: dict[str, Any]) -> None:
        new = [name for name in columns_of([record]) if name not in self._known]
        self._known.update(new)
        self._columns += [encodable(name, "A column's name") for name in new[: _MOST_COLUMNS - len(self._columns)]]


def _require_long_enough(characters: int) -> None:
    if characters < _SHORTEST_DOCUMENT:
        raise DataError(f"A text of {characters} characters is too short to learn from.", "Upload a longer one.")


def _checked(
    source: DatasetSource,
    columns: list[str],
    reading: Reading,
    readings: list[Any],
    rows: int,
    empty_rows: int,
    notes: Sequence[str] = (),
) -> Checked:
    found: dict[str, Any] = {"columns": columns, "reading": reading, "readings": readings, "notes": notes}
    return Checked(**source.as_found(), **found, rows=rows, empty_rows=empty_rows)


def main(arguments: list[str]) -> int:
    """Prints the answer."""
    command, filename, rest = arguments
    try:
        if command == "check":
            checked = check(filename, sys.stdin.buffer, Path(rest))
        else:
            source = DatasetSource.model_validate_json(rest)
            checked = check_again(source, as_guessed=command == "guess")
        answer: dict[str, Any] = {"ok": checked.model_dump()}
    except DataError as error:
        answer = {"error": {"message": error.reason, "hint": error.hint}}
    print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
