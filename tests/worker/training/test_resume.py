"""A run that is cut anywhere and goes on gives the same weights and losses, to the last bit, as one that is not."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.worker.designs import save_small_gpt2
from tests.worker.training.cut_runs import OVERFLOW, Outcome, Runs, edited, zeroed
from worker.checkpoints import saver
from worker.contract import ModelSource
from worker.errors import CheckpointError, StopRequested
from worker.training import resume, training_state

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """A model so small gains nothing from more, and test_cuts.py has real workers with all of them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(fragments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few short texts."""
    path = tmp_path_factory.mktemp("data") / "few.txt"
    path.write_text("\n".join(fragments.read_text().splitlines()[:60]))
    return path


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    """A very small GPT-2 with dropout, as a folder."""
    return save_small_gpt2(tmp_path_factory.mktemp("model") / "small", data)


@pytest.fixture(params=["fp32", "bf16", "fp16"])
def runs(request: pytest.FixtureRequest, model: ModelSource, data: Path) -> Runs:
    return Runs(model, data, request.param)


@pytest.mark.parametrize("count", [10, pytest.param(30, marks=pytest.mark.slow)])
def test_random_cuts_change_not_a_bit(runs: Runs, count: int, tmp_path: Path) -> None:
    expected = runs.whole(tmp_path / "uncut", Outcome(), None)
    events = list(range(2, expected.events))
    if runs.precision == "fp16":
        scales = [scale for *_, scale in expected.steps.values()]
        assert min(scales) < OVERFLOW, "no overflow, so the scaler has done nothing"
    for number, cut_at in enumerate(random.Random(1).choices(events, k=count)):
        outcome = runs.cut(tmp_path / f"cut-{number}", cut_at)
        assert outcome == expected, f"cut at event {cut_at}"
        shutil.rmtree(tmp_path / f"cut-{number}")


def without_torch_random(folder: Path) -> None:
    path = folder / training_state.TENSORS_FILE
    save_file({name: tensor for name, tensor in load_file(path).items() if not name.startswith("random.")}, path)


PARTS = {
    "first moments": zeroed(".exp_avg"),
    "second moments": zeroed(".exp_avg_sq"),
    "optimizer's step": zeroed(".step"),
    "torch's random numbers": without_torch_random,
    "Python's random numbers": edited(lambda state: state["python_random"].__setitem__(1, [1] * 624 + [1])),
    "numpy's random numbers": edited(lambda state: state["numpy_random"].__setitem__(2, 0)),
    "loss scale": edited(lambda state: state["scaler"].clear()),
    "place in the data": edited(lambda state: state.update(step=state["step"] - 1)),
    "tokens": edited(lambda state: state.update(tokens=0)),
    "loss since the last report": edited(lambda state: state.update(since_report={})),
    "loss since the last check": edited(lambda state: state.update(since_evaluation={})),
    "last check": edited(lambda state: state.update(evaluated_step=-1)),
    "best loss": edited(lambda state: state.update(best_loss=1e9)),
    "misses": edited(lambda state: state.update(misses=0)),
    "best checkpoint": edited(lambda state: state.update(best=None)),
    "batch size": edited(lambda state: state.update(batch_size=1)),
}


GETS_WORSE = {"eval_steps": 1, "learning_rate": 0.5, "warmup_ratio": 1.0, "early_stopping_patience": 3}


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_state_is_needed(part: str, model: ModelSource, data: Path, tmp_path: Path) -> None:
    """Without any one of them the test above would fail: it cannot pass by chance or by a state nobody reads."""
    runs = Runs(model, data, "fp16" if part == "loss scale" else "fp32")
    config = GETS_WORSE if part in ("best loss", "misses", "best checkpoint") else {"max_steps": 12, "eval_steps": 12}
    expected = runs.whole(tmp_path / "uncut", Outcome(), **config)
    outcome = runs.cut(tmp_path / "cut", expected.events - (1 if part == "last check" else 4), PARTS[part], **config)
    assert outcome != expected


def test_a_stop_in_the_middle_of_a_check_leaves_that_check_to_the_next_worker(
    model: ModelSource, data: Path, tmp_path: Path
) -> None:
    runs = Runs(model, data, "fp32")
    expected = runs.whole(tmp_path / "uncut", Outcome())
    outcome = Outcome()
    trainer = runs.start(tmp_path / "stopped", outcome.note)
    measure = trainer.evaluator.measure

    def stopped_at_5(batch_size: int) -> float | None:
        if trainer.step == 5:
            raise StopRequested
        loss: float | None = measure(batch_size)
        return loss

    trainer.evaluator.measure = stopped_at_5
    assert trainer.train().phase == "stopped"
    again: list[Any] = []
    trainer = runs.start(tmp_path / "stopped", lambda event: (outcome.note(event), again.append(event)))
    outcome.end = trainer.train().reason
    outcome.best = trainer.saver.best.name
    assert outcome == expected
    assert next(event.step for event in again if event.type == "evaluation") == 5
    assert (5, "best") in [(event.step, event.kind) for event in again if event.type == "checkpoint"]


def test_a_run_that_is_beyond_its_end_ends(model: ModelSource, data: Path, tmp_path: Path) -> None:
    runs = Runs(model, data, "fp32")
    runs.whole(tmp_path / "run", Outcome(), max_steps=8)
    outcome = runs.whole(tmp_path / "run", Outcome(), max_steps=4)
    assert outcome.end.startswith("All 4 updates")
    assert outcome.steps == {}


@pytest.mark.parametrize(
    "kind",
    [{}, {"use_dora": True, "use_rslora": True}, {"precision": "bf16"}, {"load_in_4bit": True}],
    ids=["LoRA", "DoRA and rsLoRA", "in bf16", "in 4 bits"],
)
def test_a_run_with_lora_goes_on_exactly_and_leaves_an_adapter(
    kind: dict[str, Any], model: ModelSource, data: Path, tmp_path: Path
) -> None:
    runs = Runs(model, data, kind.get("precision", "fp32"))
    config = {"model_name": "local:small", "method": "lora", "lora_rank": 4, "lora_dropout": 0.1, **kind}
    expected = runs.whole(tmp_path / "uncut", Outcome(), **config)
    for cut_at in (4, 18, expected.events - 3):
        assert runs.cut(tmp_path / f"cut-{cut_at}", cut_at, **config) == expected, f"cut at event {cut_at}"
    assert (tmp_path / "uncut" / "adapter" / "adapter_model.safetensors").exists()
    merged = load_file(tmp_path / "uncut" / "model" / "model.safetensors")
    assert {f"transformer.{name}" for name in merged} == {*load_file(Path(model.location) / "model.safetensors")}


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("optimizer", ["muon", "adamw_8bit"])
def test_a_run_with_another_optimizer_goes_on_exactly(
    optimizer: str, method: str, model: ModelSource, data: Path, tmp_path: Path
) -> None:
    # A rank at which the added matrices are large enough for 8 bits.
    config = {"model_name": "local:small", "optimizer": optimizer, "method": method, "lora_rank": 128}
    runs = Runs(model, data, "fp32")
    expected = runs.whole(tmp_path / "uncut", Outcome(), **config)
    for cut_at in (9, expected.events - 3):
        assert runs.cut(tmp_path / f"cut-{cut_at}", cut_at, **config) == expected, f"cut at event {cut_at}"
    moment = {"muon": ".momentum_buffer", "adamw_8bit": ".state2"}[optimizer]
    spoiled = runs.cut(tmp_path / "spoiled", expected.events // 2, zeroed(moment), **config)
    assert spoiled != expected


def test_a_run_with_restarts_goes_on_exactly(model: ModelSource, data: Path, tmp_path: Path) -> None:
    config = {"lr_scheduler": "cosine_with_restarts", "num_cycles": 3, "min_lr_ratio": 0.1}
    runs = Runs(model, data, "fp32")
    expected = runs.whole(tmp_path / "uncut", Outcome(), **config)
    assert runs.cut(tmp_path / "cut", expected.events // 2, **config) == expected
    rates = [lr for *_, lr, _ in expected.steps.values()]
    assert any(later > earlier for earlier, later in pairwise(rates))


def test_a_run_with_noise_and_smoothed_labels_goes_on_exactly(model: ModelSource, data: Path, tmp_path: Path) -> None:
    config = {"neftune_noise_alpha": 5.0, "label_smoothing": 0.1}
    runs = Runs(model, data, "bf16")
    expected = runs.whole(tmp_path / "uncut", Outcome(), **config)
    assert runs.cut(tmp_path / "cut", expected.events // 2, **config) == expected
    for name in config:
        assert runs.whole(tmp_path / name, Outcome(), **{**config, name: 0.0}).steps != expected.steps


def test_a_run_that_chose_its_precision_keeps_it(model: ModelSource, data: Path, tmp_path: Path) -> None:
    runs = Runs(model, data, "bf16")
    runs.whole(tmp_path / "run", Outcome(), max_steps=8)
    folder = saver.latest_whole(tmp_path / "run", pytest.fail)
    assert folder is not None
    assert training_state.precision_on(torch.device("cpu"), folder) == "bf16"
    assert training_state.precision_on(torch.device("cuda"), folder) is None


@pytest.mark.parametrize("file", [training_state.STATE_FILE, training_state.TENSORS_FILE])
def test_a_checkpoint_without_its_state_says_so(file: str, tmp_path: Path, model: ModelSource, data: Path) -> None:
    Runs(model, data, "fp32").whole(tmp_path / "run", Outcome(), max_steps=4)
    folder = saver.latest_whole(tmp_path / "run", pytest.fail)
    assert folder is not None
    (folder / file).unlink()
    with pytest.raises(CheckpointError, match="holds weights only"):
        training_state.read_state(folder)


def test_a_run_that_goes_on_with_another_optimizer_says_so_and_begins_it_anew(
    model: ModelSource, data: Path, tmp_path: Path
) -> None:
    runs = Runs(model, data, "fp32")
    runs.whole(tmp_path / "run", Outcome(), max_steps=8)
    trainer = runs.start(tmp_path / "run", max_steps=12, optimizer="muon")
    assert not trainer.optimizer.state
    folder = saver.latest_whole(tmp_path / "run", pytest.fail)
    assert folder is not None
    assert "optimizer was adamw and is muon" in resume.restore(trainer, folder)
    edited(lambda state: state["circumstances"].pop("arithmetic"))(folder)  # as of before it was noted
    assert any("another order" in reason for reason in resume.restore(trainer, folder))


@pytest.mark.parametrize(
    ("change", "batch_size"),
    [({}, 1), ({"seed": 7}, 1), ({"batch_size": 4}, 4), ({"gradient_accumulation_steps": 4}, 2)],
    ids=["nothing", "another setting", "the batch size", "the accumulation"],
)
def test_a_smaller_batch_after_running_out_of_memory_is_kept_unless_its_settings_were_changed(
    model: ModelSource, data: Path, tmp_path: Path, change: dict[str, int], batch_size: int
) -> None:
    runs = Runs(model, data, "fp32")
    trainer = runs.start(tmp_path / "run")
    assert trainer.batch_size == 2
    trainer.batch_size = 1
    trainer.train()
    shutil.rmtree(tmp_path / "run" / "tokens", ignore_errors=True)
    assert runs.start(tmp_path / "run", **change).batch_size == batch_size
