"""Processes that do for the server what would load torch or take its time: ``python -m worker.generation`` answers prompts,
``python -m worker.inspection`` looks into datasets.

Each is started by its first request, keeps in memory what it has loaded, and is ended when nobody has asked for a while or
when training needs the GPU. It answers one request at a time, or some; a few more may wait. worker/protocol.py has the
protocol.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any

from backend.errors import BusyError, failure
from backend.processes.worker import environment
from backend.settings import ROOT

log = logging.getLogger(__name__)

MOST_WAITING = 8
IDLE_SECONDS = 300
MOST_LINE_BYTES = 16 << 20

_GPU_NEEDED = {
    "code": "gpu_needed",
    "message": "A run needs the GPU, so this broke off.",
    "hint": "Ask again: while the run trains, the processor does it.",
}


class Helper:
    def __init__(
        self,
        module: str,
        log_path: Path,
        what: str,
        *,
        at_once: int = 1,
        most_waiting: int = MOST_WAITING,
        device: Callable[[], str] | None = None,
    ) -> None:
        """``what`` it does, as in "The process that generates text", how many answers ``at_once``, and how many may wait.
        ``device`` names the one that a request is worked on, for processes that are told; it is asked as the request is
        sent, which may have waited."""
        self._module = module
        self._log_path = log_path
        self._broken = {
            "code": "helper_failed",
            "message": f"The process that {what} ended unexpectedly.",
            "hint": f"Try again; a smaller model helps if memory ran out. {log_path.name} in the data directory says more.",
        }
        self._device, self._on_gpu = device, False
        self._why = self._broken  # a process that ends leaves requests unanswered
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._replies: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self._ids = itertools.count(1)
        self._turn = asyncio.Semaphore(at_once)
        self._most = at_once - 1 + most_waiting
        self._starting = asyncio.Lock()
        self._waiting = 0
        self._idle: asyncio.TimerHandle | None = None
        self.state: dict[str, Any] | None = None
        """What the process told of itself last; None if it does not run, or told nothing yet."""

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, to be had before ``ask`` and until its end. Raises BusyError if too many wait already."""
        if self._waiting >= self._most:
            raise BusyError("Too many requests are waiting for an answer.", hint="Try again in a moment.")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            self._end_when_idle()

    async def ask(self, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The events that answer a request: {"event", "data"}, the last being ``done`` or ``error``.

        ``request``: its op and what that takes. Leaving early cancels it.
        """
        async with self._turn, aclosing(self._answer(request)) as events:
            async for event in events:
                yield event

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The data of the request's ``done``. Raises BusyError, or InvalidFieldError with what went wrong."""
        with self.place():
            async with aclosing(self.ask(request)) as events:
                async for event in events:
                    if event["event"] == "done":
                        return dict(event["data"])
                    if event["event"] == "error":
                        raise failure(event["data"])
        raise AssertionError("an answer ends with done or error")

    async def release(self) -> None:
        """End the process and free its memory; a request being answered breaks off with an error."""
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._reader:
            await self._reader

    async def leave_gpu(self) -> None:
        """End the process if it was told to use a GPU; a request being answered breaks off with an error that says why."""
        if self._on_gpu:
            self._why = _GPU_NEEDED
            await self.release()

    async def end_if_idle(self) -> bool:
        """End the process, which frees its memory, unless somebody waits for an answer; returns whether it is gone."""
        process = self._process
        if self._waiting:
            return False
        self._send_away()
        if process:
            await process.wait()
        return True

    async def _answer(self, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        number = next(self._ids)
        replies = self._replies[number] = asyncio.Queue()
        finished = False
        try:
            await self._send(request | {"id": number})
            while not finished:
                reply = await replies.get()
                finished = reply["event"] in ("done", "error")
                yield reply
        except (BrokenPipeError, ConnectionResetError):
            yield {"event": "error", "data": self._why}
        finally:
            del self._replies[number]
            if not finished and self._process:
                # The client left. The process looks at its input between tokens.
                self._write({"id": number, "op": "cancel"})

    async def _send(self, message: dict[str, Any]) -> None:
        if self._idle:
            self._idle.cancel()
        async with self._starting:
            await self._start_if_needed()
        if self._device:
            message = message | {"device": self._device()}
            self._on_gpu = self._on_gpu or message["device"] != "cpu"
        self._write(message)
        assert self._process
        assert self._process.stdin
        await self._process.stdin.drain()

    async def _start_if_needed(self) -> None:
        if self._process is None:
            with self._log_path.open("wb") as output:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", self._module, cwd=ROOT, env=environment(), limit=MOST_LINE_BYTES,
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=output,
                )  # fmt: skip
            self._reader = asyncio.create_task(self._read(self._process))
            self._on_gpu, self._why = False, self._broken

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hand each reply to whoever waits for it, until the process ends; replies to those who left are dropped."""
        assert process.stdout
        try:
            async for line in process.stdout:
                reply = json.loads(line)
                if reply["event"] == "state" and process is self._process:
                    self.state = reply["data"]
                if reply["id"] in self._replies:
                    self._replies[reply["id"]].put_nowait(reply)
        except ValueError:
            log.exception("%s wrote something that is no reply.", self._module)
            process.kill()
        log.info("%s ended with status %s.", self._module, await process.wait())
        if self._process is process:  # it was not sent away for being idle
            self._process = self.state = None
            for queue in self._replies.values():
                queue.put_nowait({"event": "error", "data": self._why})

    def _end_when_idle(self) -> None:
        if self._idle:
            self._idle.cancel()
        if self._waiting == 0:
            self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._send_away)

    def _send_away(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()  # which the process takes as its end
            self._process = self.state = None
