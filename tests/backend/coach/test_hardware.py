"""Waiting, idling, full memory and silence."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from backend.coach.rules import hardware
from tests.backend.coach.told import falling, run

GB = 10**9


def samples(busy: float, used: int = 4 * GB, count: int = 10) -> list[dict[str, Any]]:
    sample = {"type": "system", "cpu_percent": 10.0, "memory_bytes": 1, "disk_free_bytes": 1}
    return [{**sample, "step": step, "gpu_percent": busy, "gpu_memory_bytes": used} for step in range(count)]


def timing(data: float) -> dict[str, Any]:
    return {"type": "timing", "step": 50, "seq": 9, "data": data, "forward": 3.0, "backward": 5.0, "optimizer": 1.0}


def test_updates_that_wait_for_data() -> None:
    said = hardware.slow_input(run(falling(50), events=[timing(9.0)]))
    assert said
    assert said.evidence["waiting for data (%)"] == 50
    assert said.fix == {"num_workers": 2}
    assert hardware.slow_input(run(falling(50), events=[timing(0.5)])) is None
    assert hardware.slow_input(run(falling(50))) is None


def test_a_gpu_that_idles() -> None:
    assert hardware.idle_device(run(falling(50), events=samples(10)))
    assert hardware.idle_device(run(falling(50), events=samples(95))) is None
    assert hardware.idle_device(run(falling(50), events=samples(10, count=3))) is None
    assert hardware.idle_device(run(falling(50))) is None


def test_batches_that_are_small_for_the_device() -> None:
    said = hardware.small_batch(run(falling(50), events=samples(50), device_memory_bytes=24 * GB))
    assert said
    assert said.fix == {"batch_size": 16, "gradient_accumulation_steps": 1}
    assert hardware.small_batch(run(falling(50), events=samples(95), device_memory_bytes=24 * GB)) is None
    assert hardware.small_batch(run(falling(50), events=samples(50), device_memory_bytes=6 * GB)) is None
    assert hardware.small_batch(run(falling(50), events=samples(50))) is None, "how large it is is not known"


def test_memory_that_is_or_was_full() -> None:
    near = hardware.memory_full(run(falling(50), events=samples(95, used=23_500_000_000), device_memory_bytes=24 * GB))
    assert near
    assert near.fix == {"batch_size": 4, "gradient_accumulation_steps": 4}
    did_not_fit = hardware.memory_full(run(falling(50), facts={"batch_size": 2}))
    assert did_not_fit
    assert did_not_fit.fix == {"batch_size": 2, "gradient_accumulation_steps": 8}
    assert hardware.memory_full(run(falling(50), events=samples(95), device_memory_bytes=24 * GB)) is None


@pytest.mark.parametrize(
    ("phase", "minutes", "said"), [("training", 10, True), ("training", 1, False), ("paused", 60, False)]
)
def test_a_run_that_has_gone_silent(phase: str, minutes: int, said: bool) -> None:
    last = datetime(2026, 1, 1, tzinfo=timezone.utc)
    record = run(falling(50), events=[{"type": "status", "phase": phase, "time": last.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}])
    assert bool(hardware.stalled(record, last + timedelta(minutes=minutes))) is said
