"""Which runs were forked from which."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from backend.db import tables
from backend.runs import lifecycle
from backend.schemas.runs import Relative
from worker.contract import RunOrigin

MOST = 200

_runs = tables.runs.c
_COLUMNS = (_runs.id, _runs.name, _runs.status, _runs.step, _runs.validation_loss, _runs.origin)


def family(connection: Connection, run_id: str) -> list[Relative]:
    """The run's earliest known ancestor, which may have been deleted, and its descendants, at most ``MOST``; each after the
    one that it was forked from. Raises NotFoundError."""
    root = _eldest(connection, lifecycle.row(connection, run_id))
    found, generation = [root], [root.id]
    while generation and len(found) < MOST:
        query = select(*_COLUMNS).where(func.json_extract(_runs.origin, "$.run").in_(generation)).order_by(_runs.number)
        children = [_relative(row) for row in connection.execute(query.limit(MOST - len(found)))]
        found += children
        generation = [child.id for child in children]
    return found


def _eldest(connection: Connection, row: Any) -> Relative:
    while row.origin:
        origin = RunOrigin.model_validate_json(row.origin)
        before = connection.execute(select(*_COLUMNS).where(_runs.id == origin.run)).one_or_none()
        if before is None:
            nothing: dict[str, None] = dict.fromkeys(("status", "step", "validation_loss", "origin"))
            return Relative(id=origin.run, name=origin.name, **nothing)
        row = before
    return _relative(row)


def _relative(row: Any) -> Relative:
    values = {column.name: getattr(row, column.name) for column in _COLUMNS}
    return Relative(**{**values, "origin": RunOrigin.model_validate_json(row.origin) if row.origin else None})
