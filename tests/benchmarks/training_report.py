"""What the training benchmark found, as the section of docs/benchmarks.md."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.document import origin
from tests.benchmarks.training_arms import OURS, Result
from tests.benchmarks.training_task import Task
from worker.contract import StepEvent
from worker.devices.machine import machine
from worker.process.emitter import Emitter

_EVENTS = 20_000
_STEP_MS = 10.0  # 100 updates a second
_PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}  # dense bf16, as the vendor gives it
_LIBRARIES = ("torch", "transformers", "trl", "accelerate", "datasets")


@dataclass(frozen=True)
class Comparison:
    """One job and the arms that do it. ``once`` names arms too slow for more than the first round.

    ``variants``: what to try before the rounds for the arms on Trainer; the fastest is kept for each.
    """

    task: Task
    arms: tuple[str, ...]
    variants: tuple[str, ...]
    rounds: int
    once: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What came of a Comparison: all results by arm in the order of the rounds, or the arm's error.

    ``rates`` are floating point operations a second that the machine can multiply with, by number format.
    """

    comparison: Comparison
    results: dict[str, list[Result]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    variants: dict[str, str] = field(default_factory=dict)
    loss_differs: float | None = None
    rates: dict[str, float] = field(default_factory=dict)


def section(outcomes: list[Outcome], events: str) -> str:
    """The whole section, in Markdown."""
    versions = [f"{name} {version(name)}" for name in _LIBRARIES]
    card = _card()
    return "\n\n".join(
        [
            "## Training",
            origin("make bench-training", *versions, f"GPU: {card}" if card else "no GPU used") + ".",
            _METHOD,
            *(f"### {outcome.comparison.task.name}\n\n{_setting(outcome)}\n\n{table(outcome)}" for outcome in outcomes),
            f"### Events\n\n{events}",
            "### On a GPU\n\n" + ("The figures above." if card else "Not run on a GPU yet."),
        ]
    )


_METHOD = """Each arm trains the same job in a process of its own, from the same saved weights; the arms take turns, round
after round, and a figure is the median of its rounds. `guide` is the loop of a common training guide: every line filled
up to the longest length allowed, padding left out of the loss. `trainer-padded` is transformers' `Trainer`, each
micro-batch padded to its longest example, at the fastest of several micro-batches and, on a CPU, number formats
(`guide` and `sft-packing` get the same format, and `ours` chooses its own); `trainer-grouped` is the same with
examples of similar length together; `sft-packing` is trl's `SFTTrainer(packing=True)`, its rows so long and so many that
an update trains on about as many tokens as elsewhere; `ours` is Trainboard's worker, started as the server starts it.
`guide`, `trainer-padded` and `ours` learn from the same examples in the same order in every update; `trainer-grouped` from
as many and the same ones, in another order; `sft-packing` from about as many of the same text. Learning rate, schedule,
AdamW, weight decay, clipping and the number of threads are the same for all.

Time is the time spent training: loading, tokenizing, evaluating and saving do not count. The time to a validation loss is
taken on a straight line between the evaluations before and after; the loss is the highest of what the arms ended at, so
that every arm reached it. Only trained tokens count, never padding, and tokens/s leaves out the first quarter of the
updates. What of the product rate an arm reaches is its tokens/s times the operations that a token takes (6 for each weight,
positions aside, and those of attention), over what this machine multiplies in the arm's number format, or over a GPU's peak
in bf16 as its vendor gives it. Memory is the most that the process has while training, beyond what it had as training
began; on a GPU it is the card's. The text is the built-in sample corpus: lines are the first one to five sentences of a
story, documents are many stories in a row."""


def _setting(outcome: Outcome) -> str:
    task = outcome.comparison.task
    parts = [
        f"GPT-2 of {task.layers} layers × {task.width}, room for {task.vocab_size:,} tokens",
        f"examples cut at {task.max_length} tokens",
        f"batch {task.batch_size} × accumulation {task.accumulation}",
        f"{task.updates} updates",
        f"{outcome.comparison.rounds} round{'s' if outcome.comparison.rounds > 1 else ''}",
    ]
    return ", ".join(parts) + "."


def table(outcome: Outcome) -> str:
    """The figures of one comparison, an arm a row, and under them what is needed to judge them."""
    target = _target(outcome)
    header = ["arm", f"time to validation loss {target:.2f}", "compared with ours", "final loss"] if target else ["arm"]
    header += ["tokens/s", "tokens an update", "peak memory over start", "peak memory"]
    header += ["number format", "of the product rate"] if outcome.rates else []
    rows = [header, ["---"] * len(header)]
    for arm in outcome.comparison.arms:
        if arm in outcome.errors:
            rows.append([arm, f"failed: {outcome.errors[arm]}"] + [""] * (len(rows[0]) - 2))
            continue
        results = outcome.results[arm]
        cells = [arm]
        if target:
            seconds = _median([_required(result.seconds_to(target)) for result in results])
            cells += [f"{seconds:.1f} s", _ratio(outcome, arm, target), f"{results[-1].losses[-1][1]:.3f}"]
        speed = _median([result.tokens_per_s for result in results])
        over = _median([result.bytes_peak - result.bytes_before for result in results])
        cells += [f"{speed:,.0f}", f"{results[0].tokens / results[0].updates:.0f}"]
        cells += [f"{over / 1e6:,.0f} MB", f"{_median([result.bytes_peak for result in results]) / 1e6:,.0f} MB"]
        if outcome.rates:
            precision = results[0].precision
            cells += [precision, f"{speed * _flops_a_token(outcome) / outcome.rates[precision]:.0%}"]
        rows.append(cells)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n\n" + _notes(outcome)


def _target(outcome: Outcome) -> float | None:
    """The highest of the losses that the arms ended at; None if the job has no evaluations."""
    return max((run.losses[-1][1] for runs in outcome.results.values() for run in runs if run.losses), default=None)


def _required(seconds: float | None) -> float:
    assert seconds is not None  # the target is what every arm reached
    return seconds


def _ratio(outcome: Outcome, arm: str, target: float) -> str:
    """How many times longer ``arm`` took than ours in the same round: the median, and the range if there are several."""
    pairs = zip(outcome.results[arm], outcome.results.get(OURS, []), strict=False)
    ratios = [_required(other.seconds_to(target)) / _required(ours.seconds_to(target)) for other, ours in pairs]
    if arm == OURS or not ratios:
        return ""
    spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
    return f"{_median(ratios):.2f}×{spread}"


def _notes(outcome: Outcome) -> str:
    notes = [
        f"{arm} at micro-batch {variant.rstrip('bc')}{', compiled' if variant.endswith('c') else ''}"
        for arm, variant in outcome.variants.items()
        if arm.startswith("trainer")
    ]
    notes += [f"{arm} in the first round only" for arm in outcome.comparison.once]
    if outcome.loss_differs is not None:
        apart = f"{outcome.loss_differs:.2%}"
        notes.append(f"the last validation loss of ours is within {apart} of the peers' function on the model it saved")
    if ours := outcome.results.get(OURS):
        share = _median([result.step_share for result in ours])
        notes.append(f"the step times that ours reports add up to {share:.1%} of its time")
        notes += _memory_saved(ours, outcome.results.get("trainer-padded", []))
    rates = [f"{rate / 1e9:,.0f} GFLOP/s in {precision}" for precision, rate in outcome.rates.items()]
    notes += [f"the machine multiplies {' and '.join(rates)}"] if rates else []
    return "Notes: " + "; ".join(notes) + "."


def _memory_saved(ours: list[Result], padded: list[Result]) -> list[str]:
    if not padded:
        return []
    mine, theirs = (_median([result.bytes_peak - result.bytes_before for result in results]) for results in (ours, padded))
    return [f"over start, ours takes {mine / theirs:.0%} of the memory that trainer-padded takes"] if theirs else []


def _median(numbers: list[float]) -> float:
    return statistics.median(numbers)


def _flops_a_token(outcome: Outcome) -> float:
    """6 for each weight (positions aside) plus 12·layers·width·T for attention, T the mean length of an example."""
    task: Task = outcome.comparison.task
    first: Result = next(iter(outcome.results.values()))[0]
    length = first.tokens / first.updates / task.examples_per_update
    weights = task.vocab_size * task.width + task.layers * (12 * task.width**2 + 13 * task.width) + 2 * task.width
    return 6 * weights + 12 * task.layers * task.width * length


def product_rates(width: int) -> dict[str, float]:
    """Of a CPU as measured in products of this ``width``; of a GPU whose peak is known, that; else nothing."""
    if card := _card():
        peak = next((flops for name, flops in _PEAK_FLOPS.items() if name in card), None)
        return {"bf16": peak} if peak else {}
    return {precision: machine("cpu", precision).flops_per_s(width) for precision in ("fp32", "bf16")}


def _card() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def emitting(folder: Path) -> str:
    """How long the worker takes to append one event to its log on this disk."""
    emitter = Emitter(folder / "events.jsonl")
    times = []
    for step in range(1, _EVENTS + 1):
        event = StepEvent(
            step=step, epoch=0.5, loss=1.5, lr=1e-3, grad_norm=1.0, tokens=step, tokens_per_s=1e3, step_ms=10.0
        )
        began = time.perf_counter_ns()
        emitter.emit(event)
        times.append((time.perf_counter_ns() - began) / 1e6)
    emitter.close()
    median, p99 = _median(times), statistics.quantiles(times, n=100)[-1]
    return (
        f"Of {_EVENTS:,} events that the worker appended, the median took {median * 1000:.0f} µs, that is"
        f" {median / _STEP_MS:.2%} of an update at 100 updates a second; 99 of 100 took at most {p99 * 1000:.0f} µs"
        f" ({p99 / _STEP_MS:.2%})."
    )
