"""``/v1/messages``: Anthropic's door, https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sse_starlette import ServerSentEvent

from backend.api.deps import ServicesDep
from backend.api.v1.jobs import PLACE, Texts, begin_texts, event, stream_of, text_of, unless_left, written
from backend.errors import InvalidFieldError, as_anthropic
from backend.schemas.anthropic import CountRequest, MessageRequest
from backend.services import Services

router = APIRouter(prefix="/v1/messages", tags=["anthropic"])


@router.post("", dependencies=[PLACE], response_model=None)
async def create_message(request: MessageRequest, http: Request, services: ServicesDep) -> Response:
    """Answers the last message of a conversation, put in the model's own chat form."""
    return await unless_left(http, _answer(request, services))


@router.post("/count_tokens", dependencies=[PLACE])
async def count_message_tokens(request: CountRequest, services: ServicesDep) -> dict[str, int]:
    """How many tokens a conversation would be, whether or not the model can read so many."""
    texts = await begin_texts(services, request, [{"messages": _messages(request)}], max_new_tokens=0, truncate=True)
    _, (end,) = await texts.whole()
    return {"input_tokens": end["prompt_tokens"] + end["truncated_tokens"]}


async def _answer(request: MessageRequest, services: Services) -> Response:
    texts = await begin_texts(services, request, [{"messages": _messages(request)}], max_new_tokens=request.max_tokens)
    head = {"id": f"msg_{uuid4().hex}", "type": "message", "role": "assistant", "model": request.model}
    if request.stream:
        return stream_of(_events(texts, head), lambda detail: event(as_anthropic(500, detail), named=True))
    ((tokens,), (end,)) = await texts.whole()
    content = [{"type": "text", "text": written(tokens)}]
    usage = {"input_tokens": end["prompt_tokens"], "output_tokens": end["completion_tokens"]}
    return JSONResponse({**head, "content": content, **_reason(end), "usage": usage})


async def _events(texts: Texts, head: dict[str, Any]) -> AsyncGenerator[ServerSentEvent, None]:
    """A message begins, has one block, which grows, and both end."""
    begun = {**head, "content": [], "stop_reason": None, "stop_sequence": None}
    usage = {"input_tokens": 0, "output_tokens": 0}  # of the prompt too it is told at the end
    yield event({"type": "message_start", "message": {**begun, "usage": usage}}, named=True)
    yield event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, named=True)
    async for part in texts.parts():
        if text := written(part.tokens):
            delta = {"type": "text_delta", "text": text}
            yield event({"type": "content_block_delta", "index": 0, "delta": delta}, named=True)
        if part.end:
            yield event({"type": "content_block_stop", "index": 0}, named=True)
            usage = {"input_tokens": part.end["prompt_tokens"], "output_tokens": part.end["completion_tokens"]}
            yield event({"type": "message_delta", "delta": _reason(part.end), "usage": usage}, named=True)
            yield event({"type": "message_stop"}, named=True)


def _messages(request: CountRequest) -> list[dict[str, Any]]:
    if request.messages[-1].role == "assistant":
        raise InvalidFieldError("messages", "The last message must be the user's: an answer cannot be begun here.")
    system = [{"role": "system", "content": text_of(request.system, "system")}] if request.system else []
    return [*system, *({"role": each.role, "content": text_of(each.content, "messages")} for each in request.messages)]


def _reason(end: dict[str, Any]) -> dict[str, Any]:
    if end["finish_reason"] == "length":
        return {"stop_reason": "max_tokens", "stop_sequence": None}
    stop = end["stop_string"]
    return {"stop_reason": "end_turn" if stop is None else "stop_sequence", "stop_sequence": stop}
