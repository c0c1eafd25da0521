"""Runs of a small model that are cut at any event and go on, in this process."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from worker.checkpoints import folder as checkpoint
from worker.checkpoints import saver
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.process.control import StopSwitch
from worker.training import resume, training_state

STEPS = 14
OVERFLOW = 2.0**40  # a loss scale that no fp16 gradient survives, so that the scaler has something to remember


NOT_COUNTED = ("system", "timing", "layers", "rows")
"""Events that are not counted: most come by the clock, so where a cut fell would depend on how busy the machine is; of rows,
a new worker knows only those that it has learned."""


class Cut(BaseException):
    """Ends a run at any event as abruptly as a process can be ended from within."""


@dataclass
class Outcome:
    """What a run came to: each step's loss, tokens and scale, each check's loss, the last weights, the best checkpoint."""

    steps: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    checks: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    best: str | None = None
    end: str = ""
    events: int = 0
    repeated: bool = False

    def note(self, event: Any) -> None:
        """Takes what an event tells."""
        self.events += event.type not in NOT_COUNTED
        if event.type == "step":
            self.repeated |= event.step in self.steps
            self.steps[event.step] = (event.loss, event.grad_norm, event.tokens, event.lr, event.scale)
        elif event.type == "evaluation":
            self.repeated |= event.step in self.checks
            self.checks[event.step] = (event.loss, event.train_loss, event.best)

    def forget_after(self, step: int) -> None:
        """Drops what is made again by a run that goes on from ``step``, or from the start if that is 0."""
        for told in (self.steps, self.checks):
            for later in [number for number in told if number > step or step == 0]:
                del told[later]

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, Outcome)
        same = (self.steps, self.checks, self.best, self.end) == (other.steps, other.checks, other.best, other.end)
        same = same and not self.repeated
        return same and all(torch.equal(weight, other.weights[name]) for name, weight in self.weights.items())


def settings(**config: Any) -> RunConfig:
    chosen = {
        "max_steps": STEPS,
        "save_steps": 4,
        "eval_steps": 5,
        "log_steps": 3,
        "max_length": 24,
        "batch_size": 2,
        "gradient_accumulation_steps": 2,
        "learning_rate": 0.02,
        "lr_scheduler": "cosine",
        "early_stopping_patience": 3,
        "sample_prompts": [],
        "precision": "fp32",  # Runs chooses its own
    }
    return RunConfig(**{**chosen, **config})


@dataclass
class Runs:
    """Runs of the small model on ``data``, in this process. fp16 on a CPU is refused to people, and serves here to
    exercise the loss scaling, which is the same as on a GPU."""

    model: ModelSource
    data: Path
    precision: str

    def start(self, run_dir: Path, report: Callable[[Any], None] = lambda event: None, **config: Any) -> Any:
        """The Trainer of ``run_dir``, gone on from the checkpoints in there."""
        from worker.training.preparation import make_setup
        from worker.training.trainer import Trainer

        run_dir.mkdir(exist_ok=True)
        job = Job(
            run_id="run",
            config=settings(**config),
            model=self.model,
            dataset=DatasetSource(path=str(self.data)),
            device="cpu",
        )
        stop = StopSwitch(run_dir)
        folder = saver.latest_whole(run_dir, pytest.fail)
        setup = make_setup(job, run_dir, lambda *_: None, stop, folder)
        trainer = Trainer(replace(setup, precision=self.precision), report, stop)
        if self.precision == "fp16":
            trainer.scaler = torch.amp.GradScaler("cpu", init_scale=OVERFLOW, growth_interval=5)
        trainer.model.transformer.wte.register_forward_hook(_noise)
        if folder:
            resume.restore(trainer, folder)
        return trainer

    def whole(self, run_dir: Path, outcome: Outcome, cut_at: int | None = None, **config: Any) -> Outcome:
        """Trains to the end, or until event number ``cut_at``, noting into ``outcome``."""
        count = 0

        def report(event: Any) -> None:
            nonlocal count
            count += event.type not in NOT_COUNTED
            if count == cut_at:
                raise Cut
            outcome.note(event)

        trainer = self.start(run_dir, report, **config)
        outcome.end = trainer.train().reason
        outcome.weights = {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}
        outcome.best = trainer.saver.best.name if trainer.saver.best else None
        return outcome

    def cut(self, run_dir: Path, cut_at: int, spoil: Callable[[Path], None] = lambda folder: None, **config: Any) -> Outcome:
        """Trains until event number ``cut_at``, spoils what was saved if asked to, and trains on to the end."""
        outcome = Outcome()
        with contextlib.suppress(Cut):
            return self.whole(run_dir, outcome, cut_at, **config)
        shutil.rmtree(run_dir / "tokens", ignore_errors=True)
        folder = saver.latest_whole(run_dir, pytest.fail)
        outcome.forget_after(int(folder.name.removeprefix("step-")) if folder else 0)
        if folder:
            spoil(folder)
            (folder / "manifest.json").unlink()
            checkpoint._seal(folder)
        for generator in (random.seed, np.random.seed, torch.manual_seed):
            generator(cut_at)  # a new process stands elsewhere
        return self.whole(run_dir, outcome, **config)


def _noise(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    # torch draws for the dropout already; a model may draw from the other two as well.
    return output * (1 + 0.01 * np.random.rand() + 0.01 * random.random()) if module.training else output


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """Spoils a checkpoint's JSON."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / training_state.STATE_FILE).read_text())
        change(content)
        (folder / training_state.STATE_FILE).write_text(json.dumps(content))

    return spoil


def zeroed(part: str) -> Callable[[Path], None]:
    """Spoils the tensors that have ``part`` in their names."""

    def spoil(folder: Path) -> None:
        tensors = load_file(folder / training_state.TENSORS_FILE)
        assert any(part in name for name in tensors)
        for name, tensor in tensors.items():
            if part in name:
                tensor.zero_()
        save_file(tensors, folder / training_state.TENSORS_FILE)

    return spoil
