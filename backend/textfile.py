"""Is this file text to learn from? UTF-8, no binary, one example per line, two at least."""

from __future__ import annotations

import codecs
import io
from pathlib import Path

from backend.errors import InvalidFieldError

CHUNK_BYTES = 64 * 1024
FEWEST_LINES = 2

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class LineCounter:
    """Counts the usable lines of a file that comes in chunks of any size, without ever holding a whole line.

    ``feed`` and ``finish`` raise InvalidFieldError for ``file``, saying where and what to do.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        self._line = 1
        self._column = 0  # characters of the present line so far
        self._usable = 0
        self._has_text = False  # whether the present line is more than blanks
        self._first = True

    def feed(self, chunk: bytes) -> None:
        if self._first and chunk.startswith(_UTF_16):
            raise InvalidFieldError("file", "The file is UTF-16 text.", hint="Save it as UTF-8 and upload it again.")
        self._first = False
        if b"\0" in chunk:
            raise InvalidFieldError(
                "file", "The file is binary, not text.", hint="Upload plain UTF-8 text, one example per line."
            )
        self._count(self._decode(chunk))

    def finish(self) -> int:
        """The number of usable lines."""
        self._count(self._decode(b"", final=True))
        usable = self._usable + self._has_text
        if usable < FEWEST_LINES:
            have = "It is empty." if usable == 0 else "It has only one."
            message = f"The file needs at least {FEWEST_LINES} lines with text. {have}"
            raise InvalidFieldError("file", message, hint="Put one example on each line.")
        return usable

    def _decode(self, chunk: bytes, *, final: bool = False) -> str:
        try:
            text = self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            self._count(self._newlines.decode(error.object[: error.start].decode("utf-8")))  # what stands before it
            raise InvalidFieldError(
                "file",
                f"The file is not UTF-8 text: line {self._line}, column {self._column + 1} cannot be read.",
                hint="Save it as UTF-8 and upload it again.",
            ) from error
        return self._newlines.decode(text, final)

    def _count(self, text: str) -> None:
        first, *others = text.split("\n")
        self._column += len(first)
        self._has_text |= bool(first.strip())
        for line in others:
            self._usable += self._has_text
            self._line += 1
            self._column, self._has_text = len(line), bool(line.strip())


def check(path: Path) -> int:
    """The number of usable lines of a file on disk. Raises InvalidFieldError for ``file``, or OSError."""
    lines = LineCounter()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            lines.feed(chunk)
    return lines.finish()
