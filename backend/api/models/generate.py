"""Text from a model, token by token."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from backend.api.deps import ServicesDep, place_in
from backend.api.events import as_events
from backend.errors import InvalidFieldError
from backend.schemas.generation import Conversation, ModelName, Prompt, SamplingSettings, Turn
from backend.schemas.system import Generation
from backend.services import Services
from worker.contract import ModelSource

router = APIRouter(prefix="/api/generate", tags=["generate"], default_response_class=EventSourceResponse)


class GenerateRequest(SamplingSettings):
    """What to go on from, with which model, and how: ``prompt``, or a conversation, ``messages``, that the model answers in
    its chat format. ``top_logprobs``: how many of the likeliest tokens to tell of beside each one, with their
    log-probabilities. ``echo``: the prompt's tokens are told first, as the model gets them. ``continue_answer``: the last of
    the ``messages`` is an answer that is to be gone on with."""

    model: ModelName
    prompt: Prompt | None = None
    messages: Conversation | None = None
    continue_answer: bool = False
    chat: bool | None = Field(
        None,
        description="Put the prompt into the model's chat format; null: if its run learned from chats",
    )
    logprobs: bool = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool = False


@router.post("", dependencies=[place_in(lambda services: services.generator)])
async def generate(request: GenerateRequest, services: ServicesDep) -> EventSourceResponse:
    """Events ``loading``, ``prompt`` if it is to be echoed, ``token`` and a last ``done``, or ``error`` if it breaks midway.
    Closing the stream cancels."""
    order = await order_of(request, services)
    return EventSourceResponse(as_events(_events(services, order, request.model)), sep="\n")


@router.get("/models", response_class=JSONResponse)
def list_models_in_memory(services: ServicesDep) -> Generation:
    """The models in memory, and those that are being loaded."""
    return held(services)


@router.delete("/models", response_class=JSONResponse)
async def free_models(services: ServicesDep) -> Generation:
    """Frees the memory of all models that write nothing now."""
    if not await services.generator.end_if_idle():
        await services.generator.answer({"op": "free"})
    return held(services)


async def order_of(request: GenerateRequest, services: Services) -> dict[str, Any]:
    """What the generation process is asked. Raises InvalidFieldError."""
    require_one(request.prompt, request.messages)
    if request.continue_answer and (not request.messages or request.messages[-1].role != "assistant"):
        raise InvalidFieldError(
            "continue_answer", "There is no answer to go on with: the last message is not the assistant's."
        )
    # Not in asyncio's own threads: the hub may take seconds to answer, and live curves go through those.
    source = (await run_in_threadpool(services.catalog.resolve, request.model, field="model")).source
    check_learned(request.model, source)
    variables = await run_in_threadpool(services.catalog.chat_variables, request.model)
    in_chat = variables is not None if request.chat is None else request.chat
    return request.model_dump(exclude_none=True) | {
        "op": "generate",
        "model": source.model_dump(),
        "name": request.model,
        "chat": (variables or {}) if in_chat or request.messages else None,
        "logprobs": request.logprobs or request.top_logprobs is not None,
    }


def held(services: Services) -> Generation:
    """What the generation process holds."""
    return Generation(running=services.generator.running, **(services.generator.state or {}))


def require_one(prompt: str | None, messages: list[Turn] | None) -> None:
    """Raises InvalidFieldError unless there is either a prompt or a conversation."""
    if (prompt is None) == (messages is None):
        both = "not both" if messages is not None else "and there is neither"
        raise InvalidFieldError("prompt", f"Give either prompt or messages, {both}.")


def check_learned(name: str, source: ModelSource, field: str = "model") -> None:
    """Raises InvalidFieldError for a model that has learned nothing yet."""
    if source.kind == "built_in":
        raise InvalidFieldError(field, f"{name} knows nothing yet.", hint="Train it, then prompt the run's model.")


async def _events(services: Services, order: dict[str, Any], model: str) -> AsyncGenerator[dict[str, Any], None]:
    async with aclosing(services.generator.ask(order)) as replies:
        async for reply in replies:
            if reply["event"] == "loading":
                reply["data"] = {"model": model, **reply["data"]}
            yield reply
