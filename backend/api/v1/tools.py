"""Calls of tools in what a model wrote, as the common families write them: a JSON object with a name and arguments.

Our own form of a conversation has it right behind the text. Qwen and Hermes put it between ``<tool_call>`` and
``</tool_call>``, Mistral in a list behind a special token, Llama 3 writes it alone and says ``parameters``. A call that was
forced is written alone too.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any
from uuid import uuid4

_OPENINGS = ("<tool_call>", '{"name"')
_MARKS = ("<tool_call>", "</tool_call>")
_DECODER = json.JSONDecoder()


class CallReader:
    """Takes an answer as it comes, and tells text from calls of tools with these ``names``: of ``several`` calls, or of the
    first alone.

    All from where a call may begin is held back until the answer has ended.
    """

    def __init__(self, names: Collection[str], *, several: bool = True) -> None:
        self._names = names
        self._most = None if several else 1
        self._shown, self._held = "", ""

    def read(self, text: str, *, ended: bool) -> tuple[str, list[dict[str, Any]]]:
        """What is certain with ``text``: text, and once the answer has ended the calls as OpenAI's clients read them."""
        text = self.push(text)
        rest, calls = self.rest() if ended else ("", [])
        return text + rest, calls

    def push(self, text: str) -> str:
        """What is text for certain."""
        if not self._names:
            return text
        self._held += text
        if not self._shown.strip() and self._held.lstrip()[:1] in ("", "{", "["):
            return ""
        found = [place for opening in _OPENINGS if (place := self._held.find(opening)) >= 0]
        place = min(found) if found else len(self._held) - max(_overlap(self._held, opening) for opening in _OPENINGS)
        text, self._held = self._held[:place], self._held[place:]
        self._shown += text
        return text

    def rest(self) -> tuple[str, list[dict[str, Any]]]:
        """What was held back: text, and calls. Without a call all is text."""
        calls, text, place = [], "", 0
        while place < len(self._held):
            found = self._call_at(place) if self._held[place] == "{" else None
            if found:
                call, place = found
                calls.append(call)
            else:
                text += self._held[place]
                place += 1
        if not calls:
            return self._held, []
        for mark in _MARKS:
            text = text.replace(mark, "")
        return ("" if not text.strip("[], \n") else text), calls[: self._most]

    def _call_at(self, place: int) -> tuple[dict[str, Any], int] | None:
        try:
            found, end = _DECODER.raw_decode(self._held, place)
        except (ValueError, RecursionError):
            return None
        arguments = found.get("arguments", found.get("parameters"))
        if found.get("name") not in self._names or not isinstance(arguments, dict):
            return None
        written = json.dumps(arguments, ensure_ascii=False)
        return call_of(f"call_{uuid4().hex[:24]}", found["name"], written), end


def _overlap(text: str, opening: str) -> int:
    """Length of the longest end of ``text`` that ``opening`` begins with."""
    return next((size for size in range(len(opening) - 1, 0, -1) if text.endswith(opening[:size])), 0)


def call_of(call_id: str | None, name: str, arguments: str | dict[str, Any]) -> dict[str, Any]:
    """A call as OpenAI's conversations have it."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def add_call(messages: list[dict[str, Any]], call: dict[str, Any]) -> None:
    """Adds a call to the answer that ``messages`` end with; if they end with none, to one of calls alone."""
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": ""})
    messages[-1].setdefault("tool_calls", []).append(call)


def for_template(message: dict[str, Any]) -> dict[str, Any]:
    """A message with calls as chat templates want them: arguments are objects, and the content is text."""
    if not message.get("tool_calls"):
        return message
    calls = [{**call, "function": _with_object(call.get("function", {}))} for call in message["tool_calls"]]
    return {**message, "content": message.get("content") or "", "tool_calls": calls}


def _with_object(function: dict[str, Any]) -> dict[str, Any]:
    try:
        arguments = json.loads(function["arguments"])
    except (KeyError, TypeError, ValueError):
        return function
    return {**function, "arguments": arguments}
