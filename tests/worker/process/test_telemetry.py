"""What the machine does while a run trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch

from worker.process import telemetry
from worker.process.telemetry import Telemetry

Prepare = Callable[..., tuple[Any, list[Any]]]


def test_a_sample_is_taken_at_once_and_then_once_in_a_while(tmp_path: Path, monkeypatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(telemetry.time, "monotonic", lambda: clock[0])
    reported: list[Any] = []
    watch = Telemetry(torch.device("cpu"), tmp_path, reported.append)
    for step in range(1, 101):
        watch.note(step)
        clock[0] += 0.1
    assert [event.step for event in reported] == [1, 51]
    sample = reported[0]
    assert 0 <= sample.cpu_percent <= 100
    assert 0.5 < sample.memory_bytes / psutil.Process().memory_info().rss < 2
    assert sample.disk_free_bytes > 0
    assert sample.gpu_percent is None, "a CPU has no GPU"


def test_a_run_reports_its_machine_after_the_step_it_belongs_to(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=3)
    trainer.train()
    kinds = [(event.type, event.step) for event in reported if event.type in ("step", "system")]
    assert kinds[:2] == [("step", 1), ("system", 1)]
