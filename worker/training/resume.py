"""A Trainer's state into a checkpoint and out of it again, so that a resumed run is the same to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from worker.training import training_state
from worker.training.training_state import TrainingState

if TYPE_CHECKING:
    from worker.training.trainer import Trainer

_ADAPTER = "adapter."


def tensors(trainer: Trainer) -> dict[str, torch.Tensor]:
    """The part of the state that is tensors. All processes of the group call this together."""
    found = training_state.optimizer_tensors(trainer.optimizer, trainer.group) | training_state.random_tensors(
        trainer.setup.device, trainer.group
    )
    if trainer.config.method == "lora":  # whose weights in the checkpoint are merged
        from worker.models.lora import trainable_state

        found |= {_ADAPTER + name: weight for name, weight in trainable_state(trainer.model).items()}
    return found


def write(trainer: Trainer, tensors: dict[str, torch.Tensor], folder: Path) -> None:
    """Adds to a checkpoint's ``folder`` what the weights do not tell. Raises OSError."""
    evaluator = trainer.evaluator
    progress = TrainingState(
        circumstances=training_state.circumstances(trainer.setup),
        step=trainer.step,
        tokens=trainer.tokens,
        since_report=trainer.since_report,
        since_evaluation=trainer.since_evaluation,
        evaluated_step=trainer.evaluated_step,
        batch_size=trainer.batch_size,
        history=evaluator.history,
        best_loss=evaluator.best_loss,
        misses=evaluator.misses,
        best=trainer.saver.best.name if trainer.saver.best else None,
        scaler=trainer.scaler.state_dict(),
        **training_state.python_and_numpy_random(),
    )
    training_state.write(folder, progress, tensors)


def restore(trainer: Trainer, folder: Path) -> list[str]:
    """Brings a fresh ``trainer``, whose model has this checkpoint's weights already, to where the checkpoint was saved.

    Returns why what follows may differ from an uninterrupted run, one phrase each. Raises CheckpointError if the
    checkpoint holds weights only.
    """
    progress, tensors = training_state.read(folder)
    trainer.step = progress.step
    trainer.saved = (progress.step, progress.evaluated_step)
    trainer.tokens = progress.tokens
    trainer.since_report = progress.since_report
    trainer.since_evaluation = progress.since_evaluation
    trainer.evaluated_step = progress.evaluated_step
    before = progress.circumstances.settings
    if all(before[name] == getattr(trainer.config, name) for name in ("batch_size", "gradient_accumulation_steps")):
        trainer.batch_size = progress.batch_size
    trainer.evaluator.history[:] = progress.history
    trainer.evaluator.best_loss = progress.best_loss
    trainer.evaluator.misses = progress.misses
    trainer.saver.take_over(progress.step, progress.best)
    if trainer.scaler.is_enabled() and progress.scaler:
        trainer.scaler.load_state_dict(progress.scaler)
    if trainer.config.method == "lora":
        from worker.models.lora import load_trainable_state

        adapter = {name.removeprefix(_ADAPTER): weight for name, weight in tensors.items() if name.startswith(_ADAPTER)}
        load_trainable_state(trainer.model, adapter)
    training_state.restore_optimizer(trainer.optimizer, tensors)
    training_state.restore_random(progress, tensors, trainer.setup.device, trainer.group.rank)
    found = training_state.differences(progress.circumstances, training_state.circumstances(trainer.setup))
    if trainer.setup.device.type == "cuda":
        found.append("GPUs add up some numbers in no fixed order")
    return found
