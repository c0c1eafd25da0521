"""Special tokens that somebody typed: in a conversation they are text, for else a message could end its own turn.

A chat template makes one text of the model's marks and the messages' words, so what is typed is hidden while that is done:
a hieroglyph that is not in the conversation stands for it. It must be a character that can be printed, for templates may
write a tool's arguments as Python or JSON do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from worker.data.formats import Chat

_HIDING = 0x13000  # the first of a thousand Egyptian hieroglyphs

_WITHIN_TURNS = re.compile("think|tool_call|tool_response", re.IGNORECASE)
"""Marks of thoughts and calls, which answers have in them as they were meant."""

Spans = list[tuple[int, int]]


def special_ids(tokenizer: Any) -> dict[int, str]:
    """Those that decoding leaves out, by id."""
    return {token: str(added) for token, added in tokenizer.added_tokens_decoder.items() if added.special}


class SpecialTokens:
    """The special tokens of ``tokenizer``, and their ``ids``."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        names = sorted(
            {*special_ids(tokenizer).values(), *map(str, tokenizer.all_special_tokens)} - {""}, key=len, reverse=True
        )
        self.ids = frozenset(map(int, tokenizer.convert_tokens_to_ids(names)))
        self._names = [name for name in names if not _WITHIN_TURNS.search(name)]
        self._any = re.compile("|".join(map(re.escape, self._names))) if self._names else None
        self._each = re.compile(f"({'|'.join(map(re.escape, names))})") if names else None

    def typed_in(self, text: str) -> bool:
        """Whether one stands in ``text``."""
        return self._any is not None and self._any.search(text) is not None

    def hide(self, chat: Chat) -> tuple[Chat, dict[str, str]]:
        """``chat`` with a character in place of each that is typed in it, and what each character stands for."""
        if self._any is None or not any(self.typed_in(text) for text in _texts(chat.messages)):
            return chat, {}
        pattern, code = self._any, _HIDING
        used = {character for text in _texts(chat.messages) for character in text}
        hidden: dict[str, str] = {}
        for name in self._names:
            while chr(code) in used:
                code += 1
            hidden[name] = chr(code)
            code += 1

        def hide(text: str) -> str:
            return pattern.sub(lambda match: hidden[match[0]], text)

        messages = tuple(
            message._replace(content=hide(message.content), extras=_mapped(message.extras, hide))
            for message in chat.messages
        )
        return chat._replace(messages=messages), {character: name for name, character in hidden.items()}

    def encode(self, text: str, spans: Spans, hidden: dict[str, str]) -> tuple[str, Spans, list[int], Spans]:
        """A rendered conversation as it really is, ``spans`` in it, its ids and their (start, end) in it.

        Between two special tokens a text is encoded on its own anyway; so where one is typed, that part is encoded as if
        there were none.
        """
        assert self._each is not None
        ids: list[int] = []
        offsets: Spans = []
        shown = ""
        for part, typed in _runs(self._each.split(text), hidden):
            found = self._tokenizer(
                part,
                add_special_tokens=False,
                split_special_tokens=typed,
                return_attention_mask=False,
                return_offsets_mapping=True,
                verbose=False,
            )
            ids += found["input_ids"]
            offsets += [(start + len(shown), end + len(shown)) for start, end in found["offset_mapping"]]
            shown += part
        longer = [(place, len(hidden[character]) - 1) for place, character in enumerate(text) if character in hidden]

        def moved(place: int) -> int:
            return place + sum(more for at, more in longer if at < place)

        return shown, [(moved(start), moved(end)) for start, end in spans], ids, offsets


def _runs(parts: Sequence[str], hidden: dict[str, str]) -> list[tuple[str, bool]]:
    """``parts`` joined where nothing is hidden in them, and with what is hidden shown where something is."""
    runs: list[tuple[str, bool]] = []
    for part in parts:
        typed = any(character in hidden for character in part)
        if typed:
            runs.append(("".join(hidden.get(character, character) for character in part), True))
        elif runs and not runs[-1][1]:
            runs[-1] = (runs[-1][0] + part, False)
        else:
            runs.append((part, False))
    return [run for run in runs if run[0]]


def _texts(value: Any) -> list[str]:
    """All texts within a message, or several."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [text for each in inner for text in _texts(each)]


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """``value`` with each text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _mapped(inner, change) for name, inner in value.items()}
    return [_mapped(inner, change) for inner in value] if isinstance(value, list) else value
