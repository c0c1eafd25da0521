"""What a model can learn from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, Union

Record = Union[str, dict[str, Any]]
"""A line of a .txt, or column → value."""

Numbered = Iterator[tuple[int, dict[str, Any]]]
"""A record's place in the file, from 1, and what is in it."""


class Section(NamedTuple):
    """A piece of a document; ``ends``: it is its last."""

    text: str
    ends: bool


class Completion(NamedTuple):
    """A prompt that is only read, and what follows it and is learned. ``separator`` stands between; None: what suits."""

    prompt: str
    completion: str
    separator: str | None = None


class Message(NamedTuple):
    """``role``: system, user, assistant or tool. ``learned``: if it is an assistant's.

    ``extras`` is what chat templates may show beside: reasoning_content, tool_calls, tool_call_id, name.
    """

    role: str
    content: str
    learned: bool = True
    extras: dict[str, Any] | None = None


class Chat(NamedTuple):
    """A conversation; ``tools`` are the definitions of those that the assistant may call."""

    messages: tuple[Message, ...]
    tools: list[Any] | None = None


_UNSPACED = (
    ("\u0e00", "\u0eff"),  # Thai and Lao
    ("\u1000", "\u109f"),  # Burmese
    ("\u1780", "\u17ff"),  # Khmer
    ("\u2e80", "\ua4cf"),  # Chinese and Japanese
    ("\uf900", "\ufaff"),
    ("\uff00", "\uffef"),
    ("\U00020000", "\U0003ffff"),
)
_BINDS_NEXT = tuple("([{/\\@#$=_~^&|<“‘«¿¡-")
_BINDS_LAST = tuple(".,:;!?)]}%/\\|…’”»=_~^&>")

Row = Union[str, Section, Completion, Chat]
"""An example; a str is a text on its own."""


def key(row: Row) -> str:
    """The same for rows that are the same, and for no others of their kind."""
    if isinstance(row, str):
        return row
    if isinstance(row, Section):
        return row.text
    if isinstance(row, Completion):
        return json.dumps(row[:2])
    # As long as there is nothing else in it, of roles and contents alone, as it was before there was anything else.
    messages = [message[:2] if message[2:] == (True, None) else message for message in row.messages]
    return json.dumps(messages if row.tools is None else [messages, row.tools])


def joined(row: Completion) -> str:
    """Prompt and completion as one text. Where nothing is said of what stands between them, a blank does, unless one of the
    two brings white space, or what meets there is written without one, as after a bracket or in Chinese."""
    before, after = row.prompt[-1:], row.completion[:1]
    separator = row.separator
    if separator is None:
        glued = before.isspace() or after.isspace() or before in _BINDS_NEXT or after in _BINDS_LAST
        separator = "" if glued or _is_unspaced(before) or _is_unspaced(after) else " "
    return row.prompt + separator + row.completion if row.prompt else row.completion


def _is_unspaced(character: str) -> bool:
    """Whether it belongs to a script that puts no blanks between words."""
    return any(first <= character <= last for first, last in _UNSPACED)


def plain_text(row: Row) -> str:
    """All of a row as one text, as a model without a template of its own sees it; for training a tokenizer."""
    if isinstance(row, Completion):
        return joined(row)
    if isinstance(row, Chat):
        return "".join(f"{message.role.capitalize()}: {spoken(message)}\n" for message in row.messages)
    return row.text if isinstance(row, Section) else row


def spoken(message: Message) -> str:
    """All that a message says: its text, and its tool calls as JSON."""
    calls = (message.extras or {}).get("tool_calls", [])
    return message.content + "".join(json.dumps(call["function"], ensure_ascii=False) for call in calls)
