"""``/v1/responses``: OpenAI's newer door, https://platform.openai.com/docs/api-reference/responses. Nothing is stored."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sse_starlette import ServerSentEvent

from backend.api.deps import ServicesDep
from backend.api.v1.completions import with_logprobs
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
from backend.api.v1.tools import CallReader, add_call, call_of, for_template
from backend.errors import ErrorDetail, InvalidFieldError
from backend.schemas.openai import InputItem, ResponseRequest
from backend.services import Services

router = APIRouter(prefix="/v1/responses", tags=["openai"])


@router.post("", dependencies=[PLACE], response_model=None)
async def create_response(request: ResponseRequest, http: Request, services: ServicesDep) -> Response:
    """Answers a text or a conversation, put in the model's own chat form."""
    return await unless_left(http, _respond(request, services))


async def _respond(request: ResponseRequest, services: Services) -> Response:
    top = (request.top_logprobs or 0) if request.wants_logprobs else None
    texts = await begin_texts(
        services,
        request,
        [{"messages": _messages(request), "top_logprobs": top}],
        max_new_tokens=request.max_output_tokens or LONGEST_ANSWER,
        truncate=request.truncation == "auto",
        logprobs=request.wants_logprobs,
    )
    answer = _Answer(request)
    if request.stream:
        return stream_of(answer.events(texts), _broken)
    ((tokens,), (end,)) = await texts.whole()
    answer.read(tokens, ended=True)
    return JSONResponse(answer.whole(end))


def _messages(request: ResponseRequest) -> list[dict[str, Any]]:
    messages = [{"role": "system", "content": request.instructions}] if request.instructions else []
    if isinstance(request.input, str):
        return [*messages, {"role": "user", "content": request.input}]
    for item in request.input:
        _add(messages, item)
    return [for_template(message) for message in messages]


def _add(messages: list[dict[str, Any]], item: InputItem) -> None:
    """A call belongs to the answer before it, as a model writes both in one."""
    if item.type == "message" and item.role is not None:
        messages.append({"role": item.role, "content": text_of(item.content, "input")})
    elif item.type == "function_call" and item.name:
        add_call(messages, call_of(item.call_id, item.name, item.arguments or "{}"))
    elif item.type == "function_call_output":
        messages.append({"role": "tool", "tool_call_id": item.call_id, "content": text_of(item.output, "input")})
    else:
        raise InvalidFieldError(
            "input", f"An item of type {item.type!r} is not supported: these models read messages, and calls by name."
        )


class _Answer:
    """One response: what has been read of it, the object that tells of it, and the events on its way there."""

    def __init__(self, request: ResponseRequest) -> None:
        self._request = request
        self._id, self._item, self._time = f"resp_{uuid4().hex}", f"msg_{uuid4().hex}", time.time()
        toolbox = request.toolbox()
        self._reader = CallReader(toolbox.names, several=toolbox.several)
        self._text = ""
        self._calls: list[dict[str, Any]] = []
        self._held: list[dict[str, Any]] = []  # tokens of what may be a call, whose chances nobody is told
        self._tokens: list[dict[str, Any]] = []  # of the text

    def read(self, tokens: list[dict[str, Any]], *, ended: bool) -> tuple[str, list[dict[str, Any]]]:
        """What is text for certain with these, and the tokens of it."""
        text, self._calls = self._reader.read(written(tokens), ended=ended)
        self._held += tokens
        if not text and (self._calls or not ended):
            return "", []
        told, self._held = self._held, []
        self._text, self._tokens = self._text + text, self._tokens + told
        return text, told

    def whole(self, end: dict[str, Any]) -> dict[str, Any]:
        """The response once all is read."""
        cut = end["finish_reason"] == "length"
        read, wrote = end["prompt_tokens"], end["completion_tokens"]
        usage = {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": wrote,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + wrote,
        }
        status = "incomplete" if cut else "completed"
        why = {"reason": "max_output_tokens"} if cut else None
        said = [self._message(status)] if self._text or not self._calls else []
        output = [*said, *map(_call_item, self._calls)]
        return self._told(status, output, usage=usage, incomplete_details=why)

    async def events(self, texts: Texts) -> AsyncGenerator[ServerSentEvent, None]:
        """A response begins, has an item of one part, which grows, and one for each call, and ends."""
        numbers = itertools.count()
        part = {"output_index": 0, "item_id": self._item, "content_index": 0}

        def tell(kind: str, **data: Any) -> ServerSentEvent:
            return event({"type": f"response.{kind}", "sequence_number": next(numbers), **data}, named=True)

        begun, says = self._told("in_progress", []), False
        yield tell("created", response=begun)
        yield tell("in_progress", response=begun)
        async for more in texts.parts():
            text, tokens = self.read(more.tokens, ended=more.end is not None)
            if not says and (text or (more.end and not self._calls)):
                says = True
                yield tell("output_item.added", output_index=0, item={**self._message("in_progress"), "content": []})
                yield tell("content_part.added", **part, part={**self._content(), "text": "", "logprobs": []})
            if tokens:
                yield tell("output_text.delta", **part, delta=text, logprobs=self._logprobs(tokens))
            if more.end:
                response = self.whole(more.end)
                if says:
                    yield tell("output_text.done", **part, text=self._text, logprobs=self._logprobs(self._tokens))
                    yield tell("content_part.done", **part, part=self._content())
                    yield tell("output_item.done", output_index=0, item=response["output"][0])
                for index, item in enumerate(response["output"][int(says) :], start=int(says)):
                    for each in _call_events(tell, index, item):
                        yield each
                yield tell(response["status"], response=response)

    def _told(self, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        request = self._request.model_dump(
            include={"instructions", "max_output_tokens", "model", "temperature", "tool_choice", "tools", "top_p"}
        )
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._time,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "metadata": self._request.metadata or {},
            "output": output,
            "parallel_tool_calls": self._request.parallel_tool_calls is not False,
            "previous_response_id": None,
            "reasoning": None,
            "store": False,
            "text": {"format": {"type": "text"}},
            "top_logprobs": self._request.top_logprobs or 0,
            "truncation": self._request.truncation or "disabled",
            "usage": None,
            **request,
            "tool_choice": request["tool_choice"] or "auto",
            "tools": request["tools"] or [],
            **more,
        }

    def _message(self, status: str) -> dict[str, Any]:
        return {"id": self._item, "type": "message", "role": "assistant", "status": status, "content": [self._content()]}

    def _content(self) -> dict[str, Any]:
        logprobs = self._logprobs(self._tokens)
        return {"type": "output_text", "text": self._text, "annotations": [], "logprobs": logprobs}

    def _logprobs(self, tokens: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [with_logprobs(token) for token in tokens] if self._request.wants_logprobs else []


def _call_item(call: dict[str, Any]) -> dict[str, Any]:
    told = {"id": f"fc_{uuid4().hex}", "type": "function_call", "status": "completed", "call_id": call["id"]}
    return {**told, **call["function"]}


def _call_events(tell: Callable[..., ServerSentEvent], index: int, item: dict[str, Any]) -> Iterator[ServerSentEvent]:
    """A call is known whole or not at all, so its arguments come in one piece."""
    place = {"output_index": index, "item_id": item["id"]}
    yield tell("output_item.added", output_index=index, item={**item, "arguments": "", "status": "in_progress"})
    yield tell("function_call_arguments.delta", **place, delta=item["arguments"])
    yield tell("function_call_arguments.done", **place, name=item["name"], arguments=item["arguments"])
    yield tell("output_item.done", output_index=index, item=item)


def _broken(detail: ErrorDetail) -> ServerSentEvent:
    told = {"type": "error", "code": detail.code, "message": detail.message, "param": detail.field, "sequence_number": -1}
    return event(told, named=True)
