"""Real workers, killed at random: the next one goes on, and the result is the same to the last bit."""

from __future__ import annotations

import random
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from watchfiles import watch

from tests.planted import planted
from tests.worker import runs
from tests.worker.designs import save_small_gpt2
from worker.contract import DatasetSource, MixedDataset, ModelSource

SETTINGS: dict[str, Any] = {
    "max_steps": 40,
    "save_steps": 6,
    "eval_steps": 9,
    "max_length": 32,
    "learning_rate": 0.01,
    "sample_prompts": ["Once"],
}


@pytest.fixture(scope="module")
def model(fragments: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    return save_small_gpt2(tmp_path_factory.mktemp("model") / "small", fragments)


@pytest.fixture(scope="module")
def uncut(model: ModelSource, fragments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""
    run_dir = runs.make_run(tmp_path_factory.mktemp("runs") / "uncut", fragments, model, **SETTINGS)
    assert runs.run(run_dir) == 0, runs.log(run_dir)
    return run_dir


def told(run_dir: Path) -> dict[Any, Any]:
    """What counts of a run's log: steps, checks and samples, without those that were made again."""
    found: dict[Any, Any] = {}
    for event in runs.events(run_dir):
        if event.type == "status" and event.resumed_step is not None:
            found = {key: value for key, value in found.items() if key[1] <= event.resumed_step and event.resumed_step}
        elif event.type in ("step", "evaluation", "sample"):
            key = (event.type, event.step)
            assert key not in found, f"{key} was told twice"
            found[key] = event.model_dump(exclude={"seq", "time", "tokens_per_s", "step_ms"})
    return found


def kill_after(run_dir: Path, lines: int) -> None:
    """Kills a worker once its log has so many lines, unless it ends before."""
    worker = runs.Forked(run_dir)
    log = run_dir / "events.jsonl"
    for _ in watch(run_dir, rust_timeout=100, yield_on_timeout=True, debounce=10, step=5):
        if worker.poll() is not None or (log.exists() and log.read_bytes().count(b"\n") >= lines):
            break
    worker.send_signal(signal.SIGKILL)
    worker.wait(timeout=60)


def assert_same_result(run_dir: Path, uncut: Path) -> None:
    assert told(run_dir) == told(uncut)
    for name in ("model.safetensors", "tokenizer.json"):
        assert runs.manifest(run_dir / "model")[name] == runs.manifest(uncut / "model")[name]


def test_a_killed_run_goes_on_to_the_same_bits(uncut: Path, model: ModelSource, fragments: Path, tmp_path: Path) -> None:
    run_dir = runs.make_run(tmp_path / "run", fragments, model, **SETTINGS)
    kill_after(run_dir, 30)
    before = runs.events(run_dir)
    assert runs.run(run_dir) == 0, runs.log(run_dir)
    after = runs.events(run_dir)[len(before) :]
    resumed = [event.resumed_step for event in after if event.type == "status" and event.resumed_step is not None]
    assert len(resumed) == 1
    assert 0 < resumed[0] <= max(event.step for event in before if event.type == "step")
    assert any(event.type == "message" and "bit for bit" in event.text for event in after)
    assert_same_result(run_dir, uncut)


def test_a_damaged_checkpoint_is_passed_over(uncut: Path, model: ModelSource, fragments: Path, tmp_path: Path) -> None:
    run_dir = runs.make_run(tmp_path / "run", fragments, model, **SETTINGS)
    kill_after(run_dir, 35)
    latest = max((run_dir / "checkpoints").iterdir())
    weights = latest / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert runs.run(run_dir) == 0, runs.log(run_dir)
    warnings = [event.text for event in runs.events(run_dir, "message") if event.level == "warning"]
    assert any(latest.name in text and "damaged" in text for text in warnings)
    assert_same_result(run_dir, uncut)


def test_a_run_that_is_mixed_and_split_by_group_goes_on_to_the_same_bits(
    model: ModelSource, fragments: Path, tmp_path: Path
) -> None:
    data = tmp_path / "leaky.txt"
    data.write_text("\n".join(planted(120, 50).texts))
    settings = {**SETTINGS, "validation_split": 0.3, "split_by_group": True}
    mixture = {"fragments": MixedDataset(source=DatasetSource(path=str(fragments)), share=0.3)}
    whole, cut = (runs.make_run(tmp_path / name, data, model, mixture, **settings) for name in ("whole", "cut"))
    assert runs.run(whole) == 0, runs.log(whole)
    kill_after(cut, 30)
    shutil.rmtree(cut / "tokens")  # so that it is split once more
    assert runs.run(cut) == 0, runs.log(cut)
    assert any("bit for bit" in event.text for event in runs.events(cut, "message"))
    assert_same_result(cut, whole)
    assert not (cut / "groups").exists()


@pytest.mark.faults
def test_twenty_random_kills(uncut: Path, model: ModelSource, fragments: Path, tmp_path: Path) -> None:
    total = len(runs.events(uncut))
    chance = random.Random(0)
    for number in range(10):
        run_dir = runs.make_run(tmp_path / f"run-{number}", fragments, model, **SETTINGS)
        for lines in sorted(chance.sample(range(2, total), 2)):
            kill_after(run_dir, lines)
        if runs.events(run_dir)[-1].type != "status" or runs.events(run_dir)[-1].phase != "completed":
            assert runs.run(run_dir) == 0, runs.log(run_dir)
        assert_same_result(run_dir, uncut)
        shutil.rmtree(run_dir)
