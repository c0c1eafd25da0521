"""Appends events to events.jsonl, the one thing the worker tells the world through."""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from worker.contract import MessageEvent, decode, encode, now

_FULL = {errno.ENOSPC, errno.EDQUOT}
_RESERVE_BYTES = 64 * 1024
_LOOK_AGAIN_S = 1.0


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


class Emitter:
    """Numbers events densely and appends each as one line.

    Opening a log left by a process that was killed drops what is not a whole event at its end and counts on from the
    last one. Lines are not fsynced: they survive the death of the process, and a power cut may cost the last few.

    Where the disk is full it waits, holding the events that do not fit. A file beside the log keeps some room, which is let
    go first, so that the log can tell why nothing happens. ``wait`` waits for that many seconds, and tells whether the run
    was asked to stop; then it waits no more once all is told.
    """

    def __init__(self, path: Path, wait: Callable[[float], bool] = _sleep) -> None:
        self._reserve = path.with_name("events.reserve")
        self._wait = wait
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._path = path
        self.count_on()
        self._keep_room()

    def count_on(self) -> None:
        """Takes the log as it is now for the beginning, as after another process has written to it."""
        self._size, self.last = _valid_end(self._path.read_bytes())
        os.ftruncate(self._fd, self._size)
        self._seq: int = self.last.seq if self.last else 0

    def emit(self, event: Any) -> bool:
        """Sets the event's ``seq`` and ``time`` and appends it. Returns whether the disk was full, and is so no more.

        Raises OSError if the disk fails in another way.
        """
        try:
            line = self._line(event)
            if self._append(line):
                return False
            self._wait_for_room(line)
        except OSError:
            self.count_on()  # the number is free again
            raise
        return True

    def close(self) -> None:
        """Closes the log; nothing can be emitted afterwards."""
        os.close(self._fd)
        self._reserve.unlink(missing_ok=True)

    def _line(self, event: Any) -> bytes:
        self._seq += 1
        event.seq, event.time = self._seq, now()
        self.last = event
        return encode(event)

    def _append(self, line: bytes) -> bool:
        """Whether the disk took all of the line; else it took nothing."""
        rest = line
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            os.ftruncate(self._fd, self._size)
            if error.errno not in _FULL:
                raise
            return False
        self._size += len(line)
        return True

    def _wait_for_room(self, line: bytes) -> None:
        began = time.monotonic()
        text = (
            f"The disk is full, so the run waits. Free some space where {self._path.parent} lies, and it goes on by itself."
        )
        held = deque([line, self._line(MessageEvent(level="warning", text=text))])
        self._reserve.unlink(missing_ok=True)
        while True:
            while held and self._append(held[0]):
                held.popleft()
            if not held and self._keep_room():
                break
            if self._wait(_LOOK_AGAIN_S) and not held:
                return
        waited = time.monotonic() - began
        self.emit(MessageEvent(level="info", text=f"There is space again, after {waited:.0f} s: the run goes on."))

    def _keep_room(self) -> bool:
        """Whether there is room in reserve now."""
        try:
            if not self._reserve.exists() or self._reserve.stat().st_size < _RESERVE_BYTES:
                self._reserve.write_bytes(os.urandom(_RESERVE_BYTES))  # which no file system makes smaller
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._reserve.unlink(missing_ok=True)
            return False
        return True


def _valid_end(log: bytes) -> tuple[int, Any]:
    """Length of ``log`` up to its last whole event, and that event or None."""
    end = log.rfind(b"\n") + 1
    while end:
        start = log.rfind(b"\n", 0, end - 1) + 1
        try:
            return end, decode(log[start:end])
        except ValidationError:
            end = start
    return 0, None
