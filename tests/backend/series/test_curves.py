"""Curves of any length: whatever part is asked for, nothing that stood out is lost."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from backend.runs import history, lifecycle
from backend.runs.tailer import Tailer
from backend.schemas.runs import Curves
from backend.series import curves
from tests.backend.records import Records
from worker.contract import EvaluationEvent, StatusEvent, StepEvent, SystemEvent, now

Life = tuple[int, float]
"""Of one worker: updates it makes, and the share of those made before that it goes on from."""


class LongRun:
    """A run whose log grows, and beside it what its curves should be: step → value, NaN where it was none."""

    def __init__(self, records: Records, seed: int = 0, log_steps: int = 1) -> None:
        self.records, self.log_steps = records, log_steps
        self.run_id = records.add("starting", "running")
        self.random = random.Random(seed)
        self.tailer = Tailer(records.database, records.settings.runs_dir)
        self.step = self.seq = 0
        self.loss: dict[int, float] = {}
        self.validation: dict[int, float] = {}
        self.spikes: dict[int, float] = {}

    def live(self, steps: int, resumed_step: int | None = None) -> None:
        """One worker's life, read in pieces of odd sizes."""
        events: list[Any] = [StatusEvent(phase="training", resumed_step=resumed_step, total_steps=10**7)]
        if resumed_step is not None:
            self.step = resumed_step
            for values in (self.loss, self.validation):
                for step in [step for step in values if step > resumed_step or resumed_step == 0]:
                    del values[step]
        if self.step == 0:
            events.append(self.check())
        for _ in range(steps):
            self.step += self.log_steps
            events.append(self.update())
            if self.step % 50 == 0:
                events.append(self.check())
        for number, event in enumerate(events, self.seq + 1):
            event.seq, event.time = number, now()
        self.seq += len(events)
        while events:
            piece = self.random.choice([1, 7, 900, 5000])
            self.records.append(self.run_id, *events[:piece])
            self.tailer.ingest(self.run_id)
            events = events[piece:]

    def update(self) -> StepEvent:
        value = self.random.gauss(3, 1) if self.random.random() > 0.001 else math.nan
        value = self.spikes.get(self.step, value)
        self.loss[self.step] = value
        bad = math.isnan(value)
        return StepEvent(
            step=self.step, epoch=self.step / 100, loss=None if bad else value, lr=1e-3, grad_norm=1.0,
            tokens=self.step * 10, tokens_per_s=100.0, step_ms=10.0, nonfinite=["loss"] if bad else [],
        )  # fmt: skip

    def check(self) -> EvaluationEvent:
        value = self.random.gauss(3, 1)
        self.validation[self.step] = value
        return EvaluationEvent(step=self.step, epoch=0, loss=value, perplexity=1.0, best=False, losses={"b": value})

    def read(self, *keys: str, first: int | None = None, last: int | None = None, px: int = 1000) -> Curves:
        with self.records.database.read() as connection:
            row = lifecycle.row(connection, self.run_id)
            return history.series(connection, row, list(keys), first, last, px)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path)


def test_a_spike_of_one_step_is_seen_at_every_zoom(records: Records) -> None:
    run, spike = LongRun(records, seed=1), 12_345
    run.spikes[spike] = 99.0
    run.live(30_000)
    for px in (1, 10, 300, 1000):
        for reach in (30_000, 10_000, 3_000, 700, 40, 1):
            shown = run.read("loss", first=spike - reach // 2, last=spike + reach // 2, px=px)
            assert max(value for value in shown.series["loss"].max if value is not None) == 99.0, (px, reach)
            assert len(shown.x) <= px


def test_a_worker_that_starts_over_replaces_what_was_rolled_up_of_step_0(records: Records) -> None:
    run = LongRun(records, seed=2)
    run.live(curves.ROLL_EVERY + 10)
    first = run.validation[0]
    run.live(curves.ROLL_EVERY + 10, resumed_step=0)
    assert run.validation[0] != first
    shown = run.read("validation_loss", first=0, last=0).series["validation_loss"]
    assert (shown.min, shown.mean, shown.max) == ([run.validation[0]],) * 3


@settings(max_examples=15, deadline=None, phases=set(Phase) - {Phase.shrink})
@given(
    lives=st.lists(st.tuples(st.integers(1, 3000), st.floats(0, 1)), min_size=1, max_size=4),
    seed=st.integers(0, 99),
    log_steps=st.sampled_from([1, 3, 40]),
)
def test_curves_are_what_the_log_says_whatever_happened(
    tmp_path_factory: pytest.TempPathFactory, lives: list[Life], seed: int, log_steps: int
) -> None:
    run = LongRun(Records(tmp_path_factory.mktemp("data")), seed, log_steps)
    for number, (steps, share) in enumerate(lives):
        run.live(steps, resumed_step=int(run.step * share) // log_steps * log_steps if number else None)
    check(run, None, None, 10**4)
    for _ in range(6):
        first, last = sorted(run.random.randrange(run.step + 2) for _ in range(2))
        check(run, first, last, run.random.choice([1, 50, 600, 10_000]))
    check(run, None, None, 100)


def check(run: LongRun, first: int | None, last: int | None, px: int) -> None:
    """Each bucket against the values of its steps."""
    shown = run.read("loss", "validation_loss", "losses/b", first=first, last=last, px=px)
    low, high = (0 if first is None else first), (run.step if last is None else last)
    assert len(shown.x) <= px
    for key, truth in (("loss", run.loss), ("validation_loss", run.validation), ("losses/b", run.validation)):
        band = shown.series[key]
        inside = {step for step in truth if low <= step <= high}
        if not shown.x:
            assert not inside
            continue
        for place, (start, end) in enumerate(zip(shown.x, [*shown.x[1:], high + 1], strict=True)):
            values = [truth[step] for step in range(start, end) if step in truth]
            finite = [value for value in values if not math.isnan(value)]
            assert (place in band.nonfinite) == (len(finite) < len(values))
            if finite:
                assert (band.min[place], band.max[place]) == (min(finite), max(finite))
                assert band.mean[place] == pytest.approx(sum(finite) / len(finite))
            else:
                assert band.mean[place] is None
        assert not inside or shown.x[0] <= min(inside)
        if px >= high - low + 1:
            assert inside <= set(shown.x), "there was room for every step"


def test_what_the_machine_did_is_a_curve_too(records: Records) -> None:
    run_id = records.add("starting", "running")
    facts = {"cpu_percent": 50.0, "memory_bytes": 10**9, "disk_free_bytes": 10**11}
    events = [SystemEvent(seq=seq, time=now(), step=seq, **facts) for seq in (1, 2)]
    records.append(run_id, *events)
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    with records.database.read() as connection:
        row = lifecycle.row(connection, run_id)
        shown = history.series(connection, row, ["memory_bytes", "gpu_percent"], None, None, 100)
    assert (shown.x, shown.series["memory_bytes"].mean) == ([1, 2], [1e9, 1e9])
    assert shown.series["gpu_percent"].mean == [None, None], "there is no GPU"


def test_a_database_from_before_there_were_curves_catches_up(records: Records) -> None:
    run = LongRun(records)
    run.live(2500)
    with records.database.write() as connection:
        curves.forget(connection, run.run_id)
        connection.exec_driver_sql("UPDATE runs SET rolled_seq = 0")
        curves.catch_up(connection)
        assert lifecycle.row(connection, run.run_id).rolled_seq == run.seq
    check(run, None, None, 10**4)


def test_deleting_a_run_leaves_no_curve_behind(records: Records) -> None:
    run = LongRun(records)
    run.live(2500)
    with records.database.write() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM curves").scalar()
        lifecycle.transition(connection, run.run_id, "completed")
        lifecycle.remove(connection, run.run_id)
        assert not connection.exec_driver_sql("SELECT count(*) FROM curves").scalar()


def test_a_worker_that_starts_over_checks_the_untrained_model_anew(records: Records) -> None:
    """Whether the first check was rolled up before the second came or not: 1,001 updates are 1,023 events."""
    run = LongRun(records)
    run.live(1001)
    run.live(2, resumed_step=0)
    check(run, None, None, 100)
