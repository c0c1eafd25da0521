"""A GPU is always one with a number, as torch itself wants it. There is none here: torch's answers are made up."""

from __future__ import annotations

import pytest
import torch

from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.devices.device import device_of


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Two GPUs; the numbers of those that were made the current one, as torch reads them out of what it is given."""
    numbers: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: numbers.append(torch.cuda._utils._get_device_index(device)))
    return numbers


@pytest.mark.parametrize(
    ("wanted", "given", "number", "found"),
    [
        ("auto", "auto", None, 0), ("cuda", "auto", None, 0), ("cuda:1", "auto", None, 1), ("auto", "cuda:1", None, 1),
        ("auto", "cuda", None, 0), ("cuda", "auto", 1, 1),
    ],
)  # fmt: skip
def test_a_gpu_has_a_number(used: list[int], wanted: str, given: str, number: int | None, found: int) -> None:
    source = DatasetSource(path="a.txt")
    config = RunConfig(device=wanted)
    job = Job(run_id="r", config=config, model=ModelSource(kind="built_in", location="tiny"), dataset=source, device=given)
    assert device_of(job, number) == torch.device("cuda", found)
    assert used == [found]


def test_a_cpu_is_left_alone(used: list[int]) -> None:
    model = ModelSource(kind="built_in", location="tiny")
    job = Job(run_id="r", config=RunConfig(device="cpu"), model=model, dataset=DatasetSource(path="a.txt"))
    assert device_of(job) == torch.device("cpu")
    assert used == []
