"""From rows to streams. Live and replay are one path: a stream asks for the rows after its cursor, and waits for more.

One task reads new rows, encodes each once, and wakes the streams. The newest stay in memory, so that a thousand live
streams cost one query; a stream that is further behind reads the database. A stream holds no queue of its own: a
client that reads slowly is simply further behind.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator
from typing import NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.exc import OperationalError, TimeoutError

from backend.db import tables
from backend.db.database import Database
from backend.runs import lifecycle
from backend.runs.history import stamp

log = logging.getLogger(__name__)

RECENT = 4096
BATCH = 500
END = b"event: end\ndata: {}\n\n"

_events = tables.events.c


class Message(NamedTuple):
    """An event as it goes over the wire. ``ended``: whether the run has ended with it; None if it does not say."""

    cursor: int
    run_id: str
    frame: bytes
    ended: bool | None
    is_finding: bool


class Broadcaster:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent: deque[Message] = deque(maxlen=RECENT)
        self._floor = 0  # every row after this cursor, up to the head, is in _recent
        self._head = 0
        self._written = asyncio.Event()
        self._arrived = asyncio.Event()
        self.news = asyncio.Event()
        """Set whenever a run has ended, or something was found of one; whoever waits for it clears it."""

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._head = self._floor = await asyncio.to_thread(_newest, self._database)

        def wake() -> None:  # on the thread that wrote
            loop.call_soon_threadsafe(self._written.set)

        self._database.on_commit = wake
        self._task = asyncio.create_task(self._read_on())

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read_on(self) -> None:
        while True:
            await self._written.wait()
            self._written.clear()
            try:
                messages = await asyncio.to_thread(_read, self._database, self._head, None)
            except (OperationalError, TimeoutError) as error:
                log.warning("New events will be read in a second: %s", error)
                asyncio.get_running_loop().call_later(1, self._written.set)
                continue
            if messages:
                self._add(messages)
                self._written.set()  # there may be more than a batch

    def _add(self, messages: list[Message]) -> None:
        for message in messages:
            if len(self._recent) == RECENT:
                self._floor = self._recent[0].cursor
            self._recent.append(message)
            if message.ended or message.is_finding:
                self.news.set()
        self._head = messages[-1].cursor
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()

    async def follow(self, after: int, run_ids: frozenset[str] | None) -> AsyncIterator[bytes]:
        """Server-sent events of these runs, or of all, after a cursor; several may come in one piece.

        Ends with an ``end`` event once all of ``run_ids`` are terminal and told; never ends for all runs. A cursor from
        the future counts as the newest: nothing was missed.
        """
        newest, active = await asyncio.to_thread(_start, self._database, run_ids)
        cursor = min(after, newest)
        while True:
            arrived = self._arrived  # taken before looking, so that what comes while we look is not slept through
            messages, cursor = await self._after(cursor, run_ids)
            if messages:
                yield b"".join(message.frame for message in messages)
                for message in messages:
                    if message.ended:
                        active.discard(message.run_id)
                    elif message.ended is False:
                        active.add(message.run_id)  # an ended run may be queued again
            elif run_ids is not None and not active and cursor >= newest:
                yield END
                return
            elif cursor >= self._head:
                await arrived.wait()

    async def _after(self, cursor: int, run_ids: frozenset[str] | None) -> tuple[list[Message], int]:
        """The next messages after a cursor, and the cursor up to which everything has now been looked at."""
        head = self._head  # taken before reading, so that the database holds all of it
        if cursor < self._floor:
            messages = await asyncio.to_thread(_read, self._database, cursor, run_ids)
        else:
            messages = self._remembered(cursor, run_ids)
        if len(messages) == BATCH:
            return messages, messages[-1].cursor
        return messages, max(cursor, head, *(message.cursor for message in messages[-1:]))

    def _remembered(self, cursor: int, run_ids: frozenset[str] | None) -> list[Message]:
        """What _read would give, from memory."""
        messages = []
        for message in reversed(self._recent):
            if message.cursor <= cursor:
                break
            if run_ids is None or message.run_id in run_ids:
                messages.append(message)
        messages.reverse()
        return messages[:BATCH]


def _newest(database: Database) -> int:
    with database.read() as connection:
        return lifecycle.newest_cursor(connection)


def _start(database: Database, run_ids: frozenset[str] | None) -> tuple[int, set[str]]:
    """The newest cursor, and those of the runs that had not ended when it was the newest."""
    with database.read() as connection:
        active = {row.id for row in lifecycle.with_status(connection, *lifecycle.ACTIVE)}
        return lifecycle.newest_cursor(connection), active & (run_ids or set())


def _read(database: Database, after: int, run_ids: frozenset[str] | None) -> list[Message]:
    query = select(_events.cursor, _events.run_id, _events.type, _events.data).where(_events.cursor > after)
    if run_ids is not None:
        query = query.where(_events.run_id.in_(run_ids))
    with database.read() as connection:
        return [_encode(row) for row in connection.execute(query.order_by(_events.cursor).limit(BATCH))]


def _encode(row: Row[int, str, str, str]) -> Message:
    data = stamp(row.data, row.run_id, row.cursor)
    ended = json.loads(row.data)["status"] in lifecycle.TERMINAL if row.type == "server" else None
    frame = f"id: {row.cursor}\nevent: {row.type}\ndata: {data}\n\n".encode()
    return Message(row.cursor, row.run_id, frame, ended, row.type == "finding")
