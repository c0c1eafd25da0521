"""Runs that no worker trains: what they tell is made up here, as fast as it can be written or at a chosen pace."""

from __future__ import annotations

import fcntl
import itertools
import math
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tests.backend.records import Records
from tests.benchmarks.dashboard_curve import Curve
from worker.contract import LOCK_FILE, EvaluationEvent, StatusEvent, StepEvent, now

_BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp()
_STEP_S = 0.1


def story(steps: int, seed: int, spike: int | None = None, evaluations: int = 100) -> Iterator[Any]:
    """The events of a whole run up to but not with its end, numbered, ten steps a second from a day long past."""
    curve, seq = Curve(seed, steps), 0
    events = _events(curve, steps, spike, max(1, steps // evaluations))
    for seq, (step, event) in enumerate(events, start=1):
        event.seq = seq
        event.time = datetime.fromtimestamp(_BEGAN + step * _STEP_S, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        yield event


def _events(curve: Curve, steps: int, spike: int | None, every: int) -> Iterator[tuple[int, Any]]:
    yield 0, StatusEvent(phase="training", total_steps=steps, precision="fp32", parameters=1000, train_examples=90)
    for step in range(1, steps + 1):
        numbers = curve.update(step, spike)
        yield step, StepEvent(step=step, epoch=step / steps, tokens=1000 * step, **numbers)
        if step % every == 0:
            loss = curve.loss(step)
            yield step, EvaluationEvent(step=step, epoch=step / steps, loss=loss, perplexity=math.exp(loss), best=False)


class Living:
    """A run that the server takes for a living one, because its lock is held here; appends to it in a thread."""

    def __init__(self, records: Records, name: str, seed: int, told: int, total: int) -> None:
        self._records, self._curve = records, Curve(seed, total)
        self.id = records.add("starting", "running", name=name)
        self._lock = hold(records.directory(self.id))
        past = list(itertools.islice(story(total, seed), told + 1))
        records.append(self.id, *past)
        self._seq, self._step = past[-1].seq, past[-1].step
        self._total = total
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._append, daemon=True)

    def start(self, steps_per_s: float) -> None:
        self._pause = 1 / steps_per_s
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._lock.close()

    def _append(self) -> None:
        while not self._ended.wait(self._pause):
            self._seq, self._step = self._seq + 1, self._step + 1
            event = StepEvent(step=self._step, epoch=0.5, tokens=1000 * self._step, **self._curve.update(self._step))
            event.seq, event.time = self._seq, now()
            self._records.append(self.id, event)


def hold(directory: Path) -> Any:
    """The locked worker.lock of a run directory, as a worker has it; the lock ends when the file is closed."""
    file = (directory / LOCK_FILE).open("ab")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file
