"""Where the answers of a conversation stand in a model's chat template, whatever the template does to them."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import GPT2Tokenizer

from worker.data.chats.chat_form import ChatForm, Rendered
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

REPEATS_THE_CALL = (  # as gpt-oss': a tool's result names the call before it, and a turn that calls ends otherwise
    "{% for m in messages %}{% if m['role'] == 'tool' %}[{{ messages[loop.index0 - 1]['tool_calls'][0].function.name }}]"
    "{{ m['content'] }}[end]{% else %}[{{ m['role'] }}]{{ m['content'] }}{% for c in m['tool_calls'] or [] %}"
    "{{ c.function.name }} {{ c.function.arguments | tojson }}{% endfor %}{{ '[call]' if m['tool_calls'] else '[end]' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)
ASKS_FOR_A_THOUGHT = (  # as Qwen3.5's: the model is asked with a thought's beginning, and the last answer shows an empty one
    THINKS_LAST.replace("<think>{{", "<think>\n{{").replace("[assistant]{% endif %}", "[assistant]<think>\n{% endif %}")
)
ALWAYS_THINKS = (  # as EXAONE 4's: an answer has an empty thought before it, unless it is empty itself
    "{% for m in messages %}[{{ m['role'] }}]{{ '<think></think>' if m['role'] == 'assistant' and m['content'] }}"
    "{{ m['content'] }}[end]{% endfor %}{% if add_generation_prompt %}[assistant]<think></think>{% endif %}"
)
ENDS_ALL = (  # as Phi-3's: a conversation has an end of its own
    "{% for m in messages %}<{{ m['role'] }}>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{{ '<assistant>\n' if add_generation_prompt else '<|return|>' }}"
)
ALIKE = (  # as Cohere's: calls and answers begin with tokens whose names begin alike
    "{% for m in messages %}[{{ m['role'] }}]{% if m['role'] == 'assistant' %}"
    "{{ '<|START_CALL|>' if m['tool_calls'] else '<|START_WORDS|>' }}{% endif %}{{ m['content'] }}"
    "{% for c in m['tool_calls'] or [] %}{{ c.function.name }}{% endfor %}[end]{% endfor %}"
    "{% if add_generation_prompt %}[assistant]<|START_WORDS|>{% endif %}"
)
NEEDS_A_QUESTION = (  # as Qwen3.5's: what has no question in it is refused, such as the beginning of what an answer begins
    "{% if not messages | selectattr('role', 'equalto', 'user') | list %}{{ raise_exception('no question') }}{% endif %}"
    + THINKS_LAST
)
TOOLS_AT_THE_LAST_QUESTION = (  # as Mistral's, which also want a call before a tool's result
    "{% set ns = namespace(last=0) %}{% for m in messages %}"
    "{% if m['role'] == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ tools if tools and loop.index0 == ns.last }}"
    "[Q]{{ m['content'] }}[/Q]{% elif m['role'] == 'tool' %}{% if not messages[loop.index0 - 1]['tool_calls'] %}"
    "{{ raise_exception('no call') }}"
    "{% endif %}[R]{{ m['content'] }}[/R]{% else %}{{ m['content'] }}{% for c in m['tool_calls'] or [] %}"
    "{{ c.function.name }} {{ c.function.arguments | tojson }}{% endfor %}</s>{% endif %}{% endfor %}"
)


@pytest.fixture(scope="module")
def tokenizer(corpus: list[str]) -> GPT2Tokenizer:
    made = train_tokenizer(corpus, vocab_size=400, context=256)
    made.add_special_tokens({"additional_special_tokens": ["<|end|>", "<|return|>", "<|START_CALL|>", "<|START_WORDS|>"]})
    return made


def render(tokenizer: Any, template: str, *messages: tuple[str, str] | Message, tools: list[Any] | None = None) -> Rendered:
    tokenizer.chat_template = template
    made = (each if isinstance(each, Message) else Message(*each) for each in messages)
    return ChatForm(tokenizer).render(Chat(tuple(made), tools))


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
        (ASKS_FOR_A_THOUGHT, ("[end]", "[end]")),
        (ALWAYS_THINKS, ("[end]", "[end]")),
        (ENDS_ALL, ("<|end|>\n", "<|end|>\n<|return|>")),
        (REPEATS_THE_CALL, ("[end]", "[end]")),
    ],
    ids=[
        "chatml",
        "thinks last",
        "opens a thought",
        "trims",
        "marked",
        "ends differ",
        "asks for a thought",
        "always thinks",
        "ends all",
        "repeats the call",
    ],
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


def test_a_thought_is_learned_after_what_the_model_is_asked_with(tokenizer: GPT2Tokenizer) -> None:
    thinks = [("user", "2+2?"), ("assistant", "<think>add</think>4"), ("user", "3+3?"), ("assistant", "<think>add</think>6")]
    rendered = render(tokenizer, ASKS_FOR_A_THOUGHT, *thinks)
    assert rendered.text.endswith("[assistant]<think>\nadd</think>6[end]")
    assert learned(rendered) == ["4[end]", "add</think>6[end]"]


def test_the_end_of_an_answer_is_known_where_the_conversation_up_to_it_is_refused(tokenizer: GPT2Tokenizer) -> None:
    rendered = render(
        tokenizer, NEEDS_A_QUESTION, ("assistant", "Hi!"), ("user", "Hi."), ("assistant", "<think>Hm.</think>Well?")
    )
    assert learned(rendered) == ["Hi![end]", "<think>Hm.</think>Well?[end]"]


def test_a_thought_reaches_a_template_by_either_name(tokenizer: GPT2Tokenizer) -> None:
    for name in ("thinking", "reasoning_content"):
        shows = CHATML.replace("+ m['content']", f"+ (m['{name}'] or '') + m['content']")
        answer = Message("assistant", "4", extras={"reasoning_content": "add"})
        assert learned(render(tokenizer, shows, ("user", "2+2?"), answer)) == ["add4<|im_end|>\n"]


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


MORE = (*TALK, Message("user", "And how high?"), Message("assistant", "Who knows."))


ASKING = [
    TALK[1],
    TALK[1]._replace(extras={"tool_calls": [CALL], "reasoning_content": "I must ask."}),
    TALK[1]._replace(content="<think>I must ask.</think>"),
    TALK[1]._replace(content="I must ask."),
]


@pytest.mark.parametrize("asking", ASKING, ids=["", "thought beside", "thought", "words"])
def test_nothing_that_follows_a_call_is_learned_with_it(tokenizer: GPT2Tokenizer, asking: Message) -> None:
    once_said = "{{ m['content'] if loop.last or not m['tool_calls'] }}"  # as gpt-oss' of what is said before a call
    template = REPEATS_THE_CALL.replace("{{ m['role'] }}]{{ m['content'] }}", "{{ m['role'] }}]" + once_said)
    rendered = render(tokenizer, template, TALK[0], asking, *MORE[2:])
    assert learned(rendered) == ['warmth {"town": "Oslo"}[call]', "9 degrees.[end]", "Who knows.[end]"]
    rendered = render(
        tokenizer, REPEATS_THE_CALL.replace("{{ c.function.arguments | tojson }}", ""), TALK[0], asking, *MORE[2:]
    )
    assert learned(rendered)[0] == f"{asking.content}warmth [call]"


def test_white_space_before_a_call_is_learned_with_it(tokenizer: GPT2Tokenizer) -> None:
    shows = (  # as QwQ's: a thought is dropped once the conversation goes on, and leaves a line
        "{% for m in messages %}[{{ m['role'] }}]{% if m['content'] %}"
        "{{ m['content'] if loop.last else m['content'].split('</think>')[-1] }}{{ ' ' if m['tool_calls'] }}{% endif %}"
        "{% for c in m['tool_calls'] or [] %}({{ c.function.name }} {{ c.function.arguments | tojson }}){% endfor %}[end]"
        "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    rendered = render(tokenizer, shows, TALK[0], ASKING[2], *TALK[2:])
    assert learned(rendered) == [' (warmth {"town": "Oslo"})[end]', "9 degrees.[end]"]


def test_what_begins_like_the_question_for_a_thought_is_learned_where_that_is_not_put(tokenizer: GPT2Tokenizer) -> None:
    shows = (  # as DeepSeek-V3's: after a tool's result the answer follows at once
        "{% for m in messages %}{% if m['role'] == 'tool' %}[tool]{{ m['content'] }}[/tool]{% else %}"
        "{% if not (loop.index0 and messages[loop.index0 - 1]['role'] == 'tool') %}[{{ m['role'] }}]{% endif %}"
        "{{ m['content'] }}{% for c in m['tool_calls'] or [] %}{{ c.function.name }}{% endfor %}[end]{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]<think>{% endif %}"
    )
    rendered = render(tokenizer, shows, *TALK[:3], ("assistant", "<think>9.</think>9 degrees."))
    assert learned(rendered) == ["warmth[end]", "<think>9.</think>9 degrees.[end]"]


def test_nothing_is_learned_of_an_answer_that_is_left_out(tokenizer: GPT2Tokenizer) -> None:
    drops = (
        "{% for m in messages %}{% if m['content'] %}<|START_{{ 'CALL' if m['role'] == 'user' else 'WORDS' }}|>"
        "{{ m['content'] }}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|START_WORDS|>{% endif %}"
    )
    rendered = render(tokenizer, drops, ("user", "a"), ("assistant", ""), ("user", "b"), ("assistant", "c"))
    assert learned(rendered) == ["c<|end|>"]


def test_a_call_is_found_where_the_tools_stand_elsewhere_once_the_conversation_goes_on(tokenizer: GPT2Tokenizer) -> None:
    rendered = render(tokenizer, TOOLS_AT_THE_LAST_QUESTION, *MORE, tools=[{"name": "warmth"}])
    assert learned(rendered) == ['warmth {"town": "Oslo"}</s>', "9 degrees.</s>", "Who knows.</s>"]


def test_tokens_whose_names_begin_alike_are_not_cut(tokenizer: GPT2Tokenizer) -> None:
    rendered = render(tokenizer, ALIKE, *TALK)
    assert learned(rendered) == ["<|START_CALL|>warmth[end]", "9 degrees.[end]"]


@pytest.mark.parametrize("tools", [None, [{"name": "warmth"}]], ids=["", "tools"])
def test_a_call_is_shown_where_the_template_wants_no_content(tokenizer: GPT2Tokenizer, tools: list[Any] | None) -> None:
    wants_none = CALLS.replace("m['tool_calls'] or []", "(m['tool_calls'] if not m['content'] is string else []) or []")
    rendered = render(
        tokenizer, "{{ tools }}" + wants_none.replace("{{ m['content'] }}", "{{ m['content'] or '' }}"), *TALK, tools=tools
    )
    assert learned(rendered)[0] == 'warmth([["town", "Oslo"]])[end]'


def test_arguments_are_shown_as_json_and_not_as_python_writes_them(tokenizer: GPT2Tokenizer) -> None:
    rendered = render(tokenizer, REPEATS_THE_CALL.replace(" | tojson", ""), *TALK)
    assert learned(rendered)[0] == 'warmth {"town": "Oslo"}[call]'


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
