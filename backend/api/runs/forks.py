"""Runs that go on from where another one stands, and which came from which."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Header, Response

from backend.api.deps import ServicesDep
from backend.errors import ConflictError
from backend.runs import creation, lifecycle
from backend.runs.forking import fork, lineage
from backend.runs.forking.fork import Fork, ForkRequest
from backend.runs.jobs import Plan, read_job
from backend.schemas.runs import ForkPreview, Lineage, Run
from backend.services import Services

router = APIRouter(prefix="/api/runs/{run_id}", tags=["forks"])


class _Prepared(NamedTuple):
    fork: Fork
    planned: Plan
    steps: list[int]


@router.post("/fork", status_code=201)
def fork_run(
    run_id: str,
    wanted: ForkRequest,
    services: ServicesDep,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=200, description="Send twice, get one run")] = None,
) -> Run:
    """A new run with this one's settings and some changed, from the start or from one of its checkpoints.

    ``origin.state`` of the answer is what goes on: ``exact``, all that the checkpoint holds; ``weights``, as the changes
    leave no more; ``start``, nothing but the settings.
    """
    prepared = _prepare(run_id, wanted, services)

    def fill(directory: Path, planned: Plan) -> Plan:
        return fork.take_along(prepared.fork, planned, directory)

    made = creation.create(services.database, services.settings.runs_dir, prepared.planned, idempotency_key, fill=fill)
    response.status_code = 200 if made.known else 201
    services.supervisor.wake()
    return made.run


@router.post("/fork/preview")
def preview_fork(run_id: str, wanted: ForkRequest, services: ServicesDep) -> ForkPreview:
    """What such a fork would be, without making it."""
    prepared = _prepare(run_id, wanted, services)
    origin = prepared.fork.origin
    return ForkPreview(
        name=wanted.name or prepared.planned.name,
        state=origin.state,
        step=origin.step,
        because=prepared.fork.because,
        changes=origin.changes,
        steps=prepared.steps,
    )


@router.get("/lineage")
def get_lineage(run_id: str, services: ServicesDep) -> Lineage:
    """The runs that this one was forked from, and those that were forked from it or from these."""
    with services.database.read() as connection:
        return Lineage(items=lineage.family(connection, run_id))


def _prepare(run_id: str, wanted: ForkRequest, services: Services) -> _Prepared:
    with services.database.read() as connection:
        parent = lifecycle.row(connection, run_id)
    directory = services.settings.runs_dir / run_id
    try:
        job = read_job(directory)
    except OSError as error:
        raise ConflictError("The directory of this run is gone, and with it all that it could go on from.") from error
    found = fork.prepare(parent, directory, wanted)
    planned = fork.plan_of(found, job, services.catalog, services.datasets, services.devices)
    return _Prepared(found, planned, fork.steps_of(directory))
