"""How likely models find a text, token by token."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from backend.api.deps import ServicesDep, place_in
from backend.api.events import as_events
from backend.api.models.generate import check_learned
from backend.errors import InvalidFieldError
from backend.schemas.generation import ModelName
from backend.schemas.scores import ScoredText, ScoredTexts
from backend.services import Services
from worker.contract import ModelSource

router = APIRouter(prefix="/api/score", tags=["score"], default_response_class=EventSourceResponse)


class ScoreRequest(BaseModel):
    """Special tokens that are typed in the text are text. ``top``: how many of the likeliest tokens to tell of at each
    place."""

    model_config = ConfigDict(extra="forbid")

    models: list[ModelName] = Field(min_length=1, max_length=4)
    text: str = Field(min_length=1, max_length=20_000)
    top: int = Field(5, ge=0, le=20)


@router.post("", dependencies=[place_in(lambda services: services.generator)], responses={200: {"model": ScoredTexts}})
async def score(request: ScoreRequest, services: ServicesDep) -> EventSourceResponse:
    """Events ``progress`` {model, text, share?}, and a last ``done`` with what each model makes of the text, or ``error``.
    Closing the stream cancels.

    Loss is in nats per token; bits per byte compares across tokenizers. A text that is longer than a model can read is read
    in overlapping windows.
    """
    if len(set(request.models)) < len(request.models):
        raise InvalidFieldError("models", "A model stands there twice.", hint="Name each once.")
    sources = {}
    for name in request.models:
        # Not in asyncio's own threads: the hub may take seconds to answer, and live curves go through those.
        sources[name] = (await run_in_threadpool(services.catalog.resolve, name, field="models")).source
        check_learned(name, sources[name], field="models")
    return EventSourceResponse(as_events(_events(services, request, sources)), sep="\n")


async def _events(
    services: Services, request: ScoreRequest, sources: dict[str, ModelSource]
) -> AsyncGenerator[dict[str, Any], None]:
    scored = []
    for name, source in sources.items():
        order = {
            "op": "score",
            "model": source.model_dump(),
            "name": name,
            **request.model_dump(include={"text", "top"}),
        }
        async with aclosing(services.generator.ask(order)) as replies:
            async for reply in replies:
                if reply["event"] == "done":
                    scored.append(ScoredText(model=name, **reply["data"]))
                elif reply["event"] == "error":
                    yield {"event": "error", "data": {**reply["data"], "field": "models"}}
                    return
                else:
                    told = "Loading" if reply["event"] == "loading" else "Reading the text with"
                    yield {"event": "progress", "data": {"model": name, "text": f"{told} {name}.", **reply["data"]}}
    yield {"event": "done", "data": ScoredTexts(models=scored).model_dump()}
