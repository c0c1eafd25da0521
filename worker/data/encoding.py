"""From rows to token ids, and which of them are learned. Training and the token view both come through here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import TemplateError

from worker.contract import Reading
from worker.data.chat_form import REFUSALS, ChatForm
from worker.data.formats import Chat, Completion, Message, Row, Section
from worker.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLAIN_CHAT_TEMPLATE = (
    "{% if tools %}Tools: {{ tools | tojson }}{{ '\\n' }}{% endif %}"
    "{% for message in messages %}"
    "{{ message['role'] | capitalize }}: "
    "{% if message['reasoning_content'] %}<think>{{ message['reasoning_content'] }}</think>{% endif %}"
    "{{ message['content'] }}"
    "{% for call in message['tool_calls'] or [] %}{{ call['function'] | tojson }}{% endfor %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""What a conversation looks like to a model that brings no template of its own. It is saved with the trained model."""


class Encoded(NamedTuple):
    """An example's token ids, and whether each is learned; None: all are. The first is never: nothing stands before it."""

    ids: list[int]
    targets: list[bool] | None = None

    def part(self, start: int, end: int) -> Encoded:
        """The tokens from ``start`` to ``end``, as an example of its own."""
        return Encoded(self.ids[start:end], None if self.targets is None else self.targets[start:end])

    @property
    def trained(self) -> int:
        """How many tokens are learned."""
        return max(0, len(self.ids) - 1) if self.targets is None else sum(self.targets[1:])


class Encoder:
    """Turns rows, read as ``reading`` says, into examples of at most ``max_length`` tokens.

    ``lost`` counts what the chat template has left out so far, by its name in ``worker.data.chat_form.LOST``.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, reading: Reading, max_length: int) -> None:
        self._tokenizer: Any = tokenizer
        self._reading = reading
        self._max_length = max_length
        self._form: ChatForm | None = None
        self.lost: Counter[str] = Counter()
        self._eos: list[int] = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]

    def whole(self, rows: Sequence[Row], numbers: Sequence[int]) -> list[Encoded]:
        """Each row, uncut. ``numbers`` are the rows' places in the file.

        Raises DataError, naming the row, if the model's chat template refuses it.
        """
        if self._reading.kind == "completion":
            parts = [_completion(row) for row in rows if isinstance(row, Completion)]
            return self._with_spans(parts, specials=True)
        if self._reading.kind == "chat":
            chats = [
                self._conversation(row, number) for row, number in zip(rows, numbers, strict=True) if isinstance(row, Chat)
            ]
            return self._with_spans(chats, specials=False)
        return self._texts(rows)

    def windows(self, whole: Encoded) -> Iterator[Encoded]:
        """The examples that a row becomes: a document's windows, one token of each being the last of the one before, so that
        every token but the first is learned once; of any other row its beginning."""
        if self._reading.kind != "document":
            yield whole.part(0, self._max_length)
            return
        step = self._max_length - 1
        for start in range(0, max(1, len(whole.ids) - 1), step):
            yield whole.part(start, start + self._max_length)

    def is_cut(self, whole: Encoded) -> bool:
        """Whether something of the row is in no example."""
        return self._reading.kind != "document" and len(whole.ids) > self._max_length

    def _texts(self, rows: Sequence[Row]) -> list[Encoded]:
        texts = [row.text if isinstance(row, Section) else row for row in rows]
        encoded: list[list[int]] = self._tokenizer(texts, return_attention_mask=False, verbose=False)["input_ids"]
        ends = [not isinstance(row, Section) or row.ends for row in rows]
        return [
            Encoded(ids if not end or ids[-1:] == self._eos else ids + self._eos)
            for ids, end in zip(encoded, ends, strict=True)
        ]

    def _with_spans(self, parts: Sequence[tuple[str, list[tuple[int, int]]]], *, specials: bool) -> list[Encoded]:
        """Texts of which only the characters within the spans (start, end) are learned, and the end of the last one."""
        if not parts:
            return []
        encoded = []
        for (text, spans), (ids, offsets) in zip(parts, self._located(parts, specials), strict=True):
            if ids and ids[-1:] == self._eos and offsets[-1][0] == offsets[-1][1]:  # one that the tokenizer added itself
                ids, offsets = ids[:-1], offsets[:-1]
            targets = _within(offsets, spans)
            # An answer that ends the text must learn to end; most templates write that themselves.
            if spans and spans[-1][1] >= len(text.rstrip()) and self._eos[:1] != _last_learned(ids, targets, text, offsets):
                ids, targets = ids + self._eos, targets + [True] * len(self._eos)
            encoded.append(Encoded(ids, targets))
        return encoded

    def _located(
        self, parts: Sequence[tuple[str, list[tuple[int, int]]]], specials: bool
    ) -> Iterator[tuple[list[int], list[tuple[int, int]]]]:
        """Each text's token ids, and from where to where in it each token reaches."""
        if not self._tokenizer.is_fast:
            yield from (self._piece_by_piece(text, spans, specials) for text, spans in parts)
            return
        found = self._tokenizer(
            [text for text, _ in parts],
            add_special_tokens=specials,
            return_attention_mask=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        yield from zip(found["input_ids"], found["offset_mapping"], strict=True)

    def _piece_by_piece(
        self, text: str, spans: Sequence[tuple[int, int]], specials: bool
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """The same from a tokenizer that cannot tell where its tokens stand: it is given the pieces between the spans' ends
        one by one, as it is when a model is asked with the first of them. A token reaches as far as its piece."""
        ends = [end for start, end in spans for end in (start, start + len(text[start:end].rstrip()), end)]
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        for start, end in pairwise(sorted({0, *ends, len(text)})):
            piece = self._tokenizer(text[start:end], add_special_tokens=False, verbose=False)["input_ids"]
            ids, offsets = ids + piece, offsets + [(start, end)] * len(piece)
        if not specials:
            return ids, offsets
        whole = self._tokenizer.build_inputs_with_special_tokens(ids)
        before = next(place for place in range(len(whole)) if whole[place : place + len(ids)] == ids)
        after = len(whole) - len(ids) - before
        return whole, [(0, 0)] * before + offsets + [(len(text), len(text))] * after

    def _conversation(self, row: Chat, number: int) -> tuple[str, list[tuple[int, int]]]:
        self._form = self._form or ChatForm(self._tokenizer)
        try:
            rendered = self._form.render(row)
        except REFUSALS as error:
            raise DataError(
                f"Row {number} cannot be put into this model's chat format: {_refusal(error, row)}.",
                "Mend the row, or choose a model whose format allows it.",
            ) from error
        self.lost.update(rendered.lost)
        return rendered.text, rendered.spans


def _refusal(error: Exception, row: Chat) -> str:
    said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if isinstance(error, TemplateError):
        return said
    return f"its template stops at something in it ({type(error).__name__}: {said})"


def plain_text(row: Row) -> str:
    """All of a row as one text, as a model without a template of its own sees it; for training a tokenizer."""
    if isinstance(row, Completion):
        return _completion(row)[0]
    if isinstance(row, Chat):
        return "".join(_spoken(message) for message in row.messages)
    return row.text if isinstance(row, Section) else row


def _spoken(message: Message) -> str:
    extras = (message.extras or {}).get("tool_calls", [])
    calls = "".join(json.dumps(call["function"], ensure_ascii=False) for call in extras)
    return f"{message.role.capitalize()}: {message.content}{calls}\n"


def _completion(row: Completion) -> tuple[str, list[tuple[int, int]]]:
    """Prompt and completion in a row, with a blank between them where neither brings one."""
    glued = row.prompt and not row.prompt[-1:].isspace() and not row.completion[:1].isspace()
    text = row.prompt + (" " if glued else "") + row.completion
    return text, [(len(row.prompt), len(text))]


def _within(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[bool]:
    """Whether each token has characters within a span. ``offsets`` are the tokens' (start, end) in the text.

    Blanks may be left out of an offset, so a token is taken to reach from the end of the one before.
    """
    inside, place, reached = [], 0, 0
    for start, end in offsets:
        while place < len(spans) and min(start, reached) >= spans[place][1]:
            place += 1
        inside.append(place < len(spans) and end > spans[place][0])
        reached = max(reached, end)
    return inside


def _last_learned(ids: list[int], targets: list[bool], text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The last learned token that is more than blanks; empty if there is none."""
    for number in range(len(ids) - 1, -1, -1):
        start, end = offsets[number]
        if targets[number] and text[start:end].strip():
            return [ids[number]]
    return []
