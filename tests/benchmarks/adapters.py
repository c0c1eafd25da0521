"""``python -m tests.benchmarks.adapters``: how fast a LoRA adapter writes beside its base, against the model that it is
merged into and against the base alone.

The generation process's engine is asked for all three in turns, on one thread; its processor time is counted, so that what
else the machine does matters little. Prints the figures and writes their section of docs/benchmarks.md. About 6 minutes.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.benchmarks.document import origin, write_section
from tests.benchmarks.generation import PROMPTS, TOKENS, USERS, models
from worker.contract import ModelSource
from worker.generation.engine import Engine, Request

ROUNDS, RANK = 5, 8
MERGED, ADAPTER, BASE = "merged, as `model/` is", "adapter beside its base", "base alone"


class Count:
    """Counts the tokens that are sent."""

    def __init__(self) -> None:
        self.tokens = 0

    def send(self, event: str, **data: Any) -> None:
        self.tokens += event == "token"

    def is_cancelled(self) -> bool:
        return False


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        name, base = list(models(Path(place), None))[-1]
        arms = {**_adapted(base, Path(place)), BASE: base}
        found = _measure(arms)
    text = report(name, found)
    write_section("adapters", text)
    print(text)


def _adapted(base: Path, place: Path) -> dict[str, Path]:
    """Folders of an adapter of all linear layers, and of the model that it makes of its base."""
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    settings = LoraConfig(r=RANK, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    adapted: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings)
    adapted.save_pretrained(place / "adapter")
    adapted.merge_and_unload().save_pretrained(place / "merged")
    for folder in ("adapter", "merged"):
        tokenizer.save_pretrained(place / folder)
    return {MERGED: place / "merged", ADAPTER: place / "adapter"}


def _measure(arms: dict[str, Path]) -> dict[tuple[str, int], list[float]]:
    """Tokens a second of each arm and number of texts, round by round."""
    woken, numbers = threading.Event(), itertools.count()
    engine = Engine(woken.set)

    def tokens_per_second(folder: Path, texts: int) -> float:
        counts = [Count() for _ in range(texts)]
        source = ModelSource(kind="folder", location=str(folder))
        started = time.process_time()
        for prompt, count in zip(PROMPTS, counts, strict=False):
            asked = {"prompt": prompt, "max_new_tokens": TOKENS, "temperature": 0, "top_p": 1.0, "device": "cpu"}
            engine.begin(Request(id=next(numbers), op="generate", model=source, **asked), count)  # type: ignore[arg-type]
        _write_all(engine, woken)
        assert [count.tokens for count in counts] == [TOKENS] * texts
        return texts * TOKENS / (time.process_time() - started)

    found: dict[tuple[str, int], list[float]] = {(arm, texts): [] for arm in arms for texts in (1, USERS)}
    for folder in arms.values():
        tokens_per_second(folder, 1)  # loads it
    for _ in range(ROUNDS):
        for (arm, texts), figures in found.items():
            figures.append(tokens_per_second(arms[arm], texts))
            print(arm, texts, f"{figures[-1]:.1f}", flush=True)
    engine.close()
    return found


def _write_all(engine: Engine, woken: threading.Event) -> None:
    while engine.busy or engine.state()["loading"]:
        if not engine.busy:
            woken.wait()
            woken.clear()
        engine.step()


def report(name: str, found: dict[tuple[str, int], list[float]]) -> str:
    def median(arm: str, texts: int) -> float:
        return statistics.median(found[arm, texts])

    rows = [
        f"| {arm} | {median(arm, 1):.1f} | {median(arm, USERS):.1f} | {median(arm, 1) / median(MERGED, 1):.2f}×"
        f" | {median(arm, USERS) / median(MERGED, USERS):.2f}× |"
        for arm in dict.fromkeys(arm for arm, _ in found)
    ]
    return "\n".join(
        [
            f"{origin('python -m tests.benchmarks.adapters', f'torch {torch.__version__}')}.",
            "",
            f"{name}, an adapter of rank {RANK} on all linear layers: {TOKENS} tokens after each prompt of 120 characters,"
            f" greedily, on one thread, by its processor time; medians of {ROUNDS} rounds, in which all take turns.",
            "",
            f"| model | tokens/s, one text | tokens/s, {USERS} texts | of the merged one's | with {USERS} |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


if __name__ == "__main__":
    main()
