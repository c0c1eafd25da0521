"""Where an update learns from one row, the step under the microscope is the one that the run then made."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.worker import architectures
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.data.batching import shuffled_windows
from worker.datasets.cache import Samples
from worker.microscope.chosen_row import choose_row
from worker.microscope.question import Question
from worker.microscope.step import make_step
from worker.microscope.subject import load_subject, make_ready
from worker.process.control import StopSwitch
from worker.training.preparation import prepare

UPDATES, SAVED = 6, 4
SETTINGS: dict[str, Any] = {
    "batch_size": 1, "gradient_accumulation_steps": 1, "max_steps": UPDATES, "save_steps": 1, "keep_checkpoints": UPDATES,
    "eval_steps": 3, "sample_prompts": [], "max_length": 32, "max_grad_norm": 0.5, "learning_rate": 2e-3,
    "warmup_ratio": 0.5, "validation_split": 0.2, "seed": 3, "precision": "fp32",
}  # fmt: skip


@pytest.fixture
def few(fragments: Path, tmp_path: Path) -> Path:
    """Some lines of the corpus."""
    path = tmp_path / "few.txt"
    path.write_text("".join(fragments.read_text().splitlines(keepends=True)[:30]))
    return path


class Made:
    """A run that made its updates in this process, one row each."""

    def __init__(self, run_dir: Path, dataset: Path, model: ModelSource, **config: Any) -> None:
        self.dir = run_dir
        run_dir.mkdir()
        self.job = Job(
            run_id="run",
            config=RunConfig(**{**SETTINGS, **config}),
            model=model,
            dataset=DatasetSource(path=str(dataset)),
            device="cpu",
        )
        self.events: list[Any] = []
        trainer, _ = prepare(self.job, run_dir, self.events.append, StopSwitch(run_dir))
        train = trainer.setup.train.in_memory()
        windows = islice(shuffled_windows(len(train), 1, self.job.config.seed), UPDATES)
        self.learned = [train[number].tolist() for (number,) in windows]
        trainer.train()

    def event(self, step: int) -> Any:
        return next(event for event in self.events if event.type == "step" and event.step == step)

    def row_of(self, update: int, samples: Samples, model: Any) -> int:
        """The place in the file of the row that an update learned from."""
        lines = Path(self.job.dataset.path).read_text().splitlines()
        for number in range(1, len(lines) + 1):
            if choose_row(self.job, model, samples, number, None).ids == self.learned[update - 1]:
                return number
        raise AssertionError("no row has these tokens")

    def step(self, update: int, checkpoint: Path | None, saved_after: int) -> dict[str, Any]:
        """The microscope's version of ``update``."""
        source = ModelSource(kind="folder", location=str(checkpoint)) if checkpoint else None
        question = Question(job=self.job, model=source, step=saved_after, total_steps=UPDATES, row=1)
        samples = Samples()
        torch.manual_seed(99)  # another process would not stand where training left the generator
        model = load_subject(question, samples)
        question = question.model_copy(update={"row": self.row_of(update, samples, model)})
        chosen = choose_row(self.job, model, samples, question.row, None)
        assert chosen.side == "train"
        return make_step(question, model, chosen, make_ready(question, model.model), print)


def is_what_the_run_did(step: dict[str, Any], event: Any) -> None:
    assert step["update"] == event.step
    assert step["loss"] == pytest.approx(event.loss, abs=1e-5)
    assert step["grad_norm"] == pytest.approx(event.grad_norm, rel=1e-5, abs=1e-5)
    assert step["learning_rate"] == pytest.approx(event.lr, rel=1e-12)


def leads_to_the_next_checkpoint(step: dict[str, Any], made: Made) -> None:
    """What the update made of the weights: the next checkpoint finds the row as likely as was foretold."""
    after = made.step(SAVED + 1, made.dir / "checkpoints" / f"step-{SAVED + 1:06d}", SAVED + 1)
    assert after["loss"] == pytest.approx(step["loss_after"], abs=1e-5)
    assert abs(step["loss_after"] - step["loss"]) > 1e-3


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_checkpoints_next_update_is_the_runs(optimizer: str, few: Path, tmp_path: Path) -> None:
    model = ModelSource(kind="built_in", location="tiny")
    made = Made(tmp_path / "run", few, model, optimizer=optimizer)
    step = made.step(SAVED + 1, made.dir / "checkpoints" / f"step-{SAVED:06d}", SAVED)
    is_what_the_run_did(step, made.event(SAVED + 1))
    assert (step["optimizer"], step["optimizer_state"]) == (optimizer, "checkpoint")
    leads_to_the_next_checkpoint(step, made)


def test_the_first_update_is_the_runs_too(few: Path, tmp_path: Path) -> None:
    made = Made(tmp_path / "run", few, ModelSource(kind="built_in", location="tiny"))
    step = made.step(1, None, 0)
    is_what_the_run_did(step, made.event(1))
    assert step["optimizer_state"] == "fresh"


def test_an_adapters_next_update_is_the_runs(few: Path, tmp_path: Path) -> None:
    base = architectures.save("llama", tmp_path / "base", few)
    made = Made(tmp_path / "run", few, base, model_name="local:base", method="lora", lora_rank=4, lora_dropout=0.0)
    step = made.step(SAVED + 1, made.dir / "checkpoints" / f"step-{SAVED:06d}", SAVED)
    is_what_the_run_did(step, made.event(SAVED + 1))
    assert step["optimizer_state"] == "checkpoint"
    leads_to_the_next_checkpoint(step, made)
    assert made.step(1, None, 0)["loss"] == pytest.approx(made.event(1).loss, abs=1e-5)
    made.step(UPDATES, made.dir / "adapter", UPDATES)  # the finished adapter, which has no state
