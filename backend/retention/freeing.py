"""Frees what an ended run does not need any more."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from backend.db.database import Database
from backend.errors import ConflictError
from backend.retention.sizes import Sizes
from backend.runs import history, lifecycle
from backend.schemas.disk import Freed
from worker.contract import CHECKPOINTS_DIR


def unneeded(connection: Connection, directory: Path, run: Row[Any]) -> list[Path]:
    """A run's checkpoints that nothing goes on from: all but the best one, and but the latest of a run that may still go on.
    None of an active run."""
    if run.status in lifecycle.ACTIVE:
        return []
    saved = history.checkpoints(connection, run.id, directory)
    known = sorted((one for one in saved if Path(one.path).parent.name == CHECKPOINTS_DIR), key=lambda one: one.step)
    best = [one for one in known if one.kind == "best" and one.validation_loss is not None]
    kept = {min(best, key=lambda one: (one.validation_loss, -one.step)).name} if best else set()
    if known and (run.status in lifecycle.MAY_GO_ON or not kept):
        kept.add(known[-1].name)
    return [Path(one.path) for one in known if one.name not in kept]


def free_checkpoints(database: Database, runs_dir: Path, run_id: str, why: str) -> Freed:
    """Deletes these checkpoints, and tells so in the run's events. ``why`` ends the sentence there.

    Raises NotFoundError; ConflictError while the run, or one that builds on it, is active.
    """
    doomed: list[tuple[Path, Path]] = []
    with database.write() as connection:  # nobody can begin to go on from one meanwhile
        run = lifecycle.row(connection, run_id)
        if run.status in lifecycle.ACTIVE:
            raise ConflictError(f"This run is {run.status}.", hint="Its checkpoints can be freed once it has ended.")
        if other := lifecycle.user_of(connection, run_id):
            raise ConflictError(f"The run “{other}” is using this run's model.", hint="Wait until it has ended, or stop it.")
        for path in unneeded(connection, runs_dir / run_id, run):
            # Swept when the server starts, if this is cut short.
            aside = runs_dir / f".deleted-{run_id}-{path.name}-{secrets.token_hex(2)}"
            path.rename(aside)
            doomed.append((path, aside))
        names = [path.name for path, _ in doomed]
        sizes = Sizes()
        freed = sum(sizes.of(aside) for _, aside in doomed)
        if names:
            lifecycle.tell(connection, run_id, "freed", run.status, f"Deleted {', '.join(names)}: {why}.")
    for _, aside in doomed:
        shutil.rmtree(aside, ignore_errors=True)
    return Freed(checkpoints=names, bytes=freed)
