"""What all doors share: the model by its name, its texts as they come, and what breaks when it is too late for a status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.responses import Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from backend.api.deps import place_in
from backend.api.models.generate import check_learned
from backend.api.models.listing import listed
from backend.errors import INTERNAL, ErrorDetail, InvalidFieldError, NotFoundError, failure
from backend.runs import history, lifecycle
from backend.schemas.openai import Common, TextPart
from backend.services import Services
from worker.contract import ModelSource

PLACE = place_in(lambda services: services.generator)
LONGEST_ANSWER = 100_000  # tokens; the model's context ends it before

_TEXT_PARTS = {"text", "input_text", "output_text"}  # as the doors call them


class Part(NamedTuple):
    """Of the text ``number``: further ``tokens``, or with ``end`` what there is to tell of the whole."""

    number: int
    tokens: list[dict[str, Any]]
    end: dict[str, Any] | None


class Texts:
    """What is written for one request. The first of it has come, so nothing that was asked for is wrong."""

    def __init__(self, first: Part, rest: AsyncGenerator[Part, None], number: int) -> None:
        self._first, self._rest, self._number = first, rest, number

    async def parts(self) -> AsyncGenerator[Part, None]:
        """As they come. Leaving early cancels all texts."""
        async with aclosing(self._rest):
            yield self._first
            async for part in self._rest:
                yield part

    async def whole(self) -> tuple[list[list[dict[str, Any]]], list[dict[str, Any]]]:
        """The tokens of each text, and the end of each."""
        tokens: list[list[dict[str, Any]]] = [[] for _ in range(self._number)]
        ends: dict[int, dict[str, Any]] = {}
        async for part in self.parts():
            tokens[part.number] += part.tokens
            if part.end:
                ends[part.number] = part.end
        return tokens, [ends[number] for number in range(self._number)]


async def begin_texts(services: Services, request: Common, orders: Sequence[dict[str, Any]], **common: Any) -> Texts:
    """The texts of ``orders``, which have ``common`` and the request's sampling in common, as the generation process takes
    them. Conversations are put in the model's own chat form.

    Raises InvalidFieldError, or what the generation process could not do.
    """
    if field := request.unsupported():
        raise InvalidFieldError(field, f"{field} is not supported here.", hint="Leave it out.")
    toolbox = request.toolbox()
    if toolbox.forced and not toolbox.names:
        raise InvalidFieldError("tool_choice", "tool_choice asks for a tool that is not among the tools.")
    name = await run_in_threadpool(name_of, services, request.model)
    source = await run_in_threadpool(resolve, services, name)
    same = {
        "op": "generate",
        "model": source.model_dump(),
        "name": name,
        "truncate": False,
        "tools": toolbox.for_template(),
        **request.sampling(),
        **common,
    }
    if any("messages" in order for order in orders):
        same["chat"] = await run_in_threadpool(services.catalog.chat_variables, name) or {}
    asks = [
        services.generator.ask({**same, **order, "seed": _seed(request.seed, number)}) for number, order in enumerate(orders)
    ]
    replies = _side_by_side(asks)
    return Texts(await anext(replies), replies, len(asks))


def text_of(content: str | list[TextPart] | None, field: str) -> str:
    """What is said. Raises InvalidFieldError for ``field`` if there is anything but text in it."""
    if isinstance(content, str):
        return content
    parts = content or []
    if odd := next((part.type for part in parts if part.type not in _TEXT_PARTS), None):
        raise InvalidFieldError(field, f"A part of type {odd!r} is not supported: these models read text.")
    return "".join(part.text or "" for part in parts)


def written(tokens: Sequence[dict[str, Any]]) -> str:
    """The text that tokens make."""
    return "".join(token["text"] for token in tokens)


async def unless_left(http: Request, work: Coroutine[Any, Any, Response]) -> Response:
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


def stream_of(
    events: AsyncGenerator[ServerSentEvent, None], broken: Callable[[ErrorDetail], ServerSentEvent]
) -> EventSourceResponse:
    """The events; one more if they break off, when it is too late for a status."""

    async def told() -> AsyncIterator[ServerSentEvent]:
        async with aclosing(events):
            try:
                async for event in events:
                    yield event
            except Exception as error:  # the server's log has it too
                yield broken(getattr(error, "detail", INTERNAL))
                raise

    return EventSourceResponse(told(), sep="\n")


def event(data: dict[str, Any], *, named: bool = False) -> ServerSentEvent:
    """``data`` as an event; ``named`` by its own type where clients look there."""
    return ServerSentEvent(json.dumps(data), event=data["type"] if named else None, sep="\n")


def name_of(services: Services, name: str) -> str:
    """The catalogue's name of a model. A run may be called by its id, or by its name if no other run has it; behind @ stands
    a step, ``best`` for the checkpoint with the lowest validation loss, or ``base`` for what the run began with."""
    run, at, checkpoint = name.partition("@")
    which = checkpoint in ("best", "base") or checkpoint.isdigit()
    if "/" in run or (":" in run and not (which and run.startswith("run:"))):
        return name
    known = [each for each in listed(services) if each.kind in ("run", "checkpoint")]
    ids = {each.run for each in known if each.run and run.removeprefix("run:") in (each.run, each.name)}
    if len(ids) != 1:
        return name
    run_id = ids.pop()
    if checkpoint in ("best", "base"):
        return _special(services, run_id, checkpoint) or name
    steps = {str(each.step): each.id for each in known if each.run == run_id and each.step is not None}
    return steps.get(checkpoint.lstrip("0"), f"run:{run_id}{at}{checkpoint}")


def _special(services: Services, run_id: str, which: str) -> str | None:
    with services.database.read() as connection:
        if which == "base":
            return lifecycle.get(connection, run_id).config.model_name
        saved = history.checkpoints(connection, run_id, services.settings.runs_dir / run_id)
        judged = [each for each in saved if each.validation_loss is not None and each.model]
        best = min(judged, key=lambda each: each.validation_loss or 0.0, default=None)
        return best.model if best else None


def resolve(services: Services, name: str) -> ModelSource:
    """Raises NotFoundError if there is no such model, and InvalidFieldError if it has learned nothing yet."""
    try:
        source = services.catalog.resolve(name, field="model").source
    except InvalidFieldError as error:
        raise NotFoundError(error.detail.message, field="model", hint=error.detail.hint) from None
    check_learned(name, source)
    return source


async def _side_by_side(asks: list[AsyncGenerator[dict[str, Any], None]]) -> AsyncGenerator[Part, None]:
    """What is written in several answers, as it comes. Raises what one could not be had for. Leaving early cancels all."""
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
            kind, data = reply["event"], reply["data"]
            if kind == "error":
                raise failure(data)
            left -= kind == "done"
            if kind != "loading":
                tokens = {"prompt": data.get("tokens", []), "token": [data]}.get(kind, [])
                yield Part(number, tokens, data if kind == "done" else None)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _seed(seed: int | None, number: int) -> int | None:
    """Of the answer ``number``: the first is what one alone would be."""
    return None if seed is None else (seed + number) % 2**31
