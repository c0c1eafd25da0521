"""A process that answers requests, so that the server never loads what they need.

Requests and replies are JSON, one a line, on standard input and output; standard error is a log.

    {"id": 1, "op": "...", ...}                                    a request
    {"id": 1, "op": "cancel"}                                      ends request 1 early

    {"id": 1, "event": "...", "data": {...}}                       any number of these
    {"id": 1, "event": "done", "data": {...}}                      and one of these at last
    {"id": 1, "event": "error", "data": {"code", "message", "hint"?, "field"?}}

    {"id": null, "event": "state", "data": {...}}                  what the process has to tell that nobody asked for

``serve`` answers requests one at a time and in order. The end of standard input ends the process.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from pydantic import ValidationError

from worker.errors import DataError, DeviceError, PromptError, StopRequested, UnsupportedError, WorkerError
from worker.startup import before_torch


class Inbox:
    """Reads lines in a thread of its own, so that a cancellation is noticed while a request is being answered."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._open: set[Any] = set()
        self._cancelled: set[Any] = set()
        self.ended = False
        """Whether there will be no more requests."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._lines:
            message = json.loads(line)
            if message["op"] != "cancel":
                self._open.add(message["id"])
                self._queue.put(message)
            elif message["id"] in self._open:
                self._cancelled.add(message["id"])
        self._queue.put(None)

    def take(self, *, wait: bool) -> list[dict[str, Any]]:
        """The requests that have come; if told to ``wait``, there is one at least unless there will be no more, or
        somebody called ``wake``."""
        taken: list[dict[str, Any]] = []
        while not self.ended and (not self._queue.empty() or (wait and not taken)):
            message = self._queue.get()
            self.ended = message is None
            wait = wait and message != {}
            taken += [message] if message else []
        return taken

    def wake(self) -> None:
        """Ends a wait in ``take``; from any thread."""
        self._queue.put({})

    def is_cancelled(self, request_id: Any) -> bool:
        """Whether somebody cancelled this request."""
        return request_id in self._cancelled

    def close(self, request_id: Any) -> None:
        """Forgets a request that has been answered."""
        self._open.discard(request_id)
        self._cancelled.discard(request_id)


class Reply:
    """What is said to one request."""

    def __init__(self, request_id: Any, inbox: Inbox, out: IO[str]) -> None:
        self._id = request_id
        self._inbox = inbox
        self._out = out

    def send(self, event: str, **data: Any) -> None:
        """One line. Raises BrokenPipeError if nobody reads any more."""
        if event in ("done", "error"):  # before it is told, for then another request may come by this id
            self._inbox.close(self._id)
        self._out.write(json.dumps({"id": self._id, "event": event, "data": data}) + "\n")
        self._out.flush()

    def is_cancelled(self) -> bool:
        """Whether the answer is no longer wanted."""
        return self._inbox.is_cancelled(self._id)


def open_channel() -> tuple[Inbox, IO[str]]:
    """Where requests come from, and where replies go."""
    # A library that prints must not break the protocol: replies keep the real standard output to themselves.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    before_torch()
    return Inbox(sys.stdin), out


def serve(answer: Callable[[dict[str, Any], Reply], None]) -> int:
    """Has ``answer`` answer each request until standard input ends or nobody reads the answers any more."""
    inbox, out = open_channel()
    with suppress(BrokenPipeError):
        while not inbox.ended:
            for message in inbox.take(wait=True):
                reply = Reply(message["id"], inbox, out)
                with answering(reply):
                    answer(message, reply)
    return 0


class Outcome:
    failed = False


@contextmanager
def answering(*replies: Reply) -> Iterator[Outcome]:
    """What goes wrong within is told to whoever asked, and leaves the process running."""
    outcome = Outcome()
    try:
        yield outcome
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - a bug costs some answers, not the process and what it holds
        outcome.failed = True
        told = _told(error)
        for reply in replies:
            reply.send("error", **told)


def _told(error: Exception) -> dict[str, Any]:
    """Code, message, hint and field."""
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        return {"code": "bad_request", "message": f"{where}: {problem['msg']}"}
    if isinstance(error, UnsupportedError):
        return {"code": "unsupported", "message": error.reason, "hint": error.hint, "field": error.field}
    if isinstance(error, WorkerError):
        kinds = {DeviceError: "device_unavailable", DataError: "data_unusable", PromptError: "prompt_too_long"}
        return {"code": kinds.get(type(error), "model_unavailable"), "message": error.reason, "hint": error.hint}
    if isinstance(error, StopRequested):
        return {"code": "cancelled", "message": "Nobody waited for the answer any more."}
    traceback.print_exception(error)
    return {"code": "internal", "message": f"{type(error).__name__}: {error}"}
