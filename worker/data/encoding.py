"""From rows to token ids, and which of them are learned. Training and the token view both come through here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import TemplateError

from worker.contract import Reading
from worker.data.chats.chat_form import LOST, REFUSALS, ChatForm, Rendered
from worker.data.chats.special_tokens import Spans, SpecialTokens
from worker.data.formats import Chat, Completion, Row, Section, joined
from worker.data.located import Located, located
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
"""What a conversation looks like to a model that brings no template of its own, after the mark of a text's beginning."""

TOLD = {
    **{name: f"The model's chat template {said}." for name, said in LOST.items()},
    "refused": "The model's chat template does not take {count} conversations, which are left out.",
    "special tokens": "Special tokens such as <|im_end|> are typed in {count} examples. They are read as plain text.",
}
"""What ``Encoder.lost`` counts → how that is said."""


REFUSED: list[int] = []
"""The ids of a conversation that is left out."""


def plain_chat_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """The template of a model that brings none. It is saved with the trained model."""
    begins = tokenizer.bos_token_id is not None and tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
    return ("{{ bos_token }}" if begins else "") + PLAIN_CHAT_TEMPLATE


def told(lost: Mapping[str, int], refused_rows: Sequence[int]) -> list[str]:
    """What an Encoder's ``lost`` and ``refused_rows`` say, a sentence each."""
    found = [TOLD[what].format(count=count) for what, count in lost.items() if count]
    if refused_rows:
        others = " and others" if lost["refused"] > len(refused_rows) else ""
        found.append(f"Left out: row {', row '.join(map(str, refused_rows))}{others}.")
    return found


class Encoded(NamedTuple):
    """An example's token ids, and whether each is learned; None: all are. The first is never: nothing stands before it."""

    ids: list[int]
    targets: list[bool] | None = None

    def part(self, start: int, end: int) -> Encoded:
        """The tokens from ``start`` to ``end``, as an example of its own."""
        return Encoded(self.ids[start:end], None if self.targets is None else self.targets[start:end])

    @property
    def learned(self) -> list[bool]:
        """Whether each token is learned, the first one aside, of which nobody asks."""
        return self.targets or [True] * len(self.ids)

    @property
    def trained(self) -> int:
        """How many tokens are learned."""
        return max(0, len(self.ids) - 1) if self.targets is None else sum(self.targets[1:])


class Encoder:
    """Turns rows, read as ``reading`` says, into examples of at most ``max_length`` tokens.

    ``skip_refused``: conversations that the model's chat template does not take are left out. ``lost`` counts what was not
    used as it stands, by its name in TOLD; ``refused_rows`` are the places in the file of what was left out.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, reading: Reading, max_length: int, *, skip_refused: bool = False
    ) -> None:
        self._tokenizer: Any = tokenizer
        self._reading = reading
        self._max_length = max_length
        self._skip_refused = skip_refused
        self._form: ChatForm | None = None
        self._special = SpecialTokens(tokenizer)
        self.lost: Counter[str] = Counter()
        self.refused_rows: list[int] = []
        self._bos = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
        self._eos: list[int] = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]

    def whole(self, rows: Sequence[Row], numbers: Sequence[int]) -> list[Encoded]:
        """Each row, uncut; with ids that are REFUSED if it is left out. ``numbers`` are the rows' places in the file.

        Raises DataError, naming the row, if the model's chat template does not take it.
        """
        if self._reading.kind == "completion":
            parts = [(joined(row), [(len(row.prompt), len(joined(row)))]) for row in rows if isinstance(row, Completion)]
            return self._with_spans(parts)
        if self._reading.kind == "chat":
            return self._conversations([row for row in rows if isinstance(row, Chat)], numbers)
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
        texts = [row.text if isinstance(row, Section) else row for row in rows if not isinstance(row, (Completion, Chat))]
        as_text = not self._reading.special_tokens
        if as_text:
            self._count_typed(texts)
        found = self._tokenizer(texts, split_special_tokens=as_text, return_attention_mask=False, verbose=False)["input_ids"]
        encoded: list[list[int]] = [ids[self._doubled(ids) :] for ids in found]
        ends = [not isinstance(row, Section) or row.ends for row in rows]
        return [
            Encoded(ids + self._eos if end and not self._is_end(ids[-1:]) else ids)
            for ids, end in zip(encoded, ends, strict=True)
        ]

    def _with_spans(self, parts: Sequence[tuple[str, Spans]]) -> list[Encoded]:
        """Texts of which only the characters within the spans (start, end) are learned, and the end of the last one."""
        encoded = []
        for (text, spans), (ids, offsets) in zip(parts, self._located(parts, own_marks=True), strict=True):
            first = self._doubled(ids)
            encoded.append(self._ended(text, spans, ids[first:], offsets[first:]))
        return encoded

    def _located(self, parts: Sequence[tuple[str, Spans]], *, own_marks: bool) -> list[Located]:
        """Texts in tokens, with the marks that the tokenizer puts around a text itself if these are its ``own_marks``."""
        as_text = own_marks and not self._reading.special_tokens
        if as_text:
            self._count_typed(text for text, _ in parts)
        return located(self._tokenizer, parts, own_marks=own_marks, split_special_tokens=as_text)

    def _count_typed(self, texts: Iterable[str]) -> None:
        if typed := sum(map(self._special.typed_in, texts)):
            self.lost["special tokens"] += typed

    def _is_end(self, last: Sequence[int]) -> bool:
        """Whether a text that ends with this token says itself that it ends."""
        return any(token in self._special.ids for token in last)

    def _doubled(self, ids: Sequence[int]) -> int:
        """1 if the mark of a text's beginning is there twice: typed, and put before by the tokenizer."""
        return int(bool(self._bos) and ids[:2] == self._bos * 2)

    def _ended(self, text: str, spans: Spans, ids: list[int], offsets: Sequence[tuple[int, int]]) -> Encoded:
        """An answer that ends the text must learn to end, once; most templates write a mark for that themselves."""
        if ids and ids[-1:] == self._eos and offsets[-1][0] == offsets[-1][1]:  # one that the tokenizer added itself
            ids, offsets = ids[:-1], offsets[:-1]
        targets = _within(offsets, spans)
        ends_text = bool(spans) and spans[-1][1] >= len(text.rstrip())
        if ends_text and not self._is_end(_last_learned(ids, targets, text, offsets)):
            ids, targets = ids + self._eos, targets + [True] * len(self._eos)
        return Encoded(ids, targets)

    def _conversations(self, rows: Sequence[Chat], numbers: Sequence[int]) -> list[Encoded]:
        rendered = [self._rendered(row, number) for row, number in zip(rows, numbers, strict=True)]
        plain = [(each[0].text, each[0].spans) for each in rendered if each and not each[1]]
        together = iter(self._located(plain, own_marks=False))
        encoded = []
        for each in rendered:
            if each is None:
                encoded.append(Encoded(REFUSED, []))
                continue
            (text, spans, _), hidden = each
            if hidden:
                text, spans, ids, offsets = self._special.encode(text, spans, hidden)
            else:
                ids, offsets = next(together)
            encoded.append(self._ended(text, spans, ids, offsets))
        return encoded

    def _rendered(self, row: Chat, number: int) -> tuple[Rendered, dict[str, str]] | None:
        """A conversation in the model's form, and which characters of it stand for special tokens that are typed in it; None
        if it is left out."""
        self._form = self._form or ChatForm(self._tokenizer, self._reading.chat_template_kwargs)
        kept = self._reading.special_tokens or not self._tokenizer.is_fast
        chat, hidden = (row, {}) if kept else self._special.hide(row)
        try:
            rendered = self._form.render(chat)
        except REFUSALS as error:
            self.lost["refused"] += 1
            self.refused_rows.append(number)
            if not self._skip_refused:
                raise self._refusal(error, chat, number) from error
            return None
        self.lost.update(rendered.lost)
        if hidden:
            self.lost["special tokens"] += 1
        return rendered, hidden

    def _refusal(self, error: Exception, row: Chat, number: int) -> DataError:
        """What is to be said of a conversation that the template does not take."""
        hint = "Mend the row, choose a model whose format allows it, or have such rows left out: skip_refused_rows."
        said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        if not isinstance(error, TemplateError):
            said = f"its template stops at something in it ({type(error).__name__}: {said})"
        if row.messages[0].role == "system" and self._takes(row._replace(messages=row.messages[1:])):
            said += ". It has no place for a system message"
            hint = "Have the system message put before the user's first one, in how the dataset is read: system_into_user."
        return DataError(f"Row {number} cannot be put into this model's chat format: {said}.", hint)

    def _takes(self, row: Chat) -> bool:
        assert self._form
        try:
            self._form.render(row)
        except REFUSALS:
            return False
        return True


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
