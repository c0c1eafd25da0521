"""What is learned of conversations in the chat templates of the most used families, token for token."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jinja2 import TemplateError
from transformers import GPT2Tokenizer

from tests.worker.data.chat_templates import (
    FAMILIES,
    FAULTS,
    STOPS,
    TRAINING_VARIANTS,
    Family,
    Fault,
    marks_of,
    read_template,
)
from tests.worker.data.conversations import conversations
from tests.worker.data.test_chat_form import CHATML, ENDS_DIFFER, OPENS_A_THOUGHT, REPEATS_THE_CALL, THINKS_LAST
from worker.contract import Reading
from worker.data.chats.text_ends import turn_ends
from worker.data.encoding import Encoded, Encoder
from worker.data.formats import Chat, Message
from worker.data.tokenizer import train_tokenizer
from worker.errors import DataError

ROWS = 200
REFUSALS = (TemplateError, TypeError, ValueError, KeyError, IndexError, AttributeError)
EMPTY_THOUGHTS = ("<think>\n\n</think>\n\n", "<think>\n\n</think>\n", "<think></think>")

Messages = list[dict[str, Any]]
Span = tuple[int, int]


class Shown(NamedTuple):
    """A conversation as transformers itself renders it, and the messages it was given."""

    text: str
    messages: Messages


@pytest.fixture(scope="module")
def folder(pytestconfig: pytest.Config) -> Path:
    """Where the packages with the templates are kept."""
    return Path(pytestconfig.cache.mkdir("chat_templates"))


@pytest.fixture(scope="module")
def trained() -> GPT2Tokenizer:
    """A byte-level BPE that has learned the words and the white space of such conversations."""
    rows = itertools.islice(conversations(seed=99), 300)
    texts = [f"{message.role}\n\n{message.content}\n" for row in rows for message in row.messages]
    return train_tokenizer(texts, vocab_size=600, context=10_000)


def tokenizer_of(trained: GPT2Tokenizer, template: str, eos: str) -> Any:
    tokenizer = copy.deepcopy(trained)
    tokenizer.add_special_tokens({"additional_special_tokens": sorted({*marks_of(template), "<s>", eos})})
    tokenizer.bos_token, tokenizer.eos_token = "<s>", eos
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.slow  # downloads packages, 110 MB, and makes 10,000 conversations
@pytest.mark.parametrize("name", FAMILIES)
def test_of_each_family_answers_and_their_ends_are_learned(folder: Path, trained: GPT2Tokenizer, name: str) -> None:
    family, fault = FAMILIES[name], FAULTS.get(name)
    tokenizer = tokenizer_of(trained, read_template(folder, family.place), family.eos)
    differences, faults = compared(tokenizer, family, ROWS, fault)
    assert not differences, differences[:3]
    assert bool(faults) == bool(fault), faults[:3]


@pytest.mark.slow  # as above
@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_stops_where_its_authors_have_it_stop(folder: Path, trained: GPT2Tokenizer, name: str) -> None:
    family = FAMILIES[name]
    tokenizer = tokenizer_of(trained, read_template(folder, family.place), family.eos)
    assert tokenizer.convert_ids_to_tokens(turn_ends(tokenizer)) == STOPS.get(name, [family.eos])


OWN = {
    "chatml": (CHATML, Family("", r"<\|im_start\|>assistant\n", r"<\|im_end\|>\n", "<|im_end|>")),
    "thinks last": (THINKS_LAST, Family("", r"\[assistant\](?:<think></think>)?", r"\[end\]", "[end]")),
    "opens a thought": (OPENS_A_THOUGHT, Family("", r"\[assistant\]", r"\[end\]", "[end]")),
    "ends differ": (ENDS_DIFFER, Family("", r"<\|start\|>assistant", r"<\|(?:end|return)\|>", "<|return|>")),
    "repeats the call": (REPEATS_THE_CALL, Family("", r"\[assistant\]", r"\[end\]|\[call\]", "[end]")),
}


@pytest.mark.parametrize("name", OWN)
def test_of_our_own_templates_answers_and_their_ends_are_learned(trained: GPT2Tokenizer, name: str) -> None:
    template, family = OWN[name]
    differences, _ = compared(tokenizer_of(trained, template, family.eos), family, 40)
    assert not differences, differences[:3]


def compared(tokenizer: Any, family: Family, rows: int, fault: Fault | None = None) -> tuple[list[Any], list[Any]]:
    """Where of so many conversations other tokens are learned than between the family's marks, or than what rendering bit
    by bit shows; and the same of those that the template's ``fault`` concerns."""
    differences: list[Any] = []
    faults: list[Any] = []
    refused = 0
    for row, shown in accepted(tokenizer, rows):
        if shown:
            (faults if fault and fault.concerns(row) else differences).extend(differences_of(tokenizer, family, row, shown))
            continue
        refused += 1
        with pytest.raises(DataError, match="cannot be put into this model's chat format"):
            encode(tokenizer, row)
    print(f"{rows} conversations, {refused} refused, {len(differences)} differences, {len(faults)} of the template's")
    return differences, faults


def differences_of(tokenizer: Any, family: Family, row: Chat, shown: list[Shown]) -> Iterator[tuple[str, str]]:
    """What is learned of a conversation beside what is to be."""
    example = encode(tokenizer, row)
    same = shown_as(tokenizer, example, shown)
    marked = between_marks(same.text, family)
    places = answers_of(row.messages)
    if len(marked) != len(places):
        yield show(tokenizer, example), f"{len(marked)} answers"
        return
    expected = tokens_of(tokenizer, same.text, learned_of(marked, row, same.text))
    if expected != example:
        yield show(tokenizer, example), show(tokenizer, expected)
    for place, by_marks in zip(places, marked, strict=True):
        by_rendering = rendered_span(tokenizer, same, row, place)
        if by_rendering not in (None, by_marks):
            yield same.text[slice(*by_rendering)], same.text[slice(*by_marks)]


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINING_VARIANTS)
def test_what_a_template_marks_as_generated_is_learned_without_the_marks(
    folder: Path, trained: GPT2Tokenizer, name: str
) -> None:
    marking = read_template(folder, f"trl/{name}_training")
    tokenizer = tokenizer_of(trained, without_marks(marking), "<eos>")
    known = TRAINING_VARIANTS[name]
    unlike, rows = set(), 0
    for row, shown in accepted(tokenizer, ROWS, all_learned):
        if not shown:
            continue
        example = encode(tokenizer, row)
        same = shown_as(tokenizer, example, shown)
        if not all(calls_shown(message, same.text) for message in row.messages):  # such turns are not learned
            continue
        rows += 1
        found = tokenizer.apply_chat_template(
            same.messages, tools=row.tools, chat_template=marking, return_dict=True, return_assistant_tokens_mask=True
        )
        assert found["input_ids"] == example.ids[: len(found["input_ids"])]
        targets = (example.targets or [])[: len(found["input_ids"])]
        tokens = zip(found["input_ids"], map(bool, found["assistant_masks"]), targets, strict=True)
        for (marked, learned), group in itertools.groupby(tokens, key=lambda token: token[1:]):
            if marked != learned:
                unlike.add((tokenizer.decode([token[0] for token in group]), marked))
    assert rows >= ROWS / 2
    assert all(marked and known and re.fullmatch(known[0], text) for text, marked in unlike), unlike
    assert bool(unlike) == bool(known)


def without_marks(template: str) -> str:
    """A template without what it says of generation; ifs in their place leave its white space as it is."""
    opened = re.sub(r"\{%(-?)\s*generation\s*(-?)%\}", r"{%\1 if true \2%}", template)
    return re.sub(r"\{%(-?)\s*endgeneration\s*(-?)%\}", r"{%\1 endif \2%}", opened)


def all_learned(row: Chat) -> Chat:
    return row._replace(messages=tuple(message._replace(learned=True) for message in row.messages))


def accepted(
    tokenizer: Any, count: int, changed: Callable[[Chat], Chat] = lambda row: row
) -> Iterator[tuple[Chat, list[Shown]]]:
    """Conversations until ``count`` of them are taken by the template; those that are not come with nothing shown."""
    for row in map(changed, itertools.islice(conversations(seed=5), 5 * count)):
        shown = renderings(tokenizer, row)
        yield row, shown
        count -= bool(shown)
        if not count:
            return
    raise AssertionError("the template takes too few conversations")


def shown_as(tokenizer: Any, example: Encoded, shown: list[Shown]) -> Shown:
    """The one of the renderings that the tokens were made of."""
    lengths = ((each, ids_of(tokenizer, each.text)) for each in shown)
    return next(each for each, ids in lengths if ids == example.ids[: len(ids)])


def renderings(tokenizer: Any, row: Chat) -> list[Shown]:
    """The conversation with arguments as objects and as JSON, and calls without content as "" and None, as often as the
    template takes it."""
    shown = []
    for empty, as_text in itertools.product(("", None), (False, True)):
        messages = [as_dict(message, empty, as_text) for message in row.messages]
        try:
            shown.append(Shown(render(tokenizer, messages, row), messages))
        except REFUSALS:
            continue
    return shown


def as_dict(message: Message, empty: str | None, as_text: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"role": message.role, "content": message.content, **copy.deepcopy(message.extras or {})}
    for call in made.get("tool_calls", []):
        made["content"] = message.content or empty
        if as_text:
            call["function"]["arguments"] = json.dumps(call["function"]["arguments"], ensure_ascii=False)
    if "reasoning_content" in made:
        made["thinking"] = made["reasoning_content"]
    return made


def render(tokenizer: Any, messages: Messages, row: Chat, ask: bool = False) -> str:
    return str(tokenizer.apply_chat_template(messages, tools=row.tools, tokenize=False, add_generation_prompt=ask))


def encode(tokenizer: Any, row: Chat) -> Encoded:
    return Encoder(tokenizer, Reading(kind="chat"), 100_000).whole([row], [1])[0]


def ids_of(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def answers_of(messages: Sequence[Message]) -> list[int]:
    return [place for place, message in enumerate(messages) if message.role == "assistant"]


def between_marks(text: str, family: Family) -> list[Span]:
    """What stands between an opening and the end of a turn, its end included: the first oracle, of the family's marks."""
    found = re.finditer(f"(?:{family.opening})(?P<learned>.*?(?:{family.ending}))", text, re.DOTALL)
    return [each.span("learned") for each in found]


def rendered_span(tokenizer: Any, shown: Shown, row: Chat, place: int) -> Span | None:
    """What the conversation up to an answer has that the one up to its question, asking for an answer, has not: the second
    oracle. None where it cannot tell: of a first message, and where a template writes earlier turns anew."""
    if not place or row.messages[place - 1].role == "system":
        return None
    try:
        asked = render(tokenizer, shown.messages[:place], row, ask=True)
        answered = render(tokenizer, shown.messages[: place + 1], row)
    except REFUSALS:
        return None
    if not (answered.startswith(asked) and shown.text.startswith(answered)):
        return None
    turn = len(asked.removesuffix("<think>\n"))  # an answer without a thought shows an empty one there
    thought = next((each for each in EMPTY_THOUGHTS if answered.startswith(each, turn)), "")
    return max(len(asked), turn + len(thought)), len(answered)


def learned_of(spans: list[Span], row: Chat, text: str) -> list[Span]:
    """Those that are to be learned: not what the row says is not, nor a turn that only calls and does not show it."""
    answers = [row.messages[place] for place in answers_of(row.messages)]
    return [
        span
        for span, answer in zip(spans, answers, strict=True)
        if answer.learned and (answer.content.strip() or calls_shown(answer, text[slice(*span)]))
    ]


def calls_shown(answer: Message, text: str) -> bool:
    return all(call["function"]["name"] in text for call in (answer.extras or {}).get("tool_calls", []))


def tokens_of(tokenizer: Any, text: str, spans: list[Span]) -> Encoded:
    """The tokens of ``text``, learned where they have a character within a span; and the end, where the last one learned
    stands at the end of the text and is no end."""
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = list(found["input_ids"]), found["offset_mapping"]
    targets = [any(start < end_of and end > start_of for start_of, end_of in spans) for start, end in offsets]
    if spans and spans[-1][1] == len(text):
        solid = [
            number for number, target in zip(ids, targets, strict=True) if target and tokenizer.decode([number]).strip()
        ]
        if not solid or solid[-1] not in tokenizer.all_special_ids:
            ids, targets = [*ids, tokenizer.eos_token_id], [*targets, True]
    return Encoded(ids, targets)


def show(tokenizer: Any, example: Encoded) -> str:
    """The text, its learned parts between ⟦ and ⟧."""
    parts = []
    for target, group in itertools.groupby(zip(example.ids, example.targets or [], strict=True), key=lambda pair: pair[1]):
        text = tokenizer.decode([number for number, _ in group])
        parts.append(f"⟦{text}⟧" if target else text)
    return "".join(parts)
