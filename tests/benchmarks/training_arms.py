"""Runs one arm of the training benchmark in a process of its own and measures it from outside, through its events."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks import training_task
from tests.benchmarks.training_task import MODEL_FOLDER, TEXT_FILE, Task
from worker.contract import (
    CHECKPOINTS_DIR,
    EVENTS_FILE,
    JOB_FILE,
    LOG_FILE,
    MODEL_DIR,
    TOKENS_DIR,
    DatasetSource,
    Job,
    ModelSource,
    decode,
)

ROOT = Path(__file__).parents[2]
OURS = "ours"
LONGEST_S = 3600
_LOOK_EVERY_S = 0.02
_WARM_UP = 4  # one update in so many, the first ones, does not count for tokens/s


class ArmError(Exception):
    """The arm did not end well; the text says how."""


@dataclass(frozen=True)
class Result:
    """What one run of an arm gave. Bytes are of RAM without a GPU, else of the card's memory.

    ``losses``: (seconds of training so far, validation loss) of each evaluation. ``tokens_per_s`` counts trained tokens.
    ``step_share``: what the arm's own step times add up to, as a share of the seconds. ``precision`` is fp32 or bf16.
    """

    seconds: float
    updates: int
    tokens: int
    tokens_per_s: float
    losses: list[tuple[float, float]]
    bytes_before: int
    bytes_peak: int
    step_share: float
    precision: str = "fp32"

    def seconds_to(self, target: float) -> float | None:
        """Training time until the loss first was ``target``, on a line between the evaluations around it."""
        for (before, above), (after, loss) in zip(self.losses, self.losses[1:], strict=False):
            if loss <= target:
                return before if above <= target else before + (after - before) * (above - target) / (above - loss)
        return None


def run(arm: str, folder: Path, run_dir: Path, variant: str) -> Result:
    """Trains the task in ``folder`` by ``arm`` and measures. Raises ArmError if the arm fails or never ends."""
    run_dir.mkdir(parents=True)
    card_before = card_memory()
    with (run_dir / LOG_FILE).open("w") as log:
        process = subprocess.Popen(
            _command(arm, folder, run_dir, variant),
            cwd=ROOT,
            env={"GOMP_SPINCOUNT": "3000", **os.environ},  # the worker's own choice; without it a busy core halts the others
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        memory = _Memory(process.pid, run_dir / EVENTS_FILE, card_before)
        memory.start()
        try:
            code = process.wait(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            raise ArmError(f"did not end within {LONGEST_S / 60:.0f} minutes") from None
        finally:
            memory.stop()
            if process.returncode is None:
                process.kill()
                process.wait()
    if code != 0:
        raise ArmError(_last_words(run_dir))
    return _measure(_events(run_dir / EVENTS_FILE), memory)


def _command(arm: str, folder: Path, run_dir: Path, variant: str) -> list[str]:
    if arm != OURS:
        return [sys.executable, "-m", "tests.benchmarks.training_peers", arm, str(folder), str(run_dir), variant]
    job = Job(
        run_id=run_dir.name,
        config=training_task.read(folder).config(),
        model=ModelSource(kind="folder", location=str(folder / MODEL_FOLDER)),
        dataset=DatasetSource(path=str(folder / TEXT_FILE)),
    )
    (run_dir / JOB_FILE).write_text(job.model_dump_json())
    return [sys.executable, "-m", "worker", str(run_dir)]


def _last_words(run_dir: Path) -> str:
    """The reason in the last event, or what the process printed last."""
    events = _events(run_dir / EVENTS_FILE)
    reason = events[-1].reason if events and events[-1].type == "status" else None
    printed = (run_dir / LOG_FILE).read_text(errors="replace").strip().splitlines()
    return reason or (printed[-1] if printed else "ended without a word")


def _events(path: Path) -> list[Any]:
    if not path.exists():
        return []
    return [decode(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def _measure(events: list[Any], memory: _Memory) -> Result:
    """Reads a finished run's events. The clock runs in the phase ``training`` only."""
    clock = step_s = 0.0
    phase, last, precision = "", _seconds(events[0]), "fp32"
    steps: list[tuple[float, int]] = []
    losses: list[tuple[float, float]] = []
    for event in events:
        moment = _seconds(event)
        if phase == "training":
            clock += moment - last
        last = moment
        if event.type == "status":
            phase, precision = event.phase, event.precision or precision
        elif event.type == "step":
            steps.append((clock, event.tokens))
            step_s += event.step_ms / 1000
        elif event.type == "evaluation" and event.loss is not None:
            losses.append((clock, event.loss))
    if len(steps) < 2:
        raise ArmError("made fewer than two updates")
    (began, tokens_before), (ended, tokens) = steps[len(steps) // _WARM_UP], steps[-1]
    speed = (tokens - tokens_before) / (ended - began)
    return Result(clock, len(steps), tokens, speed, losses, memory.before, memory.peak, step_s / clock, precision)


def _seconds(event: Any) -> float:
    return datetime.fromisoformat(event.time.replace("Z", "+00:00")).timestamp()


def card_memory() -> int | None:
    """Bytes in use on the first GPU, by whomever; None if nvidia-smi is not there."""
    command = ["nvidia-smi", "--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) * 2**20
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


class _Memory(threading.Thread):
    """Watches a process: ``before`` is what it has when training begins, ``peak`` the most it has while training.

    Looks 50 times a second at its resident memory, or at the GPU as often as nvidia-smi answers.
    """

    def __init__(self, pid: int, log: Path, card_before: int | None) -> None:
        super().__init__(daemon=True)
        self._process, self._log, self._card_before = psutil.Process(pid), log, card_before
        self._ended = threading.Event()
        self._read = 0
        self._phase = ""
        self.before = self.peak = 0

    def run(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            self._follow_phase()
            if self._phase == "training":
                now = self._used()
                self.before = self.before or now
                self.peak = max(self.peak, now)

    def stop(self) -> None:
        """Ends the watch."""
        self._ended.set()
        self.join()

    def _used(self) -> int:
        if self._card_before is not None:
            return (card_memory() or 0) - self._card_before
        try:
            return int(self._process.memory_info().rss)
        except psutil.NoSuchProcess:
            return 0

    def _follow_phase(self) -> None:
        if not self._log.exists() or self._log.stat().st_size == self._read:
            return
        with self._log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines(keepends=True):
            event = decode(line)
            if event.type == "status":
                self._phase = event.phase


def check_loss(folder: Path, run_dir: Path, reported: float) -> float:
    """How far the worker's last validation loss is from the shared function's, on the model it saved; relative."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    task: Task = training_task.read(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder / MODEL_FOLDER)
    model = AutoModelForCausalLM.from_pretrained(run_dir / MODEL_DIR, dtype=torch.float32)
    if torch.cuda.is_available():
        model = model.to("cuda")
    _, test = training_task.examples(task, folder, tokenizer)
    return abs(training_task.validation_loss(model, test, tokenizer.pad_token_id) / reported - 1)


def forget(run_dir: Path) -> None:
    """Frees the disk of what a measured run saved."""
    for name in (CHECKPOINTS_DIR, MODEL_DIR, TOKENS_DIR):
        shutil.rmtree(run_dir / name, ignore_errors=True)
