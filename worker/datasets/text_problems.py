"""What looks wrong in texts as they stand: read in a wrong encoding, characters that nobody types, lengths far out.

Whether a text was read in a wrong encoding is told by ftfy: where letters stand together that no language puts there, and
the bytes that they were made of are good UTF-8, it knows what was meant.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from ftfy import fix_encoding
from ftfy.badness import BADNESS_RE
from ftfy.chardata import UTF8_DETECTOR_RE

from worker.data.formats import Row, Section, plain_text

_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffd\ufffe\uffff]")  # a form feed may stand between pages
_MOST_SHOWN = 10
_MOST_PLACES = 8  # of a text that are looked at
_AROUND = 80  # characters on each side of what is shown; what was meant is often not known from a few letters alone
_USUAL = 0.95
_TIMES_USUAL = 10
_SHARE_OF_ALL = 0.1
_LONG = 2000  # characters: below, a length harms nothing, whatever the others are
_FEWEST_ROWS = 20  # to know what is usual


class Example(NamedTuple):
    """``row``: its place in the file. ``meant``: what probably should stand there."""

    row: int
    text: str
    meant: str | None = None


class TextProblems:
    """Takes all rows, one after another, and tells of those that look wrong."""

    def __init__(self) -> None:
        self._mojibake: list[Example] = []
        self._control: list[Example] = []
        self._counts = {"mojibake": 0, "control_characters": 0}
        self._rows, self._lengths = array("q"), array("q")

    def add(self, place: int, row: Row) -> None:
        """``place``: the row's in the file."""
        text = plain_text(row)
        if not isinstance(row, Section):  # whose length is ours
            self._rows.append(place)
            self._lengths.append(len(text))
        if not text.isascii() and (misread := _misread(text)):
            self._note("mojibake", self._mojibake, Example(place, *misread))
        elif found := _CONTROL.search(text):
            self._note("control_characters", self._control, Example(place, _visible(_around(text, found))))

    def found(self) -> list[dict[str, Any]]:
        """backend/schemas/data.py's TextProblem, one for each kind that there is."""
        lengths, far_out = self._far_out()
        problems = [
            ("mojibake", self._counts["mojibake"], self._mojibake),
            ("control_characters", self._counts["control_characters"], self._control),
            ("extreme_length", far_out, lengths),
        ]
        return [
            {"kind": kind, "rows": rows, "examples": [example._asdict() for example in examples]}
            for kind, rows, examples in problems
            if rows
        ]

    def _note(self, kind: str, examples: list[Example], example: Example) -> None:
        self._counts[kind] += 1
        if len(examples) < _MOST_SHOWN:
            examples.append(example)

    def _far_out(self) -> tuple[list[Example], int]:
        """Rows ten times as long as nearly all others, or which alone are a tenth of the text; the longest first."""
        lengths = np.array(self._lengths)
        if len(lengths) < _FEWEST_ROWS:
            return [], 0
        total, usual = int(lengths.sum()), float(np.quantile(lengths, _USUAL))
        limit = max(_LONG, min(_TIMES_USUAL * usual, _SHARE_OF_ALL * total))
        rows = np.flatnonzero(lengths > limit)
        longest = rows[np.argsort(-lengths[rows], kind="stable")][:_MOST_SHOWN]
        told = [f"{lengths[row]:,} characters, {lengths[row] / total:.1%} of the whole text" for row in longest]
        return [Example(self._rows[row], text) for row, text in zip(longest, told, strict=True)], len(rows)


def _misread(text: str) -> tuple[str, str] | None:
    """A place that was read in a wrong encoding, and what was meant; None if there is none."""
    if not UTF8_DETECTOR_RE.search(text):  # four times as fast; an old DOS encoding is missed in one text of ten
        return None
    for found in islice(BADNESS_RE.finditer(text), _MOST_PLACES):
        place = _around(text, found)
        if (meant := fix_encoding(place)) != place:
            return _visible(place), _visible(meant)
    return None


def _around(text: str, found: re.Match[str]) -> str:
    """A place with what stands around it in its line, cut between words."""
    before = text[max(0, found.start() - _AROUND) : found.start()].rpartition("\n")[2]
    after = text[found.end() : found.end() + _AROUND].partition("\n")[0]
    if len(before) == _AROUND and " " in before:
        before = before.partition(" ")[2]
    if len(after) == _AROUND and " " in after:
        after = after.rpartition(" ")[0]
    return before + found.group() + after


def _visible(text: str) -> str:
    """Characters that show nothing by their numbers."""
    return "".join(_shown(text))


def _shown(text: str) -> Iterator[str]:
    for character in text:
        hidden = _CONTROL.match(character) and character != "\ufffd"
        yield f"\\x{ord(character):02x}" if hidden else character
