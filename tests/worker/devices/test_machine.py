"""This machine's speed is measured once a day, whichever process asks."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from worker.devices import machine as speed
from worker.devices.machine import Machine, machine

MEASURED = Machine(
    memory_bytes=300_000_000, products={64: 1e9, 1024: 4e9}, attention=1e9, bytes_per_s=1e9, new_bytes_per_s=1e9,
    updates_per_s=1e8, seconds_an_operation=1e-5,
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """What was measured; the measurement itself, which takes seconds, is made up."""
    found: list[tuple[str, str]] = []

    def measured(device: str, precision: str) -> Machine:
        found.append((device, precision))
        return MEASURED

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(speed, "_measured", measured)
    return found


def files(folder: Path) -> list[Path]:
    return sorted((folder / "trainboard").iterdir())


def test_each_device_and_precision_is_measured_once(asked: list[tuple[str, str]], tmp_path: Path) -> None:
    for _ in range(2):
        assert machine("cpu", "fp32") == MEASURED
        assert machine("cpu", "bf16") == MEASURED
    assert asked == [("cpu", "fp32"), ("cpu", "bf16")]
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("change", ["it is a day old", "it is cut short", "more threads", "other GPUs"])
def test_it_is_measured_anew(
    change: str, asked: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine("cpu", "fp32")
    (file,) = files(tmp_path)
    if change == "it is a day old":
        os.utime(file, (time.time() - 25 * 3600,) * 2)
    elif change == "it is cut short":
        file.write_text(file.read_text()[:50])
    else:
        monkeypatch.setenv("OMP_NUM_THREADS" if change == "more threads" else "CUDA_VISIBLE_DEVICES", "7")
    assert machine("cpu", "fp32") == MEASURED
    assert len(asked) == 2
    machine("cpu", "fp32")
    assert len(asked) == 2


def test_where_nothing_can_be_kept_it_is_measured_all_the_same(
    asked: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert machine("cpu", "fp32") == machine("cpu", "fp32") == MEASURED
    assert len(asked) == 2
