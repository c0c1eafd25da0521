"""Where the answers of a conversation stand in a model's chat template, whatever the template does to them."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import GPT2Tokenizer

from worker.data.chat_form import ChatForm, Rendered
from worker.data.formats import Chat, Message
from worker.data.tokenizer import train_tokenizer

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
THINKS_LAST = (  # as Qwen3's: thoughts of earlier turns are dropped, and the last answer shows a thought even if it has none
    "{% for m in messages %}[{{ m['role'] }}]{% if m['role'] == 'assistant' %}"
    "{% set parts = m['content'].split('</think>') %}"
    "{% if loop.last %}<think>{{ parts[0].split('<think>')[-1] if parts | length > 1 else '' }}</think>{% endif %}"
    "{{ parts[-1] }}{% else %}{{ m['content'] }}{% endif %}[end]{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
OPENS_A_THOUGHT = (  # as DeepSeek-R1's: the model is asked with the beginning of a thought, which no answer has
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'].split('</think>')[-1] }}[end]{% endfor %}"
    "{% if add_generation_prompt %}[assistant]<think>\n{% endif %}"
)
TRIMS = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}</s>{% endfor %}"
ENDS_DIFFER = (  # as gpt-oss': <|return|> after the last answer, <|end|> after others
    "{% for m in messages %}<|start|>{{ m['role'] }}<|message|>{{ m['content'] }}"
    "{{ '<|return|>' if loop.last and m['role'] == 'assistant' else '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
MARKED = (
    "{% for m in messages %}[{{ m['role'] }}]{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}[end]"
    "{% endgeneration %}{% else %}{{ m['content'] }}[end]{% endif %}{% endfor %}"
)
CALLS = (  # as Mistral's: a tool's result must follow a call, and arguments are an object
    "{% for m in messages %}{% if m['role'] == 'tool' and not messages[loop.index0 - 1]['tool_calls'] %}"
    "{{ raise_exception('no call before') }}{% endif %}[{{ m['role'] }}]{{ m['content'] }}"
    "{% for c in m['tool_calls'] or [] %}{{ c.function.name }}({{ c.function.arguments.items() | list | tojson }})"
    "{% endfor %}[end]{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer(corpus: list[str]) -> GPT2Tokenizer:
    made = train_tokenizer(corpus, vocab_size=400, context=256)
    made.add_special_tokens({"additional_special_tokens": ["<|end|>", "<|return|>"]})
    return made


def render(tokenizer: Any, template: str, *messages: tuple[str, str] | Message) -> Rendered:
    tokenizer.chat_template = template
    made = (each if isinstance(each, Message) else Message(*each) for each in messages)
    return ChatForm(tokenizer).render(Chat(tuple(made)))


def learned(rendered: Rendered) -> list[str]:
    return [rendered.text[start:end] for start, end in rendered.spans]


SAME_WORDS = [
    [("user", "Is iron a metal? Say Yes or No."), ("assistant", "Yes"), ("user", "Is wood a metal?"), ("assistant", "No")],
    [("system", "OK"), ("user", "OK"), ("assistant", "OK"), ("user", "OK"), ("assistant", "OK")],
    [("user", "u"), ("assistant", "user"), ("user", "assistant"), ("assistant", "assistant")],
    [("assistant", "First."), ("user", "First."), ("assistant", "First.")],
    [("user", "a"), ("assistant", ""), ("user", ""), ("assistant", "a")],
    [("user", "[end][assistant]"), ("assistant", "[assistant]"), ("user", "<|im_start|>assistant\n"), ("assistant", "x")],
    [("assistant", "alone")],
]


@pytest.mark.parametrize("messages", SAME_WORDS)
@pytest.mark.parametrize(
    ("template", "ends"),
    [
        (CHATML, ("<|im_end|>\n", "<|im_end|>\n")),
        (THINKS_LAST, ("[end]", "[end]")),
        (OPENS_A_THOUGHT, ("[end]", "[end]")),
        (TRIMS, ("</s>", "</s>")),
        (MARKED, ("[end]", "[end]")),
        (ENDS_DIFFER, ("<|end|>", "<|return|>")),
    ],
    ids=["chatml", "thinks last", "opens a thought", "trims", "marked", "ends differ"],
)
def test_each_answer_and_its_end_are_learned_and_nothing_else(
    tokenizer: GPT2Tokenizer, template: str, ends: tuple[str, str], messages: list[tuple[str, str]]
) -> None:
    answers = [content for role, content in messages if role == "assistant"]
    opening = "<|message|>" if template is ENDS_DIFFER else ""  # which the model writes itself after it was asked
    wanted = [opening + answer + ends[number == len(answers) - 1] for number, answer in enumerate(answers)]
    rendered = render(tokenizer, template, *messages)
    assert learned(rendered) == wanted
    assert not rendered.lost


def test_thoughts_are_learned_where_they_are_shown_and_counted_where_they_are_not(tokenizer: GPT2Tokenizer) -> None:
    thinks = [
        ("user", "2+2?"),
        ("assistant", "<think>add</think>4"),
        ("user", "3+3?"),
        ("assistant", "<think>double</think>6"),
    ]
    rendered = render(tokenizer, THINKS_LAST, *thinks)
    assert learned(rendered) == ["4[end]", "<think>double</think>6[end]"]
    assert rendered.lost == ["thoughts"]
    rendered = render(tokenizer, OPENS_A_THOUGHT, *thinks)
    assert learned(rendered) == ["4[end]", "6[end]"]
    assert rendered.lost == ["thoughts", "thoughts"]


def test_white_space_that_a_template_trims_is_no_part_of_the_answer(tokenizer: GPT2Tokenizer) -> None:
    assert learned(render(tokenizer, TRIMS, ("user", " a "), ("assistant", "\n b \n"))) == ["b</s>"]
    assert learned(render(tokenizer, CHATML, ("user", " a "), ("assistant", "\n b \n"))) == ["\n b \n<|im_end|>\n"]


CALL = {"type": "function", "function": {"name": "warmth", "arguments": {"town": "Oslo"}}}
TALK = (
    Message("user", "How warm is it in Oslo?"),
    Message("assistant", "", extras={"tool_calls": [CALL]}),
    Message("tool", "9", extras={"tool_call_id": "k1"}),
    Message("assistant", "9 degrees."),
)


def test_a_call_is_learned_where_the_template_shows_it(tokenizer: GPT2Tokenizer) -> None:
    rendered = render(tokenizer, CALLS, *TALK)
    assert learned(rendered) == ['warmth([["town", "Oslo"]])[end]', "9 degrees.[end]"]
    assert not rendered.lost


def test_a_call_that_the_template_does_not_show_teaches_no_empty_answer(tokenizer: GPT2Tokenizer) -> None:
    rendered = render(tokenizer, CHATML, *TALK)
    assert learned(rendered) == ["9 degrees.<|im_end|>\n"]
    assert rendered.lost == ["calls"]


def test_arguments_come_as_the_template_wants_them(tokenizer: GPT2Tokenizer) -> None:
    shown = "(m['content'] or m['tool_calls'][0].function.arguments + m['tool_calls'][0].function.name)"
    rendered = render(tokenizer, CHATML.replace("m['content']", shown), *TALK)
    assert learned(rendered)[0] == '{"town": "Oslo"}warmth<|im_end|>\n'


def test_an_answer_that_is_not_to_be_learned_is_only_read(tokenizer: GPT2Tokenizer) -> None:
    messages = (
        Message("user", "a"),
        Message("assistant", "BAD", learned=False),
        Message("user", "b"),
        Message("assistant", "good"),
    )
    for template, end in ((CHATML, "<|im_end|>\n"), (MARKED, "[end]")):
        assert learned(render(tokenizer, template, *messages)) == ["good" + end]


def test_what_a_template_leaves_out_of_other_messages_is_counted(tokenizer: GPT2Tokenizer) -> None:
    silent = CHATML.replace("{{ '<|im_start|>' + m", "{% if m['role'] != 'system' %}{{ '<|im_start|>' + m").replace(
        "'<|im_end|>\n' }}", "'<|im_end|>\n' }}{% endif %}"
    )
    assert render(tokenizer, silent, ("system", "Be kind."), ("user", "a"), ("assistant", "b")).lost == ["messages"]
