"""What the arms of the training benchmark share: the model, the text, the order of examples, and the validation loss."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.datasets.sample_corpus import sample_lines
from tests.worker.texts import split_texts
from worker.contract import RunConfig

if TYPE_CHECKING:
    import torch

SEED = 42
TEXT_FILE = "text.txt"
MODEL_FOLDER = "model"
_SENTENCE_END = re.compile(r'(?<=[.!?"]) (?=[A-Z"])')
_STORIES_IN_A_DOCUMENT = 24


@dataclass(frozen=True)
class Task:
    """One training job. ``text``: "lines" of 10 to 70 tokens, or "documents" longer than ``max_length``.

    The validation loss is taken before the first update and after each ``eval_every``; never if that is 0.
    """

    name: str
    text: str
    width: int
    layers: int
    heads: int
    vocab_size: int
    max_length: int
    batch_size: int
    accumulation: int
    updates: int
    eval_every: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    warmup_ratio: float = 0.1

    @property
    def examples_per_update(self) -> int:
        return self.batch_size * self.accumulation

    @property
    def validation_split(self) -> float:
        return 0.05 if self.eval_every else 0.0

    def config(self) -> RunConfig:
        """The same job for the worker."""
        return RunConfig(
            validation_split=self.validation_split,
            max_steps=self.updates,
            batch_size=self.batch_size,
            gradient_accumulation_steps=self.accumulation,
            max_length=self.max_length,
            learning_rate=self.learning_rate,
            lr_scheduler="linear",
            warmup_ratio=self.warmup_ratio,
            weight_decay=self.weight_decay,
            max_grad_norm=self.max_grad_norm,
            eval_steps=self.eval_every or None,
            save_steps=10_000_000,
            sample_prompts=[],
            seed=SEED,
        )


def write(task: Task, folder: Path) -> None:
    """Saves the task, its text, and the model with its first weights, which every arm starts from."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from worker.data.tokenizer import train_tokenizer
    from worker.models.loading import quiet_libraries

    quiet_libraries()
    folder.mkdir(parents=True)
    needed = int(task.updates * task.examples_per_update * 1.25) + 16  # what validation and trl's packing need besides
    texts = list(islice(_lines() if task.text == "lines" else _documents(), needed))
    (folder / TEXT_FILE).write_text("\n".join(texts) + "\n", encoding="utf-8")
    tokenizer = train_tokenizer(texts, task.vocab_size, task.max_length)
    torch.manual_seed(SEED)
    config = GPT2Config(
        vocab_size=task.vocab_size,
        n_positions=task.max_length,
        n_embd=task.width,
        n_layer=task.layers,
        n_head=task.heads,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    GPT2LMHeadModel(config).save_pretrained(folder / MODEL_FOLDER)
    tokenizer.save_pretrained(folder / MODEL_FOLDER)
    (folder / "task.json").write_text(json.dumps(asdict(task)))


def read(folder: Path) -> Task:
    """The task that ``write`` saved in ``folder``."""
    return Task(**json.loads((folder / "task.json").read_text()))


def _stories() -> Iterator[str]:
    seed = 1
    while True:
        yield from sample_lines(seed)
        seed += 1


def _lines() -> Iterator[str]:
    """The first one to five sentences of story after story, no line twice."""
    rng, seen = random.Random(SEED), set()
    for story in _stories():
        line = " ".join(_SENTENCE_END.split(story)[: rng.randint(1, 5)])
        if line not in seen:
            seen.add(line)
            yield line


def _documents() -> Iterator[str]:
    stories = _stories()
    while True:
        yield " ".join(islice(stories, _STORIES_IN_A_DOCUMENT))


def examples(task: Task, folder: Path, tokenizer: Any) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids of the examples to learn from, in the worker's order of the first epoch, and of those to test on.

    Those of update u are the ``examples_per_update`` ones from ``(u - 1) * examples_per_update`` on.
    """
    from worker.data.batching import shuffled_windows

    texts = (folder / TEXT_FILE).read_text("utf-8").splitlines()
    learn, test = (_encode(part, tokenizer, task.max_length) for part in split_texts(texts, task.validation_split))
    if len(learn) < task.updates * task.examples_per_update:
        raise ValueError("The task has fewer examples than one epoch of its updates needs.")
    order = next(shuffled_windows(len(learn), len(learn), SEED))
    return [learn[number] for number in order], test


def _encode(texts: Sequence[str], tokenizer: Any, max_length: int) -> list[list[int]]:
    encoded: Iterable[list[int]] = tokenizer(list(texts))["input_ids"] if texts else []
    return [[*ids, tokenizer.eos_token_id][:max_length] for ids in encoded]


def padded(batch: Sequence[Sequence[int]], length: int, pad: int) -> dict[str, torch.Tensor]:
    """``batch`` as input_ids, attention_mask and labels [examples, length], the labels of padding -100."""
    import torch

    inputs = torch.full((len(batch), length), pad)
    labels = torch.full((len(batch), length), -100)
    mask = torch.zeros((len(batch), length), dtype=torch.int64)
    for row, ids in enumerate(batch):
        inputs[row, : len(ids)] = labels[row, : len(ids)] = torch.tensor(ids)
        mask[row, : len(ids)] = 1
    return {"input_ids": inputs, "attention_mask": mask, "labels": labels}


def validation_loss(model: Any, test: Sequence[Sequence[int]], pad: int) -> float:
    """Mean loss of a validation token in nats, in bf16 on a GPU, else in fp32."""
    import torch
    from torch.nn import functional as F  # noqa: N812 - its usual name

    was_training = model.training
    model.eval()
    total, tokens = 0.0, 0
    by_length = sorted(test, key=len)
    with torch.inference_mode(), autocast(model.device, model.device.type == "cuda"):
        for start in range(0, len(by_length), 8):
            part = by_length[start : start + 8]
            batch = {name: value.to(model.device) for name, value in padded(part, len(part[-1]), pad).items()}
            logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
            targets = batch["labels"][:, 1:].flatten()
            total += float(F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), targets, reduction="sum"))
            tokens += int((targets != -100).sum())
    model.train(was_training)
    return total / tokens


def autocast(device: torch.device, half: bool) -> torch.autocast:
    """bf16 if ``half``, else fp32."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=half)
