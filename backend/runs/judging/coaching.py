"""The coach beside each living run: reads what it tells, judges it now and then, and tells what it finds.

It reads the rows that are stored, in order, each once, so that reading on after a restart, or an old run that never was
judged, is the same as following a run that lives; and a log is taken in as fast as without it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

from anyio import move_on_after
from sqlalchemy import select
from sqlalchemy.exc import OperationalError, TimeoutError

from backend.coach import judge
from backend.coach.finding import Finding
from backend.coach.record import RunRecord
from backend.db import tables
from backend.db.database import Database
from backend.runs import lifecycle
from backend.runs.judging import health
from backend.schemas.system import Device

log = logging.getLogger(__name__)

JUDGED_EVERY_S = (1.0, 30.0)
"""The least and the most between two judgements of a run that has news."""

REST = 20
"""In between, judging takes a twentieth of the time at most, however long a run's record has become."""

SILENCE_S = 30.0
"""A run that says nothing is judged all the same, as that may be what there is to find."""

ROWS_AT_ONCE = 2000
AT_ONCE_STEPS = 20_000

_events = tables.events.c


class _Watched:
    """What is known of one run: its events up to ``cursor``, and those of which its step was the last."""

    def __init__(self, config: dict[str, Any], device_memory_bytes: int | None) -> None:
        self.record = RunRecord(config, device_memory_bytes)
        self.cursor = 0
        self.step = 0
        self.turn = threading.Lock()


Judge = Callable[[RunRecord, datetime | None], list[Finding]]


class Coach:
    """``find`` judges a record, as of now unless its run has ended; tests hand in their own."""

    def __init__(self, database: Database, devices: Sequence[Device] = (), find: Judge = judge.findings) -> None:
        self._database = database
        self._memory = {device.id: device.memory_bytes for device in devices}
        self._find = find
        self._watched: dict[str, _Watched] = {}

    async def follow(self, run_id: str, news: asyncio.Event) -> None:
        """Judge a run whenever there is ``news`` of it, but no more often than need be, until cancelled."""
        while True:
            with move_on_after(SILENCE_S):
                await news.wait()
            news.clear()
            began = time.monotonic()
            try:
                await asyncio.to_thread(self.look, run_id)
            except (OperationalError, TimeoutError) as error:
                log.warning("Run %s: it will be judged again in a second: %s", run_id, error)
            # So often and no more: what is not judged now is judged then.
            least, most = JUDGED_EVERY_S
            await asyncio.sleep(min(most, max(least, REST * (time.monotonic() - began))))

    def look(self, run_id: str, *, ended: bool = False) -> None:
        """Read what a run has told since the last time, and tell what there is to say of it now.

        With ``ended`` it is forgotten afterwards. Raises sqlalchemy's OperationalError or TimeoutError if the database is
        locked, and NotFoundError.
        """
        watched = self._of(run_id)
        with watched.turn:
            self._read_on(run_id, watched)
            try:
                found = self._find(watched.record, None if ended else datetime.now(timezone.utc))
            except Exception:  # a rule's fault must not keep a run from going on, or from ending
                log.exception("Run %s could not be judged.", run_id)
            else:
                self._tell(run_id, found, watched.step, ended=ended)
        if ended:
            self._watched.pop(run_id, None)

    def catch_up(self, run_id: str, steps: int) -> None:
        """Judge a run that ended before there was a coach: at once, or if that takes long beside whoever asks."""
        if steps <= AT_ONCE_STEPS:
            self.look(run_id, ended=True)
        elif run_id not in self._watched:
            threading.Thread(target=self.look, args=(run_id,), kwargs={"ended": True}, daemon=True).start()

    def _of(self, run_id: str) -> _Watched:
        if run_id not in self._watched:
            with self._database.read() as connection:
                row = lifecycle.row(connection, run_id)
            memory = self._memory.get((row.device or "").partition(",")[0])
            self._watched.setdefault(run_id, _Watched(json.loads(row.config), memory))
        return self._watched[run_id]

    def _read_on(self, run_id: str, watched: _Watched) -> None:
        """Findings and the server's facts are no part of a record; of what was made again only the latter is."""
        query = select(_events.cursor, _events.data).where(
            _events.run_id == run_id, _events.seq.is_not(None), ~_events.superseded
        )
        while True:
            with self._database.read() as connection:
                page = query.where(_events.cursor > watched.cursor).order_by(_events.cursor).limit(ROWS_AT_ONCE)
                rows = connection.execute(page).all()
            for cursor, data in rows:
                event = json.loads(data)
                watched.record.add(event)
                watched.cursor = cursor
                resumed = event.get("resumed_step")
                watched.step = event.get("step", watched.step) if resumed is None else resumed
            if len(rows) < ROWS_AT_ONCE:
                return

    def _tell(self, run_id: str, found: list[Finding], step: int, *, ended: bool) -> None:
        with self._database.read() as connection:
            row = lifecycle.row(connection, run_id)
            news = health.changes(connection, run_id, found, step, ended=ended)
            if not news and row.findings == health.summary_of(found):
                return
        with self._database.write() as connection:
            # Asked anew, as a run may have gone on from a checkpoint in between.
            news = health.changes(connection, run_id, found, step, ended=ended)
            health.note(connection, run_id, news, found)
