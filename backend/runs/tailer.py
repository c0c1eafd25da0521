"""From a run's events.jsonl to rows: each complete line becomes one row, once."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, delete, insert, or_, update
from sqlalchemy.exc import OperationalError, TimeoutError
from watchfiles import awatch

from backend.db import tables
from backend.db.database import Database
from backend.runs import lifecycle, rollback, summary
from backend.series import curves
from worker.contract import EVENTS_FILE, StatusEvent, decode

log = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
STEP_MS = 5  # how long watchfiles waits for more changes before it reports: most of the delay from append to row


class Tailer:
    def __init__(self, database: Database, runs_dir: Path) -> None:
        self._database = database
        self._runs_dir = runs_dir

    async def follow(self, run_id: str, news: asyncio.Event) -> None:
        """Ingest what the worker appends, as it appends it, until cancelled. ``news`` is set whenever there was some."""
        try:
            await self._follow(run_id, news, poll=False)
        except OSError as error:  # the system's limit on watches is reached, or there are none on this file system
            log.warning("Run %s: its log is polled, for it cannot be watched: %s", run_id, error)
            await self._follow(run_id, news, poll=True)

    async def _follow(self, run_id: str, news: asyncio.Event, *, poll: bool) -> None:
        directory = self._runs_dir / run_id
        path = directory / EVENTS_FILE
        seen = -1
        # The timeout bounds how late a line can be that is written before the watch stands or while the database is busy.
        changes = awatch(directory, watch_filter=None, recursive=False, step=STEP_MS, debounce=4 * STEP_MS,
                         rust_timeout=1000, yield_on_timeout=True, force_polling=poll)  # fmt: skip
        async for _ in changes:
            size = path.stat().st_size if path.exists() else -1
            if size == seen:
                continue
            try:
                await asyncio.to_thread(self.ingest, run_id)
                seen = size
                news.set()
            except (OperationalError, TimeoutError) as error:
                log.warning("Run %s: its log will be read again in a second: %s", run_id, error)

    def ingest(self, run_id: str) -> None:
        """Read the log from where the last call ended to its last complete line.

        Rows, the run's summary and the offset change in one transaction, so that a server killed at any point reads
        each line exactly once. Raises sqlalchemy's OperationalError or TimeoutError if the database is locked.
        """
        path = self._runs_dir / run_id / EVENTS_FILE
        while path.exists():
            with self._database.write() as connection:
                row = lifecycle.row(connection, run_id)
                if path.stat().st_size < row.log_offset:
                    log.warning("Run %s: its log has become shorter, as after a power cut; it is read anew.", run_id)
                    _forget(connection, run_id)
                    row = lifecycle.row(connection, run_id)
                lines = _complete_lines(path, row.log_offset)
                if not lines:
                    return
                _store(connection, row, lines)


def _forget(connection: Connection, run_id: str) -> None:
    """Take back all that was read from a run's log, and found in it: lines that follow would bear numbers that are taken."""
    events, columns = tables.events.c, tables.runs.c
    of_the_log = or_(events.seq.is_not(None), events.type == "finding")
    connection.execute(delete(tables.events).where(events.run_id == run_id, of_the_log))
    curves.forget(connection, run_id)
    values: dict[str, Any] = dict.fromkeys(summary.OF_THE_LOG) | {
        "step": 0,
        "last_seq": 0,
        "rolled_seq": 0,
        "log_offset": 0,
        "findings": None,
    }
    connection.execute(update(tables.runs).where(columns.id == run_id).values(values))


def _complete_lines(path: Path, offset: int) -> bytes:
    """Whole lines after ``offset``, at most about a chunk of them; a line still being written is left for later."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(CHUNK_BYTES)
        end = data.rfind(b"\n") + 1
        while end == 0 and (more := file.read(CHUNK_BYTES)):  # one line longer than the chunk
            data += more
            end = data.rfind(b"\n") + 1
    return data[:end]


def _store(connection: Connection, row: Row[Any], lines: bytes) -> None:
    run = row._asdict()
    run["log_offset"] += len(lines)
    rows: list[dict[str, Any]] = []
    for line in lines.splitlines():
        try:
            event = decode(line)
        except ValidationError as error:
            # Not worth a run: the rest of the log is still good.
            log.warning("Run %s: a line of its log is not an event and was left out: %s", row.id, error)
            continue
        if event.seq <= run["last_seq"]:
            log.warning("Run %s: event %d came again and was left out.", row.id, event.seq)
            continue
        if isinstance(event, StatusEvent) and event.resumed_step is not None:
            _insert(connection, rows)  # what is rolled back must be stored
            rows = []
            rollback.roll_back(connection, run, event.resumed_step)
        summary.update(run, event)
        rows.append(
            {
                "run_id": row.id,
                "seq": event.seq,
                "type": event.type,
                "step": getattr(event, "step", None),
                "data": event.model_dump_json(),
            }
        )
    _insert(connection, rows)
    if run["last_seq"] - run["rolled_seq"] >= curves.ROLL_EVERY:
        curves.roll(connection, row.id, run["rolled_seq"])
        run["rolled_seq"] = run["last_seq"]
    before = row._asdict()
    changes = {name: value for name, value in run.items() if value != before[name]}
    connection.execute(update(tables.runs).where(tables.runs.c.id == row.id).values(changes))
    if run["phase"] == "paused":
        lifecycle.transition(connection, row.id, "paused")
    elif row.status in ("starting", "paused") and run["last_seq"] > row.last_seq:
        lifecycle.transition(connection, row.id, "running")


def _insert(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(tables.events), rows)
