"""One training step of a run, to be looked at."""

from __future__ import annotations

from fastapi import APIRouter
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from backend.api.deps import ServicesDep, place_in
from backend.api.events import as_events
from backend.runs import lifecycle
from backend.schemas.microscope import MicroscopeRequest, MicroscopeStep
from backend.schemas.runs import Run
from backend.services import Services

router = APIRouter(prefix="/api/runs", tags=["microscope"], default_response_class=EventSourceResponse)


@router.post(
    "/{run_id}/microscope",
    dependencies=[place_in(lambda services: services.microscope.helper)],
    responses={200: {"model": MicroscopeStep}},
)
async def look_at_step(run_id: str, request: MicroscopeRequest, services: ServicesDep) -> EventSourceResponse:
    """One real training step of a checkpoint on one row, made in memory and written nowhere: tokens, guesses, loss, one
    head's attention, gradients, the update, and the loss after it.

    Events ``progress`` {text}, and a last ``done`` with the step, or ``error``. Closing the stream cancels.
    """
    run = await run_in_threadpool(_run, services, run_id)
    question = await run_in_threadpool(services.microscope.question, run, request)
    return EventSourceResponse(as_events(services.microscope.look(run_id, question)), sep="\n")


def _run(services: Services, run_id: str) -> Run:
    with services.database.read() as connection:
        return lifecycle.get(connection, run_id)
