"""Where the time went: every moment is counted once, as what it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.worker import runs
from worker.contract import TimingEvent
from worker.training.watching import clock
from worker.training.watching.clock import Clock

Prepare = Callable[..., tuple[Any, list[Any]]]
KINDS = ("preparing", "data", "forward", "backward", "optimizer", "evaluation", "saving", "waiting", "other")


def told(events: list[Any]) -> list[TimingEvent]:
    return [event for event in events if event.type == "timing"]


def total(events: list[Any]) -> float:
    return sum(getattr(event, kind) for event in told(events) for kind in KINDS)


def test_every_moment_is_of_the_kind_it_was_entered_as(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])
    own = Clock(torch.device("cpu"), began=90.0)
    own.begin_update()
    with own.spending("evaluation"):
        now[0] += 2
        with own.spending("saving"):
            now[0] += 3
        now[0] += 4
        own.moved(1.5, "waiting")
    now[0] += 5
    event = own.event(7)
    assert (event.step, event.preparing, event.evaluation, event.saving, event.waiting, event.other) == (
        7,
        10,
        4.5,
        3,
        1.5,
        5,
    )
    now[0] += 1
    assert own.event(8).model_dump(exclude_defaults=True) == {"step": 8, "other": 1}


def test_what_is_spent_on_something_that_fails_is_counted_too() -> None:
    own = Clock(torch.device("cpu"), began=time.perf_counter())
    with pytest.raises(ValueError, match="no"), own.spending("forward"):
        raise ValueError("no")
    own.enter("other")
    assert own.event(1).forward > 0


def test_the_kinds_add_up_to_the_time_that_passed_a_pause_included(prepare: Prepare) -> None:
    began = time.perf_counter()
    trainer, reported = prepare(max_steps=30, eval_steps=10, save_steps=10)
    run_dir, paused = trainer.setup.run_dir, 1.0

    def on(event: Any) -> None:
        reported.append(event)
        if event.type == "step" and event.step == 5:
            runs.ask(run_dir, "pause")
        elif event.type == "status" and event.phase == "paused":
            threading.Timer(paused, runs.ask, (run_dir, "resume")).start()

    trainer._report = on
    trainer.train()
    passed = time.perf_counter() - began
    assert total(reported) == pytest.approx(passed, rel=0.01)
    kinds = {kind: sum(getattr(event, kind) for event in told(reported)) for kind in KINDS}
    assert paused <= kinds["waiting"] < paused + 1
    assert all(kinds.values()), kinds
    assert kinds["other"] < 0.1 * passed
    steps = [event.step for event in told(reported)]
    assert steps == sorted(steps)
    assert {0, 10, 20, 30} <= set(steps), "at the end of each evaluation"


def test_waiting_for_data_is_told_as_that(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=4, validation_split=0.0)
    lay_out = trainer._lay_out_anew

    def slowly() -> None:
        lay_out()
        work = trainer.work

        def late() -> Any:
            for each in work:
                threading.Event().wait(0.25)
                yield each

        trainer.work = late()

    trainer._lay_out_anew = slowly
    trainer.train()
    assert sum(event.data for event in told(reported)) >= 4 * 0.25


def test_it_is_told_every_so_many_updates(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_UPDATES", 5)
    monkeypatch.setattr(clock, "_SECONDS", 3600.0)
    trainer, reported = prepare(max_steps=12, validation_split=0.0)
    trainer.train()
    assert [event.step for event in told(reported)] == [0, 5, 10, 12, 12], "and at evaluations, and at the end"


def test_time_in_which_the_disk_was_full_is_time_of_waiting(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=3, validation_split=0.0)

    def on(event: Any) -> bool:
        reported.append(event)
        if event.type == "step" and event.step == 2:
            threading.Event().wait(0.5)  # as the emitter does until there is room
            return True
        return False

    trainer._report = on
    trainer.train()
    assert sum(event.waiting for event in told(reported)) == pytest.approx(0.5, rel=0.2)
