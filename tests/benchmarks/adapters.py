"""``python -m tests.benchmarks.adapters``: how fast a LoRA adapter writes beside its base, against the model that it was
merged into and against the base alone.

One server is asked for all three by OpenAI's client, in turns. Prints the figures and writes their section of
docs/benchmarks.md. About 10 minutes on two cores.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path

import torch

from backend.datasets.sample_corpus import sample_lines
from tests.benchmarks.document import origin, write_section
from tests.benchmarks.generation import TOKENS, USERS, Ask, Figures, models
from tests.serving import Server

ROUNDS = 5
MERGED, ADAPTER, BASE = "merged, `model/`", "adapter beside its base", "base alone"


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        name, model = list(models(Path(place), None))[-1]
        data_dir = Path(place) / "data"
        (data_dir / "models").mkdir(parents=True)
        (data_dir / "models" / "asked").symlink_to(model)
        server = Server(data_dir, {"OMP_NUM_THREADS": str(os.cpu_count())})
        try:
            found = _measure(server)
        finally:
            server.stop()
    text = report(name, found)
    write_section("adapters", text)
    print(text)


def _measure(server: Server) -> dict[str, list[Figures]]:
    lines = "".join(f"{line}\n" for line in sample_lines(seed=2)[:40])
    dataset = server.client.post("/api/datasets", files={"file": ("lines.txt", lines)}).json()["id"]
    settings = {"method": "lora", "max_steps": 2, "save_steps": 2, "max_length": 64, "batch_size": 2, "sample_prompts": []}
    run = server.create(model_name="local:asked", dataset=dataset, gradient_accumulation_steps=1, **settings)["id"]
    assert server.end(run)["status"] == "completed"
    arms = {MERGED: Ask(server.url, run), ADAPTER: Ask(server.url, f"{run}@2"), BASE: Ask(server.url, "local:asked")}
    for ask in arms.values():
        ask.figures()  # to be warm
    found: dict[str, list[Figures]] = {arm: [] for arm in arms}
    for _ in range(ROUNDS):
        for arm, ask in arms.items():
            found[arm].append(ask.figures())
            print(arm, *found[arm][-1], flush=True)
    return found


def report(name: str, found: dict[str, list[Figures]]) -> str:
    rows = [(arm, *map(statistics.median, zip(*figures, strict=True))) for arm, figures in found.items()]
    return "\n".join(
        [
            f"{origin('python -m tests.benchmarks.adapters', f'torch {torch.__version__}')}.",
            "",
            f"{name}, LoRA of rank 8 after 2 updates: {TOKENS} tokens, greedily, after a prompt of 120 characters, by one"
            f" client and by {USERS} at once; medians of {ROUNDS} rounds, in which the three take turns.",
            "",
            f"| model | first token | tokens/s, one client | tokens/s, {USERS} at once |",
            "|---|---|---|---|",
            *(
                f"| {arm} | {first * 1000:,.0f} ms | {alone:,.1f} | {together:,.1f} |"
                for arm, first, alone, together in rows
            ),
        ]
    )


if __name__ == "__main__":
    main()
