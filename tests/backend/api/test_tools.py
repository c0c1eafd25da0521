"""Calls of tools: told apart from text as the families write them, and forced through the door."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import openai
import pytest

from backend.api.v1.tools import CallReader, for_template
from tests.backend.doors import Doors

CALL = '{"name": "look", "arguments": {"word": "a {b} \\"c\\" ]"}}'
ARGUMENTS = {"word": 'a {b} "c" ]'}

WRITTEN = {
    "Qwen and Hermes": (f"Let me see.\n<tool_call>\n{CALL}\n</tool_call>", "Let me see.\n", [ARGUMENTS]),
    "two of them": (f"<tool_call>\n{CALL}\n</tool_call>\n<tool_call>\n{CALL}\n</tool_call>", "", [ARGUMENTS, ARGUMENTS]),
    "Mistral, whose mark is hidden": (f" [{CALL}, {CALL}]", "", [ARGUMENTS, ARGUMENTS]),
    "Llama 3": (CALL.replace("arguments", "parameters"), "", [ARGUMENTS]),
    "our own": (f"Let me see.{CALL}{CALL}", "Let me see.", [ARGUMENTS, ARGUMENTS]),
    "forced": (CALL, "", [ARGUMENTS]),
    "an unknown tool": (CALL.replace("look", "leave"), CALL.replace("look", "leave"), []),
    "cut off": ('<tool_call>\n{"name": "look", "arg', '<tool_call>\n{"name": "look", "arg', []),
    "JSON that is no call": ('{"a": 1}', '{"a": 1}', []),
    "braces in a text": ("See {x} and <tool, [1] < 2.", "See {x} and <tool, [1] < 2.", []),
    "nested too deep": ("[" * 3000, "[" * 3000, []),
    "nothing": ("", "", []),
}


@pytest.mark.parametrize("family", WRITTEN)
def test_calls_are_told_apart_however_they_are_cut(family: str) -> None:
    text, shown, arguments = WRITTEN[family]
    random_ = random.Random(1)
    for _ in range(50):
        cuts = sorted(random_.sample(range(len(text) + 1), min(4, len(text))))
        reader = CallReader({"look"})
        said = "".join(reader.push(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True))
        rest, calls = reader.rest()
        assert said + rest == shown
        assert [json.loads(call["function"]["arguments"]) for call in calls] == arguments
        assert shown.startswith(said)


def test_where_there_are_no_tools_all_is_text_at_once() -> None:
    assert CallReader(()).push(CALL) == CALL


def test_templates_are_given_arguments_as_objects() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"word": "a"}'}}
    told = for_template({"role": "assistant", "content": None, "tool_calls": [call]})
    assert (told["content"], told["tool_calls"][0]["function"]["arguments"]) == ("", {"word": "a"})
    odd = {"role": "assistant", "tool_calls": [{"function": {"name": "look", "arguments": "{"}}]}
    assert for_template(odd)["tool_calls"][0]["function"]["arguments"] == "{"


SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string", "maxLength": 5}, "deep": {"$ref": "#/$defs/Deep"}},
    "required": ["word", "deep"],
    "additionalProperties": False,
    "$defs": {"Deep": {"type": "boolean"}},
}
TOOLS: Any = [
    {"type": "function", "function": {"name": "look", "description": "Looks a word up.", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "leave", "parameters": {**SCHEMA, "required": ["deep"]}}},
]


def test_a_call_is_forced_and_read(doors: Doors) -> None:
    asked: dict[str, Any] = {"model": doors.model, "messages": [{"role": "user", "content": "What is 2+2?"}], "tools": TOOLS}
    with openai.OpenAI(base_url=f"{doors.url}/v1", api_key=doors.token, max_retries=0, timeout=120) as client:
        several = client.chat.completions.create(**asked, tool_choice="required", n=6, seed=1)
        for choice in several.choices:
            assert choice.finish_reason == "tool_calls"
            assert choice.message.content is None
            (call,) = choice.message.tool_calls or []
            assert call.type == "function"
            jsonschema.validate(json.loads(call.function.arguments), SCHEMA | {"required": ["deep"]})
        named: Any = {"type": "function", "function": {"name": "leave"}}
        chunks = list(client.chat.completions.create(**asked, tool_choice=named, seed=1, stream=True))
        calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
        assert [(call.index, call.function and call.function.name) for call in calls] == [(0, "leave")]
        assert chunks[-1].choices[0].finish_reason == "tool_calls"
        assert not any(chunk.choices[0].delta.content for chunk in chunks)
        free = client.chat.completions.create(**asked, max_tokens=8, temperature=0)
        plain = client.chat.completions.create(**{**asked, "tools": []}, max_tokens=8, temperature=0)
        assert free.choices[0].message.content
        assert free.usage
        assert plain.usage
        assert free.usage.prompt_tokens > plain.usage.prompt_tokens, "the model is told of them"
        unasked = client.chat.completions.create(**asked, tool_choice="none", max_tokens=8, temperature=0)
        assert unasked.choices[0].message.content == plain.choices[0].message.content
        answered: Any = [
            *asked["messages"],
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "4"},
        ]
        assert client.chat.completions.create(**{**asked, "messages": answered}, max_tokens=4).choices[0].message
        named["function"]["name"] = "nobody"
        with pytest.raises(openai.BadRequestError, match="not among the tools"):
            client.chat.completions.create(**asked, tool_choice=named)
