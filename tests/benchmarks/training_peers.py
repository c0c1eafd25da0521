"""The arms that Trainboard is compared with: ``python -m tests.benchmarks.training_peers ARM TASK RUN_DIR [VARIANT]``.

Each writes the worker's events, so that one reader measures all arms alike: training time is the time spent in the
phase ``training``. VARIANT is the micro-batch, followed by ``c`` for torch.compile and by ``b`` for bf16 on a CPU, as in
``8``, ``16c`` or ``8b``; on a GPU bf16 is what all compute in.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq, TrainerCallback, TrainingArguments

from tests.benchmarks.training_task import MODEL_FOLDER, SEED, Task, autocast, examples, padded, read, validation_loss
from worker.contract import EVENTS_FILE, EvaluationEvent, StatusEvent, StepEvent
from worker.process.emitter import Emitter
from worker.training.optimizer import make_optimizer
from worker.training.schedule import learning_rate_share


class Reporter:
    """Writes what the worker would write: phases, one event for each update, and the validation loss at its times."""

    def __init__(self, task: Task, emitter: Emitter, model: Any, test: list[list[int]], pad: int, precision: str) -> None:
        self._task, self._emitter, self._model, self._test, self._pad = task, emitter, model, test, pad
        self._precision = precision

    def begin(self) -> None:
        self._emitter.emit(StatusEvent(phase="training", precision=self._precision))
        self._evaluate(0)

    def updated(self, step: int, tokens: int) -> None:
        """After update ``step``; ``tokens`` counts the trained tokens since the beginning."""
        numbers = {"loss": None, "grad_norm": None, "lr": 0.0, "tokens_per_s": 0.0, "step_ms": 0.0}
        self._emitter.emit(StepEvent(step=step, epoch=0.0, tokens=tokens, **numbers))
        if self._task.eval_every and (step % self._task.eval_every == 0 or step == self._task.updates):
            self._evaluate(step)

    def end(self) -> None:
        self._emitter.emit(StatusEvent(phase="completed"))

    def _evaluate(self, step: int) -> None:
        if not self._task.eval_every:
            return
        if self._model.device.type == "cuda":
            torch.cuda.synchronize()
        self._emitter.emit(StatusEvent(phase="evaluating"))
        loss = validation_loss(self._model, self._test, self._pad)
        self._emitter.emit(EvaluationEvent(step=step, epoch=0.0, loss=loss, perplexity=None, best=False))
        self._emitter.emit(StatusEvent(phase="training"))


def guide(task: Task, model: Any, learn: list[list[int]], reporter: Reporter, pad: int, half: bool) -> None:
    """The training guide's loop: each example filled up to the longest length allowed, a fixed micro-batch."""
    model.train()
    optimizer = make_optimizer(model, task.learning_rate, task.weight_decay)
    scheduler = same_schedule(optimizer, task)
    trained = 0
    total_loss = 0.0
    reporter.begin()
    for step in range(task.updates * task.accumulation):
        part = learn[step * task.batch_size : (step + 1) * task.batch_size]
        batch = {name: value.to(model.device) for name, value in padded(part, task.max_length, pad).items()}
        with autocast(model.device, half):
            loss = model(**batch).loss / task.accumulation
        total_loss += loss.item()
        loss.backward()
        trained += sum(len(ids) - 1 for ids in part)
        if (step + 1) % task.accumulation == 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), task.max_grad_norm)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            reporter.updated((step + 1) // task.accumulation, trained)


def same_schedule(optimizer: torch.optim.Optimizer, task: Task) -> torch.optim.lr_scheduler.LambdaLR:
    """The worker's linear schedule: for every arm the same learning rate at the same update."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: learning_rate_share("linear", done + 1, task.updates, task.warmup_ratio)
    )


class CountingCollator:
    """Counts the trained tokens of each batch that ``collate`` lays out, in the order in which they are trained on."""

    def __init__(self, collate: Any) -> None:
        self._collate = collate
        self.trained: list[int] = []

    def __call__(self, features: list[dict[str, Any]]) -> Any:
        batch = self._collate(features)
        labels = batch["labels"]
        self.trained.append(int((labels[:, 1:] != -100).sum()))
        return batch


class Report(TrainerCallback):
    """Tells the reporter of each update; Trainer's own evaluation is off."""

    def __init__(self, reporter: Reporter, collator: CountingCollator, batches_per_update: int) -> None:
        self._reporter, self._collator, self._batches = reporter, collator, batches_per_update

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._reporter.begin()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # Batches are laid out ahead of time, so only those of the updates made so far count.
        self._reporter.updated(state.global_step, sum(self._collator.trained[: state.global_step * self._batches]))


def in_bf16(device: torch.device, variant: str) -> bool:
    """Whether an arm computes in bf16, else in fp32."""
    return device.type == "cuda" or "b" in variant


def settings(task: Task, run_dir: Path, device: torch.device, micro: int, accumulation: int, variant: str) -> dict[str, Any]:
    """TrainingArguments that every arm on Trainer has."""
    return {
        "output_dir": str(run_dir),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": accumulation,
        "max_steps": task.updates,
        "learning_rate": task.learning_rate,
        "weight_decay": task.weight_decay,
        "max_grad_norm": task.max_grad_norm,
        "optim": "adamw_torch_fused",
        "bf16": in_bf16(device, variant),
        "use_cpu": device.type == "cpu",
        "torch_compile": "c" in variant,
        "gradient_checkpointing": False,
        "logging_steps": 10,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": SEED,
    }


def trainer(
    task: Task,
    model: Any,
    learn: list[list[int]],
    reporter: Reporter,
    tokenizer: Any,
    run_dir: Path,
    variant: str,
    strategy: str,
) -> None:
    """transformers.Trainer, padding each micro-batch to its longest example."""
    from datasets import Dataset

    class Trainer(transformers.Trainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.lr_scheduler = same_schedule(optimizer or self.optimizer, task)
            return self.lr_scheduler

    micro = int(variant.rstrip("bc"))
    accumulation = task.examples_per_update // micro
    chosen = learn[: task.updates * task.examples_per_update]
    labels = [[-100, *ids[1:]] for ids in chosen]  # for GPT-2, Trainer would divide by the first token too
    collator = CountingCollator(DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100))
    arguments = settings(task, run_dir, model.device, micro, accumulation, variant)
    Trainer(
        model=model,
        args=TrainingArguments(train_sampling_strategy=strategy, **arguments),
        train_dataset=Dataset.from_dict({"input_ids": chosen, "labels": labels}),
        data_collator=collator,
        callbacks=[Report(reporter, collator, accumulation)],
    ).train()


def sft_packing(
    task: Task, model: Any, learn: list[list[int]], reporter: Reporter, tokenizer: Any, run_dir: Path, variant: str
) -> None:
    """trl's SFTTrainer with packing: rows so long and so many that an update trains on as many tokens as elsewhere."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    class Trainer(SFTTrainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.lr_scheduler = same_schedule(optimizer or self.optimizer, task)
            return self.lr_scheduler

    tokens = task.examples_per_update * sum(map(len, learn)) / len(learn)
    rows = math.ceil(tokens / task.max_length)
    accumulation = max(1, rows // task.batch_size)
    micro = -(-rows // accumulation)
    length = min(task.max_length, max(round(tokens / (micro * accumulation)), max(map(len, learn))))
    arguments = settings(task, run_dir, model.device, micro, accumulation, variant)
    sft = Trainer(
        model=model,
        args=SFTConfig(max_length=length, packing=True, shuffle_dataset=False, **arguments),
        train_dataset=Dataset.from_dict({"input_ids": learn}),
        processing_class=tokenizer,
    )
    collator = sft.data_collator = CountingCollator(sft.data_collator)
    sft.add_callback(Report(reporter, collator, accumulation))
    sft.train()


def main(arm: str, folder: Path, run_dir: Path, variant: str) -> None:
    transformers.utils.logging.set_verbosity_error()
    task = read(folder)
    model_folder = folder / MODEL_FOLDER
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    learn, test = examples(task, folder, tokenizer)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(SEED)
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).to(device)
    emitter = Emitter(run_dir / EVENTS_FILE)
    half = in_bf16(device, variant)
    reporter = Reporter(task, emitter, model, test, tokenizer.pad_token_id, "bf16" if half else "fp32")
    if arm == "guide":
        guide(task, model, learn, reporter, tokenizer.pad_token_id, half)
    elif arm == "sft-packing":
        sft_packing(task, model, learn, reporter, tokenizer, run_dir, variant)
    else:
        strategy = {"trainer-padded": "sequential", "trainer-grouped": "group_by_length"}[arm]
        trainer(task, model, learn, reporter, tokenizer, run_dir, variant, strategy)
    if device.type == "cuda":
        torch.cuda.synchronize()
    reporter.end()
    emitter.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
