"""A process that answers requests, so that the server never loads what they need.

Requests and replies are JSON, one a line, on standard input and output; standard error is a log.

    {"id": 1, "op": "...", ...}                                    a request
    {"id": 1, "op": "cancel"}                                      ends request 1 early

    {"id": 1, "event": "...", "data": {...}}                       any number of these
    {"id": 1, "event": "done", "data": {...}}                      and one of these at last
    {"id": 1, "event": "error", "data": {"code", "message", "hint"?}}

Requests are answered one at a time and in order. The end of standard input ends the process.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import IO, Any

from pydantic import ValidationError

from worker.errors import DataError, DeviceError, StopRequested, WorkerError
from worker.startup import before_torch


class Inbox:
    """Reads lines in a thread of its own, so that a cancellation is noticed while a request is being answered."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._open: set[Any] = set()
        self._cancelled: set[Any] = set()
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

    def next(self) -> dict[str, Any] | None:
        """The next request, as soon as there is one; None when there will be no more."""
        return self._queue.get()

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
        self._out.write(json.dumps({"id": self._id, "event": event, "data": data}) + "\n")
        self._out.flush()

    def is_cancelled(self) -> bool:
        """Whether the answer is no longer wanted."""
        return self._inbox.is_cancelled(self._id)


def serve(answer: Callable[[dict[str, Any], Reply], None]) -> int:
    """Has ``answer`` answer each request until standard input ends or nobody reads the answers any more."""
    # A library that prints must not break the protocol: replies keep the real standard output to themselves.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    before_torch()
    inbox = Inbox(sys.stdin)
    try:
        while (message := inbox.next()) is not None:
            _answer_safely(answer, message, Reply(message["id"], inbox, out))
            inbox.close(message["id"])
    except BrokenPipeError:
        return 0
    return 0


def _answer_safely(answer: Callable[[dict[str, Any], Reply], None], message: dict[str, Any], reply: Reply) -> None:
    """Answers one request; what goes wrong with it is told to whoever asked and leaves the process running."""
    try:
        answer(message, reply)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        reply.send("error", code="bad_request", message=f"{where}: {problem['msg']}")
    except WorkerError as error:
        kinds = {DeviceError: "device_unavailable", DataError: "data_unusable"}
        code = kinds.get(type(error), "model_unavailable")
        reply.send("error", code=code, message=error.reason, hint=error.hint)
    except StopRequested:
        reply.send("error", code="cancelled", message="Nobody waited for the answer any more.")
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - a bug costs one answer, not the process and what it holds
        traceback.print_exc()
        reply.send("error", code="internal", message=f"{type(error).__name__}: {error}")
