"""Runs in the database: the state machine that decides every status, and the queries on runs.

Functions take an open connection; those that change something need one from ``Database.write()``.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timezone
from typing import Any, cast

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from backend.db import tables
from backend.errors import ConflictError, NotFoundError
from backend.runs import summary
from backend.schemas.preflight import Preflight
from backend.schemas.runs import Run, Status
from backend.series import curves
from worker.contract import RunConfig, RunOrigin, now

ALIVE: tuple[Status, ...] = ("starting", "running", "pausing", "paused", "stopping")
"""Statuses in which a run has a worker, or is about to."""

ACTIVE: tuple[Status, ...] = ("queued", *ALIVE)
MAY_GO_ON: tuple[Status, ...] = ("stopped", "failed", "interrupted")
TERMINAL: tuple[Status, ...] = ("completed", *MAY_GO_ON)

TRANSITIONS: dict[Status, tuple[Status, ...]] = {
    "queued": ("starting", "stopped"),
    "starting": ("queued", "running", "stopping", *TERMINAL),  # back to the queue if no worker came to be
    "running": ("pausing", "paused", "stopping", *TERMINAL),
    "pausing": ("paused", "running", "stopping", *TERMINAL),
    "paused": ("running", "stopping", *TERMINAL),
    "stopping": TERMINAL,  # a run may reach its end before it sees that it should stop
    "completed": (),
    "stopped": ("queued",),
    "failed": ("queued",),
    "interrupted": ("queued",),
}
"""Where each status may go. Nothing else in the project writes the status of an existing run."""

_GOING: tuple[Status, ...] = ("queued", "starting", "running")

_INSTEAD = {
    "queued": "Wait until it is running.",
    "starting": "Wait until it is running.",
    "pausing": "Resume it.",
    "paused": "Resume it.",
    "stopping": "Once it has stopped it can be resumed.",
    "completed": "Start a new run from its model.",
    "stopped": "Resume it: it goes on from its last checkpoint.",
    "failed": "Retry it: it goes on from its last checkpoint.",
    "interrupted": "Retry it: it goes on from its last checkpoint.",
}
"""What to do with a run of each status when what was asked for does not fit."""

_OF_ONE_WORKER = ("started_at", "ended_at", "device", "pid", "pid_started", "phase", "reason", "hint", "first_step", "eta_s")
"""Columns about the latest worker alone. The next one must not be taken for it, nor its last word for the next one's."""


_runs, _events = tables.runs.c, tables.events.c
_QUEUE_ORDER = (_runs.queued_at, _runs.number)  # whoever is queued again waits behind those who wait already


def transition(
    connection: Connection, run_id: str, to: Status, *, reason: str | None = None, hint: str | None = None
) -> bool:
    """Move a run to a status if the table allows it from where the run is now; else change nothing and return False.

    The status is compared and set by one UPDATE, so of two that race one wins. The change is told to streams by an
    event in the same transaction.
    """
    before = [status for status, following in TRANSITIONS.items() if to in following]
    values: dict[str, Any] = {"status": to}
    if to == "queued":
        values |= dict.fromkeys(_OF_ONE_WORKER)
    if to == "starting":
        values["started_at"] = now()
    if to in TERMINAL:  # only then: until then these columns hold what the worker said, which must not be lost
        values |= {"ended_at": now(), "eta_s": None, "reason": reason, "hint": hint}
    changed = connection.execute(
        update(tables.runs).where(_runs.id == run_id, _runs.status.in_(before)).values(values),
    )
    if changed.rowcount == 0:
        return False
    tell(connection, run_id, to, to, reason)
    return True


def tell(connection: Connection, run_id: str, fact: str, status: str, reason: str | None = None) -> None:
    """Append a fact of the server's own to a run's events."""
    event = {"type": "server", "time": now(), "fact": fact, "status": status, "reason": reason}
    connection.execute(insert(tables.events).values(run_id=run_id, type="server", data=json.dumps(event)))


def new_id() -> str:
    """Sorts by time, safe in a path."""
    return f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def create(
    connection: Connection,
    run_id: str,
    name: str,
    config: RunConfig,
    idempotency_key: str | None,
    predicted: Preflight | None = None,
    origin: RunOrigin | None = None,
) -> None:
    connection.execute(
        insert(tables.runs).values(
            id=run_id,
            idempotency_key=idempotency_key,
            name=name,
            status="queued",
            config=config.model_dump_json(),
            predicted=predicted.model_dump_json() if predicted else None,
            origin=origin.model_dump_json() if origin else None,
            created_at=(time := now()),
            queued_at=time,
        )
    )
    tell(connection, run_id, "queued", "queued")


def find_by_key(connection: Connection, idempotency_key: str) -> str | None:
    """The run that was created with this key."""
    return connection.execute(select(_runs.id).where(_runs.idempotency_key == idempotency_key)).scalar()


def free_name(connection: Connection, base: str) -> str:
    """``base``, or "base #2" and so on if runs have that name."""
    taken = set(connection.execute(select(_runs.name).where(_runs.name.startswith(base, autoescape=True))).scalars())
    number, name = 1, base
    while name in taken:
        number += 1
        name = f"{base} #{number}"
    return name


def row(connection: Connection, run_id: str) -> Row[Any]:
    """The run's row. Raises NotFoundError."""
    found = connection.execute(select(tables.runs).where(_runs.id == run_id)).one_or_none()
    if found is None:
        raise NotFoundError("There is no run with this id.", hint="It may have been deleted.")
    return found


def get(connection: Connection, run_id: str) -> Run:
    """The run as the API shows it. Raises NotFoundError."""
    return describe(row(connection, run_id), queue(connection), newest_cursor(connection))


def with_status(connection: Connection, *statuses: Status) -> list[Row[Any]]:
    """Rows in the order of the queue."""
    return list(connection.execute(select(tables.runs).where(_runs.status.in_(statuses)).order_by(*_QUEUE_ORDER)))


def newest_cursor(connection: Connection) -> int:
    return connection.execute(select(func.max(_events.cursor))).scalar() or 0


def request_stop(connection: Connection, run_id: str) -> Status:
    """Ask for the end of a run: "stopped" at once if it waits in the queue, else "stopping".

    Raises NotFoundError; ConflictError if it has ended.
    """
    if transition(connection, run_id, "stopping"):
        return "stopping"
    status = cast(Status, row(connection, run_id).status)
    if status == "queued":
        transition(connection, run_id, "stopped", reason="It was taken from the queue before it started.")
        return "stopped"
    if status != "stopping":
        raise ConflictError(f"This run has ended already: it is {status}.")
    return "stopping"


def request_pause(connection: Connection, run_id: str) -> None:
    """Ask a running worker to pause; it is "paused" once the worker says so. Raises NotFoundError, ConflictError."""
    if not transition(connection, run_id, "pausing"):
        _refuse_unless(connection, run_id, ("pausing", "paused"), "paused")


def request_resume(connection: Connection, run_id: str) -> bool:
    """End a pause, or queue a stopped run again; whether it was queued.

    A paused run is "running" again once its worker says so. Raises NotFoundError, ConflictError.
    """
    status = row(connection, run_id).status
    if status == "stopped":
        return _queue_again(connection, run_id)
    if status == "pausing":
        transition(connection, run_id, "running")
    else:
        _refuse_unless(connection, run_id, ("paused", *_GOING), "resumed")
    return False


def request_retry(connection: Connection, run_id: str) -> bool:
    """Queue a failed or interrupted run again; whether it was queued. Raises NotFoundError, ConflictError."""
    if row(connection, run_id).status in ("failed", "interrupted"):
        return _queue_again(connection, run_id)
    _refuse_unless(connection, run_id, _GOING, "retried")
    return False


def _queue_again(connection: Connection, run_id: str) -> bool:
    connection.execute(update(tables.runs).where(_runs.id == run_id).values(queued_at=now(), archived=False))
    return transition(connection, run_id, "queued")


def _refuse_unless(connection: Connection, run_id: str, fitting: tuple[Status, ...], asked: str) -> None:
    """Asking for what is so already, or will be, is no error: a click may come twice."""
    status = row(connection, run_id).status
    if status not in fitting:
        raise ConflictError(f"This run cannot be {asked}: it is {status}.", hint=_INSTEAD[status])


def remove(connection: Connection, run_id: str) -> None:
    """Forget an ended run and its events.

    Raises NotFoundError; ConflictError while the run, or one that builds on it, is active.
    """
    status = row(connection, run_id).status
    if status in ACTIVE:
        raise ConflictError(f"This run is {status}.", hint="Stop it first, then delete it.")
    if other := user_of(connection, run_id):
        raise ConflictError(f"The run “{other}” is using this run's model.", hint="Wait until it has ended, or stop it.")
    connection.execute(delete(tables.runs).where(_runs.id == run_id))
    connection.execute(delete(tables.events).where(_events.run_id == run_id))
    curves.forget(connection, run_id)
    tell(connection, run_id, "deleted", status)


def user_of(connection: Connection, run_id: str) -> str | None:
    """The name of an active run that builds on this one's model, or on one of its checkpoints."""
    for other in with_status(connection, *ACTIVE):
        if str(json.loads(other.config)["model_name"]).partition("@")[0] == f"run:{run_id}":
            return str(other.name)
    return None


def queue(connection: Connection) -> dict[int, int]:
    """Run number → place in the queue, from 1."""
    numbers = connection.execute(select(_runs.number).where(_runs.status == "queued").order_by(*_QUEUE_ORDER)).scalars()
    return {number: place for place, number in enumerate(numbers, 1)}


def describe(found: Row[Any], queue: dict[int, int], cursor: int) -> Run:
    """A row as the API shows it, given every run's place in the queue and the newest cursor."""
    columns = found._asdict()
    shown = {name: columns[name] for name in Run.model_fields.keys() & columns.keys()}
    shown["config"] = RunConfig.model_validate_json(found.config)
    shown["predicted"] = Preflight.model_validate_json(found.predicted) if found.predicted else None
    shown["origin"] = RunOrigin.model_validate_json(found.origin) if found.origin else None
    shown["findings"] = json.loads(found.findings) if found.findings else []
    shown["tags"] = json.loads(found.tags)
    shown["sparkline"] = summary.sparkline_points(found.sparkline)
    return Run(**shown, queue_position=queue.get(found.number), stream_cursor=cursor)
