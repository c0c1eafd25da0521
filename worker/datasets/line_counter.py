"""Counts the lines of a .txt as its text comes in pieces, without ever holding one."""

from __future__ import annotations

_LINES_TO_GUESS_FROM = 2000
LONG_LINE = 1000
"""Characters: a file of one such line is a document."""


class LineCounter:
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
                self.first.append(line[:LONG_LINE])
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
        if len(self._start) < LONG_LINE:
            self._start += part[:LONG_LINE]

    def _end_line(self) -> None:
        self.usable += self._has_text
        self.empty += not self._has_text
        if self._length > self.longest:
            self.longest, self.longest_line = self._length, self._number
        if self._number <= _LINES_TO_GUESS_FROM:
            self.first.append(self._start)
        self._number += 1
        self._length, self._has_text, self._start = 0, False, ""
