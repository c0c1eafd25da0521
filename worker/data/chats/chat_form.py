"""A conversation in a model's chat template, and where in that text the answers stand which are learned.

Where an answer stands comes from rendering, never from looking for its words: the conversation is rendered with a mark in
place of an answer, and what differs is the answer. Templates that say themselves what is generated are believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from worker.data.chats.chat_messages import (
    SAMPLE,
    SAMPLE_TOOLS,
    STYLES,
    Messages,
    Style,
    as_dict,
    calls,
    how_well_shown,
    spoken,
    thoughts,
    with_argument,
    without_thoughts,
)
from worker.data.formats import Chat, Message

ANSWERER = "assistant"

REFUSALS = (TemplateError, TypeError, ValueError, KeyError, IndexError, AttributeError)
"""What a template raises that cannot show a conversation: its own words, or Python's at what it did not expect."""

_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
_OPEN_THOUGHT = re.compile(r"[<\[][^<>\[\]/]*think", re.IGNORECASE)
_EMPTY_THOUGHT = re.compile(r"\s*(?:[<\[][^<>\[\]]*think[^<>\[\]]*[>\]]\s*){1,2}", re.IGNORECASE)  # or the end of one alone
_PRIVATE = range(0xE000, 0xF8FF)  # characters that Unicode leaves to programs, and that no template changes


class Turn(NamedTuple):
    """An answer in a rendered conversation: the characters from ``start`` to ``end``, the mark of its end included. Its own
    text ends at ``content_end``."""

    start: int
    content_end: int
    end: int


class Asked(NamedTuple):
    """What a template puts at the end of a conversation for the model to go on: ``header``, with which each answer begins,
    and the ``rest``, such as the beginning of a thought. ``openings`` stand between ``header`` and an answer's own text;
    ``ending`` follows that."""

    header: str
    rest: str
    openings: set[str]
    ending: str


class Rendered(NamedTuple):
    """``spans`` are the characters (start, end) of ``text`` that are learned; ``lost`` names what the template leaves out,
    as in LOST, once for each answer or message."""

    text: str
    spans: list[tuple[int, int]]
    lost: list[str]


LOST = {
    "thoughts": "does not show what was thought before {count} answers",
    "calls": "does not show the tool calls of {count} answers, of which nothing is learned if they say nothing else",
    "answers": "shows {count} answers changed or not at all, and they are learned as shown",
    "messages": "changes or leaves out {count} messages that are no answers",
}
"""What a template leaves out → how that is said."""


class ChatForm:
    """The chat template of ``tokenizer``, with these ``variables``."""

    def __init__(self, tokenizer: Any, variables: Mapping[str, Any] | None = None) -> None:
        self._tokenizer = tokenizer
        self._variables = variables or {}
        self._marks_generation = bool(_GENERATION.search(str(tokenizer.chat_template)))
        self._asked: dict[bool, Asked] = {}  # whether there are tools → …
        self._best_styles: dict[bool, list[Style]] = {}
        added = {str(token) for token in (*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens) if str(token).strip()}
        self._specials = re.compile("|".join(re.escape(token) for token in sorted(added, key=len, reverse=True)) or r"(?!)")
        self._longest = max(map(len, added), default=0)

    def render(self, row: Chat) -> Rendered:
        """The conversation as the model sees it. Raises one of REFUSALS if the template does not take it."""
        text, messages = self._whole(row)
        answers = [place for place, message in enumerate(row.messages) if message.role == ANSWERER]
        turns = self._marked(text, messages, row.tools, len(answers)) if self._marks_generation else None
        if turns is None:
            turns = self._quick(text, messages, row.tools, answers)
        if turns is None:
            turns = [_Answer(self, text, messages, row.tools, place).turn() for place in answers]
        spans, lost = [], []
        for place, turn in zip(answers, turns, strict=True):
            message = row.messages[place]
            missing = _missing(message, "" if turn is None else text[turn.start : turn.content_end])
            lost += missing
            unseen = "calls" in missing and not message.content.strip()
            if turn is not None and message.learned and not unseen:
                spans.append((turn.start, turn.end))
        others = (message.content.strip() for message in row.messages if message.role != ANSWERER)
        lost += ["messages" for content in others if content not in text]
        return Rendered(text, spans, lost)

    def text(self, messages: Messages, tools: list[Any] | None, *, ask: bool = False) -> str:
        """``messages`` rendered; with ``ask``, up to where the model would go on with an answer."""
        options = {"tokenize": False, "add_generation_prompt": ask, **self._variables}
        return str(self._tokenizer.apply_chat_template(messages, tools=tools, **options))

    def _whole(self, row: Chat) -> tuple[str, Messages]:
        """The conversation, and its messages in the first style in which the template takes it."""
        refusal: Exception | None = None
        called = any(calls(message) for message in row.messages)
        for style in self._styles(row.tools) if called else STYLES[:1]:
            messages = [as_dict(message, style) for message in row.messages]
            try:
                return self.text(messages, row.tools), messages
            except REFUSALS as error:
                refusal = refusal or error
        assert refusal is not None
        raise refusal

    def _styles(self, tools: list[Any] | None) -> list[Style]:
        """All styles, the one first in which the template shows calls best."""
        if bool(tools) not in self._best_styles:
            shown = {}
            for style in STYLES:
                with suppress(*REFUSALS):
                    messages = [as_dict(message, style) for message in SAMPLE]
                    shown[style] = how_well_shown(self.text(messages, SAMPLE_TOOLS if tools else None))
            order = sorted(STYLES, key=lambda style: shown.get(style, (-1,)), reverse=True)
            self._best_styles[bool(tools)] = order
        return self._best_styles[bool(tools)]

    def _marked(self, text: str, messages: Messages, tools: list[Any] | None, answers: int) -> list[Turn | None] | None:
        """The turns, as the template's own {% generation %} marks say; None if they cannot be told one from another."""
        rendered, found = render_jinja_template(
            [messages],
            tools=tools,
            chat_template=self._tokenizer.get_chat_template(tools=tools),
            return_assistant_tokens_mask=True,
            **{**self._tokenizer.special_tokens_map, **self._variables},
        )
        spans = [(start, end) for start, end in found[0] if end > start]
        if rendered != [text] or len(spans) != answers:
            return None
        return [Turn(start, end, end) for start, end in spans]

    def _quick(
        self, text: str, messages: Messages, tools: list[Any] | None, answers: Sequence[int]
    ) -> list[Turn | None] | None:
        """The turns if every answer stands in the text as it is, which one more rendering shows; else None.

        Marks in place of all answers give the text between them. If that and the answers together are the text, nothing
        else can be the answers.
        """
        if any(set(messages[place]) != {"role", "content"} for place in answers):
            return None
        marks = list(_marks(text, len(answers)))
        marked = [dict(message) for message in messages]
        for place, mark in zip(answers, marks, strict=True):
            marked[place]["content"] = mark
        try:
            skeleton = self.text(marked, tools)
        except REFUSALS:
            return None
        parts = []
        for mark in marks:
            part, found, skeleton = skeleton.partition(mark)
            if not found:
                return None
            parts.append(part)
        parts.append(skeleton)
        place, turns = len(parts[0]), []
        ending = parts[-1]
        if not text.startswith(parts[0]):
            return None
        for number, answer in enumerate(answers):
            following = parts[number + 1]
            content = messages[answer]["content"]
            shown = next((form for form in (content, content.strip()) if text.startswith(form + following, place)), None)
            if shown is None or not following.startswith(ending):
                return None
            end = place + len(shown)
            _, begin = self.beginning(parts[number], tools)
            begin = self.after_rest(text, place - len(parts[number]) + begin, tools)
            turns.append(Turn(min(begin, end), end, end + len(ending)))
            place = end + len(following)
        return list(turns) if place == len(text) else None

    def beginning(self, before: str, tools: list[Any] | None) -> tuple[int, int]:
        """Where in ``before``, which an answer's own text follows, its header ends, and where what is learned begins: after
        all that the model is asked with, and after a thought that is empty."""
        header, rest, openings, _ = self.asked(tools)
        if not header:
            blank = next((each for each in openings if each.isspace() and before.endswith(each)), "")
            return len(before), len(before) - len(blank)
        found = before.rfind(header)
        place = found + len(header)
        opening = before[place:]
        if found < 0 or opening not in openings:
            return len(before), len(before)
        if _EMPTY_THOUGHT.fullmatch(opening):
            return place, len(before)
        return place, place + (len(rest) if opening.startswith(rest) else 0)

    def after_rest(self, text: str, place: int, tools: list[Any] | None) -> int:
        """``place``, or where the rest of what the model is asked with ends, if that stands there."""
        header, rest, _, _ = self.asked(tools)
        return place + len(rest) if header and text.startswith(rest, place) and text.endswith(header, 0, place) else place

    def asked(self, tools: list[Any] | None) -> Asked:
        """What the model is asked with, as a conversation of one question shows it, with a tool of our own if there are
        ``tools``; nothing where that is refused."""
        known = self._asked.get(bool(tools))
        if known is None:
            known = self._asked[bool(tools)] = self._ask(SAMPLE_TOOLS if tools else None)
        return known

    def _ask(self, tools: list[Any] | None) -> Asked:
        mark = next(_marks("", 1))
        user, answer = {"role": "user", "content": "c"}, {"role": ANSWERER, "content": mark}
        try:
            before, asked = self.text([user], tools), self.text([user], tools, ask=True)
            shown = [self.text([user, answer], tools)]
        except REFUSALS:
            return Asked("", "", set(), "")
        with suppress(*REFUSALS):  # then what an answer begins with when it is not the last is known too
            shown.append(self.text([user, answer, user], tools))
        ending = shown[0].partition(mark)[2]
        shown = [each.partition(mark)[0] for each in shown if each.startswith(before)]
        if not (shown and asked.startswith(before)):
            return Asked("", "", set(), "")
        asked, shown = asked[len(before) :], [each[len(before) :] for each in shown]
        common = min(self.common_beginning(asked, each) for each in shown)
        if thought := _OPEN_THOUGHT.search(asked[:common]):
            common = thought.start()
        return Asked(asked[:common], asked[common:], {each[common:] for each in shown}, ending)

    def common_beginning(self, one: str, other: str) -> int:
        """How many characters at their beginnings are the same, no special token being cut."""
        place = _common_beginning(one, other)
        return min(self._uncut(one, place), self._uncut(other, place))

    def _uncut(self, text: str, place: int) -> int:
        for token in self._specials.finditer(text, max(0, place - self._longest), place + self._longest):
            if token.start() < place < token.end():
                return token.start()
        return place

    def last_special(self, text: str) -> str:
        """The special token that ``text`` ends with, but for white space; empty if it ends with none."""
        found = [token for token in self._specials.finditer(text) if not text[token.end() :].strip()]
        return found[-1][0] if found else ""

    def special_at(self, text: str, place: int) -> str:
        """The special token that stands at ``place``; empty if none does."""
        found = self._specials.match(text, place)
        return found[0] if found else ""


class _Answer:
    """One answer of a conversation, found by rendering the rest with a mark in its place."""

    def __init__(self, form: ChatForm, text: str, messages: Messages, tools: list[Any] | None, place: int) -> None:
        self._form = form
        self._text = text
        self._before = messages[:place]
        self._own = messages[place]
        self._after = messages[place + 1 :]
        self._tools = tools
        self._mark = next(_marks(text, 1))

    def turn(self) -> Turn | None:
        """Where it stands; None if the template does not show it. Raises TemplateError if that cannot be told."""
        if self._after:
            alone = self._rendered([*self._before, self._own])
            if alone and self._text.startswith(alone):  # it is shown as if nothing followed
                found = self._last(alone, self._own)
                if found is None or found.end > found.content_end:
                    return found
                return found._replace(end=found.end + len(self._form.special_at(self._text, found.end)))
            if self._own.get("tool_calls") and (found := self._call()):
                return found
        plain = {"role": ANSWERER, "content": self._mark}
        whole = self._rendered([*self._before, plain, *self._after])
        if whole is None:
            raise TemplateError("where an answer of the assistant stands cannot be told")
        mark = whole.find(self._mark)
        if mark < 0:
            return None
        text = self._text
        differ = self._form.common_beginning(text, whole)
        content_end = len(text) - _common_ending(text[differ:], whole[differ:])
        header_end, start = self._form.beginning(whole[:mark], self._tools)
        if content_end <= differ < header_end:
            return None
        if differ < start:  # it begins otherwise, as with a thought
            start = min(header_end, differ)
        start = min(content_end, self._form.after_rest(text, start, self._tools))
        return self._ended(start, content_end, plain, whole)

    def _ended(self, start: int, content_end: int, plain: dict[str, Any], whole: str) -> Turn:
        """With the mark of its end: what it ends with when nothing follows, as far as the text has that. ``whole`` is the
        conversation with ``plain`` in the answer's place."""
        alone, with_mark = self._text, whole
        if self._after:
            alone, with_mark = (self._rendered([*self._before, each]) or "" for each in (self._own, plain))
        ending = alone[len(alone) - _common_ending(alone, with_mark) :] if alone and with_mark else ""
        if not ending:  # a template may refuse the beginning of a conversation
            ending = self._form.asked(self._tools).ending
        return Turn(start, content_end, content_end + self._seen(ending, content_end))

    def _last(self, text: str, own: dict[str, Any]) -> Turn | None:
        """The turn of ``own`` at the end of ``text``, which is the conversation up to it."""
        return _Answer(self._form, text, [*self._before, own], self._tools, len(self._before)).turn()

    def _seen(self, ending: str, place: int) -> int:
        """How many characters at ``place`` are the end of a turn that ends with ``ending`` when nothing follows."""
        same = self._form.common_beginning(ending, self._text[place:])
        return same or len(self._form.special_at(self._text, place))

    def _call(self) -> Turn | None:
        """A call's turn, as what follows may depend on it: found in the conversation up to it, and carried over to the whole
        by where the two show other arguments. None if they show it differently or not at all."""
        whole = self._rendered([*self._before, with_argument(self._own, self._mark), *self._after])
        differ = _common_beginning(self._text, whole or "")
        for own in (self._own, without_thoughts(self._own), {**without_thoughts(self._own), "content": ""}):
            alone = self._rendered([*self._before, own])
            changed = self._rendered([*self._before, with_argument(own, self._mark)])
            if alone is None or changed is None or alone == changed:
                continue
            turn = self._last(alone, own)
            place = _common_beginning(alone, changed)
            if turn is None or not turn.start <= place <= turn.content_end:
                continue
            header = len(self._form.asked(self._tools).header)  # must be the same too, or something else may stand after it
            head, tail = alone[max(0, turn.start - header) : place], alone[place : turn.content_end]
            if self._text[:differ].endswith(head) and self._text.startswith(tail, differ):
                content_end = differ + len(tail)
                end = content_end + self._seen(alone[turn.content_end : turn.end], content_end)
                return Turn(differ - place + turn.start, content_end, end)
        return None

    def _rendered(self, messages: Messages) -> str | None:
        try:
            return self._form.text(messages, self._tools)
        except REFUSALS:
            return None


def _missing(message: Message, shown: str) -> list[str]:
    """What of an answer is not ``shown``, as in LOST."""
    missing = []
    if any(thought.strip() not in shown for thought in thoughts(message)):
        missing.append("thoughts")
    if any(call["function"]["name"] not in shown for call in calls(message)):
        missing.append("calls")
    if spoken(message.content) not in shown:
        missing.append("answers")
    return missing


def _marks(text: str, count: int) -> Iterator[str]:
    """``count`` different texts that begin and end with a character that ``text`` does not have."""
    character = next(chr(code) for code in _PRIVATE if chr(code) not in text)
    return (f"{character}{number}{character}" for number in range(count))


def _common_beginning(one: str, other: str) -> int:
    """How many characters at their beginnings are the same: halving the range is far quicker than going one by one."""
    same, most = 0, min(len(one), len(other))
    while same < most:
        middle = (same + most + 1) // 2
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            most = middle - 1
    return same


def _common_ending(one: str, other: str) -> int:
    """How many characters at their ends are the same."""
    return _common_beginning(one[::-1], other[::-1])
