"""From a record to what a model can learn from, as a Reading says."""

from __future__ import annotations

from typing import Any

from worker.contract import Reading
from worker.data.formats.cells import filled, text_of, value_of
from worker.data.formats.messages import chat_of, into_user, turns_before
from worker.data.formats.rows import Chat, Completion, Message, Record

_FALSE = ("", "0", "false", "no")
_NOTHING = frozenset(("nan", "none", "null", "<na>", "n/a", "na", "#n/a"))


def row_of(record: Record, reading: Reading, where: str) -> str | Completion | Chat | None:
    """The example that a record holds; a document's text is a str. None if there is nothing in it to learn.

    White space stays as it is. ``where`` names the record in errors: "Line 7". Raises DataError.
    """
    if isinstance(record, str):
        return record if record.strip() else None
    if reading.empty_words:
        record = {name: None if says_nothing(value) else value for name, value in record.items()}
    if reading.kind == "chat":
        chat = _chat(record, reading, where) if reading.is_chat_of_columns else chat_of(record, reading, where)
        return chat and (chat._replace(messages=into_user(chat.messages)) if reading.system_into_user else chat)
    if reading.kind == "completion":
        completion = text_of(record, reading.completion, where)
        if not completion.strip() or not _is_wanted(record, reading, where):
            return None
        return Completion(_made(record, reading, reading.prompt, where), completion, reading.separator)
    text = _made(record, reading, reading.text, where)
    return text if text.strip() else None


def says_nothing(value: Any) -> bool:
    """Whether a cell holds a word that some programs write where nothing is."""
    return isinstance(value, str) and len(value) < 10 and value.strip().lower() in _NOTHING


def _made(record: dict[str, Any], reading: Reading, column: str | None, where: str) -> str:
    return text_of(record, column, where) if reading.template is None else filled(reading.template, record, where)


def _chat(record: dict[str, Any], reading: Reading, where: str) -> Chat | None:
    """A question and its answer as a conversation, after what was said before."""
    answer = text_of(record, reading.completion, where)
    if not answer.strip() or not _is_wanted(record, reading, where):
        return None
    system = text_of(record, reading.system, where, optional=True) if reading.system else ""
    before = value_of(record, reading.history, where, optional=True) if reading.history else None
    said = [
        *([Message("system", system)] if system.strip() else ()),
        *turns_before(before, where),
        Message("user", _made(record, reading, reading.prompt, where)),
        Message("assistant", answer),
    ]
    return Chat(tuple(message for message in said if message.content.strip()))


def _is_wanted(record: dict[str, Any], reading: Reading, where: str) -> bool:
    """Whether the answer is one to learn from, where a column says so."""
    if reading.label is None:
        return True
    value = value_of(record, reading.label, where)
    return bool(value) and str(value).strip().lower() not in _FALSE
