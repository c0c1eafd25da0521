"""Twenty things that go wrong, each planted into five runs, and two hundred runs in which nothing is wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.benchmarks.coach_runs import Spec

SEEDS = range(5)
HEALTHY = range(200)

_RATES = {"tiny": 3e-3, "mini": 1e-3, "base": 1e-3}
_TEXTS = ("stories", "prose", "code")


class Cause(NamedTuple):
    """``rules``: the findings that name it, any of which will do. ``kinds`` of data that it can be planted into."""

    rules: frozenset[str]
    config: dict[str, Any] = {}
    rate: float = 1.0
    kinds: tuple[str, ...] = _TEXTS
    rows: int = 600
    changed: str | None = None
    planted: str | None = None


def _rules(*names: str) -> frozenset[str]:
    return frozenset(names)


_LONG = {"max_steps": 58, "max_length": 96, "batch_size": 32, "eval_steps": 29}
_FEW = {"num_epochs": 60, "max_steps": None, "eval_steps": 15, "batch_size": 10, "validation_split": 0.1}
_ALONE = {"batch_size": 1, "gradient_accumulation_steps": 1, "max_steps": 100, "eval_steps": 50}

CAUSES = {
    "learning rate × 30": Cause(_rules("learning_rate_high"), rate=30),
    "learning rate ÷ 100": Cause(_rules("learning_rate_low"), rate=0.01),
    "no warmup, high rate": Cause(_rules("no_warmup"), {"warmup_ratio": 0.0}, rate=10),
    "shuffled targets": Cause(
        _rules("mismatched_targets"), {"max_steps": 90, "eval_steps": 30}, kinds=("answers",), changed="shuffled targets"
    ),
    "duplicated shards": Cause(_rules("duplicates"), changed="duplicated shards"),
    "leaked validation": Cause(_rules("leaked_validation"), changed="leaked validation"),
    "masks that leave nothing": Cause(_rules("unlearned_rows"), kinds=("completions",), changed="nothing left"),
    "wrong template": Cause(_rules("wrong_template"), kinds=("stories", "prose"), changed="wrong template"),
    "missing end": Cause(_rules("missing_end"), kinds=(*_TEXTS, "completions"), planted="no end"),
    "one bad row in 2,000": Cause(
        _rules("spike", "bad_row"), _LONG, kinds=("stories", "prose"), rows=2000, changed="one bad row"
    ),
    "fp16 underflow": Cause(
        _rules("fp16_underflow"), {"precision": "fp16", "max_steps": 30, "eval_steps": 15}, planted="fp16"
    ),
    "frozen weights": Cause(_rules("frozen_weights"), planted="frozen"),
    "weight decay 1": Cause(_rules("weight_decay_high"), {"weight_decay": 1.0}),
    "20 lines, 60 epochs": Cause(_rules("too_little_data"), _FEW, rows=20),
    "slow disk": Cause(_rules("slow_input"), planted="slow disk"),
    "one-token rows": Cause(_rules("short_rows"), {"batch_size": 16}, changed="one token"),
    "batch 1": Cause(_rules("batch_noise"), _ALONE),
    "sorted data": Cause(
        _rules("sorted_data"), {"max_steps": 120, "eval_steps": 40}, rows=320, changed="sorted", planted="in order"
    ),
    "evaluation on 3 rows": Cause(_rules("small_validation", "noisy_evaluation"), changed="three tested"),
    "clipping at 0.001": Cause(_rules("clipping"), {"max_grad_norm": 0.001}),
}


def planted() -> Iterator[tuple[str, Spec]]:
    """Each cause with its runs, a seed of all before the next one."""
    for seed in SEEDS:
        for name, cause in CAUSES.items():
            yield name, _spec(name, cause, seed)


def _spec(name: str, cause: Cause, seed: int) -> Spec:
    draw = random.Random(f"{name} {seed}")
    kind = cause.kinds[seed % len(cause.kinds)]
    config = {
        "batch_size": 8,
        "gradient_accumulation_steps": 1,
        "max_length": 64,
        "max_steps": draw.choice((50, 60)),
        "eval_steps": 12,
        "validation_split": 0.07,
        "lr_scheduler": draw.choice(("linear", "cosine")),
        "learning_rate": _RATES["tiny"] * cause.rate,
        "seed": seed,
        **cause.config,
    }
    return Spec(name, seed, kind, cause.rows, config, changed=cause.changed, planted=cause.planted)


def healthy() -> Iterator[Spec]:
    """Runs of different models, data, schedules and sizes, all as one would set them up."""
    for number in HEALTHY:
        draw = random.Random(f"healthy {number}")
        model = draw.choices(("tiny", "mini", "base"), (8, 1, 2))[0]
        kind = draw.choice(("stories", "prose", "code", "sums", "completions", "chats", "answers"))
        kind = "stories" if (model, kind) == ("base", "prose") else kind  # which is what it comes from
        rows = draw.choice((300, 400, 600, 800, 1200))
        batch, accumulation = draw.choice(((4, 2), (8, 1), (8, 1), (16, 1), (4, 4), (8, 2)))
        epoch = rows * 0.9 / (batch * accumulation)
        steps = min(round(epoch * 3), draw.choice((40, 50, 60, 80)) if model != "mini" else 24)
        rate = _RATES[model] * draw.choice((0.5, 0.7, 1, 1.3))
        config = {
            "model_name": model if model != "base" else "local:base",
            "batch_size": batch,
            "gradient_accumulation_steps": accumulation,
            "max_length": draw.choice((64, 96)) * (2 if model == "base" else 1),  # it knows words of another kind
            "max_steps": steps,
            "eval_steps": max(5, steps // draw.choice((2, 3, 4, 5))),
            "learning_rate": rate,
            "lr_scheduler": draw.choice(("linear", "cosine", "cosine", "constant", "warmup_stable_decay")),
            "warmup_ratio": draw.choice((0.05, 0.1, 0.1, 0.2)),
            "weight_decay": draw.choice((0.0, 0.01, 0.01, 0.1)),
            "validation_split": draw.choice((0.1, 0.1, 0.2)),
            "label_smoothing": draw.choice((0.0, 0.0, 0.0, 0.1)),
            "seed": number,
        }
        yield Spec("healthy", number, kind, rows, config, model=model)
