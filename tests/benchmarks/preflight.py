"""``make bench-preflight``: what a run takes, as the formula says, as a trial measures, and as it turns out.

Each of the three is a process of its own; for each model they take turns, round after round. Prints the figures and writes
their section of docs/benchmarks.md. With ``--gguf FILE`` that model is among them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch
import transformers

from backend.datasets.sample_corpus import sample_lines
from tests.benchmarks import training_task
from tests.benchmarks.document import origin, write_section
from tests.benchmarks.training_task import Task
from tests.worker import runs
from worker.contract import DatasetSource, Job, ModelSource, RunConfig

ROUNDS = 3

_SHORT = Task("GPT-2, 4 × 256, 8,192 tokens", "lines", 256, 4, 4, 8192, 512, 4, 4, updates=30, eval_every=15)
_LARGE = Task("GPT-2, 4 × 256, 50,257 tokens", "lines", 256, 4, 4, 50257, 512, 8, 1, updates=20, eval_every=10)
_LONG = Task("GPT-2, 4 × 256, 50,257 tokens, long", "documents", 256, 4, 4, 50257, 512, 8, 1, updates=6, eval_every=0)


class Figures(NamedTuple):
    """Of the process on a CPU, of the card on a GPU; the mean of the updates."""

    peak_memory_bytes: int
    step_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=Path, help="a model to fine-tune besides")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs = dict(models(Path(folder), arguments.gguf))
        found: dict[str, list[tuple[Figures, ...]]] = {name: [] for name in jobs}
        for number in range(arguments.rounds):
            for name, job in jobs.items():
                figures = formula(job), trial(job), real(job, Path(folder) / f"run-{len(found[name])}-{job.run_id}")
                found[name].append(figures)
                print(number + 1, name, *figures, flush=True)
    text = report(found, arguments.rounds)
    write_section("preflight", text)
    print(text)


def models(folder: Path, gguf: Path | None) -> Iterator[tuple[str, Job]]:
    """What is trained: built-in models, GPT-2 of two vocabularies, a Llama design, and ``gguf``, full and with LoRA."""
    sample = folder / "sample.txt"
    sample.write_text("\n".join(sample_lines()) + "\n", encoding="utf-8")
    for name, steps in (("tiny", 100), ("mini", 30)):
        yield (
            name,
            job(name, ModelSource(kind="built_in", location=name), sample, RunConfig(model_name=name, max_steps=steps)),
        )
    for number, task in enumerate((_SHORT, _LARGE, _LONG)):
        place = folder / f"task-{number}"
        training_task.write(task, place)
        config = task.config()
        source = ModelSource(kind="folder", location=str(place / training_task.MODEL_FOLDER))
        yield task.name, job(f"task-{number}", source, place / training_task.TEXT_FILE, config)
    llama(folder / "llama", folder / "task-0" / training_task.MODEL_FOLDER)
    config = RunConfig(
        from_scratch=True, max_steps=10, max_length=256, batch_size=4, validation_split=0.02, sample_prompts=[]
    )
    source = ModelSource(kind="folder", location=str(folder / "llama"))
    yield "Llama, 6 × 512", job("llama", source, sample, config)
    if gguf is not None:
        for method in ("full", "lora"):
            config = RunConfig(
                model_name="local:model", method=method, max_steps=20, max_length=256, gradient_accumulation_steps=1,
                validation_split=0.01, sample_prompts=[],
            )  # fmt: skip
            source = ModelSource(kind="gguf", location=str(gguf.resolve()))
            yield f"{gguf.stem}, {method}", job(method, source, sample, config)


def llama(folder: Path, tokenizer: Path) -> None:
    """Saves a Llama of 6 layers, 512 wide, that has another model's tokenizer."""
    words = transformers.AutoTokenizer.from_pretrained(tokenizer)
    config = transformers.LlamaConfig(
        vocab_size=len(words), hidden_size=512, intermediate_size=1408, num_hidden_layers=6, num_attention_heads=8,
        num_key_value_heads=4, max_position_embeddings=1024, bos_token_id=words.eos_token_id,
        eos_token_id=words.eos_token_id,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)


def job(name: str, model: ModelSource, text: Path, config: RunConfig) -> Job:
    """On the first GPU, else on the CPU."""
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    return Job(run_id=name, config=config, model=model, dataset=DatasetSource(path=str(text)), device=device)


def formula(job: Job) -> Figures:
    """In a fresh inspection process."""
    available = psutil.virtual_memory().available
    answer = ask("worker.inspection", {"op": "preflight", "memory_available_bytes": available}, job)["formula"]
    return Figures(answer["peak_memory_bytes"], answer["step_seconds"])


def trial(job: Job) -> Figures:
    """In a fresh trial."""
    answer = ask("worker.preflight.trial", {"op": "measure"}, job)
    return Figures(answer["peak_memory_bytes"], answer["step_seconds"])


def ask(module: str, request: dict[str, Any], job: Job) -> dict[str, Any]:
    """The data of the last answer. Raises RuntimeError if it is not ``done``."""
    line = json.dumps({"id": 1, "job": job.model_dump(mode="json"), **request}) + "\n"
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, cwd=runs.ROOT, input=line, capture_output=True, text=True, check=True)
    last = json.loads(done.stdout.splitlines()[-1])
    if last["event"] != "done":
        raise RuntimeError(f"{module} answered {last}")
    data: dict[str, Any] = last["data"]
    return data


def real(job: Job, run_dir: Path) -> Figures:
    """The run itself, in a fresh worker."""
    run_dir.mkdir()
    (run_dir / "config.json").write_text(job.model_dump_json())
    if runs.start(run_dir).wait():
        raise RuntimeError(runs.log(run_dir))
    end = runs.events(run_dir, "status")[-1]
    return Figures(end.peak_memory_bytes, end.step_seconds)


def report(found: dict[str, list[tuple[Figures, ...]]], rounds: int) -> str:
    """Markdown."""
    rows = "\n".join(_row(name, figures) for name, figures in found.items())
    versions = f"torch {torch.__version__}", f"transformers {transformers.__version__}"
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU used"
    return f"""## Preflight

{origin("make bench-preflight", *versions, gpu)}.

What a run is said to take before it starts, and what it took. The formula computes it from the model's design, the lengths
of the run's own examples and how fast this machine multiplies; the trial trains a few of the run's own updates. Each is a
process of its own; they take turns with the real run, {rounds} rounds, and a figure is the median. Ratios are to the real
run, the median of the rounds' own, in brackets the lowest and the highest. Memory is the process's most; time is the mean of
an update. On the same machine other work makes times unsteady, and memory hardly.

| model | memory | formula | trial | time an update | formula | trial |
|---|---|---|---|---|---|---|
{rows}
"""


def _row(name: str, rounds: list[tuple[Figures, ...]]) -> str:
    memory = statistics.median(real.peak_memory_bytes for *_, real in rounds) / 1e6
    seconds = statistics.median(real.step_seconds for *_, real in rounds)
    cells = [name, f"{memory:,.0f} MB", *_ratios(rounds, 0), f"{seconds:.2f} s", *_ratios(rounds, 1)]
    return f"| {' | '.join(cells)} |"


def _ratios(rounds: list[tuple[Figures, ...]], place: int) -> Iterator[str]:
    """Of the formula and of the trial to the real run, in the figure at ``place``."""
    for arm in (0, 1):
        ratios = [figures[arm][place] / figures[-1][place] for figures in rounds]
        yield f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


if __name__ == "__main__":
    main()
