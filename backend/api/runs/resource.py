"""Create, list, show, describe, pause, resume, retry, stop and delete runs."""

from __future__ import annotations

from typing import Annotated

from anyio import from_thread
from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from backend.api.deps import ServicesDep, parts_of
from backend.errors import ApiError, InvalidFieldError
from backend.runs import about, creation, lifecycle, queries, removal
from backend.runs.about import AboutChange
from backend.runs.jobs import plan
from backend.runs.preflight import require_fitting
from backend.runs.queries import Archived, Order, Sort
from backend.schemas.names import RUN_ID_PATTERN
from backend.schemas.runs import Deletion, Refusal, Run, RunList
from worker.contract import RunConfig, RunOrigin, changes_between

router = APIRouter(prefix="/api/runs", tags=["runs"])


class Ids(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[Annotated[str, Field(pattern=RUN_ID_PATTERN)]], Field(min_length=1, max_length=1000)]


@router.post("", status_code=201)
def create_run(
    config: RunConfig,
    services: ServicesDep,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=200, description="Send twice, get one run")] = None,
    override: Annotated[bool, Query(description="Start although its preflight said that it does not fit")] = False,
    from_run: Annotated[
        str | None, Query(alias="from", max_length=40, description="Id of the run whose settings these were, for its origin")
    ] = None,
) -> Run:
    """Check a configuration, store it as a run, and queue it. The same Idempotency-Key answers with the same run.

    One whose preflight was asked for and said that it does not fit is refused, unless ``override``.
    """
    with services.database.read() as connection:
        if known := creation.already_made(connection, idempotency_key):
            response.status_code = 200
            return known
        like = lifecycle.row(connection, from_run) if from_run else None
    planned = plan(config, services.catalog, services.datasets, services.devices)
    predicted = services.estimates.known(planned)
    if predicted and not override:
        require_fitting(predicted)
    if like:
        changes = changes_between(RunConfig.model_validate_json(like.config), planned.config)
        planned = planned._replace(origin=RunOrigin(run=like.id, name=like.name, step=None, state="start", changes=changes))
    made = creation.create(services.database, services.settings.runs_dir, planned, idempotency_key, predicted)
    response.status_code = 200 if made.known else 201
    services.supervisor.wake()
    return made.run


@router.get("")
def list_runs(
    services: ServicesDep,
    status: Annotated[str, Query(description="One or more, separated by commas")] = "",
    q: Annotated[
        str, Query(max_length=200, description="Part of name, model, dataset, tags or notes; or the id's start")
    ] = "",
    tag: Annotated[str, Query(max_length=40, description="One that the run has")] = "",
    archived: Annotated[Archived, Query(description="true: only archived runs")] = "false",
    sort: Annotated[
        Sort, Query(description="Runs without such a value come last; duration is known of ended runs")
    ] = "created",
    order: Annotated[
        Order | None, Query(description="Left out: by name from a, by loss from the best, else from the most")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str, Query(max_length=800, description="next_cursor of the page before")] = "",
) -> RunList:
    """Runs, newest first unless sorted otherwise."""
    statuses = parts_of(status)
    for unknown in set(statuses) - set(lifecycle.TRANSITIONS):
        raise InvalidFieldError(
            "status", f"There is no status {unknown[:40]!r}.", hint=f"Use: {', '.join(lifecycle.TRANSITIONS)}."
        )
    text = q.strip()
    fitting = [one.id for one in services.datasets.all() if text.lower() in one.name.lower()] if text else []
    wanted = queries.Filter(statuses, text, tag, archived, fitting)
    with services.database.read() as connection:
        page = queries.page(connection, wanted, sort, order, limit, cursor)
    return RunList(
        items=page.items, next_cursor=page.following, matching=page.matching, known=page.known, stream_cursor=page.cursor
    )


@router.post("/delete")
def delete_runs(wanted: Ids, services: ServicesDep) -> Deletion:
    """Delete several ended runs. Each is deleted whole or, like those that are still active, refused and left as it was."""
    deleted, refused = [], []
    for run_id in dict.fromkeys(wanted.ids):
        try:
            delete_run(run_id, services)
            deleted.append(run_id)
        except ApiError as error:
            refused.append(Refusal(id=run_id, message=error.detail.message))
    return Deletion(deleted=deleted, refused=refused)


@router.get("/{run_id}")
def get_run(run_id: str, services: ServicesDep) -> Run:
    with services.database.read() as connection:
        return lifecycle.get(connection, run_id)


@router.patch("/{run_id}")
def change_run(run_id: str, change: AboutChange, services: ServicesDep) -> Run:
    """Change its name, tags or notes, or archive it. The board leaves archived runs out unless asked; nothing is deleted."""
    with services.database.write() as connection:
        about.change(connection, services.settings.runs_dir / run_id, run_id, change)
        return lifecycle.get(connection, run_id)


@router.delete("/{run_id}", status_code=204)
def delete_run(run_id: str, services: ServicesDep) -> None:
    """Delete an ended run with its directory: log, checkpoints and model."""
    removal.delete(
        services.database, services.settings.runs_dir, services.reserve, run_id,
        lambda doomed: from_thread.run(services.exports.leave, doomed),
    )  # fmt: skip


@router.post("/{run_id}/pause", status_code=202)
def pause_run(run_id: str, services: ServicesDep) -> Run:
    """Ask the worker to save a checkpoint after its update and wait. A paused run keeps its device."""
    services.supervisor.request_pause(run_id)
    return get_run(run_id, services)


@router.post("/{run_id}/resume", status_code=202)
def resume_run(run_id: str, services: ServicesDep) -> Run:
    """End a pause, or queue a stopped run again: it goes on from its last checkpoint, or from the start if it has none."""
    services.supervisor.request_resume(run_id)
    return get_run(run_id, services)


@router.post("/{run_id}/retry", status_code=202)
def retry_run(run_id: str, services: ServicesDep) -> Run:
    """Queue a failed or interrupted run again: it goes on from its last checkpoint, or from the start if it has none."""
    services.supervisor.request_retry(run_id)
    return get_run(run_id, services)


@router.post("/{run_id}/stop", status_code=202)
def stop_run(run_id: str, services: ServicesDep) -> Run:
    """Ask the worker to save what it has and end; a run that is still queued ends at once."""
    services.supervisor.request_stop(run_id)
    return get_run(run_id, services)


@router.post("/{run_id}/kill", status_code=202)
def kill_run(run_id: str, services: ServicesDep) -> Run:
    """End a worker that does not answer to stop. What it had not saved is lost."""
    services.supervisor.kill(run_id)
    return get_run(run_id, services)
