"""What a worker tells: every event to its log and its console, and in the end how it ended."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from worker.contract import StatusEvent
from worker.errors import WorkerError
from worker.process.console import Console
from worker.process.emitter import Emitter


def reporter(emitter: Emitter) -> Callable[[Any], bool]:
    """A function that appends an event to the log and shows it. It returns whether it had to wait for a full disk."""
    console = Console()

    def report(event: Any) -> bool:
        waited = emitter.emit(event)
        with suppress(OSError):  # of a full disk, on which worker.log lies too; the events are the run's memory
            console.show(event)
        return waited

    return report


def stopped_before_training(going_on: bool) -> StatusEvent:
    """The end of a worker that was stopped while it prepared."""
    what = "went on; nothing that was saved is lost" if going_on else "began, so there is no model"
    return StatusEvent(phase="stopped", reason=f"Stopped before training {what}.")


def failed(error: Exception) -> StatusEvent:
    """The end of a worker that ``error`` ended. To be called while it is handled: its traceback goes into the log."""
    if not isinstance(error, WorkerError):
        traceback.print_exc()
        return StatusEvent(phase="failed", reason=f"{type(error).__name__}: {error}", hint="The log has the details.")
    if error.__cause__ is not None:  # what a library said; the error itself is told in the status
        traceback.print_exc()
    return StatusEvent(phase="failed", reason=error.reason, hint=error.hint)
