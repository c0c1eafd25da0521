"""A conversation in a model's chat template, and where in that text the answers stand which are learned.

Where an answer stands comes from rendering, never from looking for its words: the conversation is rendered with a mark in
place of an answer, and what differs is the answer. Templates that say themselves what is generated are believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from worker.data.formats import Chat, Message

ANSWERER = "assistant"

REFUSALS = (TemplateError, TypeError, ValueError, KeyError, IndexError, AttributeError)
"""What a template raises that cannot show a conversation: its own words, or Python's at what it did not expect."""

_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
_EMPTY_THOUGHT = re.compile(
    r"\s*[<\[][^<>\[\]]*think[^<>\[\]]*[>\]]\s*[<\[][^<>\[\]]*think[^<>\[\]]*[>\]]\s*", re.IGNORECASE
)
_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)
_PRIVATE = range(0xE000, 0xF8FF)  # characters that Unicode leaves to programs, and that no template changes

Messages = list[dict[str, Any]]


class Turn(NamedTuple):
    """An answer in a rendered conversation: the characters from ``start`` to ``end``, the mark of its end included. Its own
    text ends at ``content_end``."""

    start: int
    content_end: int
    end: int


class Asked(NamedTuple):
    """What a template puts at the end of a conversation for the model to go on: ``prompt``, with which each answer begins,
    and the ``rest``, such as the beginning of a thought. ``openings`` stand between ``prompt`` and an answer's own text."""

    prompt: str
    rest: str
    openings: set[str]


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
        self._style = 0
        added = {str(token) for token in (*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens)}
        self._specials = sorted(added, key=len, reverse=True)

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
        rendered = self._tokenizer.apply_chat_template(
            messages, tools=tools, tokenize=False, add_generation_prompt=ask, **self._variables
        )
        return str(rendered)

    def _whole(self, row: Chat) -> tuple[str, Messages]:
        """The conversation, and its messages in the style in which the template shows the tool calls.

        Templates differ in whether they want a call's arguments as an object or as JSON text, and in what they want as the
        content of a message that only calls.
        """
        calls = [call["function"]["name"] for message in row.messages for call in _calls(message)]
        if not calls:
            messages = [_as_dict(message) for message in row.messages]
            return self.text(messages, row.tools), messages
        best: tuple[int, str, Messages, int] | None = None
        refusal: Exception | None = None
        for style in sorted(range(len(_STYLES)), key=lambda style: style != self._style):
            messages = [_as_dict(message, *_STYLES[style]) for message in row.messages]
            try:
                text = self.text(messages, row.tools)
            except REFUSALS as error:
                refusal = refusal or error
                continue
            shown = sum(name in text for name in calls)
            if best is None or shown > best[0]:
                best = shown, text, messages, style
            if shown == len(calls):
                break
        if best is None:
            assert refusal is not None
            raise refusal
        self._style = best[3]
        return best[1], best[2]

    def _marked(self, text: str, messages: Messages, tools: list[Any] | None, answers: int) -> list[Turn | None] | None:
        """The turns, as the template's own {% generation %} marks say; None if they cannot be told one from another."""
        _, found = render_jinja_template(
            [messages],
            tools=tools,
            chat_template=self._tokenizer.get_chat_template(tools=tools),
            return_assistant_tokens_mask=True,
            **{**self._tokenizer.special_tokens_map, **self._variables},
        )
        spans = [(start, end) for start, end in found[0] if end > start]
        return [Turn(start, end, end) for start, end in spans] if len(spans) == answers else None

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
            opening, silent = self.opening(parts[number])
            turns.append(Turn(place - (0 if silent else opening), end, end + len(ending)))
            place = end + len(following)
        return list(turns) if place == len(text) else None

    def opening(self, before: str) -> tuple[int, bool]:
        """How many characters at the end of ``before``, which an answer follows, the model writes itself after it was asked;
        and whether these are an empty thought, which is not learned."""
        prompt, _, openings = self.asked
        if prompt:
            found = before.rfind(prompt)
            opening = before[found + len(prompt) :] if found >= 0 else ""
            opening = opening if opening in openings else ""
        else:
            opening = next((each for each in openings if each.isspace() and before.endswith(each)), "")
        return len(opening), bool(_EMPTY_THOUGHT.fullmatch(opening))

    @cached_property
    def asked(self) -> Asked:
        """What the model is asked with, as a conversation of one question shows it; nothing where that is refused."""
        mark = next(_marks("", 1))
        user, answer = {"role": "user", "content": "c"}, {"role": ANSWERER, "content": mark}
        try:
            before, asked, last = self.text([user], None), self.text([user], None, ask=True), self.text([user, answer], None)
        except REFUSALS:
            return Asked("", "", set())
        if not (asked.startswith(before) and last.startswith(before)):
            return Asked("", "", set())
        common = asked[: _common_beginning(asked, last)]
        shown = [last]
        with suppress(*REFUSALS):  # then what an answer begins with when it is the last is known
            shown.append(self.text([user, answer, user], None))
        openings = {each.partition(mark)[0][len(common) :] for each in shown if each.startswith(common)}
        return Asked(common[len(before) :], asked[len(common) :], openings)

    def end_of_turn(self) -> str:
        """The special token that follows an answer; empty if none does, or the template shows no conversation of two."""
        mark = next(_marks("", 1))
        try:
            text = self.text([{"role": "user", "content": "c"}, {"role": ANSWERER, "content": mark}], None)
        except REFUSALS:
            return ""
        return self.special_at(text.partition(mark)[2].lstrip(), 0)

    def special_at(self, text: str, place: int) -> str:
        """The special token that stands at ``place``; empty if none does."""
        return next((token for token in self._specials if token and text.startswith(token, place)), "")


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
        plain = {"role": ANSWERER, "content": self._mark}
        whole = self._rendered([*self._before, plain, *self._after])
        if whole is None:  # as a tool's result must follow a call
            return self._turn_that_calls(plain)
        mark = whole.find(self._mark)
        if mark < 0:
            return None
        text = self._text
        start = _common_beginning(text, whole)
        content_end = len(text) - _common_ending(text[start:], whole[start:])
        opening, silent = self._form.opening(whole[:mark])
        if start == mark:
            start = mark if silent else mark - opening
        elif start == content_end:
            return None
        elif mark - opening <= start:  # it begins otherwise, as with a thought
            start = mark - opening
        rest = self._form.asked.rest
        if rest and text.startswith(rest, start) and start + len(rest) <= content_end:
            start += len(rest)
        return Turn(start, content_end, content_end + self._ending(content_end, plain, whole))

    def _turn_that_calls(self, plain: dict[str, Any]) -> Turn:
        """The same where the call cannot be left away: its beginning is that of a plain answer, its end that of a call."""
        alone = self._rendered([*self._before, plain])
        marked = dict(self._own)
        marked["tool_calls"] = [
            {**call, "function": {"name": self._mark, "arguments": {}}} for call in self._own.get("tool_calls") or ()
        ]
        whole = self._rendered([*self._before, marked, *self._after])
        mark = alone.find(self._mark) if alone else -1
        if alone is None or whole is None or mark < 0:
            raise TemplateError("where an answer of the assistant stands cannot be told")
        opening, _ = self._form.opening(alone[:mark])
        start = mark - opening
        common = _common_beginning(self._text, alone)
        if common < start - len(alone[:start]) + len(alone[:start].rstrip()):
            raise TemplateError("an answer of the assistant is left out or rewritten")
        start = min(start, common)
        content_end = len(self._text) - _common_ending(self._text[start:], whole[start:])
        return Turn(start, content_end, content_end + self._ending(content_end, marked, whole))

    def _ending(self, content_end: int, marked: dict[str, Any], whole: str) -> int:
        """How many characters after the answer's own mark its end: what it ends with when nothing follows, as far as the
        text has that, else a special token. ``whole`` is the conversation with ``marked`` in the answer's place."""
        text = self._text
        alone, with_mark = (
            (self._rendered([*self._before, self._own]), self._rendered([*self._before, marked]))
            if self._after
            else (text, whole)
        )
        ending = ""
        if alone is not None and with_mark is not None:
            length = _common_ending(alone, with_mark)
            ending = alone[len(alone) - length :]
        if ending and text.startswith(ending, content_end):
            return len(ending)
        special = self._form.special_at(text, content_end)
        return len(special) or _common_beginning(ending, text[content_end:])

    def _rendered(self, messages: Messages) -> str | None:
        try:
            return self._form.text(messages, self._tools)
        except REFUSALS:
            return None


_STYLES = [("", False), (None, False), ("", True), (None, True)]
"""What stands as the content of a message that only calls a tool, and whether arguments are JSON text."""


def _as_dict(message: Message, empty: str | None = "", as_text: bool = False) -> dict[str, Any]:
    """A message as templates are given it."""
    found: dict[str, Any] = {"role": message.role, "content": message.content, **(message.extras or {})}
    if calls := _calls(message):
        found["content"] = message.content or empty
        found["tool_calls"] = [{**call, "function": _function(call["function"], as_text)} for call in calls]
    return found


def _function(function: dict[str, Any], as_text: bool) -> dict[str, Any]:
    arguments = function["arguments"]
    if as_text and not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return {**function, "arguments": arguments}


def _calls(message: Message) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = (message.extras or {}).get("tool_calls", [])
    return calls


def _missing(message: Message, shown: str) -> list[str]:
    """What of an answer is not ``shown``, as in LOST."""
    missing = []
    thoughts = _THOUGHT.findall(message.content)
    if reasoning := (message.extras or {}).get("reasoning_content"):
        thoughts.append(reasoning)
    if any(thought.strip() not in shown for thought in thoughts):
        missing.append("thoughts")
    if any(call["function"]["name"] not in shown for call in _calls(message)):
        missing.append("calls")
    spoken = _THOUGHT.sub("", message.content).rpartition("</think>")[2].strip()
    if spoken not in shown:
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
