"""``python -m worker.preflight.trial``: what a run will take, measured by the beginning of it, in a process of its own.

The protocol is that of ``worker.protocol``:

    {"id": 1, "op": "measure", "job": Job}

    {"id": 1, "event": "progress", "data": {"text"}}
    {"id": 1, "event": "done", "data": {"peak_memory_bytes", "step_seconds", "tokens_per_s",
        "evaluation_seconds", "total_seconds"}}

A run that does not fit is answered with an error of code ``out_of_memory``, and nobody else's memory is taken for it. The
worker's own Trainer trains a copy of the model on updates that the run would make: its heaviest and some usual ones.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.contract import DEFAULT_MAX_LENGTH, DatasetSource, Job, RunConfig
from worker.data.corpus import Corpus
from worker.devices.memory_limit import keep_to_what_is_free
from worker.errors import DeviceError, StopRequested, WorkerError
from worker.process import lock
from worker.process.control import StopSwitch
from worker.protocol import Reply, serve

if TYPE_CHECKING:
    from worker.preflight.passes import Passes
    from worker.training.setup import Setup

_CHARACTERS = 4_000_000
_HEAVIEST = 2  # times that the heaviest update is made, as what the optimizer remembers is there from the second on
_USUAL = 6  # updates after these
_SECONDS = 8.0  # after which no usual updates are begun
_NEVER = 10_000_000
_OF_A_TRIAL = {
    "on_oom": "fail", "compile": "off", "max_steps": _HEAVIEST + _USUAL, "early_stopping_patience": None,
    "log_steps": 1, "eval_steps": _NEVER, "save_steps": _NEVER, "sample_prompts": [],
}  # fmt: skip
_PREFIX = "trainboard-trial-"


class _Enough(Exception):  # noqa: N818 - not an error
    """All has been seen."""


class _Left(Exception):  # noqa: N818 - not an error
    """Nobody waits for the answer. StopRequested would have the Trainer save first."""


class _Switch(StopSwitch):
    """Says stop when the question is taken back."""

    def __init__(self, run_dir: Path, reply: Reply) -> None:
        super().__init__(run_dir)
        self._reply = reply

    def check(self) -> None:
        """Raises _Left if so."""
        if self._reply.is_cancelled():
            raise _Left


def answer(message: dict[str, Any], reply: Reply) -> None:
    """Answers one request. Raises WorkerError, StopRequested, or pydantic's ValidationError."""
    job = Job.model_validate(message["job"])
    from worker.devices.device import device_of
    from worker.devices.out_of_memory import is_out_of_memory, out_of_memory

    device, config = device_of(job), job.config
    keep_to_what_is_free()
    try:
        with _run_dir() as run_dir:
            reply.send("done", **_measure(job, run_dir, reply))
    except _Left:
        raise StopRequested from None
    except (RuntimeError, MemoryError, DeviceError) as error:
        if not is_out_of_memory(error) and not (error.__cause__ and is_out_of_memory(error.__cause__)):
            raise
        full = error
        if not isinstance(full, DeviceError):  # before the first pass
            full = out_of_memory(device, config, config.batch_size, config.max_length or DEFAULT_MAX_LENGTH)
        reply.send("error", code="out_of_memory", message=full.reason, hint=full.hint)


@contextmanager
def _run_dir() -> Iterator[Path]:
    """A run directory that is gone afterwards; so are then those of trials that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            fd = lock.take(left)
        except (WorkerError, OSError):  # it is in use, or not ours
            continue
        shutil.rmtree(left, ignore_errors=True)
        os.close(fd)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        fd = lock.take(Path(folder))
        try:
            yield Path(folder)
        finally:
            os.close(fd)


def _measure(job: Job, run_dir: Path, reply: Reply) -> dict[str, float]:
    """Trains for a few updates. Returns backend/schemas/preflight.py's Forecast."""
    from worker.devices.memory_usage import peak_memory_bytes
    from worker.preflight.passes import Passes, evaluations_of
    from worker.training.preparation import make_setup
    from worker.training.trainer import Trainer

    config = job.config
    watch = _Watch(reply, _Switch(run_dir, reply))
    trial = job.model_copy(update={"config": config.model_copy(update=_OF_A_TRIAL)})
    setup = make_setup(trial, run_dir, watch.say, watch.switch, None, most_characters=_CHARACTERS)
    window_size = config.batch_size * config.gradient_accumulation_steps
    steps = config.max_steps or config.num_epochs * math.ceil(len(setup.train) / window_size)
    further = tuple((examples, _share(_source(job, name), config)) for name, examples in setup.evaluation.items())
    sizes = setup.max_length, config.batch_size, window_size, steps, config.seed
    passes = Passes(setup.train, setup.validation, setup.layout, *sizes, further)
    windows = [passes.worst_window] * _HEAVIEST + passes.typical_windows(_USUAL)
    watch.cells = [passes.cells(window) for window in windows]
    trainer = Trainer(_shortened(setup, passes, windows), watch.report, watch.switch)
    with suppress(_Enough):
        trainer.train()
    if config.method == "lora" and setup.device.type == "cpu":
        _save_merged(setup, run_dir)
    step_seconds = watch.seconds_a_cell() * passes.mean.cells
    epoch_steps, total_steps, share = _length(job, len(passes.train))
    evaluations = evaluations_of(config, epoch_steps, total_steps)
    evaluation_seconds = passes.evaluation_seconds(evaluations, watch.seconds_a_cell(), share)
    return {
        "peak_memory_bytes": peak_memory_bytes(setup.device),
        "step_seconds": step_seconds,
        "tokens_per_s": passes.mean.targets / step_seconds,
        "evaluation_seconds": evaluation_seconds,
        "total_seconds": step_seconds * total_steps + evaluation_seconds,
    }


class _Watch:
    """Tells of the trial, times its updates, of which ``cells`` are known, and ends it when enough was seen."""

    def __init__(self, reply: Reply, switch: _Switch) -> None:
        self.switch = switch
        self.cells: list[int] = []
        self._reply = reply
        self._seconds: list[float] = []

    def say(self, text: str, level: str = "info") -> None:
        """Tells what is being done. Raises _Left."""
        self.switch.check()
        self._reply.send("progress", text=text)

    def report(self, event: Any) -> None:
        """Takes the Trainer's events. Raises _Enough, and _Left."""
        if event.type == "status" and event.phase == "evaluating":
            self.say("Evaluating the model on a few validation examples.")
        elif event.type == "message":
            self.say(event.text)
        elif event.type == "step":
            self._seconds.append(event.step_ms / 1000)
            self.say(f"Update {event.step} of {len(self.cells)} took {self._seconds[-1]:.2f} s.")
            late = len(self._seconds) >= _HEAVIEST and sum(self._seconds) > _SECONDS
            if late or len(self._seconds) == len(self.cells):
                raise _Enough

    def seconds_a_cell(self) -> float:
        """Over usual updates, or where there was no time for one, over the last of the heaviest; the first warms up."""
        first = _HEAVIEST if len(self._seconds) > _HEAVIEST else _HEAVIEST - 1
        return sum(self._seconds[first:]) / sum(self.cells[first : len(self._seconds)])


def _shortened(setup: Setup, passes: Passes, windows: list[list[int]]) -> Setup:
    """The ``setup`` with little to evaluate, and with examples of which a Trainer makes its updates of these ``windows``."""
    longest = np.argsort(-setup.validation.lengths, kind="stable")
    room = 2 * passes.batch_size * passes.max_length  # two passes
    few = longest[: int(np.searchsorted(np.cumsum(setup.validation.lengths[longest]), room)) + 1]
    setup = replace(setup, validation=setup.validation.taken(few), evaluation={})
    if len(windows[0]) < passes.window_size:
        return setup  # fewer examples than an update wants: each is of all there are
    wanted = [example for window in windows for example in window]
    from worker.data.batching import shuffled_windows

    numbers = np.zeros(len(wanted), dtype=np.int64)
    shuffled = next(shuffled_windows(len(wanted), len(wanted), passes.seed))
    numbers[shuffled] = wanted
    return replace(setup, train=setup.train.taken(numbers), counts=())


def _save_merged(setup: Setup, run_dir: Path) -> None:
    """As LoRA's result is saved, which takes memory. Other weights are written from where they are."""
    from worker.models import saving

    folder = run_dir / "merged"
    folder.mkdir()
    saving.write_model(setup.language_model, setup.job, None, folder)


def _length(job: Job, examples: int) -> tuple[int, int, float]:
    """Updates of an epoch and of the whole run, judged by the ``examples`` in the part of its text that was read, and which
    share of the text to test on that is."""
    config = job.config
    share = _share(job.dataset, config)
    window_size = config.window_size
    epoch_steps = math.ceil(examples / share / window_size)
    tested = _share(job.validation, config) if job.validation else share
    return epoch_steps, config.max_steps or config.num_epochs * epoch_steps, tested


def _share(source: DatasetSource, config: RunConfig) -> float:
    """How much of a file is read here, 1.0 being all."""
    return Corpus.read(source, 0, config.max_length, most_characters=_CHARACTERS).share


def _source(job: Job, name: str) -> DatasetSource:
    """The file of a further loss: of a dataset to evaluate on, or of what is mixed in."""
    return job.evaluation[name] if name in job.evaluation else job.mixture[name].source


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the run directory is removed
    sys.exit(serve(answer))
