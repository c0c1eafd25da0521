"""``python -m tests.benchmarks.inside``: what it costs a run to tell of its layers, its time and its rows.

The same run is made with and without in turn, pair after pair, each first in every second pair; the first pair warms up.
Compared is the time that the processor worked from the first update to the last, which hardly depends on what else the
machine does. Prints the figures and writes their section of docs/benchmarks.md. About 10 minutes on two cores.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import GPT2Config, GPT2LMHeadModel

from backend.datasets.sample_corpus import sample_lines
from tests.benchmarks.document import origin, write_section
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.data.tokenizer import train_tokenizer
from worker.process.control import StopSwitch
from worker.training.preparation import prepare
from worker.training.trainer import Trainer
from worker.training.watching.clock import Clock
from worker.training.watching.inside import Inside

MOST = 0.02  # of an update's time


class NoClock(Clock):
    """Counts nothing."""

    @contextmanager
    def spending(self, kind: Any) -> Iterator[None]:
        """As if there were no block."""
        yield


class Silent(Inside):
    """Sees and tells nothing."""

    def __init__(self, made: Trainer) -> None:
        super().__init__(made.setup, made.model, made.optimizer, made.report, 0.0)
        self.clock = NoClock(made.setup.device, 0.0)

    def begin_update(self) -> None:
        """No look."""

    def note(self, update: Any) -> None:
        """Nothing to note."""

    def evaluated(self, step: int, losses: Any, *, last: bool) -> None:
        """Nothing to tell."""

    def tell_time(self, step: int) -> None:
        """Nothing to tell."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--updates", type=int, default=150)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "sample.txt"
        text.write_text("\n".join(sample_lines()) + "\n", encoding="utf-8")
        models = {
            "tiny": ModelSource(kind="built_in", location="tiny"),
            "GPT-2, 4 blocks of 256": gpt2(Path(folder) / "gpt2", text),
        }
        found = {name: compared(model, text, options.pairs, options.updates) for name, model in models.items()}
    document = report(found, options.pairs, options.updates)
    write_section("inside", document)
    print(document)


def gpt2(folder: Path, text: Path) -> ModelSource:
    """A GPT-2 of the size that bench-training has on a CPU."""
    tokenizer = train_tokenizer(text.read_text().splitlines(), 8192, 512)
    sizes = {"n_embd": 256, "n_layer": 4, "n_head": 4, "n_positions": 512}
    GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=0, **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return ModelSource(kind="folder", location=str(folder))


def compared(model: ModelSource, text: Path, pairs: int, updates: int) -> list[tuple[float, float, int]]:
    """Of each pair the processor's seconds with and without, and how many updates were looked into."""
    found = []
    for pair in range(pairs + 1):
        seconds: dict[bool, float] = {}
        looks = 0
        for whether in (pair % 2 == 0, pair % 2 == 1):
            seconds[whether], made = run(model, text, updates, silent=not whether)
            looks += made
        if pair:
            found.append((seconds[True], seconds[False], looks))
            print(f"{model.location}: {found[-1][0] / found[-1][1] - 1:+.2%}, {looks} looks", flush=True)
    return found


def run(model: ModelSource, text: Path, updates: int, *, silent: bool) -> tuple[float, int]:
    """The processor's seconds from a run's first update to its last, and how many updates were looked into."""
    at: list[float] = []
    looks = 0

    def report(event: Any) -> None:
        nonlocal looks
        looks += event.type == "layers"
        if event.type == "step":
            at.append(time.process_time())

    config = RunConfig(
        max_steps=updates, batch_size=4, gradient_accumulation_steps=4, eval_steps=10_000, save_steps=10_000,
        precision="fp32", sample_prompts=[], validation_split=0.0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        job = Job(run_id="run", config=config, model=model, dataset=DatasetSource(path=str(text)), device="cpu")
        made, _ = prepare(job, Path(folder), report, StopSwitch(Path(folder)))
        if silent:
            made.inside = Silent(made)
            made.clock = made.inside.clock
        made.train()
    return at[-1] - at[0], looks


def report(found: dict[str, list[tuple[float, float, int]]], pairs: int, updates: int) -> str:
    """The section of docs/benchmarks.md."""
    lines = [
        "## What telling of the inside costs",
        "",
        origin("python -m tests.benchmarks.inside", "fp32") + ".",
        "",
        f"{pairs} pairs of the same run of {updates} updates, one telling of its layers, its time and its rows and one not,"
        f" in turn: the time that the processor worked. At most {MOST:.0%} is allowed.",
        "",
        "| model | an update without | more time with, median of the pairs | lowest to highest | updates looked into |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, each in found.items():
        ratios = sorted(with_ / without - 1 for with_, without, _ in each)
        usual = statistics.median(without for _, without, _ in each) / (updates - 1)
        looks = statistics.median(looks for *_, looks in each)
        lines.append(
            f"| {name} | {usual * 1000:.1f} ms | {statistics.median(ratios):+.2%} | {ratios[0]:+.2%} to {ratios[-1]:+.2%}"
            f" | {looks:.0f} of {updates} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
