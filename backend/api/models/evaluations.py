"""Models evaluated on datasets, in the background."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse

from backend.api.deps import ServicesDep
from backend.api.events import as_events
from backend.schemas.evaluations import Evaluation, EvaluationList

router = APIRouter(prefix="/api/evaluations", tags=["evaluations"])

Name = Annotated[str, Field(min_length=1, max_length=200)]


class EvaluationRequest(BaseModel):
    """``datasets``: ids of datasets, all of whose rows are scored, or ``run:ID`` for what that run keeps aside to test on,
    read as the run does. ``limit``: of each only the first so many rows."""

    model_config = ConfigDict(extra="forbid")

    models: list[Name] = Field(min_length=1, max_length=20)
    datasets: list[Name] = Field(min_length=1, max_length=20)
    limit: int | None = Field(None, ge=1, le=10_000_000)


@router.post("", status_code=201)
async def create_evaluation(request: EvaluationRequest, services: ServicesDep) -> Evaluation:
    """Queues it. Each model is scored on each dataset, which is read, put in chat form and masked as training does it."""
    return await services.evaluations.create(request.models, request.datasets, request.limit)


@router.get("")
async def list_evaluations(services: ServicesDep) -> EvaluationList:
    """The newest first."""
    return EvaluationList(items=services.evaluations.all())


@router.get("/{evaluation_id}")
async def get_evaluation(evaluation_id: str, services: ServicesDep) -> Evaluation:
    """Its cells so far, and while it runs how far it is."""
    return services.evaluations.get(evaluation_id)


@router.get("/{evaluation_id}/stream", response_class=EventSourceResponse)
async def watch_evaluation(evaluation_id: str, services: ServicesDep) -> EventSourceResponse:
    """Events ``evaluation`` with all of it, at first and whenever something changes, and ``done`` at its end."""
    services.evaluations.get(evaluation_id)
    return EventSourceResponse(as_events(services.evaluations.watch(evaluation_id)), sep="\n")


@router.post("/{evaluation_id}/stop")
async def stop_evaluation(evaluation_id: str, services: ServicesDep) -> Evaluation:
    """What is done stays. One that has ended is answered as it is."""
    return await services.evaluations.cancel(evaluation_id)


@router.delete("/{evaluation_id}", status_code=204)
async def delete_evaluation(evaluation_id: str, services: ServicesDep) -> None:
    """Stops it if it runs."""
    await services.evaluations.remove(evaluation_id)
