"""Where a worker's time goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch

from worker.contract import TimingEvent

Kind = Literal["preparing", "data", "forward", "backward", "optimizer", "evaluation", "saving", "waiting", "other"]
_OF_UPDATES: tuple[Kind, ...] = ("data", "forward", "backward", "optimizer")

_SECONDS, _UPDATES = 10.0, 50  # between two events, whichever are over first
_MARKED_EVERY = 8  # updates of a GPU


class Clock:
    """Counts every moment as one kind, so that the kinds add up to the time that has passed since ``began``, a time of
    ``perf_counter``.

    A GPU works on what it was given a while ago, and the processor's own time says nothing of it. So now and then an update
    marks when the GPU begins and ends each kind, and what all updates took is shared out accordingly. Nobody waits for these
    marks: they are read when the GPU has passed them.
    """

    def __init__(self, device: torch.device, began: float) -> None:
        self._on_gpu = device.type == "cuda"
        self._kind: Kind = "preparing"
        self._since = self._told = began
        self._seconds = dict.fromkeys(get_args(Kind), 0.0)
        self._updates = 0
        self._marking = False
        self._marks: list[tuple[Kind, torch.cuda.Event, torch.cuda.Event]] = []
        self._of_device = dict.fromkeys(_OF_UPDATES, 0.0)

    def enter(self, kind: Kind) -> None:
        """From now on, time is of this ``kind``."""
        now = time.perf_counter()
        self._seconds[self._kind] += now - self._since
        self._kind, self._since = kind, now

    @contextmanager
    def spending(self, kind: Kind) -> Iterator[None]:
        """Within the block time is of this ``kind``, and of the one before again after it."""
        before, mark = self._kind, self._mark() if kind in _OF_UPDATES else None
        self.enter(kind)
        try:
            yield
        finally:
            self.enter(before)
            if mark and (end := self._mark()):
                self._marks.append((kind, mark, end))

    def moved(self, seconds: float, kind: Kind) -> None:
        """The last ``seconds`` were of another ``kind`` than they seemed."""
        self.enter(self._kind)
        self._seconds[self._kind] -= seconds
        self._seconds[kind] += seconds

    def begin_update(self) -> None:
        """The next update begins."""
        if self._kind == "preparing":
            self.enter("other")
        self._marking = self._on_gpu and self._updates % _MARKED_EVERY == 0
        self._updates += 1

    def due(self) -> bool:
        """Whether an event should be told again."""
        return self._updates >= _UPDATES or time.perf_counter() - self._told >= _SECONDS

    def event(self, step: int) -> TimingEvent:
        """What has passed since the one before, up to now, after update ``step``."""
        self.enter(self._kind)
        seconds = self._shared_out(self._seconds)
        self._seconds = dict.fromkeys(self._seconds, 0.0)
        self._told, self._updates = self._since, 0
        return TimingEvent(step=step, **{kind: round(value, 6) for kind, value in seconds.items()})

    def _mark(self) -> torch.cuda.Event | None:
        if not self._marking:
            return None
        mark = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        mark.record()
        return mark

    def _shared_out(self, seconds: dict[Kind, float]) -> dict[Kind, float]:
        """The time of updates, with what the processor did in between, as the GPU's marks share it out."""
        passed = [mark for mark in self._marks if mark[2].query()]  # type: ignore[no-untyped-call]
        self._marks = self._marks[len(passed) :]
        if passed:  # else what the updates before were like stands for these too
            self._of_device = dict.fromkeys(_OF_UPDATES, 0.0)
        for kind, begin, end in passed:
            self._of_device[kind] += begin.elapsed_time(end)
        whole = sum(self._of_device.values())
        if not whole:
            return seconds
        of_updates = sum(seconds[kind] for kind in (*_OF_UPDATES, "other"))
        shares: dict[Kind, float] = {kind: value / whole * of_updates for kind, value in self._of_device.items()}
        return {**seconds, **shares, "other": 0.0}
