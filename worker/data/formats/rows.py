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
    """A prompt that is only read, and what follows it and is learned."""

    prompt: str
    completion: str


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


Row = Union[str, Section, Completion, Chat]
"""An example; a str is a text on its own."""


def key(row: Row) -> str:
    """The same for rows that are the same, and for no others of their kind."""
    if isinstance(row, str):
        return row
    if isinstance(row, Section):
        return row.text
    if isinstance(row, Completion):
        return json.dumps(row)
    # As long as there is nothing else in it, of roles and contents alone, as it was before there was anything else.
    messages = [message[:2] if message[2:] == (True, None) else message for message in row.messages]
    return json.dumps(messages if row.tools is None else [messages, row.tools])
