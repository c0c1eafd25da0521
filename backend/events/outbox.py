"""What a webhook is still to be told, kept in the database so that nothing is missed or forgotten by a restart.

Functions take an open connection; those that change something need one from ``Database.write()``.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from backend.db import tables
from backend.db.database import Database
from backend.errors import NotFoundError
from backend.runs import lifecycle
from backend.runs.judging import health

_TOLD = (
    *("id", "name", "tags", "status", "reason", "step", "total_steps", "epoch"),
    *("loss", "validation_loss", "best_validation_loss", "started_at"),
)
"""What a delivery says of the run; of an end, status and reason are those of the event."""

_OF_A_FINDING = ("rule", "title", "level", "step", "from_step", "evidence", "text", "advice", "fix")

_events, _deliveries = tables.events.c, tables.webhook_deliveries.c


def begin(connection: Connection) -> None:
    """Where no webhook was set before, what has been until now is not told."""
    if connection.execute(select(tables.webhook_position)).first() is None:
        connection.execute(insert(tables.webhook_position).values(cursor=lifecycle.newest_cursor(connection)))


def clear(database: Database) -> None:
    """No webhook is set: nothing waits, and one that is set later begins anew."""
    with database.read() as connection:
        if connection.execute(select(tables.webhook_position)).first() is None:
            return
    with database.write() as connection:
        connection.execute(delete(tables.webhook_position))
        connection.execute(delete(tables.webhook_deliveries))


def collect(connection: Connection, page: str, time: float) -> None:
    """Put each end of a run, and each alarm of the coach, since the last call into the outbox, due at ``time``.

    ``page`` is the address of our page.
    """
    position = connection.execute(select(tables.webhook_position.c.cursor)).scalar_one()
    query = (
        select(_events.cursor, _events.run_id, _events.type, _events.data)
        .where(_events.cursor > position, _events.type.in_(("server", "finding")))
        .order_by(_events.cursor)
    )
    for cursor, run_id, kind, data in connection.execute(query).all():
        event = json.loads(data)
        if kind == "finding":
            if health.is_alarm(connection, run_id, cursor, event):
                finding = {name: event[name] for name in _OF_A_FINDING}
                _add(connection, run_id, "run.finding", event["time"], {}, page, time, finding=finding)
        # A fact named like a status is the change to it; others, such as a new name, only repeat the status.
        elif event["fact"] in lifecycle.TERMINAL:
            told = {"status": event["status"], "reason": event["reason"]}
            _add(connection, run_id, f"run.{event['status']}", event["time"], told, page, time)
    connection.execute(update(tables.webhook_position).values(cursor=lifecycle.newest_cursor(connection)))


def _add(
    connection: Connection,
    run_id: str,
    kind: str,
    at: str,
    of_the_event: dict[str, Any],
    page: str,
    due: float,
    **more: Any,
) -> None:
    try:
        run = lifecycle.get(connection, run_id).model_dump()
    except NotFoundError:  # it has been deleted meanwhile, and nobody wants to hear of it
        return
    told = {name: run[name] for name in _TOLD} | of_the_event
    delivery = secrets.token_hex(16)
    body = {"event": kind, "id": delivery, "time": at, "run": told | {"url": f"{page}/#/runs/{run_id}"}, **more}
    connection.execute(
        insert(tables.webhook_deliveries).values(id=delivery, event=kind, body=json.dumps(body), due=due),
    )


def earliest(connection: Connection) -> Row[Any] | None:
    """The delivery that is due first."""
    query = select(tables.webhook_deliveries).order_by(_deliveries.due, _deliveries.number).limit(1)
    return connection.execute(query).one_or_none()


def postpone(connection: Connection, number: int, tries: int, due: float) -> None:
    connection.execute(update(tables.webhook_deliveries).where(_deliveries.number == number).values(tries=tries, due=due))


def take_out(connection: Connection, number: int) -> None:
    """It was delivered, or is given up."""
    connection.execute(delete(tables.webhook_deliveries).where(_deliveries.number == number))


def pending(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(tables.webhook_deliveries)).scalar_one()
