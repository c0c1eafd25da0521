"""Text from a model, token by token."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from backend.api.deps import ServicesDep, place_in
from backend.api.events import as_events
from backend.errors import InvalidFieldError
from backend.schemas.system import Generation
from backend.services import Services
from worker.contract import ModelSource

router = APIRouter(prefix="/api/generate", tags=["generate"], default_response_class=EventSourceResponse)


class GenerateRequest(BaseModel):
    """What to continue, with which model, and how. ``temperature`` 0 always takes the likeliest token."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    model: str = Field(min_length=1, max_length=200)
    prompt: str = Field(max_length=100_000)
    chat: bool | None = Field(
        None,
        description="Put the prompt into the model's chat format; null: if its run learned from chats",
    )
    max_new_tokens: int = Field(100, ge=1, le=1024)
    temperature: float = Field(0.8, ge=0, le=5)
    top_p: float = Field(0.95, gt=0, le=1)
    top_k: int = Field(0, ge=0, le=1_000_000)
    seed: int | None = Field(None, ge=0, le=2**31 - 1)
    stop: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field([], max_length=16)
    logprobs: bool = False


@router.post("", dependencies=[place_in(lambda services: services.generator)])
async def generate(request: GenerateRequest, services: ServicesDep) -> EventSourceResponse:
    """Events ``loading``, ``token`` and a last ``done``, or ``error`` if it breaks midway. Closing the stream cancels."""
    # Not in asyncio's own threads: the hub may take seconds to answer, and live curves go through those.
    source = (await run_in_threadpool(services.catalog.resolve, request.model, field="model")).source
    check_learned(request.model, source)
    variables = await run_in_threadpool(services.catalog.chat_variables, request.model)
    in_chat = variables is not None if request.chat is None else request.chat
    order = request.model_dump() | {
        "op": "generate",
        "model": source.model_dump(),
        "name": request.model,
        "device": device_for_texts(services),
        "chat": (variables or {}) if in_chat else None,
    }
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


def held(services: Services) -> Generation:
    """What the generation process holds."""
    return Generation(running=services.generator.running, **(services.generator.state or {}))


def check_learned(name: str, source: ModelSource) -> None:
    """Raises InvalidFieldError for a model that has learned nothing yet."""
    if source.kind == "built_in":
        raise InvalidFieldError("model", f"{name} knows nothing yet.", hint="Train it, then prompt the run's model.")


def device_for_texts(services: Services) -> str:
    """No GPU while a run trains on one."""
    return "cpu" if any(device.startswith("cuda") for device in services.supervisor.busy_devices()) else "auto"


async def _events(services: Services, order: dict[str, Any], model: str) -> AsyncGenerator[dict[str, Any], None]:
    async with aclosing(services.generator.ask(order)) as replies:
        async for reply in replies:
            if reply["event"] == "loading":
                reply["data"] = {"model": model, **reply["data"]}
            yield reply
