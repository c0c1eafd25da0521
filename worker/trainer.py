"""The training loop, and what happens once in a while around it: checks, checkpoints, the end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from worker import checkpoint
from worker.batching import in_order, pack, shuffled_windows
from worker.card import model_card
from worker.contract import (
    CHECKPOINTS_DIR,
    MODEL_DIR,
    CheckpointEvent,
    Job,
    MessageEvent,
    Phase,
    StatusEvent,
    StepEvent,
)
from worker.control import StopSwitch
from worker.data import Examples
from worker.errors import CheckpointError, DeviceError, StopRequested, TrainingError
from worker.evaluation import Evaluator, without_nonfinite
from worker.forward import Forward
from worker.model import LanguageModel
from worker.optimization import Precision, learning_rate_share, make_optimizer

_SMALLEST_SCALE = 1.0  # fp16 loss scaling that has fallen so far no longer meets overflow but broken gradients


@dataclass(frozen=True)
class Setup:
    """What a Trainer works with. ``learning_rate`` is the full one; the language model is moved to ``device``.

    ``dataset_sha256`` tells a resumed run whether the text is still the same.
    """

    job: Job
    run_dir: Path
    language_model: LanguageModel
    train: Examples
    validation: Examples
    max_length: int
    learning_rate: float
    device: torch.device
    precision: Precision
    dataset_sha256: str = ""


@dataclass
class Tally:
    """Training loss since some moment: its sum in nats over ``tokens`` trained tokens, and the ``seconds`` they took."""

    loss_sum: float = 0.0
    tokens: int = 0
    seconds: float = 0.0

    def add(self, loss_sum: float, tokens: int, seconds: float) -> None:
        """Counts one update."""
        self.loss_sum += loss_sum
        self.tokens += tokens
        self.seconds += seconds


class Trainer:
    """Trains one model on one device. ``report`` takes each event; ``stop.check`` raises when it is time to stop."""

    def __init__(self, setup: Setup, report: Callable[[Any], None], stop: StopSwitch) -> None:
        self.setup = setup
        self.config = setup.job.config
        self.report = report
        self.stop = stop
        self.model: Any = setup.language_model.model.to(setup.device).train()
        if self.config.gradient_checkpointing:
            # Renamed within transformers 5.
            enable = getattr(self.model, "activation_checkpointing_enable", None) or self.model.gradient_checkpointing_enable
            enable({"use_reentrant": False})
        self.optimizer = make_optimizer(self.model, setup.learning_rate, self.config.weight_decay)
        self.scaler = torch.amp.GradScaler(setup.device.type, enabled=setup.precision == "fp16")
        self.forward = Forward(setup.language_model, setup.precision)
        self.budget = self.config.batch_size * setup.max_length
        self.evaluator = Evaluator(
            setup.language_model, self.forward, setup.validation, self.budget, self.config.sample_prompts, report, stop
        )
        self.window_size = self.config.batch_size * self.config.gradient_accumulation_steps
        self.epoch_steps = math.ceil(len(setup.train) / self.window_size)
        self.total_steps = self.config.max_steps or self.config.num_epochs * self.epoch_steps
        self.step = 0
        self.tokens = 0
        self.since_report = Tally()
        self.since_evaluation = Tally()
        self.phase: Phase = "preparing"
        self.saved: list[Path] = []
        self.best_folder: Path | None = None

    def train(self) -> StatusEvent:
        """Trains to the end or until a stop, saves the model, and returns the terminal status.

        Raises TrainingError if the loss is no longer a number, DeviceError if the device's memory is full, and
        CheckpointError if the finished model cannot be written.
        """
        try:
            end = StatusEvent(phase="completed", reason=self._loop())
        except StopRequested:
            if self.step == 0:
                return StatusEvent(phase="stopped", reason="Stopped before the first update, so there is no model.")
            end = StatusEvent(phase="stopped", reason=f"Stopped on request after {self.step} of {self.total_steps} updates.")
            self._save_checkpoint("periodic")
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"The memory of {self.setup.device} is full.",
                "Halve the batch size and double the gradient accumulation: the result stays the same. A shorter"
                " longest example, gradient checkpointing or a smaller model help too.",
            ) from error
        self._save_model()
        return end

    def _loop(self) -> str:
        """Every update from the first to the last. Returns why there are no more."""
        self._enter("training")
        self._evaluate()
        windows = shuffled_windows(len(self.setup.train), self.window_size, self.config.seed)
        for step in range(1, self.total_steps + 1):
            self.stop.check()
            self._enter("training")
            started = time.perf_counter()
            lr = self._set_learning_rate(step)

            window = next(windows)
            tokens = int(self.setup.train.trained[window].sum())
            losses = []
            for rows in self._passes(window):
                loss_sum = self.forward.loss_sum(self.setup.train, rows)
                # Every token of the window counts the same, into however many passes the window falls.
                scaled: torch.Tensor = self.scaler.scale(loss_sum / tokens)
                scaled.backward()  # type: ignore[no-untyped-call]
                losses.append(loss_sum.detach())
            loss_sum_of_window = float(torch.stack(losses).sum())
            self.scaler.unscale_(self.optimizer)
            grad_norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm))
            self._refuse_broken(step, lr, loss_sum_of_window / tokens, grad_norm, started)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad(set_to_none=True)

            self.step = step
            self.tokens += tokens
            seconds = time.perf_counter() - started
            for tally in (self.since_report, self.since_evaluation):
                tally.add(loss_sum_of_window, tokens, seconds)
            last = step == self.total_steps
            if last or step % self.config.log_steps == 0 or not math.isfinite(grad_norm):
                self._report_step(step, lr, self.since_report.loss_sum / self.since_report.tokens, grad_norm, seconds)
            if last or step % (self.config.eval_steps or self.epoch_steps) == 0:
                self._evaluate()
            if step % (self.config.save_steps or self.epoch_steps) == 0:
                self._save_checkpoint("periodic")
            if self.config.early_stopping_patience and self.evaluator.misses >= self.config.early_stopping_patience:
                return f"Stopped early: {self.evaluator.misses} checks in a row brought no better validation loss."
        return f"All {self.total_steps} updates are done."

    def _set_learning_rate(self, step: int) -> float:
        share = learning_rate_share(self.config.lr_scheduler, step, self.total_steps, self.config.warmup_ratio)
        lr = self.setup.learning_rate * share
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def _passes(self, window: Sequence[int]) -> list[list[int]]:
        if self.config.packing:
            return pack(window, self.setup.train.trained, self.budget)
        return in_order(window, self.config.batch_size)

    def _refuse_broken(self, step: int, lr: float, loss: float, grad_norm: float, started: float) -> None:
        """Raises TrainingError, after reporting the step, if updating now would ruin the weights.

        With fp16 an infinite gradient is no reason: the scaler skips that update and scales the next one less.
        """
        skipped_by_scaler = self.scaler.is_enabled() and self.scaler.get_scale() > _SMALLEST_SCALE
        if math.isfinite(loss) and (math.isfinite(grad_norm) or skipped_by_scaler):
            return
        self._report_step(step, lr, loss, grad_norm, time.perf_counter() - started)
        what = "gradient" if math.isfinite(loss) else "loss"
        raise TrainingError(
            f"The {what} at step {step} is not a finite number, so the update was not made.",
            f"Try a learning rate below {self.setup.learning_rate:g}, stronger gradient clipping (a value below"
            f" {self.config.max_grad_norm:g}), or fp32; and look for odd lines in the data.",
        )

    def _report_step(self, step: int, lr: float, loss: float, grad_norm: float, seconds: float) -> None:
        numbers, nonfinite = without_nonfinite(loss=loss, grad_norm=grad_norm)
        speed = self.since_report.tokens / self.since_report.seconds if self.since_report.tokens else 0.0
        self.report(
            StepEvent(
                step=step,
                epoch=step / self.epoch_steps,
                lr=lr,
                tokens=self.tokens,
                tokens_per_s=speed,
                step_ms=seconds * 1000,
                scale=self.scaler.get_scale() if self.scaler.is_enabled() else None,
                nonfinite=nonfinite,
                **numbers,
            )
        )
        self.since_report = Tally()

    def _evaluate(self) -> None:
        self._enter("evaluating")
        tally, self.since_evaluation = self.since_evaluation, Tally()
        train_loss = tally.loss_sum / tally.tokens if tally.tokens else None
        best = self.evaluator.run(self.step, self.step / self.epoch_steps, train_loss)
        if best and self.step > 0:
            self._save_checkpoint("best")

    def _save_checkpoint(self, kind: str) -> None:
        """Saves the weights as they are, once a step. A disk that fails costs this checkpoint and not the run."""
        target = self.setup.run_dir / CHECKPOINTS_DIR / f"step-{self.step:06d}"
        if target in self.saved:
            return
        self._enter("saving")
        try:
            size = checkpoint.write_folder(target, self._write_weights)
        except OSError as error:
            self.report(MessageEvent(level="warning", text=f"No checkpoint at step {self.step}: {error}. Training goes on."))
            return
        self.saved.append(target)
        if kind == "best":
            self.best_folder = target
        self._report_folder(target, size, kind)
        try:
            checkpoint.prune(self.saved, self.config.keep_checkpoints, self.best_folder)
        except OSError as error:
            self.report(MessageEvent(level="warning", text=f"An old checkpoint could not be deleted: {error}."))

    def _save_model(self) -> None:
        self._enter("saving")
        target = self.setup.run_dir / MODEL_DIR
        try:
            size = checkpoint.write_folder(target, self._write_model)
        except OSError as error:
            rest = f" {self.saved[-1].name} is the latest checkpoint." if self.saved else ""
            raise CheckpointError(f"The finished model could not be written: {error}.", f"Free some space.{rest}") from error
        self._report_folder(target, size, "final")

    def _report_folder(self, target: Path, size: int, kind: str) -> None:
        path = target.relative_to(self.setup.run_dir).as_posix()
        self.report(CheckpointEvent(step=self.step, path=path, bytes=size, kind=kind))

    def _write_weights(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.setup.language_model.tokenizer.save_pretrained(folder)

    def _write_model(self, folder: Path) -> None:
        self._write_weights(folder)
        card = model_card(self.setup.job, self._facts(), self.step, self.evaluator.history)
        (folder / "README.md").write_text(card, encoding="utf-8")

    def _enter(self, phase: Phase) -> None:
        """Reports ``phase`` and what is known of the run, if it is not the phase already."""
        if phase != self.phase:
            self.phase = phase
            self.report(StatusEvent(phase=phase, **self._facts()))

    def _facts(self) -> dict[str, Any]:
        return {
            "total_steps": self.total_steps,
            "device": str(self.setup.device),
            "precision": self.setup.precision,
            "parameters": sum(weight.numel() for weight in self.model.parameters()),
            "max_length": self.setup.max_length,
            "train_examples": len(self.setup.train),
            "validation_examples": len(self.setup.validation),
        }
