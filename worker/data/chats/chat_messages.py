"""Messages as chat templates are given them: dicts, in the several ways in which templates want calls and thoughts."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from worker.data.formats import Message

Messages = list[dict[str, Any]]

_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)


class Style(NamedTuple):
    """``empty`` is the content of a message that only calls a tool; ``as_text``: arguments are JSON text and no object."""

    empty: str | None
    as_text: bool


STYLES = [Style(empty, as_text) for as_text in (False, True) for empty in ("", None)]

_CALL: dict[str, Any] = {"type": "function", "id": "abcdefgh1", "function": {"name": "lookup", "arguments": {"word": "sky"}}}
SAMPLE = (
    Message("user", "c"),
    Message("assistant", "", extras={"tool_calls": [_CALL]}),
    Message("tool", "blue", extras={"tool_call_id": "abcdefgh1", "name": "lookup"}),
    Message("assistant", "a"),
)
"""A conversation that shows in which style a template shows calls. Some want ids of nine letters."""
_WORD = {"word": {"type": "string", "description": "A word."}}
_PARAMETERS = {"type": "object", "properties": _WORD, "required": ["word"]}
_LOOKUP = {"name": "lookup", "description": "Looks a word up.", "parameters": _PARAMETERS}
SAMPLE_TOOLS: list[Any] = [{"type": "function", "function": _LOOKUP}]


def as_dict(message: Message, style: Style) -> dict[str, Any]:
    """A message as templates are given it."""
    found: dict[str, Any] = {"role": message.role, "content": message.content, **(message.extras or {})}
    if "reasoning_content" in found:
        found["thinking"] = found["reasoning_content"]  # as gpt-oss' template calls it
    if made := calls(message):
        found["content"] = message.content or style.empty
        found["tool_calls"] = [{**call, "function": _function(call["function"], style.as_text)} for call in made]
    return found


def _function(function: dict[str, Any], as_text: bool) -> dict[str, Any]:
    arguments = function["arguments"]
    if as_text and not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return {**function, "arguments": arguments}


def calls(message: Message) -> list[dict[str, Any]]:
    """The tool calls of a message."""
    made: list[dict[str, Any]] = (message.extras or {}).get("tool_calls", [])
    return made


def thoughts(message: Message) -> list[str]:
    """What was thought before an answer, within its content or beside it."""
    beside = (message.extras or {}).get("reasoning_content")
    return _THOUGHT.findall(message.content) + ([beside] if beside else [])


def spoken(content: str) -> str:
    """The content of an answer without the thought in it."""
    return _THOUGHT.sub("", content).rpartition("</think>")[2].strip()


def how_well_shown(text: str) -> tuple[int, int]:
    """How much of the call of SAMPLE is in ``text``; more is better. Arguments that are written as Python writes them are no
    JSON, which counts against it."""
    function = _CALL["function"]
    return text.count(function["name"]), -text.count(str(function["arguments"]))


def without_thoughts(message: dict[str, Any]) -> dict[str, Any]:
    """An answer as a template is given it, without what was thought before it."""
    rest = {name: value for name, value in message.items() if name not in ("reasoning_content", "thinking")}
    return {**rest, "content": spoken(message["content"]) if message["content"] else message["content"]}


def with_argument(message: dict[str, Any], argument: str) -> dict[str, Any]:
    """A message that calls as ``message`` does, with other arguments."""
    arguments: dict[str, Any] = {argument: argument}
    return {
        **message,
        "tool_calls": [
            {
                **call,
                "function": _function(
                    {**call["function"], "arguments": arguments}, isinstance(call["function"]["arguments"], str)
                ),
            }
            for call in message["tool_calls"]
        ],
    }
