"""The same model through every door: each of its clients reads what transformers generates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import httpx
import openai
import pytest
from httpx_sse import connect_sse

from tests.backend.doors import Doors

MESSAGES: list[Any] = [{"role": "user", "content": "What is 2+2?"}]
TALK: list[Any] = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "What is 2+2?"},
    {"role": "assistant", "content": "It is 4."},
    {"role": "user", "content": "The owl, and a fox?"},
]
LONG: list[Any] = [{"role": "user", "content": "long " * 500}]
TOKENS = 24
GREEDY: dict[str, Any] = {"extra_body": {"temperature": 0}}
"""Anthropic's client no longer has a word for it."""


@pytest.fixture(scope="module")
def client(doors: Doors) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{doors.url}/v1", api_key=doors.token, max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def claude(doors: Doors) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=doors.url, api_key=doors.token, max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def ways(doors: Doors, client: openai.OpenAI, claude: anthropic.Anthropic) -> dict[str, Callable[[list[Any]], str]]:
    """Each door, whole and streamed: a conversation → its answer."""
    greedy: dict[str, Any] = {"model": doors.model, "temperature": 0}

    def chat(messages: list[Any]) -> str:
        found = client.chat.completions.create(messages=messages, max_tokens=TOKENS, **greedy)
        return found.choices[0].message.content or ""

    def chat_streamed(messages: list[Any]) -> str:
        chunks = client.chat.completions.create(messages=messages, max_tokens=TOKENS, stream=True, **greedy)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    def completion(messages: list[Any]) -> str:
        prompt = "".join(f"<|{each['role']}|>{each['content']}\n" for each in messages) + "<|assistant|>"
        return client.completions.create(prompt=prompt, max_tokens=TOKENS, **greedy).choices[0].text

    def response(messages: list[Any]) -> str:
        return client.responses.create(input=messages, max_output_tokens=TOKENS, **greedy).output_text

    def response_streamed(messages: list[Any]) -> str:
        with client.responses.stream(input=messages, max_output_tokens=TOKENS, **greedy) as stream:
            events: list[Any] = list(stream)
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert events[-1].response.output_text == text
        return text

    def split(messages: list[Any]) -> dict[str, Any]:
        system = [{"type": "text", "text": each["content"]} for each in messages if each["role"] == "system"]
        rest = [each for each in messages if each["role"] != "system"]
        system_or_not = {"system": system} if system else {}
        return {"model": doors.model, "messages": rest, "max_tokens": TOKENS, **system_or_not, **GREEDY}

    def message(messages: list[Any]) -> str:
        return claude.messages.create(**split(messages)).content[0].text  # type: ignore[no-any-return, union-attr]

    def message_streamed(messages: list[Any]) -> str:
        with claude.messages.stream(**split(messages)) as events:
            text = "".join(events.text_stream)
            assert events.get_final_message().content[0].text == text  # type: ignore[union-attr]
        return text

    def ours(messages: list[Any]) -> str:
        if len(messages) > 1:  # this door has taken one message so far
            return doors.answered(messages, TOKENS)
        request = {"prompt": messages[0]["content"], "chat": True, "max_new_tokens": TOKENS, **greedy}
        plain = httpx.Client(base_url=doors.url, headers={"Authorization": f"Bearer {doors.token}"})
        with plain, connect_sse(plain, "POST", "/api/generate", json=request) as source:
            *_, last = source.iter_sse()
        return str(last.json()["text"])

    every = (chat, chat_streamed, completion, response, response_streamed, message, message_streamed, ours)
    return {way.__name__: way for way in every}


def test_every_door_tells_what_transformers_generates(doors: Doors, ways: dict[str, Callable[[list[Any]], str]]) -> None:
    """Alone, and side by side in texts of unequal length that come and go."""
    expected = {len(messages): doors.answered(messages, TOKENS) for messages in (MESSAGES, TALK)}
    assert len(set(expected.values())) == 2
    for name, way in ways.items():
        assert way(MESSAGES) == expected[1], name
    jobs = [(name, messages) for messages in (MESSAGES, TALK) for name in ways] * 2
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda job: ways[job[0]](job[1]), jobs)
        for (name, messages), text in zip(jobs, found, strict=True):
            assert text == expected[len(messages)], name


def test_a_response_tells_all_that_its_client_reads(client: openai.OpenAI, doors: Doors) -> None:
    asked: dict[str, Any] = {"model": doors.model, "input": "What is 2+2?", "temperature": 0}
    cut = client.responses.create(**asked, max_output_tokens=5, top_logprobs=2, metadata={"a": "b"})
    assert (cut.status, cut.incomplete_details and cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert cut.usage
    assert (cut.usage.output_tokens, cut.usage.total_tokens) == (5, cut.usage.input_tokens + 5)
    assert cut.metadata == {"a": "b"}
    told: Any = cut.output[0]
    assert len(told.content[0].logprobs) == 5
    assert all(each.top_logprobs[0].logprob == each.logprob for each in told.content[0].logprobs)
    ruled = client.responses.create(**asked, max_output_tokens=5, instructions="Be short.")
    assert ruled.usage
    assert ruled.usage.input_tokens > cut.usage.input_tokens
    events = list(client.responses.create(**asked, max_output_tokens=5, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert kinds[-4:] == ["output_text.done", "content_part.done", "output_item.done", "incomplete"]
    assert client.responses.create(**{**asked, "input": "long " * 500}, truncation="auto", max_output_tokens=2).output_text


def test_a_message_tells_all_that_its_client_reads(claude: anthropic.Anthropic, doors: Doors) -> None:
    asked: dict[str, Any] = {"model": doors.model, "messages": MESSAGES, "max_tokens": TOKENS, **GREEDY}
    whole = claude.messages.create(**asked)
    assert (whole.stop_reason, whole.stop_sequence, whole.model) == ("max_tokens", None, doors.model)
    assert whole.usage.output_tokens == TOKENS
    text = doors.answered(MESSAGES, TOKENS)
    stop = text[len(text) // 2 :][:2]
    cut = claude.messages.create(**asked, stop_sequences=["never said", stop])
    assert (cut.content[0].text, cut.stop_reason) == (text.partition(stop)[0], "stop_sequence")  # type: ignore[union-attr]
    assert cut.stop_sequence == stop
    counted = claude.messages.count_tokens(model=doors.model, messages=MESSAGES)
    assert counted.input_tokens == whole.usage.input_tokens
    assert claude.messages.count_tokens(model=doors.model, messages=LONG).input_tokens > 1000
    with claude.messages.stream(**asked) as stream:
        kinds = [event.type for event in stream if event.type != "text"]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    last = stream.get_final_message()
    assert (last.usage.output_tokens, last.stop_reason) == (TOKENS, "max_tokens")
    assert last.usage.input_tokens == whole.usage.input_tokens
    assert claude.messages.create(**{**asked, "extra_body": {"top_k": 1}}).content == whole.content


def test_an_answer_that_has_begun_is_gone_on_with(claude: anthropic.Anthropic, doors: Doors) -> None:
    asked: dict[str, Any] = {"model": doors.model, "max_tokens": TOKENS, **GREEDY}
    begun: Any = {"role": "assistant", "content": [{"type": "text", "text": "It is"}, {"type": "text", "text": " 4"}]}
    whole = claude.messages.create(messages=[*TALK[1:], begun], **asked)
    prompt = "".join(f"<|{each['role']}|>{each['content']}\n" for each in TALK[1:]) + "<|assistant|>It is 4"
    assert whole.content[0].text == doors.generated(prompt, TOKENS)  # type: ignore[union-attr]
    with claude.messages.stream(messages=[*TALK[1:], begun], **asked) as stream:
        assert "".join(stream.text_stream) == whole.content[0].text  # type: ignore[union-attr]
    counted = claude.messages.count_tokens(model=doors.model, messages=[*TALK[1:], begun])
    assert counted.input_tokens == whole.usage.input_tokens


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "old": {"type": "boolean"}},
    "required": ["name", "old"],
    "additionalProperties": False,
}


def test_every_door_writes_json_of_a_schema(client: openai.OpenAI, claude: anthropic.Anthropic, doors: Doors) -> None:
    asked: dict[str, Any] = {"model": doors.model, "temperature": 1}
    named = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
    several = client.chat.completions.create(messages=MESSAGES, response_format=named, n=4, seed=1, **asked)  # type: ignore[call-overload]
    texts = [choice.message.content for choice in several.choices]
    assert len(set(texts)) == 4
    assert {choice.finish_reason for choice in several.choices} == {"stop"}
    chunks = client.chat.completions.create(messages=MESSAGES, response_format=named, seed=1, stream=True, **asked)  # type: ignore[call-overload]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == texts[0], "streamed, and alone"
    text: Any = {"format": {"type": "json_schema", "name": "person", "schema": SCHEMA}}
    with client.responses.stream(input="Who?", text=text, **asked) as stream:
        texts.append(stream.get_final_response().output_text)
    config: Any = {"format": {"type": "json_schema", "schema": SCHEMA}}
    said = claude.messages.create(model=doors.model, messages=MESSAGES, max_tokens=200, output_config=config)
    texts.append(said.content[0].text)  # type: ignore[union-attr]
    for each in texts:
        found = json.loads(each)
        assert {name: type(value) for name, value in found.items()} == {"name": str, "old": bool}, each
    free = client.chat.completions.create(messages=MESSAGES, response_format={"type": "json_object"}, max_tokens=3, **asked)
    assert (free.choices[0].message.content or "").startswith("{")
    assert free.choices[0].finish_reason in ("length", "stop")


TOOL = {"name": "look", "input_schema": {"type": "object"}}
CALLING = {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "look", "input": {}}]}
BEGUN = [*MESSAGES, {"role": "assistant", "content": "It is"}]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "custom"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "leave"}}, "not among the tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "any"}, "messages": BEGUN}, "cannot become JSON of a schema, or a call"),
        ({"messages": [*MESSAGES, CALLING]}, "what it returned must follow"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "thinking is not supported"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "'image' is not supported"),
        ({"messages": LONG}, "tokens long"),
        ({"max_tokens": 0}, "Max tokens must be at least 1"),
    ],
)
def test_a_message_that_cannot_be_answered_is_refused(
    claude: anthropic.Anthropic, doors: Doors, change: dict[str, Any], told: str
) -> None:
    request: dict[str, Any] = {"model": doors.model, "messages": MESSAGES, "max_tokens": 3, **change}
    with pytest.raises(anthropic.BadRequestError, match=told) as refused:
        claude.post("/v1/messages", body=request, cast_to=object)
    assert refused.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input"),
        ({"input": [{"type": "function_call", "call_id": "1", "arguments": "{}"}]}, "input"),
        ({"tools": [], "tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input"),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "odd"}}}}, "response_format"),
    ],
)
def test_a_response_that_cannot_be_given_is_refused_by_name(
    client: openai.OpenAI, doors: Doors, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**{"model": doors.model, "input": "Hello", "max_output_tokens": 3, **change})
    assert refused.value.param == field


@pytest.mark.parametrize(
    ("path", "kind"), [("chat/completions", "openai"), ("responses", "openai"), ("messages", "anthropic")]
)
def test_errors_have_the_shape_of_their_door(doors: Doors, path: str, kind: str) -> None:
    whole: dict[str, Any] = {"model": doors.model, "messages": MESSAGES, "input": "Hello", "max_tokens": 3}
    right = {"Authorization": f"Bearer {doors.token}"}
    wrong = {"Authorization": "Bearer wrong", "x-api-key": "wrong"}
    cases: list[tuple[int, Any]] = [
        (401, lambda http: http.post(f"/v1/{path}", json=whole, headers=wrong)),
        (404, lambda http: http.post(f"/v1/{path}", json={**whole, "model": "local:nobody"}, headers=right)),
        (405, lambda http: http.put(f"/v1/{path}", json=whole, headers=right)),
        (404, lambda http: http.get(f"/v1/{path}/nothing", headers=right)),
        (413, lambda http: http.post(f"/v1/{path}", content=b" " * 1_000_001, headers=right)),
        (400, lambda http: http.post(f"/v1/{path}", content=b"{", headers=right)),
        (400, lambda http: http.post(f"/v1/{path}", json={}, headers=right)),
        (421, lambda http: http.post(f"/v1/{path}", json=whole, headers={**right, "Host": "evil.example"})),
    ]
    with httpx.Client(base_url=doors.url) as http:
        for status, ask in cases:
            answer = ask(http)
            body = answer.json()
            assert answer.status_code == status, body
            assert body["error"]["message"], body
            assert (body.get("type") == "error") == (kind == "anthropic"), body
            assert ("param" in body["error"]) == (kind == "openai"), body
