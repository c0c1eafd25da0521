"""Server-sent events. A stream's heartbeat tells what the machine is doing: ``event: machine``, without an id."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from backend.api.deps import AfterCursor, ServicesDep, parts_of
from backend.runs import lifecycle
from backend.services import Services

router = APIRouter(prefix="/api", tags=["streams"], default_response_class=EventSourceResponse)

HEARTBEAT_S = 5
STALLED_CLIENT_S = 30  # one that takes nothing for so long is dropped; it can reconnect and miss nothing


@router.get("/runs/{run_id}/stream")
async def stream_run(run_id: str, services: ServicesDep, after: AfterCursor) -> EventSourceResponse:
    """All events of a run after a cursor, then each new one as it comes; ``event: end`` once the run has ended."""
    return await _stream(services, frozenset({run_id}), after or 0)


@router.get("/stream")
async def stream_runs(
    services: ServicesDep,
    after: AfterCursor,
    runs: Annotated[str, Query(description="Ids separated by commas; every run if left out")] = "",
) -> EventSourceResponse:
    """The same for several runs at once, or for all. Without ``after`` it begins now. For all runs it never ends."""
    return await _stream(services, frozenset(parts_of(runs)) or None, after)


async def _stream(services: Services, run_ids: frozenset[str] | None, after: int | None) -> EventSourceResponse:
    newest = await asyncio.to_thread(_check, services, run_ids or frozenset())
    frames = services.broadcaster.follow(newest if after is None else after, run_ids)

    def heartbeat() -> ServerSentEvent:
        return ServerSentEvent(event="machine", data=services.sampler.now().model_dump_json(), sep="\n")

    return EventSourceResponse(
        frames, ping=HEARTBEAT_S, ping_message_factory=heartbeat, send_timeout=STALLED_CLIENT_S, sep="\n"
    )


def _check(services: Services, run_ids: frozenset[str]) -> int:
    """The newest cursor. Raises NotFoundError if one of the runs is unknown."""
    with services.database.read() as connection:
        for run_id in run_ids:
            lifecycle.row(connection, run_id)
        return lifecycle.newest_cursor(connection)
