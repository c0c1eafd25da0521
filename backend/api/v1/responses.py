"""``/v1/responses``: OpenAI's newer door, https://platform.openai.com/docs/api-reference/responses. Nothing is stored."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncGenerator
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
from backend.errors import ErrorDetail, InvalidFieldError
from backend.schemas.openai import ResponseRequest
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
    return JSONResponse(answer.ended(tokens, end))


def _messages(request: ResponseRequest) -> list[dict[str, Any]]:
    messages = [{"role": "system", "content": request.instructions}] if request.instructions else []
    if isinstance(request.input, str):
        return [*messages, {"role": "user", "content": request.input}]
    for item in request.input:
        if item.type != "message" or item.role is None:
            raise InvalidFieldError("input", f"An item of type {item.type!r} is not supported: these models read messages.")
        messages.append({"role": item.role, "content": text_of(item.content, "input")})
    return messages


class _Answer:
    """One response: the object that tells of it, and the events on its way there."""

    def __init__(self, request: ResponseRequest) -> None:
        self._request = request
        self._id, self._item, self._time = f"resp_{uuid4().hex}", f"msg_{uuid4().hex}", time.time()

    def ended(self, tokens: list[dict[str, Any]], end: dict[str, Any]) -> dict[str, Any]:
        """The whole."""
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
        return self._told(status, [self._message(status, tokens)], usage=usage, incomplete_details=why)

    async def events(self, texts: Texts) -> AsyncGenerator[ServerSentEvent, None]:
        """A response begins, has one item of one part, which grows, and all three end."""
        numbers = itertools.count()
        item = {"output_index": 0, "item_id": self._item}
        part = {**item, "content_index": 0}

        def tell(kind: str, **data: Any) -> ServerSentEvent:
            return event({"type": f"response.{kind}", "sequence_number": next(numbers), **data}, named=True)

        begun = self._told("in_progress", [])
        yield tell("created", response=begun)
        yield tell("in_progress", response=begun)
        yield tell("output_item.added", output_index=0, item={**self._message("in_progress", []), "content": []})
        yield tell("content_part.added", **part, part=self._content([]))
        tokens: list[dict[str, Any]] = []
        async for more in texts.parts():
            tokens += more.tokens
            if more.tokens:
                yield tell("output_text.delta", **part, delta=written(more.tokens), logprobs=self._logprobs(more.tokens))
            if more.end:
                response = self.ended(tokens, more.end)
                yield tell("output_text.done", **part, text=written(tokens), logprobs=self._logprobs(tokens))
                yield tell("content_part.done", **part, part=self._content(tokens))
                yield tell("output_item.done", output_index=0, item=response["output"][0])
                yield tell(response["status"], response=response)

    def _told(self, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        request = self._request
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._time,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "metadata": request.metadata or {},
            "model": request.model,
            "output": output,
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "reasoning": None,
            "store": False,
            "temperature": request.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_logprobs": request.top_logprobs or 0,
            "top_p": request.top_p,
            "truncation": request.truncation or "disabled",
            "usage": None,
            **more,
        }

    def _message(self, status: str, tokens: list[dict[str, Any]]) -> dict[str, Any]:
        content = [self._content(tokens)]
        return {"id": self._item, "type": "message", "role": "assistant", "status": status, "content": content}

    def _content(self, tokens: list[dict[str, Any]]) -> dict[str, Any]:
        return {"type": "output_text", "text": written(tokens), "annotations": [], "logprobs": self._logprobs(tokens)}

    def _logprobs(self, tokens: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [with_logprobs(token) for token in tokens] if self._request.wants_logprobs else []


def _broken(detail: ErrorDetail) -> ServerSentEvent:
    told = {"type": "error", "code": detail.code, "message": detail.message, "param": detail.field, "sequence_number": -1}
    return event(told, named=True)
