"""How the worker learns that it should stop: control.json, SIGTERM, or Ctrl-C."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

from pydantic import ValidationError

from worker.contract import CONTROL_FILE, Control
from worker.errors import StopRequested


class StopSwitch:
    """Remembers that a stop was asked for until the worker reaches a point where it can obey."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / CONTROL_FILE
        self._seen_ns = 0
        self._requested = False

    def catch_signals(self) -> None:
        """Makes SIGTERM and the first Ctrl-C ask for a stop; a second Ctrl-C raises KeyboardInterrupt."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._requested = True
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            print("\nStopping after this step. Press Ctrl-C again to abort without saving.", file=sys.stderr, flush=True)

    def check(self) -> None:
        """Raises StopRequested if somebody asked for a stop. Costs one stat, so it may be called at every step."""
        if not self._requested:
            self._read_control()
        if self._requested:
            raise StopRequested

    def _read_control(self) -> None:
        try:
            changed_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed_ns == self._seen_ns:
            return
        self._seen_ns = changed_ns
        try:
            self._requested = Control.model_validate_json(self._path.read_bytes()).command == "stop"
        except ValidationError as error:
            # A file mangled by hand must not end hours of training.
            print(f"Ignoring {self._path.name}, which is not a command: {error}", file=sys.stderr, flush=True)
