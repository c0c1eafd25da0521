"""Deletes a run whole: what is known of it, and its directory."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from backend.db.database import Database
from backend.disk_space import Reserve
from backend.runs import lifecycle


def delete(database: Database, runs_dir: Path, reserve: Reserve, run_id: str, leave: Callable[[str], object]) -> None:
    """``leave`` ends what is being made of the run, and waits for that. Raises as ``lifecycle.remove`` does."""
    directory = runs_dir / run_id
    doomed = directory.with_name(f".deleted-{run_id}")
    with reserve.let_go():
        with database.write() as connection:
            lifecycle.remove(connection, run_id)  # raises for an id that is not a run's, before any path is touched
            leave(run_id)
            if directory.exists():
                directory.rename(doomed)  # one step, so that half a directory never looks like a run
        shutil.rmtree(doomed, ignore_errors=True)
