"""What a run has told so far: events, log, samples, checkpoints."""

from __future__ import annotations

import codecs
from typing import Annotated

from fastapi import APIRouter, Query

from backend.api.deps import ServicesDep
from backend.runs import history, lifecycle
from backend.runs.judging import health
from backend.runs.judging.health import HeldFinding
from backend.schemas.base import Schema
from backend.schemas.runs import CheckpointList, EventPage, LogChunk, SampleList
from worker.contract import LOG_FILE

router = APIRouter(prefix="/api/runs/{run_id}", tags=["history"])

LOG_CHUNK_BYTES = 64 * 1024


class FindingList(Schema):
    """Open a stream after ``stream_cursor`` to miss none that follows."""

    items: list[HeldFinding]
    stream_cursor: int


@router.get("/events")
def get_events(
    run_id: str,
    services: ServicesDep,
    after: Annotated[int, Query(ge=0, le=2**62, description="Cursor of the last event one has")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    type: Annotated[str | None, Query(max_length=20, description="Only events of this type, such as message")] = None,
) -> EventPage:
    """The run's events, oldest first, page by page: all of them, also those of updates that were made again."""
    with services.database.read() as connection:
        lifecycle.row(connection, run_id)
        items, following = history.page(connection, run_id, after, limit, type)
        return EventPage(items=items, next=following, stream_cursor=lifecycle.newest_cursor(connection))


@router.get("/log")
def get_log(
    run_id: str,
    services: ServicesDep,
    offset: Annotated[int, Query(ge=-(2**62), le=2**62, description="Bytes from the start; from the end if negative")] = 0,
) -> LogChunk:
    """What the worker printed: at most 64 KiB from an offset on."""
    with services.database.read() as connection:
        lifecycle.row(connection, run_id)
    path = services.settings.runs_dir / run_id / LOG_FILE
    if not path.exists():
        return LogChunk(text="", offset=0, size=0)
    with path.open("rb") as file:
        size = path.stat().st_size
        start = min(offset, size) if offset >= 0 else max(0, size + offset)
        file.seek(start)
        data = file.read(LOG_CHUNK_BYTES)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    text = decoder.decode(data)
    unfinished = len(decoder.getstate()[0])  # the first bytes of a character whose rest is in the next chunk
    return LogChunk(text=text, offset=start + len(data) - unfinished, size=size)


@router.get("/samples")
def get_samples(run_id: str, services: ServicesDep) -> SampleList:
    """What the model wrote at each evaluation, oldest first."""
    with services.database.read() as connection:
        lifecycle.row(connection, run_id)
        items = history.samples(connection, run_id)
        return SampleList(items=items, stream_cursor=lifecycle.newest_cursor(connection))


@router.get("/checkpoints")
def get_checkpoints(run_id: str, services: ServicesDep) -> CheckpointList:
    """The folders of weights that the run has on disk, oldest first, the final model last."""
    with services.database.read() as connection:
        lifecycle.row(connection, run_id)
        items = history.checkpoints(connection, run_id, services.settings.runs_dir / run_id)
        return CheckpointList(items=items, stream_cursor=lifecycle.newest_cursor(connection))


@router.get("/findings")
def get_findings(run_id: str, services: ServicesDep) -> FindingList:
    """What the coach finds of the run's health now, the worst first; of a healthy run that learns, that."""
    with services.database.read() as connection:
        run = lifecycle.row(connection, run_id)
    if run.findings is None and run.status in lifecycle.TERMINAL:  # it ended under an edition without a coach
        services.coach.catch_up(run_id, run.step)
    with services.database.read() as connection:
        items = health.holding(connection, run_id)
        return FindingList(items=items, stream_cursor=lifecycle.newest_cursor(connection))
