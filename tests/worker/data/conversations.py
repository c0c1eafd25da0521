"""Conversations made by chance, as people's files have them: what must not confuse a search for answers is frequent."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from worker.data.formats import Chat, Message

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Tells the {name} of a town.",
            "parameters": {
                "type": "object",
                "properties": {"town": {"type": "string", "description": "Its name."}},
                "required": ["town"],
            },
        },
    }
    for name in ("warmth", "height")
]
SHORT = [
    "Yes", "No", "OK", "a", "1", ".", "user", "assistant", "system", "model", "tool", "think", "Yes\n", "\n\nYes", " No ",
]  # fmt: skip
WORDS = [
    "the", "town", "is", "warm", "today", "and", "nobody", "says", "why", "naïve", "日本", "😀", "it's", "21°", "(twice)",
    "{so}", "x<y", "user", "model",
]  # fmt: skip
CALL_ID = "abcdefgh1"  # Mistral's templates want nine letters or digits


def conversations(seed: int) -> Iterator[Chat]:
    """Without end, the same for the same seed."""
    draw = random.Random(seed)
    while True:
        yield _conversation(draw)


def _conversation(draw: random.Random) -> Chat:
    thinks = draw.choice(["no", "no", "no", "beside", "inside"])
    tools = TOOLS if draw.random() < 0.3 else None
    messages: list[Message] = []
    if draw.random() < 0.3:
        messages.append(Message("system", _text(draw, messages)))
    if draw.random() < 0.08:
        messages.append(_answer(draw, messages, "no"))
    for _ in range(draw.choice([1, 1, 2, 2, 3, 4])):
        messages.append(Message("user", _text(draw, messages) or "?"))
        if tools and draw.random() < 0.5:
            messages += _call(draw, messages, thinks)
        messages.append(_answer(draw, messages, thinks))
    return Chat(tuple(messages), tools)


def _answer(draw: random.Random, before: list[Message], thinks: str) -> Message:
    text = "" if draw.random() < 0.06 else _text(draw, before)
    return _with_thought(draw, Message("assistant", text, learned=draw.random() < 0.95), thinks)


def _call(draw: random.Random, before: list[Message], thinks: str) -> list[Message]:
    name = draw.choice(TOOLS)["function"]["name"]
    call = {"type": "function", "id": CALL_ID, "function": {"name": name, "arguments": {"town": draw.choice(WORDS)}}}
    said = _text(draw, before) if draw.random() < 0.3 else ""
    calling = Message("assistant", said, extras={"tool_calls": [call]})
    result = Message("tool", _text(draw, before) or "9", extras={"tool_call_id": CALL_ID, "name": name})
    return [_with_thought(draw, calling, thinks), result]


def _with_thought(draw: random.Random, message: Message, thinks: str) -> Message:
    thought = _sentence(draw)
    if thinks == "no" or draw.random() < 0.2:
        return message
    if thinks == "beside":
        return message._replace(extras={**(message.extras or {}), "reasoning_content": thought})
    return message._replace(content=f"<think>\n{thought}\n</think>\n\n{message.content}")


def _text(draw: random.Random, before: list[Message]) -> str:
    """Often short, and often what has been said before."""
    kind = draw.random()
    if kind < 0.35:
        return draw.choice(SHORT)
    if kind < 0.55 and before:
        return draw.choice(before).content
    return _sentence(draw)


def _sentence(draw: random.Random) -> str:
    return draw.choice([" ", " ", "\n"]).join(draw.choices(WORDS, k=draw.randint(2, 12)))
