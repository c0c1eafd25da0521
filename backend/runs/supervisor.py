"""Starts queued runs when their device is free, finds living workers after a restart, and sees each run to its end.

One run at a time per device, which it keeps while it is paused; the others wait in the order in which they were queued.
Everything here happens on the event loop, which is woken by a queued run, by a worker's end, and by nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy import Connection, Row, update
from sqlalchemy.exc import OperationalError, TimeoutError

from backend import files
from backend.db import tables
from backend.db.database import Database
from backend.errors import ConflictError
from backend.processes.worker import WorkerProcess, boot_id
from backend.runs import about, lifecycle
from backend.runs.exit_status import judge
from backend.runs.jobs import read_job, write_job
from backend.runs.judging.coaching import Coach
from backend.runs.tailer import Tailer
from backend.schemas.runs import Status
from backend.schemas.system import Device
from backend.system.devices import candidates, choose, visibility
from worker.contract import CONTROL_FILE, LOCK_FILE, LOG_FILE, Control, LockInfo, RunConfig

log = logging.getLogger(__name__)

LAST_LINES = 10
LAST_BYTES = 4096


class Supervisor:
    def __init__(
        self,
        database: Database,
        runs_dir: Path,
        devices: list[Device],
        coach: Coach,
        *,
        before_start: Callable[[str], Awaitable[None]],
    ) -> None:
        """``before_start`` is awaited with the id of a worker's first device just before it starts."""
        self._database = database
        self._runs_dir = runs_dir
        self._devices = [device.id for device in devices]
        self._before_start = before_start
        self._tailer = Tailer(database, runs_dir)
        self._coach = coach
        self._occupied: dict[str, list[str]] = {}  # run → its devices
        self._workers: dict[str, WorkerProcess] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def start(self) -> None:
        self._spawn_task(self._schedule())

    async def stop(self) -> None:
        """Stop watching. Workers go on; the next server finds them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self) -> None:
        """The queue may have changed. May be called from any thread."""
        self._loop.call_soon_threadsafe(self._changed.set)

    def busy_devices(self) -> set[str]:
        return {device for devices in self._occupied.values() for device in devices}

    def request_stop(self, run_id: str) -> Status:
        """Ask a run to end, from any thread; its status now. Raises NotFoundError, ConflictError."""
        with self._database.write() as connection:
            status = lifecycle.request_stop(connection, run_id)
            if status == "stopping":
                self._write_control(run_id, "stop")
        return status

    def request_pause(self, run_id: str) -> None:
        """From any thread. Raises NotFoundError, ConflictError."""
        with self._database.write() as connection:
            lifecycle.request_pause(connection, run_id)
            self._write_control(run_id, "pause")

    def request_resume(self, run_id: str) -> None:
        """From any thread. Raises NotFoundError, ConflictError."""
        with self._database.write() as connection:
            if lifecycle.request_resume(connection, run_id):
                self._clear_for_next_worker(connection, run_id)
            else:
                self._write_control(run_id, "resume")
        self.wake()

    def request_retry(self, run_id: str) -> None:
        """From any thread. Raises NotFoundError, ConflictError."""
        with self._database.write() as connection:
            if lifecycle.request_retry(connection, run_id):
                self._clear_for_next_worker(connection, run_id)
        self.wake()

    def kill(self, run_id: str) -> None:
        """End a worker that does not answer, from any thread. Raises NotFoundError, ConflictError."""
        if self.request_stop(run_id) == "stopped":
            return
        worker = self._workers.get(run_id)
        if worker is None or not worker.kill():
            raise ConflictError("There is no process to kill: the worker has just ended, or has not started yet.")

    async def _schedule(self) -> None:
        await self._until_answered(self._recover)
        while True:
            self._changed.clear()
            await self._until_answered(self._start_what_fits)
            await self._changed.wait()

    async def _start_what_fits(self) -> None:
        waited_for: set[str] = set()
        for row in await asyncio.to_thread(self._rows, "queued"):
            config = RunConfig.model_validate_json(row.config)
            fitting = set(candidates(config.device, self._devices))
            free = set(self._devices) - self.busy_devices() - waited_for
            if devices := choose(config.device, config.devices, self._devices, free):
                await self._launch(row.id, config, devices)
            elif 1 < config.devices <= len(fitting):
                waited_for |= fitting  # else it would wait for ever while later runs take one GPU after the other

    async def _launch(self, run_id: str, config: RunConfig, devices: list[str]) -> None:
        if not await asyncio.to_thread(self._claim, run_id, devices):
            return  # stopped in the meantime
        self._occupied[run_id] = devices
        directory = self._runs_dir / run_id
        try:
            await self._before_start(devices[0])
            job = await asyncio.to_thread(read_job, directory)
            device = devices[0] if len(devices) == 1 else config.device
            await asyncio.to_thread(write_job, directory, job.model_copy(update={"device": device}))
            worker = await asyncio.to_thread(WorkerProcess.spawn, directory, visibility(devices))
        except Exception as error:  # whatever it is, the run must not stay "starting", nor keep its device
            log.exception("Run %s could not be started.", run_id)
            reason = f"The worker could not be started: {error}"
            await self._until_answered(lambda: asyncio.to_thread(self._fail_to_start, run_id, reason))
            del self._occupied[run_id]
            return
        self._watch(run_id, worker)
        await asyncio.to_thread(self._update, run_id, pid=worker.pid, pid_started=worker.started)

    def _watch(self, run_id: str, worker: WorkerProcess) -> None:
        self._workers[run_id] = worker
        self._spawn_task(self._see_through(run_id, worker))

    async def _see_through(self, run_id: str, worker: WorkerProcess) -> None:
        """Follow and judge a living worker's log until its process is gone, then decide how the run ended."""
        news = asyncio.Event()
        beside = [self._spawn_task(work(run_id, news)) for work in (self._tailer.follow, self._coach.follow)]
        try:
            exit_status = await worker.wait()
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            await self._until_answered(lambda: asyncio.to_thread(self._conclude, run_id, exit_status))
        finally:
            for task in beside:
                task.cancel()
            del self._workers[run_id], self._occupied[run_id]
            self._changed.set()

    async def _recover(self) -> None:
        """After a start of the server: take over living workers, and close the runs of those that are gone."""
        for row in await asyncio.to_thread(self._rows, *lifecycle.ALIVE):
            if row.id in self._workers:
                continue  # a second attempt, after the database was busy
            directory = self._runs_dir / row.id
            worker = WorkerProcess.adopt(directory, *_identity(row, directory))
            if worker is None:
                await asyncio.to_thread(self._close_or_requeue, row)
                continue
            await asyncio.to_thread(self._tell_adopted, row)
            self._occupied[row.id] = row.device.split(",")
            self._watch(row.id, worker)

    # The rest runs in threads, for it uses the database.

    def _rows(self, *statuses: Any) -> list[Row[Any]]:
        with self._database.read() as connection:
            return lifecycle.with_status(connection, *statuses)

    def _claim(self, run_id: str, devices: list[str]) -> bool:
        with self._database.write() as connection:
            claimed = lifecycle.transition(connection, run_id, "starting")
            if claimed:
                _set(connection, run_id, device=",".join(devices), boot_id=boot_id())
        return claimed

    def _update(self, run_id: str, **columns: Any) -> None:
        with self._database.write() as connection:
            _set(connection, run_id, **columns)

    def _fail_to_start(self, run_id: str, reason: str) -> None:
        with self._database.write() as connection:
            lifecycle.transition(connection, run_id, "failed", reason=reason)

    def _tell_adopted(self, row: Row[Any]) -> None:
        with self._database.write() as connection:
            lifecycle.tell(connection, row.id, "adopted", row.status)

    def _close_or_requeue(self, row: Row[Any]) -> None:
        """Decide on a run whose worker is gone, or never came to be because the server died first."""
        try:
            if row.status == "starting" and _identity(row, self._runs_dir / row.id)[0] is None:
                self._tailer.ingest(row.id)
                with self._database.write() as connection:
                    if lifecycle.transition(connection, row.id, "queued"):  # refused if its worker told something: it runs
                        return
            self._conclude(row.id, None)
        except OSError:  # one unreadable directory must not keep all other runs from going on
            log.exception("Run %s could not be closed.", row.id)

    def _conclude(self, run_id: str, exit_status: int | None) -> None:
        self._tailer.ingest(run_id)
        self._coach.look(run_id, ended=True)  # before the end is told, which nothing follows
        with self._database.write() as connection:
            row = lifecycle.row(connection, run_id)
            lines = _last_lines(self._runs_dir / run_id / LOG_FILE)
            verdict = judge(row, exit_status, rebooted=row.boot_id != boot_id(), last_lines=lines)
            lifecycle.transition(connection, run_id, verdict.status, reason=verdict.reason, hint=verdict.hint)

    def _write_control(self, run_id: str, command: Literal["stop", "pause", "resume"]) -> None:
        """Called within the transaction that decides so, so that the last command is what was decided last."""
        files.write_whole(self._runs_dir / run_id / CONTROL_FILE, Control(command=command).model_dump_json())

    def _clear_for_next_worker(self, connection: Connection, run_id: str) -> None:
        """What was asked of an earlier worker is not meant for the next, and its identity is not the next one's.

        A run that goes on is no longer archived, so its about.json is written anew too.
        """
        directory = self._runs_dir / run_id
        if not directory.is_dir():
            raise ConflictError("The directory of this run is gone, and with it all that it could go on from.")
        (directory / CONTROL_FILE).unlink(missing_ok=True)
        (directory / LOCK_FILE).write_bytes(b"")
        about.write(connection, directory, run_id)

    async def _until_answered(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do something that must be done in the end, however long another program keeps the database locked."""
        while True:
            try:
                return await action()
            except (OperationalError, TimeoutError) as error:
                log.warning("The database is busy; trying again: %s", error)
                await asyncio.sleep(1)

    def _spawn_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop itself keeps no reference
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            log.error("A task of the supervisor broke.", exc_info=task.exception())


def _set(connection: Any, run_id: str, **columns: Any) -> None:
    connection.execute(update(tables.runs).where(tables.runs.c.id == run_id).values(columns))


def _identity(row: Row[Any], directory: Path) -> tuple[int | None, float | None]:
    """Process id and start time as we noted them, or, if we died before we could, as the worker wrote them."""
    if row.pid is not None:
        return row.pid, row.pid_started
    try:
        info = LockInfo.model_validate_json((directory / LOCK_FILE).read_bytes())
    except (OSError, ValidationError):
        return None, None
    return info.pid, info.started


def _last_lines(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LAST_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-LAST_LINES:])
