"""Is this file usable, and what is in it? A process of its own: the server never reads a file that came from outside.

    python -m worker.checking check FILENAME PATH            the bytes on standard input, while PATH is being written
    python -m worker.checking again FILENAME SOURCE_JSON     a file on disk, read as the DatasetSource says

The answer is one JSON line on standard output: {"ok": Checked} or {"error": {"message", "hint"}}. It comes as soon as an
error is found. A Parquet file is judged when it is whole.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from worker.contract import Checked, DatasetSource, Reading
from worker.errors import DataError
from worker.formats import guess
from worker.formats.reading import records_of, rows_of, texts_of
from worker.formats.records import delimiter_of, parquet
from worker.formats.rows import Record, Row
from worker.formats.text import LONGEST_LINE, Counted, open_file, refuse_other_kinds, unpacked

_HEAD_BYTES = 64
_RECORDS_TO_GUESS_FROM = 50
_LINES_TO_GUESS_FROM = 2000
_FEWEST_ROWS = 2
_SHORTEST_DOCUMENT = 20
_LONG_LINE = 1000  # characters: a file of one such line is a document

TOO_FEW = "A model needs at least two."


def check(filename: str, file: BinaryIO, path: Path) -> Checked:
    """What is in a file that is read from its beginning to its end, best as we can tell. Raises DataError."""
    format = guess.format_of(filename)
    head = _read_fully(file, _HEAD_BYTES)
    if not head:
        raise DataError("The file is empty.", "Upload a file with one example per line.")
    if format == "parquet":
        while file.read(1 << 20):  # the server is still writing it
            pass
        source = DatasetSource(path=str(path), format=format)
        return _check_records(parquet(path, None), source)
    compressed = guess.is_compressed(head)
    whole = cast(BinaryIO, Counted(file, _silent, head))
    if compressed:
        whole = unpacked(whole)
        head = _unpacked_head(whole)
        whole = cast(BinaryIO, Counted(whole, _silent, head))
    elif filename.lower().endswith(".gz"):
        raise DataError("The file's name ends in .gz, and it is not compressed by gzip.", "Give it its right name.")
    refuse_other_kinds(head)
    encoding = guess.encoding_of(head)
    source = DatasetSource(path=str(path), format=format, encoding=encoding, compressed=compressed)
    texts = texts_of(whole, source.model_copy(update={"compressed": False}), _silent)
    if format == "txt":
        return _check_lines(texts, source, None)
    first = _first_text(texts)
    if format == "json" and first.lstrip()[:1] == "{":  # objects one after another, each on its line
        source = source.model_copy(update={"format": "jsonl"})
    if format == "csv":
        header = next((line for line in first.split("\n") if line.strip()), "")
        source = source.model_copy(update={"delimiter": delimiter_of(header)})
    return _check_records(records_of(chain([first], texts), source.format, source.delimiter), source)


def check_again(source: DatasetSource) -> Checked:
    """What is in a file that is read as ``source`` says. Raises DataError."""
    if source.format == "parquet":
        return _check_records(parquet(Path(source.path), None), source, source.reading)
    with open_file(Path(source.path)) as file:
        texts = texts_of(file, source, _silent)
        if source.format == "txt":
            return _check_lines(texts, source, source.reading)
        return _check_records(records_of(texts, source.format, source.delimiter), source, source.reading)


def _silent(bytes_read: int) -> None:
    """No progress is told."""


def _read_fully(file: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data


def _unpacked_head(file: BinaryIO) -> bytes:
    try:
        return _read_fully(file, _HEAD_BYTES)
    except (OSError, EOFError) as error:
        raise DataError(f"The compressed file is damaged: {error}.", "Compress it again.") from None


def _first_text(texts: Iterator[str]) -> str:
    """The text up to the first line that holds something, and perhaps more."""
    first = ""
    for text in texts:
        first += text
        if "\n" in first.lstrip() or len(first) > LONGEST_LINE:
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
        one_long = lines.usable == 1 and lines.longest >= _LONG_LINE
        wrapped = guess.is_document(lines.first)
        reading = Reading(kind="document" if one_long or wrapped or lines.longest > LONGEST_LINE else "text")
    if reading.kind == "document":
        if lines.characters < _SHORTEST_DOCUMENT:
            raise DataError(
                f"A document of {lines.characters} characters is too short to learn from.", "Upload a longer one."
            )
        return _checked(source, [], reading, ["text", "document"], 1, 0)
    if reading.kind != "text":
        raise DataError(
            "A .txt file has no columns, so it holds texts alone.", "Choose one example per line, or one document."
        )
    if lines.longest > LONGEST_LINE:
        raise DataError(
            f"Line {lines.longest_line} is longer than {LONGEST_LINE // 1_000_000} million characters.",
            "Have it read as one long document.",
        )
    if lines.usable < _FEWEST_ROWS:
        raise DataError(
            f"The file holds only one example. {TOO_FEW}",
            "Put one example on each line, or have it read as one long document.",
        )
    return _checked(source, [], reading, ["text", "document"], lines.usable, lines.empty)


class _LineCounter:
    """``usable`` lines hold more than blanks; ``first`` are the beginnings of the first lines."""

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
        *whole, last = others
        for line in whole:
            # The same as _extend and _end_line, for lines that come whole: nearly all do, and there may be ten millions.
            stripped = len(line.strip())
            if stripped:
                self.usable += 1
                self.characters += stripped
                if stripped > self.longest:
                    self.longest, self.longest_line = stripped, self._number
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
        if self._has_text and self._length > self.longest:
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
    columns = list(dict.fromkeys(name for record in samples for name in record))
    guessed, readings = guess.reading_of(columns, samples)
    reading = reading or guessed
    if not any(reading.columns().values()) or not readings:
        raise DataError("The file has no column with text.", "Upload one that has.")
    counted = _Counted(chain(first, records))
    rows = _count(rows_of(counted, source.model_copy(update={"reading": reading}), LONGEST_LINE), reading)
    if rows < _FEWEST_ROWS and not (rows == 1 and reading.kind == "document"):
        one = "only one example" if rows == 1 else "no example: the mapped column is empty in every row"
        raise DataError(f"The file holds {one}. {TOO_FEW}", "Map another column, or upload a file with more rows.")
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


def _count(rows: Iterable[tuple[int, Row]], reading: Reading) -> int:
    """Examples; of a document's sections only the record counts."""
    if reading.kind == "document":
        return sum(1 for _ in groupby(number for number, _ in rows))
    return sum(1 for _ in rows)


def _checked(
    source: DatasetSource, columns: list[str], reading: Reading, readings: list[Any], rows: int, empty_rows: int
) -> Checked:
    kept = source.model_dump(include={"format", "encoding", "compressed", "delimiter"})
    return Checked(**kept, columns=columns, reading=reading, readings=readings, rows=rows, empty_rows=empty_rows)


def main(arguments: list[str]) -> int:
    """Prints the answer."""
    what, filename, rest = arguments
    judge: Callable[[], Checked]
    if what == "check":

        def judge() -> Checked:
            return check(filename, sys.stdin.buffer, Path(rest))
    else:

        def judge() -> Checked:
            return check_again(DatasetSource.model_validate_json(rest))

    try:
        answer = {"ok": judge().model_dump()}
    except DataError as error:
        answer = {"error": {"message": error.reason, "hint": error.hint}}
    print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
