"""Real short runs for the coach: each is described by a Spec, made once, and its log kept."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks import coach_plants
from tests.benchmarks.coach_data import KINDS
from tests.worker.runs import ROOT
from worker.contract import EVENTS_FILE, JOB_FILE, MODEL_DIR, DatasetSource, Job, ModelSource, Reading, RunConfig

READINGS = {
    "completions": Reading(kind="completion", prompt="prompt", completion="completion"),
    "answers": Reading(kind="completion", prompt="prompt", completion="completion"),
    "chats": Reading(kind="chat", messages="messages"),
}
_TEXTS = Reading(kind="text", text="text")

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    ["tests.benchmarks.coach_runs", "worker.training.trainer", "transformers.models.gpt2.modeling_gpt2"]
)


@dataclass(frozen=True)
class Spec:
    """A run: ``rows`` rows of a ``kind`` of data, changed by the plants of these names in data and in the worker."""

    name: str
    seed: int
    kind: str
    rows: int
    config: dict[str, Any] = field(hash=False)
    model: str = "tiny"
    changed: str | None = None
    planted: str | None = None

    @property
    def key(self) -> str:
        """The same for the same run."""
        return f"{self.name}-{self.seed}-{hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:8]}"


def log_of(spec: Spec, logs: Path) -> Path:
    """The folder with the run's config.json and events.jsonl, which is made if it is not there."""
    kept = logs / spec.key
    if not (kept / EVENTS_FILE).exists():
        with tempfile.TemporaryDirectory() as folder:
            run_dir = _prepare(spec, Path(folder), logs)
            _train(run_dir, spec.planted)
            kept.mkdir(parents=True, exist_ok=True)
            shutil.copy(run_dir / JOB_FILE, kept)
            shutil.copy(run_dir / EVENTS_FILE, kept)
    return kept


def events(kept: Path) -> Iterator[dict[str, Any]]:
    """A log's events as JSON."""
    with (kept / EVENTS_FILE).open(encoding="utf-8") as log:
        yield from map(json.loads, log)


def config(kept: Path) -> dict[str, Any]:
    """The run's configuration as JSON."""
    found: dict[str, Any] = json.loads((kept / JOB_FILE).read_text())["config"]
    return found


def _prepare(spec: Spec, folder: Path, logs: Path) -> Path:
    """A run directory whose worker has not been started."""
    draw = random.Random(f"{spec.kind} {spec.seed}")
    rows = KINDS[spec.kind](draw, spec.rows)
    tested = None
    if spec.changed:
        rows, tested = coach_plants.DATA[spec.changed](rows, draw)
    reading = READINGS.get(spec.kind, _TEXTS)
    location = spec.model if spec.model in ("tiny", "mini") else str(_base(logs))
    job = Job(
        run_id=spec.key,
        config=RunConfig(**{"sample_prompts": [], "save_steps": 10_000, **spec.config}),
        model=ModelSource(kind="built_in" if spec.model == location else "folder", location=location),
        dataset=_source(folder / "rows.jsonl", rows, reading),
        validation=None if tested is None else _source(folder / "tested.jsonl", tested, reading),
        device="cpu",
    )
    run_dir = folder / "run"
    run_dir.mkdir()
    (run_dir / JOB_FILE).write_text(job.model_dump_json())
    return run_dir


def _source(path: Path, rows: list[dict[str, Any]], reading: Reading) -> DatasetSource:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return DatasetSource(path=str(path), format="jsonl", reading=reading)


def _base(logs: Path) -> Path:
    """A model of its own that has learned the library's sentences, to be tuned from."""
    kept = logs / "base"
    if not kept.exists():
        settings = {"max_steps": 250, "batch_size": 8, "gradient_accumulation_steps": 1, "max_length": 64}
        with tempfile.TemporaryDirectory() as folder:
            run_dir = _prepare(Spec("base", 0, "prose", 2000, settings), Path(folder), logs)
            _train(run_dir, None)
            shutil.copytree(run_dir / MODEL_DIR, kept)
    return kept


def _train(run_dir: Path, planted: str | None) -> None:
    process = _forks.Process(target=_work, args=(run_dir, planted))
    process.start()
    process.join()
    if not (run_dir / EVENTS_FILE).exists():
        raise RuntimeError((run_dir / "worker.log").read_text())


def _work(run_dir: Path, planted: str | None) -> None:
    from worker.__main__ import main

    os.chdir(ROOT)
    with (run_dir / "worker.log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    if planted:
        coach_plants.WORKER[planted]()
    sys.exit(main([str(run_dir)]))
