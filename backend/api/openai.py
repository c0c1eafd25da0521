"""Trained models for every client of language models: OpenAI's API, as far as models of text have use for it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from backend.api.deps import ServicesDep, place_in
from backend.api.generate import check_learned, device_for_texts
from backend.api.models import listed
from backend.errors import INTERNAL, InvalidFieldError, NotFoundError, as_openai, failure
from backend.schemas.openai import ChatCompletion, ChatMessage, Common, Completion
from backend.services import Services
from worker.contract import ModelSource

router = APIRouter(prefix="/v1", tags=["openai"])

_LONGEST_ANSWER = 100_000  # tokens; the model's context ends it before
Shape = Callable[[int, list[dict[str, Any]], "str | None"], dict[str, Any]]
"""A choice of a reply: its number, its tokens, and why it ended, if it has."""


@router.get("/models")
def list_openai_models(services: ServicesDep) -> dict[str, Any]:
    """The models that can be prompted, by the ids that requests take."""
    return {"object": "list", "data": [_model(each.id) for each in listed(services) if each.promptable]}


@router.get("/models/{model:path}")
def get_openai_model(model: str, services: ServicesDep) -> dict[str, Any]:
    """One of them."""
    _resolve(services, _name_of(services, model))
    return _model(model)


@router.post("/completions", dependencies=[place_in(lambda services: services.generator)], response_model=None)
async def create_completion(request: Completion, http: Request, services: ServicesDep) -> Response:
    """Goes on from a text."""
    prompts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
    most = 16 if request.max_tokens is None else request.max_tokens
    if not most and not request.echo:
        raise InvalidFieldError("max_tokens", "max_tokens must be at least 1, or the prompt be echoed.")
    told = {"top_logprobs": request.logprobs, "echo": bool(request.echo)}
    orders = [{"prompt": prompt, **told} for prompt in prompts for _ in range(request.n or 1)]
    name = await run_in_threadpool(_name_of, services, request.model)
    job = _Job(request, name, "cmpl", "text_completion", most)
    return await _unless_left(http, job.answer(services, orders, _text_choice, _text_choice, alternatives=request.logprobs))


@router.post("/chat/completions", dependencies=[place_in(lambda services: services.generator)], response_model=None)
async def create_chat_completion(request: ChatCompletion, http: Request, services: ServicesDep) -> Response:
    """Answers the last message of a conversation, put in the model's own chat form."""
    name = await run_in_threadpool(_name_of, services, request.model)
    variables = await run_in_threadpool(services.catalog.chat_variables, name)
    top = (request.top_logprobs or 0) if request.logprobs else None
    order = {"messages": [_message(each) for each in request.messages], "chat": variables or {}, "top_logprobs": top}
    length = request.max_completion_tokens or request.max_tokens or _LONGEST_ANSWER
    job = _Job(request, name, "chatcmpl", "chat.completion", length)
    orders = [order] * (request.n or 1)
    return await _unless_left(http, job.answer(services, orders, _message_choice, _delta_choice, alternatives=top))


async def _unless_left(http: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """What ``work`` returns; it is cancelled if the client leaves before."""

    async def left() -> None:
        while (await http.receive())["type"] != "http.disconnect":
            pass

    tasks = asyncio.create_task(work), asyncio.create_task(left())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].result() if tasks[0].done() else Response(status_code=499)  # nobody reads it
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Job:
    """One request to the model that the catalogue has as ``name``, and what is the same in all choices of its reply."""

    def __init__(self, request: Common, name: str, prefix: str, kind: str, most_tokens: int) -> None:
        self._request, self._name, self._kind, self._most_tokens = request, name, kind, most_tokens
        self._head = {"id": f"{prefix}-{uuid4().hex}", "created": int(time.time()), "model": request.model}

    async def answer(
        self, services: Services, orders: list[dict[str, Any]], whole: Shape, part: Shape, alternatives: int | None
    ) -> Response:
        """The reply, whole or as a stream. Raises InvalidFieldError, or what the generation process could not do."""
        request = self._request
        if name := request.unsupported():
            raise InvalidFieldError(name, f"{name} is not supported here.", hint="Leave it out.")
        source = await run_in_threadpool(_resolve, services, self._name)
        common = {
            "op": "generate",
            "model": source.model_dump(),
            "name": self._name,
            "device": device_for_texts(services),
            "max_new_tokens": self._most_tokens,
            "truncate": False,
            "logprobs": alternatives is not None,
            **request.sampling(),
        }
        asks = [
            services.generator.ask({**common, **order, "seed": _seed(request.seed, number)})
            for number, order in enumerate(orders)
        ]
        replies = _side_by_side(asks)
        first = await anext(replies)  # whatever can be wrong shows here, while there is a status to say it with
        if request.stream:
            return EventSourceResponse(self._events(replies, first, part), sep="\n")
        return JSONResponse(await self._whole(replies, first, whole, len(orders)))

    async def _whole(
        self,
        replies: AsyncGenerator[tuple[int, dict[str, Any]], None],
        first: tuple[int, dict[str, Any]],
        shape: Shape,
        n: int,
    ) -> dict[str, Any]:
        tokens: list[list[dict[str, Any]]] = [[] for _ in range(n)]
        ends: dict[int, dict[str, Any]] = {}
        async for number, reply in _chained(first, replies):
            if reply["event"] == "done":
                ends[number] = reply["data"]
            else:
                tokens[number] += _tokens(reply)
        choices = [shape(number, tokens[number], ends[number]["finish_reason"]) for number in range(n)]
        return {**self._head, "object": self._kind, "choices": choices, "usage": _usage(ends, self._request.n or 1)}

    async def _events(
        self, replies: AsyncGenerator[tuple[int, dict[str, Any]], None], first: tuple[int, dict[str, Any]], shape: Shape
    ) -> AsyncIterator[ServerSentEvent]:
        chunk = {**self._head, "object": self._kind + (".chunk" if self._kind.startswith("chat") else "")}
        counted = bool(self._request.stream_options and self._request.stream_options.include_usage)
        ends: dict[int, dict[str, Any]] = {}
        begun: set[int] = set()
        try:
            async for number, reply in _chained(first, replies):
                done = reply["event"] == "done"
                if done:
                    ends[number] = reply["data"]
                choice = shape(number, [] if done else _tokens(reply), reply["data"]["finish_reason"] if done else None)
                if "delta" in choice and number not in begun:
                    choice["delta"]["role"] = "assistant"
                begun.add(number)
                yield _event({**chunk, "choices": [choice], **({"usage": None} if counted else {})})
        except Exception as error:  # too late for a status: the client is told, and the server's log too
            yield _event({"error": as_openai(500, getattr(error, "detail", INTERNAL))})
            raise
        if counted:
            yield _event({**chunk, "choices": [], "usage": _usage(ends, self._request.n or 1)})
        yield ServerSentEvent("[DONE]", sep="\n")


async def _side_by_side(
    asks: list[AsyncGenerator[dict[str, Any], None]],
) -> AsyncGenerator[tuple[int, dict[str, Any]], None]:
    """Tokens and ends of several answers as they come, each with its answer's number. Raises what one could not be had for.
    Leaving early cancels all."""
    queue: asyncio.Queue[tuple[int, dict[str, Any]]] = asyncio.Queue()

    async def pump(number: int, ask: AsyncGenerator[dict[str, Any], None]) -> None:
        async with aclosing(ask) as replies:
            async for reply in replies:
                queue.put_nowait((number, reply))

    tasks = [asyncio.create_task(pump(number, ask)) for number, ask in enumerate(asks)]
    left = len(tasks)
    try:
        while left:
            number, reply = await queue.get()
            if reply["event"] == "error":
                raise failure(reply["data"])
            left -= reply["event"] == "done"
            if reply["event"] != "loading":
                yield number, reply
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _chained(
    first: tuple[int, dict[str, Any]], rest: AsyncGenerator[tuple[int, dict[str, Any]], None]
) -> AsyncGenerator[tuple[int, dict[str, Any]], None]:
    async with aclosing(rest):
        yield first
        async for each in rest:
            yield each


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "trainboard"}


def _name_of(services: Services, name: str) -> str:
    """The catalogue's name of a model: a run may be called by its id, or by its name if no other run has it."""
    run, at, checkpoint = name.partition("@")
    if ":" in run or "/" in run:
        return name
    known = [each for each in listed(services) if each.kind in ("run", "checkpoint")]
    ids = {each.run for each in known if each.run and run in (each.run, each.name)}
    if len(ids) != 1:
        return name
    steps = {str(each.step): each.id for each in known if each.run in ids and each.step is not None}
    return steps.get(checkpoint.lstrip("0"), f"run:{ids.pop()}{at}{checkpoint}")


def _resolve(services: Services, name: str) -> ModelSource:
    """Raises NotFoundError if there is no such model, and InvalidFieldError if it has learned nothing yet."""
    try:
        source = services.catalog.resolve(name, field="model").source
    except InvalidFieldError as error:
        raise NotFoundError(error.detail.message, field="model", hint=error.detail.hint) from None
    check_learned(name, source)
    return source


def _message(message: ChatMessage) -> dict[str, Any]:
    """For the chat template, which knows text alone."""
    given = message.model_dump(exclude_unset=True)
    if isinstance(message.content, list):
        if odd := next((part.type for part in message.content if part.type != "text"), None):
            raise InvalidFieldError("messages", f"A part of type {odd!r} is not supported: these models read text.")
        given["content"] = "".join(part.text or "" for part in message.content)
    return given


def _seed(seed: int | None, number: int) -> int | None:
    """Of the answer ``number``: the first is what one alone would be."""
    return None if seed is None else (seed + number) % 2**31


def _usage(ends: dict[int, dict[str, Any]], n: int) -> dict[str, int]:
    """A prompt counts once, however many answers it has."""
    prompt = sum(end["prompt_tokens"] for number, end in ends.items() if number % n == 0)
    completion = sum(end["completion_tokens"] for end in ends.values())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _tokens(reply: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the prompt, or the one that was chosen."""
    return list(reply["data"]["tokens"]) if reply["event"] == "prompt" else [reply["data"]]


def _text(tokens: list[dict[str, Any]]) -> str:
    return "".join(token["text"] for token in tokens)


def _text_choice(number: int, tokens: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    return {"index": number, "text": _text(tokens), "logprobs": _text_logprobs(tokens), "finish_reason": finish}


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


def _message_choice(number: int, tokens: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    message = {"role": "assistant", "content": _text(tokens), "refusal": None}
    return {"index": number, "message": message, "logprobs": _chat_logprobs(tokens), "finish_reason": finish}


def _delta_choice(number: int, tokens: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    delta = {"content": _text(tokens)} if tokens else {}
    return {"index": number, "delta": delta, "logprobs": _chat_logprobs(tokens), "finish_reason": finish}


def _chat_logprobs(tokens: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not tokens or "logprob" not in tokens[0]:
        return None

    def shown(token: dict[str, Any]) -> dict[str, Any]:
        return {"token": token["token"], "logprob": token["logprob"], "bytes": list(token["token"].encode())}

    content = [{**shown(token), "top_logprobs": [shown(each) for each in token["top_logprobs"]]} for token in tokens]
    return {"content": content, "refusal": None}


def _event(data: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(data), sep="\n")
