"""Where a model stops that has learned a dataset's texts or a chat template's answers."""

from __future__ import annotations

import copy

import pytest
from transformers import GPT2Tokenizer

from tests.worker.data.test_chat_form import CHATML, ENDS_ALL, ENDS_DIFFER, MARKED, REPEATS_THE_CALL, THINKS_LAST, TRIMS
from tests.worker.texts import examples_of
from worker.data.chats.text_ends import text_ends, turn_ends
from worker.data.encoding import plain_chat_template
from worker.data.tokenizer import train_tokenizer

MARKS = ["<|im_start|>", "<|im_end|>", "<|end|>", "<|return|>", "</s>", "[end]", "[call]", "<|end_of_answer|>"]
TWO_MARKS = CHATML.replace("'<|im_end|>", "('<|end_of_answer|>' if m['role'] == 'assistant' else '') + '<|im_end|>")
WANTS_TOOLS = "{{ tools | map(attribute='function') | list | length }}" + CHATML
BETWEEN_TURNS = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{{ '' if loop.last else '</s>' }}{% endfor %}"


@pytest.fixture(scope="module")
def tokenizer(corpus: list[str]) -> GPT2Tokenizer:
    made = train_tokenizer(corpus, vocab_size=400, context=256)
    made.add_special_tokens({"additional_special_tokens": MARKS})
    return made


@pytest.mark.parametrize(
    ("template", "ends"),
    [
        (CHATML, ["<|im_end|>"]),
        (THINKS_LAST, ["[end]"]),
        (TRIMS, ["</s>"]),
        (MARKED, ["[end]"]),
        (ENDS_DIFFER, ["<|return|>"]),  # <|end|> stands between a thought and an answer too
        (ENDS_ALL, ["<|end|>"]),
        (REPEATS_THE_CALL, ["[end]", "[call]"]),
        (TWO_MARKS, ["<|im_end|>"]),
        (WANTS_TOOLS, ["<|im_end|>"]),
        (BETWEEN_TURNS, ["</s>"]),
        ("{{ messages[0]['content'] }}", []),
        ("{{ raise_exception('never') }}", []),
    ],
)
def test_answers_end_with_what_the_template_ends_them_with(tokenizer: GPT2Tokenizer, template: str, ends: list[str]) -> None:
    chat = copy.deepcopy(tokenizer)
    chat.chat_template = template
    assert chat.convert_ids_to_tokens(turn_ends(chat)) == ends


def test_answers_in_our_own_template_end_as_texts_do(tokenizer: GPT2Tokenizer) -> None:
    plain = copy.deepcopy(tokenizer)
    plain.chat_template = plain_chat_template(plain)
    assert turn_ends(plain) == [plain.eos_token_id]


def test_texts_end_with_the_special_token_that_most_have_last(tokenizer: GPT2Tokenizer) -> None:
    mark, other, end = (int(tokenizer.convert_tokens_to_ids(each)) for each in ("<|im_end|>", "[end]", "<|endoftext|>"))
    assert text_ends(tokenizer, [examples_of([5, 6, mark], [7, mark], [8, 9])]) == [mark]
    assert text_ends(tokenizer, [examples_of([5, mark], [6, 7], [8, 9])]) == []  # one that was cut there
    assert text_ends(tokenizer, [examples_of([5, end]), examples_of([5, other]), examples_of([6, end])]) == [end, other]
    assert text_ends(tokenizer, [examples_of([5, 6], [7, 6])]) == []
