"""``python -m tests.benchmarks.inside``: what it costs a run to tell of its layers, its time and its rows.

The same run is made with and without in turn, pair after pair, each first in every second pair; the first pair warms up. An
update of one run is compared with the same update of its pair, so that what else the machine does hits both alike. Prints
the figures and writes their section of docs/benchmarks.md. About 10 minutes on two cores.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from transformers import GPT2Config, GPT2LMHeadModel

from backend.datasets.sample_corpus import sample_lines
from tests.benchmarks.document import origin, write_section
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.data.tokenizer import train_tokenizer
from worker.process.control import StopSwitch
from worker.training import trainer
from worker.training.inside import Inside
from worker.training.preparation import prepare

MOST = 0.02  # of an update's time


class Silent(Inside):
    """Sees and tells nothing."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.clock.spending = lambda kind: nullcontext()  # type: ignore[method-assign,assignment,misc]

    def begin_update(self) -> None:
        """No look."""

    def note(self, update: Any) -> None:
        """Nothing to note."""

    def evaluated(self, step: int, losses: Any, *, last: bool) -> None:
        """Nothing to tell."""

    def tell_time(self, step: int) -> None:
        """Nothing to tell."""


@contextmanager
def told(whether: bool) -> Iterator[None]:
    """Within the block runs tell of their inside, or do not."""
    kept = trainer.Inside
    trainer.Inside = Inside if whether else Silent  # type: ignore[misc]
    try:
        yield
    finally:
        trainer.Inside = kept  # type: ignore[misc]


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
    """Of each pair the seconds of all updates with and without, and how many were looked into."""
    found = []
    for pair in range(pairs + 1):
        seconds: dict[bool, list[float]] = {}
        looks = 0
        for whether in (pair % 2 == 0, pair % 2 == 1):
            with told(whether):
                events = run(model, text, updates)
            seconds[whether] = [event.step_ms / 1000 for event in events if event.type == "step"]
            looks += sum(event.type == "layers" for event in events)
        if pair:
            found.append((sum(seconds[True]), sum(seconds[False]), looks))
            print(f"{model.location}: {found[-1][0] / found[-1][1] - 1:+.2%}, {looks} looks", flush=True)
    return found


def run(model: ModelSource, text: Path, updates: int) -> list[Any]:
    """The events of a run."""
    events: list[Any] = []
    config = RunConfig(
        max_steps=updates, batch_size=4, gradient_accumulation_steps=4, eval_steps=10_000, save_steps=10_000,
        precision="fp32", sample_prompts=[], validation_split=0.0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        job = Job(run_id="run", config=config, model=model, dataset=DatasetSource(path=str(text)), device="cpu")
        made, _ = prepare(job, Path(folder), events.append, StopSwitch(Path(folder)))
        made.train()
    return events


def report(found: dict[str, list[tuple[float, float, int]]], pairs: int, updates: int) -> str:
    """The section of docs/benchmarks.md."""
    lines = [
        "## What telling of the inside costs",
        "",
        origin("python -m tests.benchmarks.inside", "fp32") + ".",
        "",
        f"{pairs} pairs of the same run of {updates} updates, one telling of its layers, its time and its rows and one not,"
        f" in turn. At most {MOST:.0%} is allowed.",
        "",
        "| model | an update without | more time with, median of the pairs | lowest to highest | updates looked into |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, each in found.items():
        ratios = sorted(with_ / without - 1 for with_, without, _ in each)
        usual = statistics.median(without for _, without, _ in each) / updates
        looks = statistics.median(looks for *_, looks in each)
        lines.append(
            f"| {name} | {usual * 1000:.1f} ms | {statistics.median(ratios):+.2%} | {ratios[0]:+.2%} to {ratios[-1]:+.2%}"
            f" | {looks:.0f} of {updates} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
