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
    """Takes an answer as it comes, and tells text from calls of tools with these ``names``.

    All from where a call may begin is held back until the answer has ended.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._shown, self._held = "", ""

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
        """What was held back: text, and calls as OpenAI's clients read them. Without a call all is text."""
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
        return ("" if not text.strip("[], \n") else text), calls

    def _call_at(self, place: int) -> tuple[dict[str, Any], int] | None:
        try:
            found, end = _DECODER.raw_decode(self._held, place)
        except (ValueError, RecursionError):
            return None
        arguments = found.get("arguments", found.get("parameters"))
        if found.get("name") not in self._names or not isinstance(arguments, dict):
            return None
        function = {"name": found["name"], "arguments": json.dumps(arguments, ensure_ascii=False)}
        return {"id": f"call_{uuid4().hex[:24]}", "type": "function", "function": function}, end


def _overlap(text: str, opening: str) -> int:
    """Length of the longest end of ``text`` that ``opening`` begins with."""
    return next((size for size in range(len(opening) - 1, 0, -1) if text.endswith(opening[:size])), 0)


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
