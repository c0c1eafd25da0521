"""Token ids to text as they come: what was shown, joined, is what the tokenizer makes of all of them together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from worker.data.chats.special_tokens import special_ids

_KEPT = 16  # tokens that are decoded along with the next one
_CLEANED = 3  # tokens back that a tokenizer may look which tidies up the blanks of a text
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")


class TextStream:
    """Turns token ids into text. What a later token may still change is held back: a character of which bytes are missing, a
    row of tokens that are single bytes, which are invalid together if one of them is, and blanks that may be tidied up.

    The prompt's last tokens are decoded along, as some tokenizers write a word's blank only after another word.
    """

    def __init__(self, tokenizer: Any, prompt_ids: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._lag = _CLEANED if getattr(tokenizer, "clean_up_tokenization_spaces", False) else 0
        self.specials = special_ids(tokenizer)
        """The tokens that no text shows, by id."""
        self._ids = [token for token in prompt_ids if token not in self.specials]
        self._shown = self._decode(self._ids)
        self._shorten()

    def push(self, token: int) -> str:
        """The text that is certain with ``token``, perhaps none."""
        if token in self.specials:  # bytes before and after it may make one character
            return ""
        self._ids.append(token)
        text = self._decode(self._ids[: len(self._ids) - self._lag])
        if text.endswith("\ufffd") or self._is_byte(token):
            return ""
        return self._show(text)

    def rest(self) -> str:
        """What was held back, once there is no further token."""
        return self._show(self._decode(self._ids))

    def _show(self, text: str) -> str:
        new = text[len(self._shown) :]
        self._shown = max(text, self._shown, key=len)
        self._shorten()
        return new

    def _shorten(self) -> None:
        """Forgets the beginning, unless what is left would be decoded to something else."""
        left = self._ids[-_KEPT:]
        if len(self._ids) <= 2 * _KEPT or self._lag or self._is_byte(left[0]) or self._is_byte(left[-1]):
            return
        text = self._decode(left)
        if text and self._shown.endswith(text):
            self._ids, self._shown = left, text

    def _is_byte(self, token: int) -> bool:
        """Whether it stands for a byte where the vocabulary has no other token for a character, as in Llama 2's."""
        return _BYTE.fullmatch(str(self._tokenizer.convert_ids_to_tokens(token))) is not None

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text


class StopHolder:
    """Holds back text that may turn out to be the beginning of a stop string, and all from a stop string on."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self.found: str | None = None
        """The stop string that came."""

    def push(self, text: str) -> str:
        """What may be shown of all that came so far."""
        if self.found:
            return ""
        self._held += text
        places = [(place, stop) for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            place, self.found = min(places)
            shown, self._held = self._held[:place], ""
            return shown
        keep = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        cut = len(self._held) - keep
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def rest(self) -> str:
        """What was held back in vain, once the text has ended."""
        rest, self._held = self._held, ""
        return rest


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that ``stop`` begins with."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)
