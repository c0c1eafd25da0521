"""The training loop, and what happens once in a while around it: evaluation, checkpoints, pauses, the end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from worker.checkpoints import saver
from worker.contract import ADAPTER_DIR, MODEL_DIR, MessageEvent, Phase, StatusEvent, StepEvent
from worker.data import evaluation_store, group_store, token_store
from worker.data.batching import Sizes, shuffled_windows
from worker.devices.memory_usage import peak_memory_bytes
from worker.devices.out_of_memory import free_unused, is_out_of_memory, out_of_memory, smaller_batch
from worker.distributed.sharding import whole, whole_weights
from worker.errors import DeviceError, StopRequested, TrainingError
from worker.models import saving
from worker.models.card import model_card
from worker.models.forward import Forward
from worker.models.frozen import numbers
from worker.models.parts import words_part
from worker.models.scores import without_nonfinite
from worker.process.control import StopSwitch
from worker.process.telemetry import Telemetry
from worker.training import resume
from worker.training.compilation import compile_if_wanted
from worker.training.evaluation import Evaluator
from worker.training.optimizer import make_optimizer
from worker.training.prefetch import Loader, ahead
from worker.training.readback import Readback, Update
from worker.training.schedule import set_learning_rate
from worker.training.setup import Setup
from worker.training.training_state import Tally
from worker.training.watching.inside import Gradients, Inside, Seen
from worker.training.watching.layers import Look

_SMALLEST_SCALE = 1.0  # fp16 loss scaling that has fallen so far no longer meets overflow but broken gradients

Result = TypeVar("Result")
Tensors = dict[str, torch.Tensor]


class Trainer:
    """Trains one model on one device.

    ``report`` takes each event, and tells whether it had to wait; ``stop`` tells what is asked of the run. ``began`` is when
    its preparation did, in ``perf_counter``'s time.
    """

    def __init__(self, setup: Setup, report: Callable[[Any], object], stop: StopSwitch, began: float | None = None) -> None:
        self.setup = setup
        self.config = setup.job.config
        self._report = report
        self.stop = stop
        self.group = setup.group
        self.model = setup.ready_model()
        self.forward = Forward(
            setup.language_model,
            setup.precision,
            label_smoothing=self.config.label_smoothing,
            neftune_noise_alpha=self.config.neftune_noise_alpha,
        )
        self.parallel = self.group.wrap(
            self.forward, setup.device, sharded=setup.sharded, all_used=words_part(self.model) is self.model
        )
        self.optimizer: Any = make_optimizer(
            self.model, setup.learning_rate, self.config.weight_decay, self.config.optimizer
        )
        self.scaler = torch.amp.GradScaler(setup.device.type, enabled=setup.precision == "fp16")
        self.window_size = self.config.batch_size * self.config.gradient_accumulation_steps * self.group.size
        self.batch_size = self.config.batch_size
        self.evaluator = Evaluator(setup, self.forward, self.report, stop)
        self.saver = saver.Saver(setup.run_dir, self.config.keep_checkpoints, self.report)
        self.telemetry = Telemetry(setup.device, setup.run_dir, self.report)
        self.readback = Readback(lag=1 if setup.device.type == "cuda" else 0)
        began = time.perf_counter() if began is None else began
        self.inside = Inside(setup, self.model, self.optimizer, self.report, began)
        self.clock = self.inside.clock
        self.look: Look | None = None
        self.compiled = False
        self.broken = torch.zeros((), device=setup.device)
        self.epoch_steps = math.ceil(len(setup.train) / self.window_size)
        self.total_steps = self.config.max_steps or self.config.num_epochs * self.epoch_steps
        self.step = 0
        self.tokens = 0
        self.evaluated_step = -1
        self.saved = (-1, -1)  # step and evaluated_step of the latest checkpoint
        self.since_report = Tally()
        self.since_evaluation = Tally()
        self.updates, self.seconds = 0, 0.0  # of this process alone
        self.phase: Phase = "preparing"

    def train(self, resumed_step: int | None = None) -> StatusEvent:
        """Trains to the end or until a stop, saves the model, and returns the terminal status.

        ``resumed_step`` is told in the first status if this process goes on from an earlier one. Raises TrainingError if
        the loss is no longer a number, DeviceError if the memory is full, and CheckpointError if the finished model
        cannot be written.
        """
        try:
            self._enter("training", resumed_step=resumed_step)
            end = StatusEvent(phase="completed", reason=self._loop())
        except StopRequested:
            self._take(self.readback.flush())
            if self.step == 0:
                return StatusEvent(phase="stopped", reason="Stopped before the first update, so there is no model.")
            end = StatusEvent(phase="stopped", reason=f"Stopped on request after {self.step} of {self.total_steps} updates.")
            self._save_checkpoint("periodic")
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise self._out_of_memory() from error
            raise
        with self.clock.spending("saving"):
            self._save_model()
        if end.phase == "completed" and self.group.first:
            token_store.discard(self.setup.run_dir)
            group_store.discard(self.setup.run_dir)
            evaluation_store.discard(self.setup.run_dir)
        self.inside.tell_time(self.step)
        return end.model_copy(update=self._usage())

    def report(self, event: Any) -> None:
        """Tells of ``event``. A wait for a full disk is no time that an update took."""
        began = time.perf_counter()
        if self._report(event):
            self.readback.restart_clock()
            self.clock.moved(time.perf_counter() - began, "waiting")

    def _loop(self) -> str:
        """Every update from where the run stands to the last. Returns why there are no more."""
        self.compiled = self._within_memory(self._compile)
        self._lay_out_anew()
        while True:
            self._evaluate_and_save()
            if self.stop.pause_wanted():
                self._pause()
            if self.step >= self.total_steps:
                return f"All {self.total_steps} updates are done."
            if self.config.early_stopping_patience and self.evaluator.misses >= self.config.early_stopping_patience:
                return f"Stopped early: {self.evaluator.misses} evaluations in a row brought no better validation loss."
            self._enter("training")
            self._update()

    def _update(self) -> None:
        """One optimizer update, of which the numbers may be read later."""
        step = self.step + 1
        lr = set_learning_rate(self.optimizer, self.config, self.setup.learning_rate, step, self.total_steps)
        self.look = self.inside.begin_update()
        made = self._within_memory(self._gradients)
        with self.clock.spending("optimizer"):
            numbers = self._step(made.loss_sum)
        self.step = step
        more = [made.token_losses, *([self.look.numbers] if self.look else [])]
        self._take(self.readback.push(step, lr, made.tokens, numbers, more, Seen(made.examples, self.look)))

    def _step(self, loss_sum: torch.Tensor) -> torch.Tensor:
        """Changes the weights as the gradients say. Returns what is to be read: [loss sum, gradient norm, scale or NaN]."""
        self.scaler.unscale_(self.optimizer)
        if self.look:
            self.look.at_gradients()
        grad_norm = whole(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm))
        scale = self.scaler.scale(torch.ones_like(grad_norm))
        if not self.scaler.is_enabled():
            scale = torch.full_like(grad_norm, math.nan)
            # The optimizer itself leaves the weights alone where this is not 0; with AdamW nobody waits for the answer.
            self.broken = torch.maximum(self.broken, 1.0 - torch.isfinite(loss_sum + grad_norm).float())
            self.optimizer.found_inf = self.broken
        self.scaler.step(self.optimizer)
        if self.look:
            self.look.at_weights()
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return torch.stack((loss_sum, grad_norm, scale))

    def _gradients(self) -> Gradients:
        """Forward and backward of the next window."""
        with self.clock.spending("data"):
            work = next(self.work)
        losses, token_losses = [], []
        if self.look:
            self.look.begin()
        # Of a sharded model every layer's weights are there for a moment only, and are not to be kept.
        casts = nullcontext() if self.setup.sharded else self.forward.casting_once(self.setup.device)
        with casts:
            for number, (batch, share) in enumerate(work.passes, start=1):
                with self.group.without_sync(self.parallel, last=number == len(work.passes)):
                    with self.clock.spending("forward"):
                        loss_sum = self.parallel(batch.to(self.setup.device)) * share
                    # Every token of the window counts the same, into however many passes and processes the window falls.
                    scaled: torch.Tensor = self.scaler.scale(loss_sum / (work.tokens / self.group.size))
                    seen = self.look.into_pass(batch.tokens, len(batch.examples)) if self.look else nullcontext()
                    with self.clock.spending("backward"), seen:
                        scaled.backward()  # type: ignore[no-untyped-call]
                losses.append(loss_sum.detach())
                token_losses.append(self.forward.token_losses)
        examples = [example for batch, _ in work.passes for example in batch.examples]
        return Gradients(self.group.sum(torch.stack(losses).sum()), work.tokens, torch.cat(token_losses), examples)

    def _compile(self) -> bool:
        return compile_if_wanted(self.setup, self.forward, self.batch_size, self.total_steps - self.step, self.report)

    def _lay_out_anew(self) -> None:
        """Begins to lay out batches from the next update on, at the batch size in use."""
        setup = self.setup
        sizes: Sizes = "budget" if self.compiled else setup.sizes
        loader = Loader(setup.train, setup.layout, self.batch_size, setup.max_length, self.group, sizes)
        windows = shuffled_windows(len(setup.train), self.window_size, self.config.seed, start=self.step)
        self.work = ahead(windows, loader.work, self.config.num_workers)

    def _within_memory(self, attempt: Callable[[], Result]) -> Result:
        """``attempt``'s result. Where memory runs out, it is made again with smaller batches until it fits."""
        while True:
            try:
                return attempt()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                size = smaller_batch(self.batch_size, self.window_size // self.group.size)
                # Several processes would have to agree on it in the middle of a step.
                if size is None or self.config.on_oom == "fail" or self.group.size > 1:
                    raise self._out_of_memory() from error
            self._use_batch_size(size)

    def _use_batch_size(self, size: int) -> None:
        """Goes on with smaller batches and more of them, from the window that did not fit."""
        self.optimizer.zero_grad(set_to_none=True)
        free_unused()
        text = (
            f"The memory was full with batches of {self.batch_size} examples. Each update now takes"
            f" {self.window_size // size} batches of {size}: the same examples in smaller parts."
        )
        self.batch_size = size
        self._lay_out_anew()
        self.report(MessageEvent(level="warning", text=text))
        self.report(StatusEvent(phase=self.phase, **self._facts()))

    def _take(self, updates: Iterable[Update]) -> None:
        """Counts and reports updates whose numbers have arrived."""
        for update in updates:
            self._refuse_broken(update)
            self.tokens += update.tokens
            self.updates, self.seconds = self.updates + 1, self.seconds + update.seconds
            for tally in (self.since_report, self.since_evaluation):
                tally.add(update.loss_sum, update.tokens, update.seconds)
            due = update.step >= self.total_steps or update.step % self.config.log_steps == 0
            if due or not math.isfinite(update.grad_norm):
                self._report_step(update, self.since_report.loss_sum / self.since_report.tokens)
            self.inside.note(update)
            self.telemetry.note(update.step)

    def _refuse_broken(self, update: Update) -> None:
        """Raises TrainingError, after reporting the step, if its update was not made lest it ruin the weights.

        With fp16 an infinite gradient is no reason: the scaler skips that update and scales the next one less.
        """
        skipped_by_scaler = update.scale is not None and update.scale > _SMALLEST_SCALE
        if math.isfinite(update.loss_sum) and (math.isfinite(update.grad_norm) or skipped_by_scaler):
            return
        self._report_step(update, update.loss_sum / update.tokens)
        self.inside.note(update)
        what = "gradient" if math.isfinite(update.loss_sum) else "loss"
        kept = f" {self.saver.saved[-1].name} is the latest good checkpoint." if self.saver.saved else ""
        raise TrainingError(
            f"The {what} at step {update.step} is not a finite number, so the update was not made.{kept}",
            f"Try a learning rate below {self.setup.learning_rate:g}, stronger gradient clipping (a value below"
            f" {self.config.max_grad_norm:g}), or fp32; and look for odd lines in the data.",
        )

    def _report_step(self, update: Update, loss: float) -> None:
        numbers, nonfinite = without_nonfinite(loss=loss, grad_norm=update.grad_norm)
        self.report(
            StepEvent(
                step=update.step,
                epoch=update.step / self.epoch_steps,
                lr=update.lr,
                tokens=self.tokens,
                tokens_per_s=self.since_report.tokens / self.since_report.seconds if self.since_report.tokens else 0.0,
                step_ms=update.seconds * 1000,
                scale=update.scale,
                nonfinite=nonfinite,
                **numbers,
            )
        )
        self.since_report = Tally()

    def _evaluate_and_save(self) -> None:
        """The evaluation and the checkpoint that are due at this step, unless they were made before a pause or a resume."""
        evaluate_every = self.config.eval_steps or self.epoch_steps
        save_every = self.config.save_steps or self.epoch_steps
        evaluate = self.step == 0 or self.step >= self.total_steps or self.step % evaluate_every == 0
        save = self.step > 0 and self.step % save_every == 0
        if evaluate and self.evaluated_step < self.step:
            with self.clock.spending("evaluation"):
                self._evaluate()
        if save:
            self._save_checkpoint("periodic")

    def _evaluate(self) -> None:
        self._take(self.readback.flush())
        self._enter("evaluating")
        tally = self.since_evaluation
        train_loss = tally.loss_sum / tally.tokens if tally.tokens else None
        loss = self._within_memory(lambda: self.evaluator.measure(self.batch_size))
        further = self._within_memory(lambda: self.evaluator.measure_further(self.batch_size))
        best = self.evaluator.tell(self.step, self.step / self.epoch_steps, train_loss, loss, further)
        self.inside.evaluated(self.step, self.evaluator.token_losses, last=self.step >= self.total_steps)
        self.since_evaluation = Tally()
        self.evaluated_step = self.step
        if best:
            self._save_checkpoint("best")
        elif self.saved[0] == self.step:  # by a stop before this evaluation, which must not be made once more
            self._save_checkpoint("periodic")
        self.readback.restart_clock()

    def _pause(self) -> None:
        self._save_checkpoint("periodic")
        self._enter("paused")
        with self.clock.spending("waiting"):
            self.stop.wait_out_pause()
        self.readback.restart_clock()

    def _save_checkpoint(self, kind: str) -> None:
        """Saves the run as it is, unless that is on the disk already."""
        self._take(self.readback.flush())
        now = (self.step, self.evaluated_step)
        if self.step == 0 or self.saved == now:
            return
        self._enter("saving")
        with self.clock.spending("saving"):
            self._write_state(kind, now)
        self.readback.restart_clock()

    def _write_state(self, kind: str, now: tuple[int, int]) -> None:
        tensors, gathered = resume.tensors(self), whole_weights(self.model)  # from every process
        written = False
        if self.group.first:
            written = self.saver.save_checkpoint(self.step, kind, partial(self._write_checkpoint, tensors, gathered))
        # Here the others wait for the first: in an update their patience is short.
        if self.group.said_by_first(written):
            self.saved = now

    def _write_checkpoint(self, tensors: Tensors, gathered: Tensors | None, folder: Path) -> None:
        saving.write_checkpoint(self.setup.language_model, self.setup.job, gathered, folder)
        resume.write(self, tensors, folder)

    def _save_model(self) -> None:
        self._enter("saving")
        gathered = whole_weights(self.model)
        if not self.group.first:
            return
        if self.config.method == "lora":
            free_unused()  # merging takes the whole base in fp32
            write = partial(saving.write_adapter, self.setup.language_model, self.setup.job)
            self.saver.save_result(self.step, ADAPTER_DIR, "adapter", write)
        self.saver.save_result(self.step, MODEL_DIR, "final", partial(self._write_model, gathered))

    def _write_model(self, gathered: Tensors | None, folder: Path) -> None:
        if text := saving.write_model(self.setup.language_model, self.setup.job, gathered, folder):
            self.report(MessageEvent(level="info", text=text))
        dtype = saving.result_dtype(self.config, self.setup.language_model.dtype)
        saved_as = str(dtype).removeprefix("torch.")
        card = model_card(self.setup.job, self._facts(), self.step, self.evaluator.history, saved_as)
        (folder / "README.md").write_text(card, encoding="utf-8")

    def _enter(self, phase: Phase, resumed_step: int | None = None) -> None:
        """Reports ``phase`` and what is known of the run, if it is not the phase already."""
        if phase != self.phase:
            self.phase = phase
            self.report(StatusEvent(phase=phase, resumed_step=resumed_step, **self._facts()))

    def _facts(self) -> dict[str, Any]:
        return {
            "total_steps": self.total_steps,
            "device": str(self.setup.device),
            "precision": self.setup.precision,
            "parameters": numbers(self.model),
            "max_length": self.setup.max_length,
            "batch_size": self.batch_size,
            "gradient_accumulation_steps": self.window_size // self.batch_size // self.group.size,
            "train_examples": len(self.setup.train),
            "validation_examples": len(self.setup.validation),
        }

    def _usage(self) -> dict[str, Any]:
        """What this process took, for its last status."""
        peak = peak_memory_bytes(self.setup.device)
        return {"peak_memory_bytes": peak, "step_seconds": self.seconds / self.updates if self.updates else None}

    def _out_of_memory(self) -> DeviceError:
        return out_of_memory(self.setup.device, self.config, self.batch_size, self.setup.max_length)
