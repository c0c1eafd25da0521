"""From the text of a .jsonl or .json to records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

from worker.data.formats.messages import is_message
from worker.data.formats.rows import Numbered
from worker.data.formats.text import LONGEST_LINE, TOO_LONG, Place, lines
from worker.errors import DataError

_BLANKS = re.compile(r"[ \t\r\n]*")
_decode = json.JSONDecoder().raw_decode
_LONGEST_WORD = 16  # characters that JSON may take to spell a thing other than a string or a number: -Infinity, \ud83d\ude00
_ON_EACH_LINE = 'Each line must be an object of its own, such as {"text": "..."}.'
_MEND_JSON = "Mend the file there, or write it anew with a program."


def json_lines(texts: Iterator[str]) -> Numbered:
    """An object on each line; numbers are the lines'."""
    for number, line in lines(texts, TOO_LONG):
        if line.strip():
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(
                    f"Line {number} is not valid JSON: {error.msg} at column {error.colno}.", _ON_EACH_LINE
                ) from None
            except (ValueError, RecursionError) as error:
                raise DataError(f"Line {number} is not JSON that can be read: {error}.", _ON_EACH_LINE) from None
            yield number, _object(record, f"Line {number}")


def _object(value: Any, where: str) -> dict[str, Any]:
    """``value`` as a record: a text stands for one in a column text, a list of objects for messages."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return {"messages": value}
    raise DataError(f"{where} is not a JSON object with named values.", 'Each record must be one: {"text": "..."}')


def json_values(texts: Iterator[str]) -> Numbered:
    """The elements of a list, one by one; of an object around such a list, that list's; or objects one after another,
    however they are broken into lines."""
    text = _JsonText(texts)
    if text.take("["):
        yield from _elements(text)
        return
    text.skip_blanks()
    number = 0
    while not text.at_end():
        line = text.where().line
        value = text.value()
        text.skip_blanks()
        if not number and text.at_end() and (held := _list_within(value)):
            yield from ((place, _object(each, f"Element {place}")) for place, each in enumerate(held, 1))
            return
        number += 1
        yield number, _object(value, f"Element {number}, in line {line},")
        text.take(",")  # as between the elements of a list
        text.skip_blanks()


def _elements(text: _JsonText) -> Numbered:
    number = 0
    while not text.take("]"):
        if number and not text.take(","):
            raise DataError(f"Line {text.where().line} is not valid JSON: , or ] is missing.", _MEND_JSON)
        if number and text.take("]"):
            raise DataError(f"Line {text.where().line} is not valid JSON: a comma stands before the ].", "Remove it.")
        text.skip_blanks()
        number += 1
        line = text.where().line
        yield number, _object(text.value(), f"Element {number}, in line {line},")
    text.skip_blanks()
    if not text.at_end():
        raise DataError(f"Line {text.where().line} goes on after the list has ended.", "Remove what follows the list.")


def _list_within(value: Any) -> list[Any] | None:
    """The list of records that an object is wrapped around, such as the one under data."""
    lists = [each for each in value.values() if isinstance(each, list) and each] if isinstance(value, dict) else []
    return lists[0] if len(lists) == 1 and all(isinstance(each, dict) for each in lists[0]) else None


def json_format(first: str) -> Literal["json", "jsonl"]:
    """Whether a text that begins with ``first``, its first line at least or more than a line may have, holds a record on
    each line; else it is a list, an object around one, or objects over several lines."""
    if len(first) > LONGEST_LINE:
        return "json" if first.lstrip()[:1] == "[" else "jsonl"
    lines = [line.strip() for line in first.split("\n") if line.strip()]
    start = lines[0] if lines else ""
    try:
        value = json.loads(start)
    except (ValueError, RecursionError):
        goes_on = start[:1] in ("[", "{") and start[-1:] in ("[", "{", ",", ":")
        return "json" if goes_on else "jsonl"
    held = value if isinstance(value, list) else _list_within(value) if len(lines) == 1 else None
    return "json" if held is not None and not all(map(is_message, held)) else "jsonl"


class _JsonText:
    """JSON text that comes in pieces, of which only the value being read is held."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._text = ""
        self._place = 0  # in the text held
        self._where = Place()
        self._passed = 0  # what of the text held is counted in _where

    def where(self) -> Place:
        """Where reading goes on."""
        self._where.pass_by(self._text[self._passed : self._place])
        self._passed = self._place
        return self._where

    def at_end(self) -> bool:
        """Whether nothing follows."""
        return self._place == len(self._text) and not self._more()

    def skip_blanks(self) -> None:
        """Goes on to the next character that is no blank."""
        while not self.at_end():
            match = _BLANKS.match(self._text, self._place)
            assert match
            self._place = match.end()
            if self._place < len(self._text):
                return

    def take(self, character: str) -> bool:
        """Passes by ``character`` and the blanks before it, if it is next."""
        self.skip_blanks()
        found = self._text.startswith(character, self._place)
        self._place += found
        return found

    def value(self) -> Any:
        """The value that begins here. Raises DataError if it is none."""
        while True:
            try:
                value, end = _decode(self._text, self._place)
            except json.JSONDecodeError as error:
                if len(self._text) - self._place > LONGEST_LINE:
                    break
                wrong = error.pos - self._place
                # More text mends what is cut off: an open string, or whatever is wrong at the very end.
                cut_off = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _LONGEST_WORD
                if not cut_off or not self._more():
                    raise self._invalid(error.msg, wrong) from None
            except (ValueError, RecursionError) as error:
                raise self._invalid(str(error), 0) from None
            else:
                if end - self._place > LONGEST_LINE:
                    break
                self._place = end
                return value
        raise DataError(f"Line {self.where().line} begins an element of over 16 million characters.", TOO_LONG)

    def _invalid(self, what: str, after: int) -> DataError:
        """``what`` is wrong so many characters on."""
        where = self.where()
        where.pass_by(self._text[self._place : self._place + after])
        return DataError(f"Line {where.line} is not valid JSON: {what} at column {where.column}.", _MEND_JSON)

    def _more(self) -> bool:
        """Gets as much again as is held, so that a long value is not parsed often; whether there was any."""
        self.where()
        held = self._text[self._place :]
        parts, length = [held], 0
        for text in self._texts:
            parts.append(text)
            length += len(text)
            if length >= len(held):
                break
        self._text, self._place, self._passed = "".join(parts), 0, 0
        return length > 0
