"""Where a training stands, into a checkpoint and out of it again, so that a resumed run is the same to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch

from worker.checkpoints.saver import Saver
from worker.training import training_state
from worker.training.evaluation import Evaluator
from worker.training.setup import Setup
from worker.training.training_state import Tally, TrainingState

_ADAPTER = "adapter."


class Training(Protocol):
    """What of a Trainer is saved and put back: its parts, and the numbers that TrainingState explains.

    ``saved``: step and evaluated_step of the latest checkpoint.
    """

    setup: Setup
    model: Any
    optimizer: Any
    scaler: torch.amp.GradScaler
    evaluator: Evaluator
    saver: Saver
    step: int
    tokens: int
    batch_size: int
    evaluated_step: int
    saved: tuple[int, int]
    since_report: Tally
    since_evaluation: Tally


def tensors(training: Training) -> dict[str, torch.Tensor]:
    """The part of the state that is tensors. All processes of the group call this together."""
    found = training_state.optimizer_tensors(training.optimizer, training.setup.group) | training_state.random_tensors(
        training.setup.device, training.setup.group
    )
    if training.setup.job.config.method == "lora":  # whose weights stand in the checkpoint as peft calls them
        from worker.models.lora import trainable_state

        found |= {_ADAPTER + name: weight for name, weight in trainable_state(training.model).items()}
    return found


def write(training: Training, tensors: dict[str, torch.Tensor], folder: Path) -> None:
    """Adds to a checkpoint's ``folder`` what the weights do not tell. Raises OSError."""
    evaluator = training.evaluator
    progress = TrainingState(
        circumstances=training_state.circumstances(training.setup),
        step=training.step,
        tokens=training.tokens,
        since_report=training.since_report,
        since_evaluation=training.since_evaluation,
        evaluated_step=training.evaluated_step,
        batch_size=training.batch_size,
        history=evaluator.history,
        best_loss=evaluator.best_loss,
        misses=evaluator.misses,
        best=training.saver.best.name if training.saver.best else None,
        scaler=training.scaler.state_dict(),
        **training_state.python_and_numpy_random(),
    )
    training_state.write_state(folder, progress, tensors)


def go_on(training: Training, folder: Path | None, say: Callable[[str], None]) -> int:
    """Brings a fresh ``training`` to where the checkpoint in ``folder`` was saved, says how exact what follows will be, and
    returns the update that it was saved after. Raises CheckpointError."""
    if folder is None:
        say("No checkpoint had been saved, so training starts over.")
        return 0
    reasons = restore(training, folder)
    origin = training.setup.job.origin
    if origin and origin.state == "exact" and origin.step == training.step:
        training.saver.tell_taken_over(training.evaluator.history)
        what = f"What differs: {', and '.join(reasons)}" if reasons else "Nothing differs"
        say(f"Going on where {origin.name} stood after update {training.step}, with all that it remembered. {what}.")
        return training.step
    outcome = f"close to, but not bit for bit, because {', and '.join(reasons)}" if reasons else "bit for bit"
    say(f"Going on after update {training.step}: what follows is what it would have been without the break, {outcome}.")
    return training.step


def restore(training: Training, folder: Path) -> list[str]:
    """Brings a fresh ``training``, whose model has this checkpoint's weights already, to where the checkpoint was saved.

    Returns why what follows may differ from an uninterrupted run, one phrase each. Raises CheckpointError if the
    checkpoint holds weights only.
    """
    progress, tensors = training_state.read_state(folder)
    training.step = progress.step
    training.saved = (progress.step, progress.evaluated_step)
    training.tokens = progress.tokens
    training.since_report = progress.since_report
    training.since_evaluation = progress.since_evaluation
    training.evaluated_step = progress.evaluated_step
    before, now = progress.circumstances.settings, training.setup.job.config
    if all(before[name] == getattr(now, name) for name in ("batch_size", "gradient_accumulation_steps")):
        training.batch_size = progress.batch_size
    training.evaluator.history[:] = progress.history
    training.evaluator.best_loss = progress.best_loss
    training.evaluator.misses = progress.misses
    training.saver.take_over(progress.step, progress.best)
    if training.scaler.is_enabled() and progress.scaler:
        training.scaler.load_state_dict(progress.scaler)
    if training.setup.job.config.method == "lora":
        from worker.models.lora import load_trainable_state

        adapter = {name.removeprefix(_ADAPTER): weight for name, weight in tensors.items() if name.startswith(_ADAPTER)}
        load_trainable_state(training.model, adapter)
    if before.get("optimizer", "adamw") == now.optimizer:  # another one remembers other things
        training_state.restore_optimizer(training.optimizer, tensors)
    training_state.restore_random(progress, tensors, training.setup.device, training.setup.group.rank)
    found = training_state.differences(progress.circumstances, training_state.circumstances(training.setup))
    if training.setup.device.type == "cuda":
        found.append("GPUs add up some numbers in no fixed order")
    return found
