"""``/v1/completions`` and ``/v1/chat/completions``: https://platform.openai.com/docs/api-reference."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sse_starlette import ServerSentEvent

from backend.api.deps import ServicesDep
from backend.api.v1.jobs import (
    LONGEST_ANSWER,
    PLACE,
    Texts,
    begin_texts,
    event,
    stream_of,
    text_of,
    unless_left,
    written,
)
from backend.api.v1.tools import CallReader, for_template
from backend.errors import InvalidFieldError, as_openai
from backend.schemas.openai import ChatCompletion, ChatMessage, Completion, Several
from backend.schemas.toolbox import Toolbox
from backend.services import Services

router = APIRouter(prefix="/v1", tags=["openai"])

Shape = Callable[[int, list[dict[str, Any]], "str | None"], dict[str, Any]]
"""A choice of a reply: its number, its tokens, and why it ended, if it has."""


@router.post("/completions", dependencies=[PLACE], response_model=None)
async def create_completion(request: Completion, http: Request, services: ServicesDep) -> Response:
    """Goes on from a text."""
    return await unless_left(http, _complete(request, services))


@router.post("/chat/completions", dependencies=[PLACE], response_model=None)
async def create_chat_completion(request: ChatCompletion, http: Request, services: ServicesDep) -> Response:
    """Answers the last message of a conversation, put in the model's own chat form."""
    return await unless_left(http, _answer(request, services))


async def _complete(request: Completion, services: Services) -> Response:
    prompts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
    most = 16 if request.max_tokens is None else request.max_tokens
    if not most and not request.echo:
        raise InvalidFieldError("max_tokens", "max_tokens must be at least 1, or the prompt be echoed.")
    told = {"top_logprobs": request.logprobs, "echo": bool(request.echo)}
    orders = [{"prompt": prompt, **told} for prompt in prompts for _ in range(request.n or 1)]
    texts = await begin_texts(services, request, orders, max_new_tokens=most, logprobs=request.logprobs is not None)
    head = {"id": f"cmpl-{uuid4().hex}", "object": "text_completion"}
    if request.stream:
        return stream_of(_chunks(request, texts, head, _text_choice), _broken)
    return JSONResponse(await _whole(request, texts, head, _text_choice))


async def _answer(request: ChatCompletion, services: Services) -> Response:
    top = (request.top_logprobs or 0) if request.logprobs else None
    messages = [_message(each) for each in request.messages]
    answers = _Answers(request.toolbox())
    length = request.max_completion_tokens or request.max_tokens or LONGEST_ANSWER
    orders = [{"messages": messages, "top_logprobs": top}] * (request.n or 1)
    texts = await begin_texts(services, request, orders, max_new_tokens=length, logprobs=top is not None)
    head = {"id": f"chatcmpl-{uuid4().hex}", "object": "chat.completion" + (".chunk" if request.stream else "")}
    if request.stream:
        return stream_of(_chunks(request, texts, head, answers.part), _broken)
    return JSONResponse(await _whole(request, texts, head, answers.whole))


async def _whole(request: Several, texts: Texts, head: dict[str, Any], shape: Shape) -> dict[str, Any]:
    tokens, ends = await texts.whole()
    choices = [shape(number, tokens[number], end["finish_reason"]) for number, end in enumerate(ends)]
    usage = _usage(dict(enumerate(ends)), request.n or 1)
    return {**head, "created": int(time.time()), "model": request.model, "choices": choices, "usage": usage}


async def _chunks(
    request: Several, texts: Texts, head: dict[str, Any], shape: Shape
) -> AsyncGenerator[ServerSentEvent, None]:
    chunk = {**head, "created": int(time.time()), "model": request.model}
    counted = bool(request.stream_options and request.stream_options.include_usage)
    ends: dict[int, dict[str, Any]] = {}
    begun: set[int] = set()
    async for part in texts.parts():
        if part.end:
            ends[part.number] = part.end
        choice = shape(part.number, part.tokens, part.end["finish_reason"] if part.end else None)
        if "delta" in choice and part.number not in begun:
            choice["delta"]["role"] = "assistant"
        begun.add(part.number)
        yield event({**chunk, "choices": [choice], **({"usage": None} if counted else {})})
    if counted:
        yield event({**chunk, "choices": [], "usage": _usage(ends, request.n or 1)})
    yield ServerSentEvent("[DONE]", sep="\n")


def _broken(detail: Any) -> ServerSentEvent:
    return event({"error": as_openai(500, detail)})


def _message(message: ChatMessage) -> dict[str, Any]:
    """For the chat template, which knows text alone."""
    given = for_template(message.model_dump(exclude_unset=True))
    return given | ({"content": text_of(message.content, "messages")} if isinstance(message.content, list) else {})


def _usage(ends: dict[int, dict[str, Any]], n: int) -> dict[str, int]:
    """A prompt counts once, however many answers it has."""
    prompt = sum(end["prompt_tokens"] for number, end in ends.items() if number % n == 0)
    completion = sum(end["completion_tokens"] for end in ends.values())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _text_choice(number: int, tokens: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    return {"index": number, "text": written(tokens), "logprobs": _text_logprobs(tokens), "finish_reason": finish}


def _text_logprobs(tokens: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not tokens or "logprob" not in tokens[0]:
        return None
    offsets, end = [], 0
    for token in tokens:
        offsets.append(end)
        end += len(token["text"])
    return {
        "tokens": [token["token"] for token in tokens],
        "token_logprobs": [token["logprob"] for token in tokens],
        "top_logprobs": [
            None if token["logprob"] is None else {each["token"]: each["logprob"] for each in token["top_logprobs"]}
            for token in tokens
        ],
        "text_offset": offsets,
    }


class _Answers:
    """The choices of a conversation's reply. Calls of tools are told apart from text."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._readers = defaultdict[int, CallReader](lambda: CallReader(toolbox.names, several=toolbox.several))

    def whole(self, number: int, tokens: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
        content, calls = self._readers[number].read(written(tokens), ended=True)
        message = {"role": "assistant", "content": content or None if calls else content, "refusal": None}
        return self._choice(number, "message", message | ({"tool_calls": calls} if calls else {}), tokens, finish)

    def part(self, number: int, tokens: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
        content, calls = self._readers[number].read(written(tokens), ended=finish is not None)
        delta: dict[str, Any] = {"content": content} if content or tokens else {}
        if calls:
            delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls)]
        return self._choice(number, "delta", delta, tokens, finish)

    @staticmethod
    def _choice(
        number: int, kind: str, said: dict[str, Any], tokens: list[dict[str, Any]], finish: str | None
    ) -> dict[str, Any]:
        why = "tool_calls" if "tool_calls" in said and finish == "stop" else finish
        return {"index": number, kind: said, "logprobs": _chat_logprobs(tokens), "finish_reason": why}


def _chat_logprobs(tokens: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not tokens or "logprob" not in tokens[0]:
        return None
    return {"content": [with_logprobs(token) for token in tokens], "refusal": None}


def with_logprobs(token: dict[str, Any]) -> dict[str, Any]:
    """A token as OpenAI's conversations tell its chances."""

    def shown(each: dict[str, Any]) -> dict[str, Any]:
        return {"token": each["token"], "logprob": each["logprob"], "bytes": list(each["token"].encode())}

    return {**shown(token), "top_logprobs": [shown(each) for each in token["top_logprobs"]]}
