"""From a record to what a model can learn from, as a Reading says."""

from __future__ import annotations

from typing import Any

from worker.contract import Reading
from worker.data.formats.cells import filled, text_of, value_of
from worker.data.formats.messages import chat_of
from worker.data.formats.rows import Chat, Completion, Record

_FALSE = ("", "0", "false", "no")


def row_of(record: Record, reading: Reading, where: str) -> str | Completion | Chat | None:
    """The example that a record holds; a document's text is a str. None if there is nothing in it to learn.

    White space stays as it is. ``where`` names the record in errors: "Line 7". Raises DataError.
    """
    if isinstance(record, str):
        return record if record.strip() else None
    if reading.kind == "chat":
        return chat_of(record, reading, where)
    if reading.kind == "completion":
        completion = text_of(record, reading.completion, where)
        if not completion.strip() or not _is_wanted(record, reading, where):
            return None
        return Completion(_made(record, reading, reading.prompt, where), completion)
    text = _made(record, reading, reading.text, where)
    return text if text.strip() else None


def _made(record: dict[str, Any], reading: Reading, column: str | None, where: str) -> str:
    return text_of(record, column, where) if reading.template is None else filled(reading.template, record, where)


def _is_wanted(record: dict[str, Any], reading: Reading, where: str) -> bool:
    """Whether the answer is one to learn from, where a column says so."""
    if reading.label is None:
        return True
    value = value_of(record, reading.label, where)
    return bool(value) and str(value).strip().lower() not in _FALSE
