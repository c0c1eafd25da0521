"""What stands in a column of a record: text, other data, or nothing."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from worker.contract import FIELD
from worker.errors import DataError

_PARAGRAPHS = re.compile(r"(\n\s*\n)")


def value_of(record: dict[str, Any], column: str | None, where: str, *, optional: bool = False) -> Any:
    """The value in ``column``; of an object within, by a name with a dot: translation.en. Raises DataError if the record
    has no such column, unless that is ``optional``: then None."""
    if column in record:
        return record[column]
    outer, _, inner = (column or "").partition(".")
    if isinstance(record.get(outer), dict) and inner in record[outer]:
        return record[outer][inner]
    if optional:
        return None
    have = ", ".join(list(record)[:10]).encode(errors="replace").decode() or "none"
    raise DataError(f"{where} has no column {column!r}.", f"Its columns are: {have}. Map another one.")


def is_empty(value: Any) -> bool:
    """Whether nothing is there: null, NaN, infinity (JSON reads a number that is too large so), an empty list or text."""
    if isinstance(value, float):
        return not math.isfinite(value)
    return value is None or (isinstance(value, (str, list, dict)) and not value)


def text_of(record: dict[str, Any], column: str | None, where: str, *, optional: bool = False) -> str:
    """The text in ``column``, empty if nothing is there; of a list of texts within an object the first, as of SQuAD's
    answers.text. Raises DataError if it holds something else."""
    value = value_of(record, column, where, optional=optional)
    if "." in (column or "") and isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        value = value[0]
    if is_empty(value):
        return ""
    if isinstance(value, (dict, list, bytes)):
        raise DataError(f"{where} holds no text in column {column!r}, but other data.", "Map another column.")
    text = value if isinstance(value, str) else json.dumps(value) if isinstance(value, bool) else str(value)
    return encodable(text, where)


def encodable(text: str, where: str) -> str:
    """``text``, if it has no half characters, which JSON can spell and nothing can use."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise DataError(f"{where} holds half of a character (a lone surrogate).", "Mend or remove it.") from None
    return text


def filled(template: str, record: dict[str, Any], where: str) -> str:
    """``template`` with the columns' texts in place of their names in braces. A paragraph of which nothing but empty columns
    would be left is left out, and the empty line before it. Raises DataError."""
    texts = {name: text_of(record, name, where, optional=True) for name in FIELD.findall(template)}
    kept = ""
    parts = _PARAGRAPHS.split(template)
    for number in range(0, len(parts), 2):
        names = FIELD.findall(parts[number])
        if names and not any(texts[name].strip() for name in names):
            continue
        between = parts[number - 1] if number and kept else ""
        kept += between + FIELD.sub(lambda match: texts[match[1]], parts[number])
    return kept
