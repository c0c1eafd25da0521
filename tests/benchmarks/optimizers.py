"""``python -m tests.benchmarks.optimizers``: how many updates Muon needs for what AdamW reaches.

The built-in model mini learns the built-in sample from nothing. Of some learning rates each optimizer first gets the best
one, on a seed of its own; then AdamW makes all updates and Muon a share of them, each with its schedule over its own length.
Prints the figures and writes their section of docs/benchmarks.md. About 25 minutes on one core.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from backend.datasets.sample_corpus import sample_lines
from tests.benchmarks.document import origin, write_section
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.process.control import StopSwitch
from worker.training.preparation import prepare

UPDATES = 300
SHARE = 0.75
SEEDS = (1, 2, 3, 4, 5)
TRIED_ON = 0
RATES = (1e-3, 2e-3, 4e-3, 8e-3)
LENGTHS = {"adamw": UPDATES, "muon": round(SHARE * UPDATES)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "sample.txt"
        text.write_text("\n".join(sample_lines()) + "\n", encoding="utf-8")
        tried = {name: {rate: loss_of(name, rate, TRIED_ON, text) for rate in RATES} for name in LENGTHS}
        best = {name: min(losses, key=lambda rate: losses[rate]) for name, losses in tried.items()}
        found = {name: [loss_of(name, rate, seed, text) for seed in SEEDS] for name, rate in best.items()}
    document = report(tried, best, found)
    write_section("optimizers", document)
    print(document)


def loss_of(optimizer: str, learning_rate: float, seed: int, text: Path) -> float:
    """The validation loss in nats per token after the last update."""
    events: list[Any] = []
    config = RunConfig(
        model_name="mini",
        optimizer=optimizer,
        learning_rate=learning_rate,
        max_steps=LENGTHS[optimizer],
        batch_size=8,
        gradient_accumulation_steps=1,
        eval_steps=LENGTHS[optimizer],
        save_steps=10_000,
        seed=seed,
        precision="fp32",
        sample_prompts=[],
    )
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            run_id="run",
            config=config,
            model=ModelSource(kind="built_in", location="mini"),
            dataset=DatasetSource(path=str(text)),
            device="cpu",
        )
        trainer, _ = prepare(job, Path(folder), events.append, StopSwitch(Path(folder)))
        trainer.train()
    loss: float = [event.loss for event in events if event.type == "evaluation"][-1]
    milliseconds = statistics.median(event.step_ms for event in events if event.type == "step")
    print(f"{optimizer} {learning_rate:g} seed {seed}: {loss:.4f} ({milliseconds:.0f} ms an update)", flush=True)
    return loss


def report(tried: dict[str, dict[float, float]], best: dict[str, float], found: dict[str, list[float]]) -> str:
    """The section of docs/benchmarks.md."""
    seeds = " | ".join(f"seed {seed}" for seed in SEEDS)
    lines = [
        "## Muon and AdamW",
        "",
        origin("python -m tests.benchmarks.optimizers", "one thread, fp32") + ".",
        "",
        "The model `mini` learns the built-in sample from nothing, in updates of 8 texts, with the linear schedule over its",
        "own length. The learning rate of each is the best of four, found on another seed. Figures are validation losses.",
        "",
        f"| optimizer | updates | learning rates tried | {seeds} | mean |",
        "| --- | --- | --- |" + " --- |" * (len(SEEDS) + 1),
    ]
    for name, losses in found.items():
        marks = {rate: "**" if rate == best[name] else "" for rate in RATES}
        rates = ", ".join(f"{marks[rate]}{rate:g}: {loss:.3f}{marks[rate]}" for rate, loss in tried[name].items())
        cells = " | ".join(f"{loss:.4f}" for loss in [*losses, statistics.mean(losses)])
        lines.append(f"| {name} | {LENGTHS[name]} | {rates} | {cells} |")
    reached = sum(muon <= adamw for muon, adamw in zip(found["muon"], found["adamw"], strict=True))
    lines += [
        "",
        f"Muon ends at or below AdamW's loss on {reached} of {len(SEEDS)} seeds, with {SHARE:g} of its updates.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
