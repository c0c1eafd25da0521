"""Calls of tools: told apart from text as the families write them, and forced through the door."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import anthropic
import jsonschema
import openai
import pytest
from anthropic.types import RawMessageStreamEvent
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from backend.api.v1 import messages, responses
from backend.api.v1.jobs import Part, Texts
from backend.api.v1.tools import CallReader, for_template
from backend.schemas.openai import ResponseRequest
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


def test_of_several_calls_the_first_is_told_where_one_is_wanted() -> None:
    _, calls = CallReader({"look"}, several=False).read(f"{CALL}{CALL}", ended=True)
    assert len(calls) == 1


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


QUESTION: Any = {"role": "user", "content": "What is 2+2?"}


@pytest.fixture(scope="module")
def client(doors: Doors) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{doors.url}/v1", api_key=doors.token, max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def claude(doors: Doors) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=doors.url, api_key=doors.token, max_retries=0, timeout=120) as client:
        yield client


def test_a_call_is_forced_and_read(client: openai.OpenAI, doors: Doors) -> None:
    asked: dict[str, Any] = {"model": doors.model, "messages": [QUESTION], "tools": TOOLS}
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


FLAT: Any = [{"type": "function", "strict": True, **tool["function"]} for tool in TOOLS]
"""The same tools as /v1/responses has them."""
CUSTOM: Any = [
    {"input_schema" if name == "parameters" else name: value for name, value in tool["function"].items()} for tool in TOOLS
]
"""And as /v1/messages has them."""


def test_a_response_calls_a_tool(client: openai.OpenAI, doors: Doors) -> None:
    asked: dict[str, Any] = {"model": doors.model, "input": "What is 2+2?", "tools": FLAT, "extra_body": {"seed": 1}}
    whole = client.responses.create(**asked, tool_choice="required", parallel_tool_calls=False)
    (call,) = whole.output
    assert call.type == "function_call"
    jsonschema.validate(json.loads(call.arguments), SCHEMA | {"required": ["deep"]})
    assert (whole.status, whole.output_text, whole.tool_choice, whole.parallel_tool_calls) == (
        "completed", "", "required", False,
    )  # fmt: skip
    assert [tool.name for tool in whole.tools if tool.type == "function"] == ["look", "leave"]
    with client.responses.stream(**asked, tool_choice={"type": "function", "name": call.name}) as stream:
        kinds = [event.type.removeprefix("response.") for event in stream]
        (streamed,) = stream.get_final_response().output
    assert kinds[2:] == [
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    assert streamed.type == "function_call"
    assert streamed.name == call.name
    jsonschema.validate(json.loads(streamed.arguments), SCHEMA | {"required": ["deep"]})


def test_a_message_calls_a_tool(claude: anthropic.Anthropic, doors: Doors) -> None:
    asked: dict[str, Any] = {"model": doors.model, "messages": [QUESTION], "max_tokens": 200, "tools": CUSTOM}
    whole = claude.messages.create(**asked, tool_choice={"type": "any"}, extra_body={"seed": 1})
    (call,) = whole.content
    assert (whole.stop_reason, whole.stop_sequence, call.type) == ("tool_use", None, "tool_use")
    jsonschema.validate(call.input, SCHEMA | {"required": ["deep"]})  # type: ignore[union-attr]
    with claude.messages.stream(**asked, tool_choice={"type": "tool", "name": "leave"}) as stream:
        parts = [event.partial_json for event in stream if event.type == "input_json"]
        last = stream.get_final_message()
    (streamed,) = last.content
    assert (last.stop_reason, streamed.type, streamed.name) == ("tool_use", "tool_use", "leave")  # type: ignore[union-attr]
    assert json.loads("".join(parts)) == streamed.input  # type: ignore[union-attr]
    jsonschema.validate(streamed.input, SCHEMA | {"required": ["deep"]})  # type: ignore[union-attr]


def test_every_door_tells_the_model_the_same_of_tools_and_calls(
    client: openai.OpenAI, claude: anthropic.Anthropic, doors: Doors
) -> None:
    """And of a call with its result; what is answered freely is the same text, whole and streamed."""
    arguments = {"word": "four", "deep": True}
    function = {"name": "look", "arguments": json.dumps(arguments)}
    called: dict[str, Any] = {
        "role": "assistant", "content": "Let me see.", "tool_calls": [{"id": "1", "type": "function", "function": function}],
    }  # fmt: skip
    chat = client.chat.completions.create(
        model=doors.model, max_tokens=8, temperature=0, tools=TOOLS,
        messages=[QUESTION, called, {"role": "tool", "tool_call_id": "1", "content": "It is 4."}],  # type: ignore[list-item]
    )  # fmt: skip
    assert chat.usage
    items: list[Any] = [
        QUESTION, {"role": "assistant", "content": "Let me see."}, {"type": "function_call", "call_id": "1", **function},
        {"type": "function_call_output", "call_id": "1", "output": "It is 4."},
    ]  # fmt: skip
    response = client.responses.create(model=doors.model, input=items, tools=FLAT, max_output_tokens=8, temperature=0)
    assert response.usage
    assert (response.usage.input_tokens, response.output_text) == (chat.usage.prompt_tokens, chat.choices[0].message.content)
    blocks: list[Any] = [
        {"type": "text", "text": "Let me see."}, {"type": "tool_use", "id": "1", "name": "look", "input": arguments},
    ]  # fmt: skip
    result = {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "It is 4."}]}
    turns: list[Any] = [QUESTION, {"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
    asked: dict[str, Any] = {"model": doors.model, "messages": turns, "tools": CUSTOM}
    free: dict[str, Any] = {**asked, "max_tokens": 8, "extra_body": {"temperature": 0}}
    message = claude.messages.create(**free)
    assert message.usage.input_tokens == chat.usage.prompt_tokens
    assert message.content[0].text == chat.choices[0].message.content  # type: ignore[union-attr]
    with claude.messages.stream(**free) as stream:
        assert "".join(stream.text_stream) == chat.choices[0].message.content
    assert claude.messages.count_tokens(**asked).input_tokens == chat.usage.prompt_tokens
    none = claude.messages.count_tokens(**asked, tool_choice={"type": "none"})
    assert none.input_tokens < chat.usage.prompt_tokens


async def _written(text: str) -> Texts:
    """A text as the generation process tells it, a few letters at a time."""

    async def parts() -> AsyncGenerator[Part, None]:
        for place in range(0, len(text), 3):
            yield Part(0, [{"text": text[place : place + 3]}], None)
        told = {"prompt_tokens": 3, "completion_tokens": 9, "finish_reason": "stop", "stop_string": None}
        yield Part(0, [], told)

    replies = parts()
    return Texts(await anext(replies), replies, 1)


@pytest.mark.parametrize("said", ["", "Let me see."])
def test_two_calls_after_a_text_are_streamed_one_after_the_other(
    said: str, run_async: Callable[..., list[dict[str, Any]]]
) -> None:
    """As no model here would write them; each event is one that the client's own types take."""
    text = f"{said}<tool_call>\n{CALL}\n</tool_call>\n<tool_call>\n{CALL}\n</tool_call>"

    async def response() -> list[dict[str, Any]]:
        answer = responses._Answer(
            ResponseRequest(model="m", input="?", tools=[TOOLS[0]["function"] | {"type": "function"}])
        )
        return [json.loads(event.data) async for event in answer.events(await _written(text))]

    async def message() -> list[dict[str, Any]]:
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
        told = messages._events(await _written(text), head, CallReader({"look"}))
        return [json.loads(event.data) async for event in told]

    expected = ["message"] * bool(said) + ["function_call"] * 2
    events = run_async(response())
    for each in events:
        TypeAdapter(ResponseStreamEvent).validate_python(each)
    assert [each["item"]["type"] for each in events if each["type"] == "response.output_item.done"] == expected
    assert [each["output_index"] for each in events if each["type"] == "response.output_item.added"] == list(
        range(len(expected))
    )
    last = events[-1]["response"]
    assert [item["type"] for item in last["output"]] == expected
    assert [json.loads(item["arguments"]) for item in last["output"][-2:]] == [ARGUMENTS, ARGUMENTS]
    assert "".join(each["delta"] for each in events if each["type"] == "response.output_text.delta") == said
    assert last["output"][-1]["call_id"] != last["output"][-2]["call_id"]

    events = run_async(message())
    for each in events:
        TypeAdapter(RawMessageStreamEvent).validate_python(each)
    begun = [(each["index"], each["content_block"]["type"]) for each in events if each["type"] == "content_block_start"]
    assert begun == list(enumerate(["text"] * bool(said) + ["tool_use"] * 2))
    assert "".join(each["delta"].get("text", "") for each in events if each["type"] == "content_block_delta") == said
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
