"""What a run looks like in a terminal: a bar and the results of each evaluation; in worker.log, a line now and then."""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 5.0


class Console:
    """Shows the events it is given. A bar on standard error if that is a terminal, lines on standard output else."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._bar: Any = None
        self._total: int | None = None
        self._next_line = 0.0
        self._best: float | None = None

    def show(self, event: Any) -> None:
        """Prints what a person at the terminal wants to know of this event."""
        if event.type == "status":
            self._status(event)
        elif event.type == "step":
            self._step(event)
        elif event.type == "evaluation":
            self._evaluation(event)
        elif event.type == "sample":
            self._line(f"  {event.prompt!r} → {event.text!r}")
        elif event.type == "checkpoint":
            self._line(f"  Saved {event.path} ({event.bytes / 1e6:.1f} MB, {event.kind})")
        elif event.type == "message":
            self._line(event.text)

    def _status(self, event: Any) -> None:
        if event.phase == "training" and self._total is None and event.total_steps:
            self._total = event.total_steps
            self._line(
                f"Training {event.parameters / 1e6:.1f} million weights for {event.total_steps} updates"
                f" on {event.device} in {event.precision}"
            )
            if self._terminal:
                self._bar = tqdm(total=event.total_steps, unit="step", dynamic_ncols=True, leave=False)
        elif event.reason:
            if self._bar is not None:
                self._bar.close()
                self._bar = None
            self._line(event.reason + (f" {event.hint}" if event.hint else ""))

    def _step(self, event: Any) -> None:
        numbers = f"loss={_number(event.loss, '.4f')} lr={event.lr:.3g}"
        if self._bar is not None:
            self._bar.set_postfix_str(numbers, refresh=False)
            self._bar.update(event.step - self._bar.n)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
            self._line(f"step {event.step}/{self._total} {numbers} {event.tokens_per_s:.0f} tokens/s")

    def _evaluation(self, event: Any) -> None:
        if event.step == 0:
            self._line(f"Before training: validation loss {_number(event.loss, '.4f')}")
        else:
            before = "" if self._best is None else f" ★ best so far (before: {self._best:.4f})"
            self._line(
                f"After epoch {event.epoch:.2f}: train loss {_number(event.train_loss, '.4f')},"
                f" validation loss {_number(event.loss, '.4f')}{before if event.best else ''}"
            )
        for name, loss in event.losses.items():
            self._line(f"  {name}: loss {_number(loss, '.4f')}")
        if event.best:
            self._best = event.loss

    def _line(self, text: str) -> None:
        if self._terminal:
            tqdm.write(text, file=sys.stderr)
        else:
            print(text, flush=True)


def _number(value: float | None, form: str) -> str:
    return "not a number" if value is None else format(value, form)
