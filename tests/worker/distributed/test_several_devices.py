"""Two processes that train one model. They share the CPU and talk through gloo, as no GPU is here."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from tests.worker import architectures, runs
from tests.worker.designs import save_small_gpt2
from worker.contract import Job, ModelSource, StatusEvent
from worker.distributed import launch
from worker.process.control import StopSwitch

SETTINGS: dict[str, Any] = {
    "max_steps": 12, "eval_steps": 6, "max_length": 32, "learning_rate": 0.01, "sample_prompts": [], "precision": "fp32",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(fragments: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    return save_small_gpt2(tmp_path_factory.mktemp("model") / "small", fragments, dropout=0.0)


def curve(run_dir: Path) -> list[tuple[str, int, float]]:
    events = [event for event in runs.events(run_dir) if event.type in ("step", "evaluation")]
    return [(event.type, event.step, event.loss) for event in events]


def test_two_processes_do_what_one_does_with_twice_the_batch(model: ModelSource, fragments: Path, tmp_path: Path) -> None:
    one = runs.make_run(tmp_path / "one", fragments, model, batch_size=4, gradient_accumulation_steps=4, **SETTINGS)
    two = runs.make_run(
        tmp_path / "two", fragments, model, batch_size=2, gradient_accumulation_steps=4, devices=2, **SETTINGS
    )
    for run_dir in (one, two):
        assert runs.run(run_dir) == 0, runs.log(run_dir)
    curves = [curve(run_dir) for run_dir in (one, two)]
    assert len(curves[1]) == 12 + 3
    assert [point[:2] for point in curves[0]] == [point[:2] for point in curves[1]]
    assert [point[2] for point in curves[0]] == pytest.approx([point[2] for point in curves[1]], abs=1e-4)
    norms = [[event.grad_norm for event in runs.events(run_dir, "step")] for run_dir in (one, two)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-3), "clipping and Adam would hide a gradient that is too large"
    tokens = [[event.tokens for event in runs.events(run_dir, "step")] for run_dir in (one, two)]
    assert tokens[0] == tokens[1]
    events = runs.events(two)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].phase == "completed"


def test_a_model_that_takes_images_too_learns_from_text(fragments: Path, tmp_path: Path) -> None:
    source = architectures.save("gemma3", tmp_path / "base", fragments)
    settings = {**SETTINGS, "max_steps": 3, "packing": False}
    one = runs.make_run(tmp_path / "one", fragments, source, batch_size=4, gradient_accumulation_steps=2, **settings)
    two = runs.make_run(
        tmp_path / "two", fragments, source, batch_size=2, gradient_accumulation_steps=2, devices=2, **settings
    )
    for run_dir in (one, two):
        assert runs.run(run_dir) == 0, runs.log(run_dir)
    assert [loss for *_, loss in curve(one)] == pytest.approx([loss for *_, loss in curve(two)], abs=1e-4)
    images = {name: weight for name, weight in load_file(one / "model/model.safetensors").items() if "vision" in name}
    before = load_file(tmp_path / "base/model.safetensors")
    assert images
    assert all(torch.equal(weight, before[name]) for name, weight in images.items())


@pytest.fixture
def train_in_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path, bool], StatusEvent]]:
    """Trains a run directory by two processes that each hold a part of the model."""
    monkeypatch.setattr(launch, "_RANK", "tests.worker.sharded_rank")
    monkeypatch.chdir(runs.ROOT)
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    yield lambda run_dir, going_on: launch.train_on_several(
        Job.model_validate_json((run_dir / "config.json").read_bytes()), run_dir, going_on, StopSwitch(run_dir)
    )
    for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
        signal.signal(number, handler)


def test_a_model_in_parts_learns_as_a_whole_one(
    model: ModelSource, fragments: Path, tmp_path: Path, train_in_parts: Callable[[Path, bool], StatusEvent]
) -> None:
    settings = {**SETTINGS, "sample_prompts": ["Once"], "save_steps": 5, "keep_checkpoints": 5}
    one = runs.make_run(tmp_path / "one", fragments, model, batch_size=4, gradient_accumulation_steps=4, **settings)
    two = runs.make_run(
        tmp_path / "two", fragments, model, batch_size=2, gradient_accumulation_steps=4, devices=2, **settings
    )
    assert runs.run(one) == 0, runs.log(one)
    assert train_in_parts(two, False).phase == "completed"
    assert any("too large for one device" in event.text for event in runs.events(two, "message"))
    assert [loss for *_, loss in curve(one)] == pytest.approx([loss for *_, loss in curve(two)], abs=1e-4)
    weights = [load_file(run_dir / "model" / "model.safetensors") for run_dir in (one, two)]
    assert weights[0].keys() == weights[1].keys()
    for name, weight in weights[0].items():
        assert torch.allclose(weight, weights[1][name], atol=1e-4), name
    whole = curve(two)
    for later in (two / "checkpoints").glob("step-*"):
        if later.name > "step-000005":
            shutil.rmtree(later)
    assert train_in_parts(two, True).phase == "completed"
    again = curve(two)[len(whole) :]
    assert [step for kind, step, _ in again if kind == "step"] == list(range(6, 13))
    assert again == [point for point in whole if point[1] > 5]


def test_they_stop_pause_and_go_on_together(model: ModelSource, fragments: Path, tmp_path: Path) -> None:
    run_dir = runs.make_run(tmp_path / "run", fragments, model, devices=2, **{**SETTINGS, "max_steps": 100_000})
    worker = runs.Forked(run_dir)
    runs.wait_for(run_dir, '"type":"step"')
    runs.ask(run_dir, "pause")
    runs.wait_for(run_dir, '"paused"')
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 0, runs.log(run_dir)
    assert runs.events(run_dir)[-1].phase == "stopped"
    assert (run_dir / "model" / "model.safetensors").exists()
    last = max(event.step for event in runs.events(run_dir, "step"))
    assert not (run_dir / "control.json").exists()
    job = (run_dir / "config.json").read_text().replace('"max_steps":100000', f'"max_steps":{last + 3}')
    (run_dir / "config.json").write_text(job)
    assert runs.run(run_dir) == 0, runs.log(run_dir)
    assert [event.step for event in runs.events(run_dir, "step")] == list(range(1, last + 4))


def test_a_process_that_dies_ends_the_run_with_a_reason(model: ModelSource, fragments: Path, tmp_path: Path) -> None:
    run_dir = runs.make_run(tmp_path / "run", fragments, model, devices=2, **{**SETTINGS, "max_steps": 100_000})
    worker = runs.Forked(run_dir)
    runs.wait_for(run_dir, '"type":"step"')
    ranks = [child for child in psutil.Process(worker.pid).children(recursive=True) if "worker.rank" in child.cmdline()]
    assert len(ranks) == 2
    os.kill(next(rank.pid for rank in ranks if rank.environ()["RANK"] == "1"), signal.SIGKILL)
    assert worker.wait(timeout=60) == 1
    end = runs.events(run_dir)[-1]
    assert end.phase == "failed"
    assert "device 1 was killed by signal 9" in end.reason
    assert not any(rank.is_running() and rank.status() != psutil.STATUS_ZOMBIE for rank in ranks)
