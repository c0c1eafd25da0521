"""What a model can learn from, made of a record as a Reading says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, Union

from worker.contract import Reading
from worker.errors import DataError

Record = Union[str, dict[str, Any]]
"""A line of a .txt, or column → value."""

Numbered = Iterator[tuple[int, dict[str, Any]]]
"""A record's place in the file, from 1, and what is in it."""


class Section(NamedTuple):
    """A piece of a document; ``ends``: it is its last."""

    text: str
    ends: bool


class Completion(NamedTuple):
    """A prompt that is only read, and what follows it and is learned."""

    prompt: str
    completion: str


class Message(NamedTuple):
    """``role``: system, user, assistant or tool."""

    role: str
    content: str


class Chat(NamedTuple):
    """A conversation."""

    messages: tuple[Message, ...]


Row = Union[str, Section, Completion, Chat]
"""An example; a str is a text on its own."""

ROLES = ("system", "user", "assistant", "tool")
_ROLE_NAMES = {
    **{role: role for role in ROLES},
    "human": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}


def key(row: Row) -> str:
    """The same for rows that are the same, and for no others of their kind."""
    if isinstance(row, str):
        return row
    if isinstance(row, Section):
        return row.text
    if isinstance(row, Completion):
        return json.dumps(row)
    return json.dumps(row.messages)


def row_of(record: Record, reading: Reading, where: str) -> str | Completion | Chat | None:
    """The example that a record holds; a document's text is a str. None if there is nothing in it.

    ``where`` names the record in errors: "Line 7". Raises DataError.
    """
    if isinstance(record, str):
        return record.strip() or None
    if reading.kind == "completion":
        completion = _text(record, reading.completion, where)
        return Completion(_text(record, reading.prompt, where), completion) if completion.strip() else None
    if reading.kind == "chat":
        messages = _messages(record, reading.messages, where)
        return Chat(messages) if messages else None
    return _text(record, reading.text, where).strip() or None


def _value(record: dict[str, Any], column: str | None, where: str) -> Any:
    if column is None or column not in record:
        have = ", ".join(list(record)[:10]).encode(errors="replace").decode() or "none"
        raise DataError(f"{where} has no column {column!r}.", f"Its columns are: {have}. Map another one.")
    return record[column]


def _text(record: dict[str, Any], column: str | None, where: str) -> str:
    value = _value(record, column, where)
    if value is None:
        return ""
    if isinstance(value, (dict, list, bytes)):
        raise DataError(f"{where} holds no text in column {column!r}, but other data.", "Map another column.")
    return encodable(
        value if isinstance(value, str) else json.dumps(value) if isinstance(value, bool) else str(value), where
    )


def encodable(text: str, where: str) -> str:
    """``text``, if it has no half characters, which JSON can spell and nothing can use."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise DataError(f"{where} holds half of a character (a lone surrogate).", "Mend or remove it.") from None
    return text


def _messages(record: dict[str, Any], column: str | None, where: str) -> tuple[Message, ...]:
    found = _value(record, column, where)
    if isinstance(found, str) and found.strip():  # in a table's cell
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            raise DataError(
                f"{where} holds no messages in column {column!r}, but other text.", "Map another column."
            ) from None
    if not found:
        return ()
    if not isinstance(found, list):
        raise DataError(f"{where} holds no list of messages in column {column!r}.", "Map another column.")
    return tuple(_message(message, number, where) for number, message in enumerate(found, 1))


def _message(message: Any, number: int, where: str) -> Message:
    where = f"{where}, message {number},"
    if not isinstance(message, dict):
        raise DataError(
            f"{where} is not an object.", 'Each message needs a role and a content: {"role": ..., "content": ...}'
        )
    role = message.get("role", message.get("from"))
    content = message.get("content", message.get("value"))
    if isinstance(content, list):
        content = "".join(
            part.get("text", "") for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    if not isinstance(content, str):
        raise DataError(f"{where} has no content that is text.", 'Each message needs {"role": ..., "content": ...}')
    if not isinstance(role, str) or role not in _ROLE_NAMES:
        raise DataError(f"{where} has the role {role!r}.", f"Use one of: {', '.join(ROLES)}.")
    return Message(_ROLE_NAMES[role], encodable(content, where))
