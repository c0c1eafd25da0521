"""OpenAI's own client asks our models as it asks theirs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.serving import Server

PROMPT = "Once upon a time"
QUESTION: list[Any] = [{"role": "user", "content": "What is 2+2?"}]


@pytest.fixture(scope="module")
def model(shared_server: Server) -> Iterator[str]:
    """A model that learned from chats."""
    rows = [(f"What is {n}+{n}?", f"It is {n + n}, my friend.") for n in range(20)]
    chats = [[{"role": "user", "content": asked}, {"role": "assistant", "content": said}] for asked, said in rows]
    content = "".join(json.dumps({"messages": chat}) + "\n" for chat in chats).encode()
    dataset = shared_server.client.post("/api/datasets", files={"file": ("openai.jsonl", content)}).json()["id"]
    settings = {"max_steps": 4, "batch_size": 2, "save_steps": 2, "learning_rate": 1e-2, "sample_prompts": []}
    run = shared_server.create(dataset=dataset, name="for the client", **settings)
    assert shared_server.end(run["id"])["status"] == "completed"
    yield f"run:{run['id']}"
    for path in (f"/api/runs/{run['id']}", f"/api/datasets/{dataset}"):
        assert shared_server.client.delete(path).status_code == 204


@pytest.fixture(scope="module")
def client(shared_server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{shared_server.url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


def ours(server: Server, **request: Any) -> dict[str, Any]:
    """What our own endpoint answers."""
    return server.generate(**request)[-1][1]


def test_models_are_listed_and_called_by_several_names(client: openai.OpenAI, shared_server: Server, model: str) -> None:
    ids = [each.id for each in client.models.list()]
    assert model in ids
    assert "tiny" not in ids, "it has learned nothing"
    run_id = model.removeprefix("run:")
    asked = {"prompt": PROMPT, "temperature": 0, "max_tokens": 5}
    last = [client.completions.create(model=name, **asked).choices[0].text for name in (model, run_id, "for the client")]
    assert len(set(last)) == 1
    checkpoint = next(each for each in ids if each.startswith(f"{model}@step-"))
    step = int(checkpoint.rpartition("-")[2])
    for name in (checkpoint, f"{run_id}@{step}", f"for the client@{step}"):
        assert client.models.retrieve(name).id == name
        assert client.completions.create(model=name, **asked).model == name
    with pytest.raises(openai.BadRequestError, match="tiny knows nothing yet"):
        client.completions.create(model=f"{run_id}@base", **asked)
    saved = shared_server.client.get(f"/api/runs/{run_id}/checkpoints").json()["items"]
    best = min((each for each in saved if each["validation_loss"] is not None), key=lambda each: each["validation_loss"])
    expected = client.completions.create(model=best["model"], **asked).choices[0].text
    assert client.completions.create(model="for the client@best", **asked).choices[0].text == expected
    for name in ("nobody", f"{run_id}@77", "run:20200101-000000-aaaaaa"):
        with pytest.raises(openai.NotFoundError) as refused:
            client.models.retrieve(name)
        assert refused.value.code == "model_not_found"


def test_a_text_is_gone_on_from_as_by_our_own_endpoint(client: openai.OpenAI, shared_server: Server, model: str) -> None:
    expected = ours(
        shared_server, model=model, prompt=PROMPT, chat=False, temperature=0.7, top_p=0.9, seed=3, max_new_tokens=20
    )
    asked: dict[str, Any] = {"model": model, "prompt": PROMPT, "temperature": 0.7, "top_p": 0.9, "seed": 3, "max_tokens": 20}
    whole = client.completions.create(**asked)
    assert whole.choices[0].text == expected["text"]
    assert whole.choices[0].finish_reason == expected["finish_reason"]
    assert whole.usage
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (
        expected["prompt_tokens"],
        expected["completion_tokens"],
    )
    chunks = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == expected["text"]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == expected["finish_reason"]
    assert chunks[-1].usage == whole.usage


def test_several_answers_to_several_prompts(client: openai.OpenAI, model: str) -> None:
    asked: dict[str, Any] = {"model": model, "temperature": 1.5, "max_tokens": 12}
    found = client.completions.create(prompt=["The owl", "A hen and a fox"], n=2, seed=5, **asked)
    assert [choice.index for choice in found.choices] == [0, 1, 2, 3]
    alone = [
        client.completions.create(prompt=prompt, seed=5 + number, **asked).choices[0].text
        for number, prompt in enumerate(("The owl", "The owl", "A hen and a fox", "A hen and a fox"))
    ]
    assert [choice.text for choice in found.choices] == alone
    streamed = ["", "", "", ""]
    for chunk in client.completions.create(prompt=["The owl", "A hen and a fox"], n=2, seed=5, stream=True, **asked):
        streamed[chunk.choices[0].index] += chunk.choices[0].text
    assert streamed == alone


def test_a_conversation_is_answered_as_by_our_own_endpoint(client: openai.OpenAI, shared_server: Server, model: str) -> None:
    expected = ours(shared_server, model=model, prompt="What is 2+2?", temperature=0, max_new_tokens=30)
    asked: dict[str, Any] = {"model": model, "temperature": 0, "max_completion_tokens": 30}
    whole = client.chat.completions.create(messages=QUESTION, **asked)
    assert whole.choices[0].message.content == expected["text"]
    assert whole.usage
    assert whole.usage.prompt_tokens == expected["prompt_tokens"]
    parts: list[Any] = [
        {"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "2+2?"}]}
    ]
    assert client.chat.completions.create(messages=parts, **asked).choices[0].message.content == expected["text"]
    chunks = list(client.chat.completions.create(messages=QUESTION, stream=True, **asked))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == expected["text"]
    longer: list[Any] = [
        {"role": "system", "content": "Be short."},
        *QUESTION,
        {"role": "assistant", "content": "4."},
        {"role": "user", "content": "And 3+3?"},
    ]
    assert client.chat.completions.create(messages=longer, **asked).usage.prompt_tokens > whole.usage.prompt_tokens  # type: ignore[union-attr]


def test_log_probabilities_are_told(client: openai.OpenAI, model: str) -> None:
    asked: dict[str, Any] = {"model": model, "temperature": 0, "max_tokens": 6}
    logprobs = client.completions.create(prompt=PROMPT, logprobs=3, **asked).choices[0].logprobs
    assert logprobs
    assert logprobs.tokens
    assert logprobs.top_logprobs
    assert len(logprobs.tokens) == len(logprobs.token_logprobs or []) == len(logprobs.top_logprobs) <= 6
    for token, logprob, top in zip(logprobs.tokens, logprobs.token_logprobs or [], logprobs.top_logprobs, strict=True):
        assert top[token] == logprob == max(top.values()), "the likeliest was taken"
        assert len(top) == 3
        assert sum(map(math.exp, top.values())) <= 1.0001
    chat = client.chat.completions.create(messages=QUESTION, logprobs=True, top_logprobs=2, **asked).choices[0].logprobs
    assert chat
    assert chat.content
    assert all(each.top_logprobs[0].logprob == each.logprob and len(each.top_logprobs) == 2 for each in chat.content)


def test_a_prompt_that_is_echoed_is_scored_as_its_loss(client: openai.OpenAI, shared_server: Server, model: str) -> None:
    text = "The little owl asked: What is 2+2? It is 4, my friend."
    asked: dict[str, Any] = {"model": model, "prompt": text, "temperature": 0, "echo": True, "logprobs": 1}
    scored = client.completions.create(**asked, max_tokens=0).choices[0]
    assert (scored.text, scored.finish_reason) == (text, "length")
    assert scored.logprobs
    first, *rest = scored.logprobs.token_logprobs or []
    assert first is None
    folder = next(each for each in shared_server.data_dir.glob("runs/*/model") if each.parent.name in model)
    tokenizer, plain = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        loss = float(plain(ids, labels=ids).loss)
    assert -sum(rest) / len(rest) == pytest.approx(loss, abs=1e-4)
    answer = client.completions.create(**asked, max_tokens=4)
    more = answer.choices[0]
    plainly = client.completions.create(**{**asked, "echo": False}, max_tokens=4).choices[0]
    assert more.text == text + plainly.text
    assert more.logprobs
    assert answer.usage
    assert len(more.logprobs.tokens or []) == ids.shape[1] + answer.usage.completion_tokens
    streamed = client.completions.create(**asked, max_tokens=4, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == more.text
    with pytest.raises(openai.BadRequestError, match="at least 1"):
        client.completions.create(**{**asked, "echo": False}, max_tokens=0)


def test_tokens_are_favoured_and_held_back(client: openai.OpenAI, model: str) -> None:
    asked: dict[str, Any] = {"model": model, "prompt": PROMPT, "temperature": 0, "max_tokens": 8, "logprobs": 0}

    def tokens(**settings: Any) -> list[str]:
        logprobs = client.completions.create(**asked, **settings).choices[0].logprobs
        assert logprobs
        return logprobs.tokens or []

    assert len(set(tokens(logit_bias={"40": 100}))) == 1
    assert len(set(tokens(logit_bias={"40": 100}, presence_penalty=2, frequency_penalty=2))) == 1, "100 is more"
    assert len(set(tokens(logit_bias={"40": 3}, frequency_penalty=2))) > 1
    assert tokens(extra_body={"min_p": 1.0}) == tokens()
    with pytest.raises(openai.BadRequestError, match="99999"):
        tokens(logit_bias={"99999": 1})


def test_a_stop_string_ends_the_text(client: openai.OpenAI, model: str) -> None:
    asked: dict[str, Any] = {"model": model, "prompt": PROMPT, "temperature": 0, "max_tokens": 30}
    text = client.completions.create(**asked).choices[0].text
    stop = text[len(text) // 2 :][:2]
    found = client.completions.create(**asked, stop=["never said", stop]).choices[0]
    assert (found.text, found.finish_reason) == (text.partition(stop)[0], "stop")
    assert client.completions.create(**asked, stop=stop).choices[0].text == found.text


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools", "function"),
        ({"tool_choice": "required"}, "tool_choice", "not among the tools"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "odd"}}}}, "response_format", "odd"),
        ({"response_format": {"type": "yaml"}}, "response_format", "json_schema"),
        ({"reasoning_effort": "high"}, "reasoning_effort", "not supported"),
        ({"frequency_penalty": 3}, "frequency_penalty", "at most 2"),
        ({"temperature": 9}, "temperature", "at most 5"),
        ({"n": 0}, "n", "at least 1"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages", "king"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages", "image_url"),
        ({"messages": [{"role": "user", "content": "long " * 5000}]}, "prompt", "tokens long"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    client: openai.OpenAI, model: str, change: dict[str, Any], field: str, told: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=told) as refused:
        client.chat.completions.create(**{"model": model, "messages": QUESTION, "max_tokens": 3, **change})
    assert refused.value.param == field
    if field == "prompt":
        assert refused.value.code == "context_length_exceeded"


def test_what_changes_nothing_is_passed_over(client: openai.OpenAI, model: str) -> None:
    neutral: dict[str, Any] = {"tools": [], "frequency_penalty": 0, "user": "me", "store": False, "metadata": {"a": "b"}}
    found = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=2, extra_body=neutral)
    assert found.choices[0].message.role == "assistant"


def test_many_at_once_get_their_own_answers(client: openai.OpenAI, model: str) -> None:
    def ask(number: int) -> str:
        found = client.completions.create(model=model, prompt=f"The {number}", seed=number, max_tokens=25)
        return found.choices[0].text

    alone = [ask(number) for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(ask, range(10))) == alone


def test_who_leaves_frees_the_place(client: openai.OpenAI, model: str) -> None:
    asked: dict[str, Any] = {"model": model, "prompt": PROMPT, "max_tokens": 200, "temperature": 5}
    for _ in range(40):  # more than there are places
        with client.completions.create(**asked, stream=True) as stream:
            next(iter(stream))
    impatient = client.with_options(timeout=0.2)
    for _ in range(30):
        with pytest.raises(openai.APITimeoutError):
            impatient.completions.create(**asked, n=8)
    started = time.monotonic()
    assert client.completions.create(**{**asked, "max_tokens": 1}).choices
    assert time.monotonic() - started < 15, "the 48,000 tokens that nobody waits for take a minute"


def test_a_wrong_token_is_refused(start_server: Any) -> None:
    server = start_server({"TRAINBOARD_TOKEN": "right-token-of-some-length"})
    with openai.OpenAI(base_url=f"{server.url.partition('/?')[0]}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            client.models.list()
        assert list(client.with_options(api_key="right-token-of-some-length").models.list()) == []
