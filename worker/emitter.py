"""Appends events to events.jsonl, the one thing the worker tells the world through."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from worker.contract import decode, encode, now

_OUT_OF_SPACE = "the disk took only part of an event"


class Emitter:
    """Numbers events densely and appends each as one line by one write, so that a reader never sees half of two.

    Opening a log left by a process that was killed drops what is not a whole event at its end and counts on from the
    last one. Lines are not fsynced: they survive the death of the process, and a power cut may cost the last few.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.count_on()

    def count_on(self) -> None:
        """Takes the log as it is now for the beginning, as after another process has written to it."""
        self._size, self.last = _valid_end(self._path.read_bytes())
        os.ftruncate(self._fd, self._size)
        self._seq: int = self.last.seq if self.last else 0

    def emit(self, event: Any) -> None:
        """Sets the event's ``seq`` and ``time`` and appends it. Raises OSError if the disk is full."""
        event.seq, event.time = self._seq + 1, now()
        line = encode(event)
        written = os.write(self._fd, line)
        if written != len(line):
            os.ftruncate(self._fd, self._size)
            raise OSError(errno.ENOSPC, _OUT_OF_SPACE)
        self._seq, self._size, self.last = event.seq, self._size + written, event

    def close(self) -> None:
        """Closes the log; nothing can be emitted afterwards."""
        os.close(self._fd)


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
