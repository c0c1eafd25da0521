"""Frees by itself what people said may go, once an hour: old checkpoints, archived runs, and what is beyond the quota."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from anyio import from_thread, move_on_after, to_thread
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError, TimeoutError

from backend import files
from backend.datasets.store import Datasets
from backend.db.database import Database
from backend.disk_space import Reserve
from backend.errors import ApiError
from backend.retention import freeing, usage
from backend.runs import removal
from backend.schemas.disk import DiskItem, DiskUsage, Retention
from backend.settings import Settings

log = logging.getLogger(__name__)

LOOKED_EVERY_S = 3600.0


class RetentionSweeper:
    """``leave`` ends what is being made of a run that is about to be deleted. What people chose is in ``retention.json``."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        datasets: Datasets,
        reserve: Reserve,
        leave: Callable[[str], Coroutine[Any, Any, None]],
    ) -> None:
        self._settings, self._database, self._datasets, self._reserve = settings, database, datasets, reserve
        self._leave = leave
        self._path: Path = settings.data_dir / "retention.json"
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """What is being freed is finished first."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def rules(self) -> Retention:
        """What was chosen; a file that cannot be read frees nothing."""
        try:
            return Retention.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Retention()
        except (OSError, ValidationError) as error:
            log.warning("%s cannot be read, so nothing is freed by itself: %s", self._path, error)
            return Retention()

    def choose(self, rules: Retention) -> None:
        """Holds from now on. Raises OSError."""
        files.write_whole(self._path, rules.model_dump_json(indent=1))

    def wake(self) -> None:
        """Look at once."""
        self._changed.set()

    def usage(self) -> DiskUsage:
        with self._database.read() as connection:
            return usage.usage_of(connection, self._settings, self._datasets, self.rules())

    def look(self, now: datetime) -> None:
        """Frees what may go as of ``now``. Called in a thread of anyio's."""
        rules = self.rules()
        if rules == Retention():
            return
        runs = sorted((item for item in self.usage().items if item.ended_at), key=lambda item: str(item.ended_at))
        for run in runs:
            if _older(run, rules.checkpoint_days, now) and run.freeable_bytes:
                self._free(run, f"the run ended more than {rules.checkpoint_days} days ago, as the disk page says")
            if _older(run, rules.archived_days, now) and run.archived:
                self._delete(run)
        if rules.quota_bytes is not None:
            self._keep_within(rules.quota_bytes)

    def _keep_within(self, quota: int) -> None:
        found = self.usage()
        excess = found.data_bytes - quota
        runs = sorted((item for item in found.items if item.ended_at), key=lambda item: str(item.ended_at))
        for run in (one for one in runs if one.freeable_bytes):
            if excess > 0:
                excess -= self._free(run, "the data directory was above its quota")
        for run in (one for one in runs if one.archived):
            if excess > 0:
                excess -= self._delete(run)

    def _free(self, run: DiskItem, why: str) -> int:
        """The bytes that are free now."""
        try:
            return freeing.free_checkpoints(self._database, self._settings.runs_dir, run.id, why).bytes
        except ApiError as error:  # it goes on meanwhile, or was deleted
            log.info("The checkpoints of run %s stay: %s", run.id, error.detail.message)
            return 0

    def _delete(self, run: DiskItem) -> int:
        def leave(run_id: str) -> None:
            from_thread.run(self._leave, run_id)

        try:
            removal.delete(self._database, self._settings.runs_dir, self._reserve, run.id, leave)
        except ApiError as error:
            log.info("The archived run %s stays: %s", run.id, error.detail.message)
            return 0
        log.info("Deleted the archived run %s (%s), which ended at %s.", run.id, run.name, run.ended_at)
        return run.bytes

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                await to_thread.run_sync(self.look, datetime.now(timezone.utc))
            except (OperationalError, TimeoutError, OSError) as error:
                log.warning("What takes the disk will be looked at again in an hour: %s", error)
            with move_on_after(LOOKED_EVERY_S):
                await self._changed.wait()


def _older(run: DiskItem, days: int | None, now: datetime) -> bool:
    if days is None or run.ended_at is None:
        return False
    return datetime.fromisoformat(run.ended_at.replace("Z", "+00:00")) < now - timedelta(days=days)
