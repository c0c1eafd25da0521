"""Run directories and small models for the worker's tests."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from watchfiles import watch

from worker.contract import Control, DatasetSource, Job, MixedDataset, ModelSource, RunConfig, decode

ROOT = Path(__file__).parents[2]


def make_run(
    run_dir: Path,
    dataset: Path,
    model: ModelSource | None = None,
    mixture: dict[str, MixedDataset] | None = None,
    **config: Any,
) -> Path:
    """A run directory with its config.json, and nothing else."""
    run_dir.mkdir()
    source = model or ModelSource(kind="built_in", location="tiny")
    job = Job(
        run_id=run_dir.name,
        config=RunConfig(**config),
        model=source,
        dataset=DatasetSource(path=str(dataset)),
        mixture=mixture or {},
        device="cpu",
    )
    (run_dir / "config.json").write_text(job.model_dump_json())
    return run_dir


def start(run_dir: Path, **environment: str) -> subprocess.Popen[str]:
    """A worker for ``run_dir`` in a process of its own; its output goes to worker.log."""
    with (run_dir / "worker.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "worker", str(run_dir)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )


_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.worker.runs", "worker.training.trainer", "transformers.models.gpt2.modeling_gpt2"])


class Forked:
    """A worker as ``start`` starts it, but forked off a process that has loaded torch: loading it takes three seconds."""

    def __init__(self, run_dir: Path) -> None:
        self._process = _forks.Process(target=_work, args=(run_dir, dict(os.environ)))
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Unless it has ended."""
        if self.pid and self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, timeout: float = 240) -> int:
        """The exit code, once it has ended; that of a signal is negative."""
        self._process.join(timeout)
        code = self._process.exitcode
        assert code is not None, f"still going on after {timeout} s"
        return code


def _work(run_dir: Path, environment: dict[str, str]) -> None:
    from worker.__main__ import main

    os.chdir(ROOT)
    os.environ.update(environment)
    with (run_dir / "worker.log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.exit(main([str(run_dir)]))


def run(run_dir: Path) -> int:
    """Runs a worker to its end and returns its exit code."""
    return Forked(run_dir).wait()


def events(run_dir: Path, kind: str | None = None) -> list[Any]:
    """The run's events, each checked against the contract; those of one type if ``kind`` is given."""
    lines = (run_dir / "events.jsonl").read_bytes().splitlines(keepends=True)
    found = [decode(line) for line in lines if line.endswith(b"\n")]
    return [event for event in found if kind in (None, event.type)]


def wait_for(run_dir: Path, text: str) -> None:
    """Returns as soon as the run's log holds ``text``."""
    path = run_dir / "events.jsonl"
    for _ in watch(run_dir, rust_timeout=200, yield_on_timeout=True, debounce=20, step=10):
        if path.exists() and text in path.read_text():
            return


def ask(run_dir: Path, command: str) -> None:
    """Writes control.json as the server does: it appears whole."""
    aside = run_dir / "control.tmp"
    aside.write_text(Control(command=command).model_dump_json())
    aside.rename(run_dir / "control.json")


def log(run_dir: Path) -> str:
    """What the worker printed."""
    return (run_dir / "worker.log").read_text()


def manifest(folder: Path) -> dict[str, Any]:
    """The files a checkpoint says it has."""
    files: dict[str, Any] = json.loads((folder / "manifest.json").read_text())["files"]
    return files
