"""From a plan to a run that waits in the queue: its directory and its row, both or neither."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from backend.db.database import Database
from backend.runs import lifecycle
from backend.runs.jobs import Plan, write_job
from backend.schemas.preflight import Preflight
from backend.schemas.runs import Run


class Created(NamedTuple):
    """``known``: it had been created before, with the same key."""

    run: Run
    known: bool


def create(
    database: Database,
    runs_dir: Path,
    planned: Plan,
    idempotency_key: str | None,
    predicted: Preflight | None = None,
    *,
    fill: Callable[[Path, Plan], Plan] = lambda directory, planned: planned,
) -> Created:
    """Queue a run. ``fill`` puts into its directory what it begins with, and returns the plan as it then is.

    Raises InvalidFieldError if the data or the model has just been deleted, and whatever ``fill`` does.
    """
    directory = None
    try:
        with database.write() as connection:
            if known := already_made(connection, idempotency_key):  # by a request that came at the same moment
                return Created(known, known=True)
            run_id = _unused_id(runs_dir)
            directory = runs_dir / run_id
            directory.mkdir()
            planned = fill(directory, planned)
            planned.check()  # again, now that nothing can be deleted until the run is there
            name = planned.config.name or lifecycle.free_name(connection, planned.name)
            named = planned._replace(config=planned.config.model_copy(update={"name": name}))
            write_job(directory, named.job(run_id))
            lifecycle.create(connection, run_id, name, named.config, idempotency_key, predicted, planned.origin)
            return Created(lifecycle.get(connection, run_id), known=False)
    except BaseException:
        if directory:
            shutil.rmtree(directory, ignore_errors=True)  # a run that is not in the database is not there at all
        raise


def already_made(connection: Connection, idempotency_key: str | None) -> Run | None:
    """The run that this key has made before."""
    known = lifecycle.find_by_key(connection, idempotency_key) if idempotency_key else None
    return lifecycle.get(connection, known) if known else None


def _unused_id(runs_dir: Path) -> str:
    while (runs_dir / (run_id := lifecycle.new_id())).exists():
        pass
    return run_id
