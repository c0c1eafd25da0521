"""``make bench-training``: one training job by Trainboard and by what else there is, side by side.

Each arm runs in a process of its own and starts from the same weights; the arms take turns, round after round. Prints
the figures and writes their section of docs/benchmarks.md. On a CUDA GPU the jobs are larger. ``--quick`` runs every
job and arm at toy size, to see that all of it works, and writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import training_task
from tests.benchmarks.document import write_section
from tests.benchmarks.training_arms import OURS, ArmError, check_loss, forget, run
from tests.benchmarks.training_report import Comparison, Outcome, emitting, product_rates, section, table
from tests.benchmarks.training_task import Task
from worker.devices.precision import best_on_cpu

GUIDE, PADDED, GROUPED, SFT = "guide", "trainer-padded", "trainer-grouped", "sft-packing"
_FARTHEST = 0.005  # the worker's own validation loss may differ from the shared function's by this share


_SMALL = Task("Short lines", "lines", 256, 4, 4, 8192, 512, 4, 4, updates=60, eval_every=6, learning_rate=2e-3)
_MEMORY = replace(
    _SMALL, name="Memory, short lines", vocab_size=50257, batch_size=8, accumulation=1, updates=4, eval_every=0
)
_GPT2 = Task("Short lines, GPT-2 124M", "lines", 768, 12, 12, 50257, 512, 4, 4, 400, 40, learning_rate=6e-4)
_LONG = Task("Long documents, GPT-2 124M", "documents", 768, 12, 12, 50257, 1024, 32, 1, updates=80, eval_every=0)

CPU = [
    Comparison(_SMALL, (GUIDE, PADDED, GROUPED, SFT, OURS), ("4", "8", "16", "4b", "8b", "16b"), rounds=3, once=(GUIDE,)),
    Comparison(replace(_MEMORY, name="Memory, short lines"), (PADDED, OURS), ("8", "8b"), rounds=2),
    Comparison(
        replace(_MEMORY, name="Memory, full-length examples", text="documents"), (PADDED, OURS), ("8", "8b"), rounds=2
    ),
]
GPU = [
    Comparison(_GPT2, (GUIDE, PADDED, GROUPED, SFT, OURS), ("4", "8", "16", "16c"), rounds=3, once=(GUIDE,)),
    Comparison(_LONG, (PADDED, OURS), ("8", "16", "32", "8c", "16c", "32c"), rounds=3),
]


def quick(comparison: Comparison) -> Comparison:
    """The same comparison at toy size."""
    task = comparison.task
    small = replace(task, width=32, layers=2, heads=2, vocab_size=1024, max_length=128, updates=6, batch_size=4)
    variants = ("2", "4") if len(comparison.variants) > 1 else ("4",)
    return replace(comparison, task=replace(small, eval_every=min(3, task.eval_every)), variants=variants, rounds=1)


class Progress:
    """Says what runs and how long the rest will take, judged by what has run."""

    def __init__(self, comparisons: list[Comparison]) -> None:
        self._left = sum(_runs(comparison) for comparison in comparisons)
        self._began, self._done = time.monotonic(), 0

    def start(self, what: str) -> None:
        estimate = ""
        if self._done:
            minutes = (time.monotonic() - self._began) / self._done * self._left / 60
            estimate = f" (about {minutes:.0f} min left)"
        print(f"[{self._done + 1}/{self._done + self._left}] {what}{estimate}", flush=True)

    def end(self) -> None:
        self._done, self._left = self._done + 1, self._left - 1


def _runs(comparison: Comparison) -> int:
    """How many processes a comparison takes if nothing fails."""
    tuned = [arm for arm in comparison.arms if arm in (PADDED, GROUPED)] if len(comparison.variants) > 1 else []
    rounds = sum(1 if arm in comparison.once else comparison.rounds for arm in comparison.arms)
    return len(tuned) * len(comparison.variants) + rounds


class Bench:
    """Runs comparisons in ``folder``, one process at a time."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self._folder, self._progress = folder, progress

    def compare(self, comparison: Comparison, number: int) -> Outcome:
        folder = self._folder / str(number)
        training_task.write(comparison.task, folder / "task")
        outcome = Outcome(comparison, rates=product_rates(comparison.task.width))
        self._tune(outcome, folder)
        for round_number in range(1, comparison.rounds + 1):
            for arm in comparison.arms:
                if arm not in outcome.errors and (round_number == 1 or arm not in comparison.once):
                    self._one(outcome, arm, folder, round_number)
        return outcome

    def _tune(self, outcome: Outcome, folder: Path) -> None:
        """Finds the fastest variant for each arm on Trainer, in short runs."""
        comparison = outcome.comparison
        plain = str(comparison.task.batch_size)
        outcome.variants = dict.fromkeys(comparison.arms, plain)
        if len(comparison.variants) == 1:
            return
        compiles = any(variant.endswith("c") for variant in comparison.variants)  # which takes a few updates to get going
        short = replace(comparison.task, updates=40 if compiles else 8, eval_every=0)
        training_task.write(short, folder / "tuning")
        for arm in (arm for arm in comparison.arms if arm in (PADDED, GROUPED)):
            speeds: dict[str, float] = {}
            for variant in comparison.variants:
                self._progress.start(f"{comparison.task.name} · trying {arm} at {variant}")
                try:
                    speeds[variant] = run(arm, folder / "tuning", folder / f"tuning-{arm}-{variant}", variant).tokens_per_s
                    print(f"    {speeds[variant]:,.0f} tokens/s")
                except ArmError as error:
                    print(f"    failed: {error}")
                self._progress.end()
            if speeds:
                outcome.variants[arm] = max(speeds, key=lambda variant: speeds[variant])
        if outcome.variants.get(PADDED, "").endswith("b"):  # which is fast for the others as well, then
            outcome.variants |= {arm: plain + "b" for arm in (GUIDE, SFT) if arm in comparison.arms}

    def _one(self, outcome: Outcome, arm: str, folder: Path, round_number: int) -> None:
        task = outcome.comparison.task
        self._progress.start(f"{task.name} · round {round_number} · {arm}")
        run_dir = folder / f"{round_number}-{arm}"
        try:
            result = run(arm, folder / "task", run_dir, outcome.variants[arm])
            if arm == OURS and result.losses and round_number == 1:
                outcome.loss_differs = check_loss(folder / "task", run_dir, result.losses[-1][1])
                if outcome.loss_differs > _FARTHEST:
                    raise ArmError(f"reported a validation loss {outcome.loss_differs:.1%} from the shared function's")
            outcome.results.setdefault(arm, []).append(result)
            final = f", validation loss {result.losses[-1][1]:.3f}" if result.losses else ""
            print(f"    {result.seconds:.1f} s of training, {result.tokens_per_s:,.0f} tokens/s{final}")
        except ArmError as error:
            outcome.errors[arm] = str(error)
            print(f"    failed: {error}")
        forget(run_dir)
        self._progress.end()


def main() -> None:
    arguments = _arguments()
    comparisons = {"cpu": CPU, "gpu": GPU}[arguments.profile or _profile()]
    if arguments.rounds:
        comparisons = [replace(comparison, rounds=arguments.rounds) for comparison in comparisons]
    if best_on_cpu() == "fp32":  # products in bf16 take tens of times as long there, and the arms on Trainer hours
        comparisons = [replace(each, variants=_in_fp32(each.variants)) for each in comparisons]
    if arguments.quick:
        comparisons = [quick(comparison) for comparison in comparisons]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), Progress(comparisons))
        outcomes = []
        for number, comparison in enumerate(comparisons, start=1):
            outcomes.append(bench.compare(comparison, number))
            print("\n" + table(outcomes[-1]) + "\n", flush=True)
        text = section(outcomes, emitting(Path(folder)))
    print(text)
    if not arguments.quick:
        write_section("training", text)
    if any(outcome.errors for outcome in outcomes):
        sys.exit("Not every arm could be measured; see above.")


def _in_fp32(variants: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(variant for variant in variants if not variant.endswith("b"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=("cpu", "gpu"), help="the jobs to run; by default those for this machine")
    parser.add_argument("--rounds", type=int, help="how often each arm runs; by default 2 or 3 times, by job")
    parser.add_argument("--quick", action="store_true", help="toy sizes, and nothing is written")
    return parser.parse_args()


def _profile() -> str:
    import torch

    return "gpu" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    main()
