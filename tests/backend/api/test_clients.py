"""Clients that people have, in their own releases, ask the same model: whole, streamed, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import openai
import pytest
import yaml

from tests.backend.doors import Doors

QUESTION = "What is 2+2?"
MESSAGES: list[Any] = [{"role": "user", "content": QUESTION}]
LONG = "long " * 500
TOKENS = 12
OFFLINE = ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS")


class Client(NamedTuple):
    """``ask`` and ``stream`` take a prompt, a model and a token; the one greedily, ``TOKENS`` of them."""

    ask: Callable[[str, str, str], str]
    stream: Callable[[str, str, str], str]
    refused: type[Exception]
    unknown: type[Exception]
    too_long: type[Exception]


def of_openai(url: str, folder: Path) -> Client:
    def asked(prompt: str, model: str, token: str, stream: bool) -> Any:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0)
        messages: list[Any] = [{"role": "user", "content": prompt}]
        with client:
            found = client.chat.completions.create(
                model=model, messages=messages, max_tokens=TOKENS, temperature=0, stream=stream
            )
            return list(found) if stream else found

    return Client(
        lambda *what: asked(*what, False).choices[0].message.content,
        lambda *what: "".join(chunk.choices[0].delta.content or "" for chunk in asked(*what, True)),
        openai.AuthenticationError, openai.NotFoundError, openai.BadRequestError,
    )  # fmt: skip


def of_anthropic(url: str, folder: Path) -> Client:
    def asked(prompt: str, model: str, token: str) -> dict[str, Any]:
        messages = [{"role": "user", "content": prompt}]
        return {"model": model, "messages": messages, "max_tokens": TOKENS, "extra_body": {"temperature": 0}}

    def client(token: str) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=url, api_key=token, max_retries=0)

    def ask(*what: str) -> str:
        with client(what[2]) as talker:
            return talker.messages.create(**asked(*what)).content[0].text  # type: ignore[no-any-return, arg-type]

    def stream(*what: str) -> str:
        with client(what[2]) as talker, talker.messages.stream(**asked(*what)) as stream:  # type: ignore[arg-type]
            return "".join(stream.text_stream)

    return Client(ask, stream, anthropic.AuthenticationError, anthropic.NotFoundError, anthropic.BadRequestError)


def of_langchain(url: str, folder: Path) -> Client:
    from langchain_openai import ChatOpenAI

    def talker(model: str, token: str) -> Any:
        settings: dict[str, Any] = {"max_tokens": TOKENS, "temperature": 0, "max_retries": 0}
        return ChatOpenAI(base_url=f"{url}/v1", api_key=token, model=model, **settings)  # type: ignore[arg-type]

    return Client(
        lambda prompt, model, token: talker(model, token).invoke(prompt).content,
        lambda prompt, model, token: "".join(chunk.content for chunk in talker(model, token).stream(prompt)),
        openai.AuthenticationError, openai.NotFoundError, openai.BadRequestError,
    )  # fmt: skip


def of_litellm(url: str, folder: Path) -> Client:
    with pytest.MonkeyPatch.context() as patch:
        for name in OFFLINE:
            patch.setenv(name, "True")
        import litellm

    def asked(prompt: str, model: str, token: str, stream: bool) -> Any:
        return litellm.completion(
            model=f"openai/{model}", api_base=f"{url}/v1", api_key=token, max_retries=0, stream=stream,
            messages=[{"role": "user", "content": prompt}], max_tokens=TOKENS, temperature=0,
        )  # fmt: skip

    return Client(
        lambda *what: asked(*what, False).choices[0].message.content,
        lambda *what: "".join(chunk.choices[0].delta.content or "" for chunk in asked(*what, True)),
        litellm.AuthenticationError, litellm.NotFoundError, litellm.BadRequestError,
    )  # fmt: skip


def of_llm(url: str, folder: Path) -> Client:
    names, place = (Doors.model, "local:nobody"), {"api_base": f"{url}/v1", "api_key_name": "ours"}
    models = [{"model_id": name, "model_name": name, **place} for name in names]
    (folder / "extra-openai-models.yaml").write_text(yaml.safe_dump(models))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLM_USER_PATH", str(folder))
        import llm

        found = {name: llm.get_model(name) for name in names}

    def asked(prompt: str, model: str, token: str, stream: bool) -> Any:
        return found[model].prompt(prompt, stream=stream, key=token, temperature=0, max_tokens=TOKENS)

    return Client(
        lambda *what: asked(*what, False).text(),
        lambda *what: "".join(asked(*what, True)),
        openai.AuthenticationError, openai.NotFoundError, openai.BadRequestError,
    )  # fmt: skip


@pytest.fixture(
    scope="module", params=[of_openai, of_anthropic, of_langchain, of_litellm, of_llm], ids=lambda each: each.__name__
)
def client(request: pytest.FixtureRequest, doors: Doors, tmp_path_factory: pytest.TempPathFactory) -> Client:
    made: Client = request.param(doors.url, tmp_path_factory.mktemp("client"))
    return made


def test_it_reads_the_answer(client: Client, doors: Doors) -> None:
    expected = doors.answered(MESSAGES, TOKENS)
    assert expected
    assert client.ask(QUESTION, doors.model, doors.token) == expected
    assert client.stream(QUESTION, doors.model, doors.token) == expected


@pytest.mark.parametrize("way", ["ask", "stream"])
def test_it_tells_what_went_wrong(client: Client, doors: Doors, way: str) -> None:
    ask = getattr(client, way)
    with pytest.raises(client.refused, match="wants its token"):
        ask(QUESTION, doors.model, "wrong")
    with pytest.raises(client.unknown, match="There is no model local:nobody"):
        ask(QUESTION, "local:nobody", doors.token)
    with pytest.raises(client.too_long, match="tokens long, and the model reads 256 at most"):
        ask(LONG, doors.model, doors.token)


def test_langchain_asks_for_an_object_of_a_class(doors: Doors) -> None:
    from langchain_openai import ChatOpenAI
    from pydantic import BaseModel, Field

    class Person(BaseModel):
        name: str = Field(max_length=8)
        old: bool

    talker = ChatOpenAI(base_url=f"{doors.url}/v1", api_key=doors.token, model=doors.model, seed=3)  # type: ignore[arg-type]
    assert isinstance(talker.with_structured_output(Person, method="json_schema").invoke("Who?"), Person)
