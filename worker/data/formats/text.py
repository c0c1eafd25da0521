"""From bytes to text that is known to be text, in lines or in sections."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from worker.contract import Encoding
from worker.data.formats.rows import Section
from worker.errors import DataError

LONGEST_LINE = 16_000_000
"""Characters of a line, a cell or an element of a list: a record has to be held."""

TOO_LONG = "Is this one record? Split it, or upload its text as a .txt file."

MOST_UNPACKED_BYTES = 64 << 30  # of a compressed file: a few bytes can be made to unpack without end

_PIECE_BYTES = 1 << 18
_SAVE_AS = "Save it as plain UTF-8 text and upload it again."
_MAGICS = {
    b"PK\x03\x04": "a zip archive, as .xlsx and .docx are too",
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF87a": "a GIF picture",
    b"GIF89a": "a GIF picture",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    **{b"BZh%d1AY&SY" % level: "a bzip2 archive" for level in range(1, 10)},
    b"\xfd7zXZ": "an xz archive",
    b"\x1f\x8b": "a gzip archive within another",
    b"PAR1\x15": "a Parquet file",
    b"GGUF\x03\0": "a model",
    b"SQLite format 3\0": "a database",
    b"\x7fELF": "a program",
    b"\xd0\xcf\x11\xe0": "an old Word or Excel file",
}

Progress = Callable[[int], None]
"""Called now and then with the bytes of the file read so far; may raise to give up."""


def silent(bytes_read: int) -> None:
    """No progress is told."""


class Readable(Protocol):
    """Bytes that are read from first to last."""

    def read(self, size: int, /) -> bytes: ...


class Counted:
    """A file that is read from its present place to its end, some bytes put back before it, and tells how far it is."""

    def __init__(self, file: Readable, progress: Progress, put_back: bytes = b"") -> None:
        self._file = file
        self._progress = progress
        self._put_back = put_back
        self._read = 0

    def read(self, size: int, /) -> bytes:
        if self._put_back:
            data, self._put_back = self._put_back[:size], self._put_back[size:]
        else:
            data = self._file.read(size)
        self._read += len(data)
        self._progress(self._read)
        return data


def unpacked(file: Readable) -> Readable:
    """What is in a gzip file."""
    return gzip.GzipFile(fileobj=file)  # type: ignore[call-overload, no-any-return]  # seek is only for going back


def pieces(file: Readable, encoding: Encoding) -> Iterator[str]:
    """The text of ``file`` in pieces, with newlines as ``\\n`` and without a byte-order mark.

    Raises DataError, naming the line and the column, if it is not text in this encoding.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else "utf-16")()
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    place = Place()
    total, first = 0, True
    while True:
        chunk = read_bytes(file, _PIECE_BYTES)
        if first:
            refuse_other_kinds(chunk)
            first = False
        total += len(chunk)
        if total > MOST_UNPACKED_BYTES:
            raise DataError(f"The file holds more than {MOST_UNPACKED_BYTES >> 30} GB of text.", "Split it.")
        try:
            text = newlines.decode(decoder.decode(chunk, final=not chunk), final=not chunk)
        except UnicodeDecodeError as error:
            good = error.object[: error.start].decode(error.encoding if encoding == "utf-16" else "utf-8", "ignore")
            place.pass_by(newlines.decode(good, final=True))
            raise DataError(f"{place} is not {encoding.upper()} text.", _SAVE_AS) from None
        if "\0" in text:
            place.pass_by(text[: text.index("\0")])
            raise DataError(f"{place} holds a NUL character, so this is not text.", _SAVE_AS)
        place.pass_by(text)
        if text:
            yield text
        if not chunk:
            return


def refuse_other_kinds(start: bytes) -> None:
    """Raises DataError if a file that begins so is known to be no text."""
    for magic, what in _MAGICS.items():
        if start.startswith(magic):
            raise DataError(f"This is {what}, not text.", _SAVE_AS)


def read_bytes(file: Readable, size: int) -> bytes:
    """The next bytes, none at the end. Raises DataError if it is a compressed file that is damaged."""
    try:
        return file.read(size)
    except EOFError:
        raise DataError("The compressed file ends too early: a part of it is missing.", "Upload it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"The compressed file is damaged: {error}.", "Compress it again.") from None


@dataclass
class Place:
    """Where one is in a text, both from 1."""

    line: int = 1
    column: int = 1

    def pass_by(self, text: str) -> None:
        """Goes on to the end of ``text``."""
        self.line += text.count("\n")
        last = text.rfind("\n")
        self.column = self.column + len(text) if last < 0 else len(text) - last

    def __str__(self) -> str:
        return f"Line {self.line}, column {self.column}"


def lines(texts: Iterator[str], advice: str) -> Iterator[tuple[int, str]]:
    """The lines and their numbers, without the newlines. Raises DataError, with ``advice``, if one is too long to hold."""
    parts: list[str] = []
    number = length = 0
    for text in texts:
        first, *others = text.split("\n")
        parts.append(first)
        length += len(first)
        if length > LONGEST_LINE:
            raise too_long(number + 1, advice)
        if others:
            yield number + 1, "".join(parts)
            *whole, last = others
            yield from enumerate(whole, number + 2)
            number += len(others)
            parts, length = [last], len(last)
    if length:
        yield number + 1, "".join(parts)


def too_long(line: int, advice: str) -> DataError:
    """What is to be said of a line that cannot be held."""
    return DataError(f"Line {line} is longer than {LONGEST_LINE // 1_000_000} million characters.", advice)


def sections(texts: Iterator[str], size: int) -> Iterator[Section]:
    """A document in sections of at most ``size`` characters, which joined give the document but for blanks around it.

    Each ends with a line, else with a sentence, else with a word where that is possible. Where it ends depends on what
    stands before only, so that text added at the end moves none but the last.
    """
    waiting: list[str] = []  # one that holds text and may be the last, and those of blanks after it
    for part in _parts(texts, size):
        if waiting and not part.isspace():
            yield from (Section(text, ends=False) for text in waiting)
            waiting = []
        waiting.append(part)
    if waiting:
        yield Section(waiting[0].rstrip(), ends=True)


def _parts(texts: Iterator[str], size: int) -> Iterator[str]:
    """A text cut into sections; it begins with its first character that is no blank."""
    rest, begun = "", False
    for text in texts:
        rest += text
        if not begun:
            rest = rest.lstrip()
            begun = bool(rest)
        start = 0
        while len(rest) - start > size:
            end = _end_of_section(rest, start, size)
            yield rest[start:end]
            start = end
        rest = rest[start:]
    if rest:
        yield rest


def _end_of_section(text: str, start: int, size: int) -> int:
    middle, end = start + size // 2, start + size
    for marks in (("\n",), (". ", "! ", "? "), (" ",)):
        place = max(found + len(mark) if (found := text.rfind(mark, middle, end)) >= 0 else -1 for mark in marks)
        if place > 0:
            return place
    return end


def open_file(path: Path) -> BinaryIO:
    """Raises DataError if it is not there."""
    try:
        return path.open("rb")
    except OSError:
        raise gone(path) from None


def gone(path: Path) -> DataError:
    """What is to be said of a file that is not there."""
    return DataError(f"The dataset {path} is gone.", "Upload the file again, or pick another dataset.")
