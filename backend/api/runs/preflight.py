"""What a run will take, before it is started."""

from __future__ import annotations

from fastapi import APIRouter
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from backend.api.deps import ServicesDep
from backend.api.events import as_events
from backend.errors import ConflictError
from backend.runs.jobs import Plan, plan
from backend.schemas.preflight import Preflight
from backend.services import Services
from worker.contract import RunConfig

router = APIRouter(prefix="/api/preflight", tags=["preflight"])


@router.post("")
async def preflight(config: RunConfig, services: ServicesDep) -> Preflight:
    """Examples, tokens, updates, memory, time and disk of a run, by formula, and what to look at before its start."""
    return await services.estimates.estimate(await _plan(services, config))


@router.post("/measure", response_class=EventSourceResponse)
async def measure(config: RunConfig, services: ServicesDep) -> EventSourceResponse:
    """The same, and measured: a short-lived worker makes a few real updates on the run's device.

    Events ``progress`` {text}, then ``done`` with the Preflight, or ``error``. Closing the stream ends the trial.
    """
    planned = await _plan(services, config)
    device = services.estimates.device(config).id
    if device in services.supervisor.busy_devices() and device != "cpu":
        raise ConflictError(
            f"A run is using {device}.", hint="Measure when it has ended; the formula's numbers hold meanwhile."
        )
    return EventSourceResponse(as_events(services.estimates.measure(planned)), sep="\n")


async def _plan(services: Services, config: RunConfig) -> Plan:
    # Not in asyncio's own threads: the hub may take seconds to answer, and live curves go through those.
    return await run_in_threadpool(plan, config, services.catalog, services.datasets, services.devices)
