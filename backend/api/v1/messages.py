"""``/v1/messages``: Anthropic's door, https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sse_starlette import ServerSentEvent

from backend.api.deps import ServicesDep
from backend.api.v1.jobs import PLACE, Texts, begin_texts, event, stream_of, text_of, unless_left, written
from backend.api.v1.tools import CallReader, add_call, call_of
from backend.errors import InvalidFieldError, as_anthropic
from backend.schemas.anthropic import CountRequest, MessageRequest, TurnMessage
from backend.services import Services

router = APIRouter(prefix="/v1/messages", tags=["anthropic"])


@router.post("", dependencies=[PLACE], response_model=None)
async def create_message(request: MessageRequest, http: Request, services: ServicesDep) -> Response:
    """Answers the last message of a conversation, put in the model's own chat form; goes on with it if it is the
    assistant's."""
    return await unless_left(http, _answer(request, services))


@router.post("/count_tokens", dependencies=[PLACE])
async def count_message_tokens(request: CountRequest, services: ServicesDep) -> dict[str, int]:
    """How many tokens a conversation would be, whether or not the model can read so many."""
    texts = await begin_texts(services, request, [_order(request)], max_new_tokens=0, truncate=True)
    _, (end,) = await texts.whole()
    return {"input_tokens": end["prompt_tokens"] + end["truncated_tokens"]}


async def _answer(request: MessageRequest, services: Services) -> Response:
    texts = await begin_texts(services, request, [_order(request)], max_new_tokens=request.max_tokens)
    head = {"id": f"msg_{uuid4().hex}", "type": "message", "role": "assistant", "model": request.model}
    toolbox = request.toolbox()
    reader = CallReader(toolbox.names, several=toolbox.several)
    if request.stream:
        return stream_of(_events(texts, head, reader), lambda detail: event(as_anthropic(500, detail), named=True))
    ((tokens,), (end,)) = await texts.whole()
    text, calls = reader.read(written(tokens), ended=True)
    said = [{"type": "text", "text": text}] if text or not calls else []
    content = [*said, *(_block(call, json.loads(call["function"]["arguments"])) for call in calls)]
    usage = {"input_tokens": end["prompt_tokens"], "output_tokens": end["completion_tokens"]}
    return JSONResponse({**head, "content": content, **_reason(end, calls), "usage": usage})


async def _events(texts: Texts, head: dict[str, Any], reader: CallReader) -> AsyncGenerator[ServerSentEvent, None]:
    """A message begins, has a block of text, which grows, and one for each call, and ends."""
    begun = {**head, "content": [], "stop_reason": None, "stop_sequence": None}
    usage = {"input_tokens": 0, "output_tokens": 0}  # of the prompt too it is told at the end
    yield event({"type": "message_start", "message": {**begun, "usage": usage}}, named=True)
    says = False
    async for part in texts.parts():
        text, calls = reader.read(written(part.tokens), ended=part.end is not None)
        if not says and (text or (part.end and not calls)):
            says = True
            start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
            yield event(start, named=True)
        if text:
            delta = {"type": "text_delta", "text": text}
            yield event({"type": "content_block_delta", "index": 0, "delta": delta}, named=True)
        if part.end:
            if says:
                yield event({"type": "content_block_stop", "index": 0}, named=True)
            for index, call in enumerate(calls, start=int(says)):
                for each in _call_events(index, call):
                    yield event(each, named=True)
            usage = {"input_tokens": part.end["prompt_tokens"], "output_tokens": part.end["completion_tokens"]}
            yield event({"type": "message_delta", "delta": _reason(part.end, calls), "usage": usage}, named=True)
            yield event({"type": "message_stop"}, named=True)


def _call_events(index: int, call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A call is known whole or not at all, so its arguments come in one piece."""
    delta = {"type": "input_json_delta", "partial_json": call["function"]["arguments"]}
    yield {"type": "content_block_start", "index": index, "content_block": _block(call, {})}
    yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _block(call: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": arguments}


def _order(request: CountRequest) -> dict[str, Any]:
    """The conversation as the generation process takes it."""
    messages = [{"role": "system", "content": text_of(request.system, "system")}] if request.system else []
    turns = [_as_messages(turn) for turn in request.messages]
    begun = request.messages[-1].role == "assistant"
    if begun and "tool_calls" in turns[-1][-1]:
        raise InvalidFieldError("messages", "The last message calls a tool: what it returned must follow.")
    if begun and request.json_schema():
        raise InvalidFieldError("messages", "An answer that has begun cannot become JSON of a schema, or a call.")
    return {"messages": [*messages, *(message for turn in turns for message in turn)], "continue_answer": begun}


def _as_messages(turn: TurnMessage) -> list[dict[str, Any]]:
    """A turn as chat templates have it: what a tool returned is a message of its own, before or between what is said."""
    if isinstance(turn.content, str):
        return [{"role": turn.role, "content": turn.content}]
    messages: list[dict[str, Any]] = []
    for block in turn.content:
        if block.type == "tool_use" and block.name and turn.role == "assistant":
            add_call(messages, call_of(block.id, block.name, block.input or {}))
        elif block.type == "tool_result" and turn.role == "user":
            returned = text_of(block.content, "messages")
            messages.append({"role": "tool", "tool_call_id": block.tool_use_id, "content": returned})
        elif messages and messages[-1]["role"] == turn.role:
            messages[-1]["content"] += text_of([block], "messages")
        else:
            messages.append({"role": turn.role, "content": text_of([block], "messages")})
    return messages or [{"role": turn.role, "content": ""}]


def _reason(end: dict[str, Any], calls: list[dict[str, Any]]) -> dict[str, Any]:
    if end["finish_reason"] == "length":
        return {"stop_reason": "max_tokens", "stop_sequence": None}
    stop = end["stop_string"]
    why = "tool_use" if calls else "end_turn" if stop is None else "stop_sequence"
    return {"stop_reason": why, "stop_sequence": None if calls else stop}
