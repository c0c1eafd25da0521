"""How the worker learns what is asked of it: control.json, SIGTERM, or Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from pydantic import ValidationError
from watchfiles import watch

from worker.contract import CONTROL_FILE, Control
from worker.errors import StopRequested


class StopSwitch:
    """Remembers what was asked for until the worker reaches a point where it can obey."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / CONTROL_FILE
        self._seen_ns = 0
        self._paused = False
        self._stopped = threading.Event()

    def catch_signals(self) -> None:
        """Makes SIGTERM and the first Ctrl-C ask for a stop; a second Ctrl-C raises KeyboardInterrupt."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopped.set()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            print("\nStopping after this step. Press Ctrl-C again to abort without saving.", file=sys.stderr, flush=True)

    def check(self) -> None:
        """Raises StopRequested if somebody asked for a stop. Costs one stat, so it may be called at every step."""
        if not self._stopped.is_set():
            self._read_control()
        if self._stopped.is_set():
            raise StopRequested

    def wait(self, seconds: float) -> bool:
        """Waits that long at most, and returns whether somebody asked for a stop."""
        if not self._stopped.wait(seconds):
            self._read_control()
        return self._stopped.is_set()

    def pause_wanted(self) -> bool:
        """Whether the last thing asked for is a pause. Raises StopRequested as ``check`` does."""
        self.check()
        return self._paused

    def wait_out_pause(self) -> None:
        """Returns when a pause is over. Raises StopRequested if a stop ends it."""
        # The timeout is for a command written after the last look and before the watch began, and for nothing else.
        changes = watch(
            self._path.parent, recursive=False, step=20, stop_event=self._stopped, rust_timeout=1000, yield_on_timeout=True
        )
        while self.pause_wanted():
            next(changes, None)

    def _read_control(self) -> None:
        try:
            changed_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed_ns == self._seen_ns:
            return
        self._seen_ns = changed_ns
        try:
            command = Control.model_validate_json(self._path.read_bytes()).command
        except ValidationError as error:
            # A file mangled by hand must not end hours of training.
            print(f"Ignoring {self._path.name}, which is not a command: {error}", file=sys.stderr, flush=True)
            return
        self._paused = command == "pause"
        if command == "stop":
            self._stopped.set()
