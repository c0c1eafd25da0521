"""What a run has told so far, in bounded memory, as rules need it."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from backend.coach.points import Points, Track
from worker.contract import TERMINAL_PHASES

Told = dict[str, Any]

MOST_EVALUATIONS = 512
_LATEST = 64  # of what only matters lately: samples of the machine, of layers, and so on

_STEP_COLUMNS = ("loss", "lr", "grad_norm", "step_ms", "scale", "skipped")


class RunRecord:
    """A run's settings and the events that count. ``add`` takes them one by one, in order, as JSON has them.

    ``config`` is a RunConfig as JSON, or as much of one as is known. ``device_memory_bytes``: what the device that
    it trains on has in all, where that is known.
    """

    def __init__(self, config: Mapping[str, Any] | None = None, device_memory_bytes: int | None = None) -> None:
        self.config: Told = dict(config or {})
        self.device_memory_bytes = device_memory_bytes
        self.facts: Told = {}
        """What status events have told of the run, the latest of each: total_steps, device, train_examples, …"""
        self.steps = Points(_STEP_COLUMNS)
        self.step = 0
        self.epoch = 0.0
        self.broken: list[int] = []
        """The first updates whose loss, or gradient, was not a finite number and stopped the run."""
        self.evaluations: list[Told] = []
        self.data: Told | None = None
        self.layers: deque[Told] = deque(maxlen=_LATEST)
        self.system: deque[Told] = deque(maxlen=_LATEST)
        self.rows: deque[Told] = deque(maxlen=_LATEST)
        self.seconds: dict[str, float] = defaultdict(float)
        """Where the time went, in all: a timing event's parts."""
        self.last_time: float | None = None
        """When it last said anything, in seconds since 1970."""

    def add(self, event: Told) -> None:
        """Takes an event of any type; one that goes on from a checkpoint takes back what was told of later updates."""
        take = getattr(self, f"_add_{event['type']}", None)
        if take is not None:
            take(event)
        if event.get("time"):
            self.last_time = _seconds(event["time"])

    @property
    def has_ended(self) -> bool:
        """Whether its worker has told of an end."""
        return self.facts.get("phase") in TERMINAL_PHASES

    @property
    def loss(self) -> Track:
        """Training loss."""
        return self.steps.curve("loss").known()

    @property
    def total_steps(self) -> int | None:
        """Updates that the run is to make, where that is known."""
        return self.facts.get("total_steps")

    @property
    def is_warming_up(self) -> bool:
        """Whether the learning rate is still climbing, or has been until a moment ago; False where that is not known."""
        share, total = self.config.get("warmup_ratio"), self.total_steps
        return bool(share and total and self.step < 1.5 * share * total)

    @property
    def peak_rate(self) -> float | None:
        """The full learning rate: as it was set, or else the highest that was used."""
        rates = self.steps.curve("lr").known()
        return self.config.get("learning_rate") or (float(rates.high.max()) if len(rates.step) else None)

    @property
    def window(self) -> int | None:
        """Examples that an update learns from, on one device, where that is known."""
        sizes = [self.known("batch_size"), self.known("gradient_accumulation_steps")]
        return None if None in sizes else int(np.prod(sizes))

    def known(self, name: str) -> Any:
        """What the worker told of a setting, or else what was asked for."""
        return self.config.get(name) if self.facts.get(name) is None else self.facts[name]

    def _add_status(self, event: Told) -> None:
        if event.get("resumed_step") is not None:
            self._take_back(event["resumed_step"])
        self.facts |= {name: value for name, value in event.items() if value is not None}

    def _add_step(self, event: Told) -> None:
        step, lost = event["step"], event.get("nonfinite") or ()
        if step <= self.step:  # a log that was put together: what comes later counts
            self.steps.cut(step - 1)
        # fp16 meets an infinite gradient now and then: the scaler leaves that update out and the run goes on.
        skipped = "grad_norm" in lost and "loss" not in lost and (event.get("scale") or 0) > 1
        if lost and not skipped and len(self.broken) < _LATEST:
            self.broken.append(step)
        self.steps.add(step, [*(event.get(name) for name in _STEP_COLUMNS[:-1]), float(skipped)])
        self.step, self.epoch = step, event.get("epoch") or self.epoch

    def _add_evaluation(self, event: Told) -> None:
        self.evaluations.append({name: event.get(name) for name in ("step", "epoch", "loss", "train_loss", "question_gain")})
        if len(self.evaluations) > MOST_EVALUATIONS:  # every other one of the older half goes, but never the best
            best = min(self.evaluations, key=lambda one: math.inf if one["loss"] is None else one["loss"])
            half = MOST_EVALUATIONS // 2
            older = [one for place, one in enumerate(self.evaluations[:half]) if place % 2 == 0 or one is best]
            self.evaluations = older + self.evaluations[half:]

    def _add_data(self, event: Told) -> None:
        self.data = event

    def _add_layers(self, event: Told) -> None:
        self.layers.append(event)

    def _add_system(self, event: Told) -> None:
        self.system.append(event)

    def _add_rows(self, event: Told) -> None:
        self.rows.append(event)

    def _add_timing(self, event: Told) -> None:
        for name, value in event.items():
            if isinstance(value, (int, float)) and name not in ("seq", "step", "cursor"):
                self.seconds[name] += value

    def _take_back(self, step: int) -> None:
        self.steps.cut(step)
        self.step = min(self.step, step)
        self.broken = [one for one in self.broken if one <= step]
        self.evaluations = [one for one in self.evaluations if 0 < step >= one["step"]]
        for told in (self.layers, self.rows):
            kept = [one for one in told if 0 < step >= one["step"]]
            told.clear()
            told.extend(kept)
        self.facts.pop("reason", None)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
