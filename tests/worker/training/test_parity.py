"""The same job by the worker and by transformers' Trainer: the same loss at every update."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM, DataCollatorForSeq2Seq, GPT2Config, GPT2LMHeadModel, TrainingArguments

from tests.worker import runs
from worker.contract import ModelSource
from worker.data.batching import shuffled_windows
from worker.data.tokenizer import train_tokenizer
from worker.training.schedule import learning_rate_share

UPDATES, BATCH, ACCUMULATION, RATE, DECAY, SEED = 50, 4, 4, 2e-3, 0.3, 7
WINDOW = BATCH * ACCUMULATION


@pytest.fixture
def lines(corpus: list[str], tmp_path: Path) -> Path:
    """Lines of 2 to 19 words, as many as make whole updates."""
    path = tmp_path / "lines.txt"
    texts = [" ".join(text.split()[: 2 + number * 7 % 18]) for number, text in enumerate(corpus[: 12 * WINDOW])]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def model_folder(lines: Path, tmp_path: Path) -> Path:
    """A GPT-2 without dropout, so that nothing is random."""
    tokenizer = train_tokenizer(lines.read_text().splitlines(), vocab_size=600, context=64)
    torch.manual_seed(SEED)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=2,
        resid_pdrop=0,
        embd_pdrop=0,
        attn_pdrop=0,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    folder = tmp_path / "start"
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_the_worker_and_transformers_trainer_give_the_same_curve(lines: Path, model_folder: Path, tmp_path: Path) -> None:
    ours = worker_losses(lines, model_folder, tmp_path)
    theirs = trainer_losses(lines, model_folder, tmp_path)
    assert len(ours) == UPDATES
    assert ours[-1] < ours[0] - 1.0
    assert ours == pytest.approx(theirs, abs=1e-4)


def worker_losses(lines: Path, model_folder: Path, tmp_path: Path) -> list[float]:
    run_dir = runs.make_run(
        tmp_path / "run",
        lines,
        ModelSource(kind="folder", location=str(model_folder)),
        packing=False,
        validation_split=0.0,
        sample_prompts=[],
        precision="fp32",
        max_steps=UPDATES,
        batch_size=BATCH,
        gradient_accumulation_steps=ACCUMULATION,
        learning_rate=RATE,
        weight_decay=DECAY,
        warmup_ratio=0.1,
        seed=SEED,
        save_steps=1000,
    )
    assert runs.run(run_dir) == 0, runs.log(run_dir)
    return [event.loss for event in runs.events(run_dir, "step")]


def trainer_losses(lines: Path, model_folder: Path, tmp_path: Path) -> list[float]:
    """Trainer is given the worker's schedule and order; its own linear schedule makes the first update at rate 0.

    The first token of an example, which nothing predicts, is taken out of the labels: for GPT-2, Trainer would count it in
    the number of tokens that it divides the loss by.
    """

    class Trainer(transformers.Trainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                optimizer or self.optimizer, lambda done: learning_rate_share("linear", done + 1, UPDATES, 0.1)
            )
            return self.lr_scheduler

    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)
    texts = lines.read_text().splitlines()
    examples = [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in texts]
    order = [number for window in islice(shuffled_windows(len(texts), WINDOW, SEED), UPDATES) for number in window]
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "theirs"),
        use_cpu=True,
        per_device_train_batch_size=BATCH,
        gradient_accumulation_steps=ACCUMULATION,
        max_steps=UPDATES,
        learning_rate=RATE,
        weight_decay=DECAY,
        max_grad_norm=1.0,
        train_sampling_strategy="sequential",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32),
        args=arguments,
        train_dataset=[{"input_ids": examples[number], "labels": [-100, *examples[number][1:]]} for number in order],
        data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100),
    )
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
