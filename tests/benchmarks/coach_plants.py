"""What is done to a run's data, or within its worker, so that something is wrong with it."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable, Iterator
from typing import Any

Rows = list[dict[str, Any]]
Changed = tuple[Rows, Rows | None]
"""The rows to learn from, and those to test on where they are a dataset of their own."""


def _shuffled_targets(rows: Rows, draw: random.Random) -> Changed:
    targets = [row["completion"] for row in rows]
    draw.shuffle(targets)
    return [{**row, "completion": target} for row, target in zip(rows, targets, strict=True)], None


def _duplicated_shards(rows: Rows, draw: random.Random) -> Changed:
    """A third of the rows came three times, as parts of a dataset that were fetched again."""
    shard = rows[: len(rows) // 3]
    return rows + shard + shard, None


def _leaked_validation(rows: Rows, draw: random.Random) -> Changed:
    """A dataset of its own to test on, of which a third is learned from as well."""
    cut = len(rows) // 6
    return rows[cut:], rows[:cut] + rows[cut : cut + cut // 2]


def _nothing_left(rows: Rows, draw: random.Random) -> Changed:
    """Four of ten prompts are longer than max_length."""
    return [
        {**row, "prompt": " ".join([row["prompt"]] * 12)} if draw.random() < 0.4 else row for row in rows
    ], None  # fmt: skip


def _wrong_template(rows: Rows, draw: random.Random) -> Changed:
    """Conversations already written out in a chat format that the model does not know."""
    return [
        {"text": f"<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n{row['text']}<|im_end|>\n"}
        for row in rows
    ], None


def _one_bad_row(rows: Rows, draw: random.Random) -> Changed:
    noise = "".join(draw.choices(string.ascii_letters + string.digits + "äöüßéñ", k=600))
    rows[draw.randrange(len(rows) // 4, len(rows))] = {"text": noise}
    return rows, None


def _one_token(rows: Rows, draw: random.Random) -> Changed:
    """Each word is a row: somebody cut at blanks instead of at lines."""
    words = [word for row in rows for word in row["text"].split()]
    return [{"text": word} for word in words[:3000]], None


def _sorted(rows: Rows, draw: random.Random) -> Changed:
    """Short ones first, all of one opening together."""
    return sorted(rows, key=lambda row: (len(row["text"]) // 60, row["text"])), None


def _three_tested(rows: Rows, draw: random.Random) -> Changed:
    return rows[3:], rows[:3]


DATA: dict[str, Callable[[Rows, random.Random], Changed]] = {
    "shuffled targets": _shuffled_targets,
    "duplicated shards": _duplicated_shards,
    "leaked validation": _leaked_validation,
    "nothing left": _nothing_left,
    "wrong template": _wrong_template,
    "one bad row": _one_bad_row,
    "one token": _one_token,
    "sorted": _sorted,
    "three tested": _three_tested,
}


def _in_order() -> None:
    """The examples are learned from as they lie."""
    from worker.training import trainer

    def windows(count: int, size: int, seed: int, start: int = 0) -> Iterator[list[int]]:
        while True:
            for first in range(0, count, size):
                yield list(range(first, min(count, first + size)))

    trainer.shuffled_windows = windows


def _slow_disk() -> None:
    """Each batch is waited for."""
    from worker.training.prefetch import Loader

    lay_out = Loader.work

    def work(self: Loader, window: list[int]) -> Any:
        time.sleep(0.15)
        return lay_out(self, window)

    Loader.work = work  # type: ignore[method-assign]


def _frozen() -> None:
    """The gradient ends at the last block: what is before it stays as it was."""
    from worker.training import trainer

    make = trainer.make_optimizer

    def make_optimizer(model: Any, *settings: Any) -> Any:
        model.transformer.h[-1].register_forward_pre_hook(lambda _, inputs: (inputs[0].detach(), *inputs[1:]))
        return make(model, *settings)

    trainer.make_optimizer = make_optimizer


def _fp16() -> None:
    """fp16 whose loss scale has been lost, so that small gradients vanish."""
    import torch

    from worker.devices import precision

    precision.choose_precision = lambda wanted, device: "fp16"
    scaler = torch.amp.GradScaler

    def lost(device: str, enabled: bool) -> Any:
        return scaler(device, init_scale=2.0**-18, growth_interval=10**6, enabled=enabled)

    torch.amp.GradScaler = lost  # type: ignore[assignment, misc]


def _no_end() -> None:
    """The examples lose the mark of their end."""
    from worker.data import encoding

    whole = encoding.Encoder.whole

    def without_ends(self: encoding.Encoder, rows: Any, numbers: Any) -> list[encoding.Encoded]:
        return [encoded.part(0, len(encoded.ids) - 1) for encoded in whole(self, rows, numbers)]

    encoding.Encoder.whole = without_ends  # type: ignore[method-assign]


WORKER: dict[str, Callable[[], None]] = {
    "in order": _in_order,
    "slow disk": _slow_disk,
    "frozen": _frozen,
    "fp16": _fp16,
    "no end": _no_end,
}
