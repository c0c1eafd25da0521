"""``python -m worker RUN_DIR``: trains what RUN_DIR/config.json says. Exit code 0: completed or stopped; 1: failed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pydantic import ValidationError

from worker.contract import EVENTS_FILE, JOB_FILE, Job, StatusEvent
from worker.distributed.launch import train_on_several
from worker.errors import StopRequested, WorkerError
from worker.process import lock
from worker.process.control import StopSwitch
from worker.process.emitter import Emitter
from worker.process.reporting import failed, reporter, stopped_before_training
from worker.startup import before_torch


def main(arguments: list[str]) -> int:
    """Runs the job in the directory named by the one argument and returns the exit code."""
    if len(arguments) != 1:
        print("Usage: python -m worker RUN_DIR", file=sys.stderr)
        return 1
    run_dir = Path(arguments[0]).resolve()
    try:
        job = _read_job(run_dir)
        lock_fd = lock.take(run_dir)
        stop = StopSwitch(run_dir)
        emitter = _open_log(run_dir, stop)
    except WorkerError as error:
        print(error.reason, error.hint or "", file=sys.stderr)
        return 1
    try:
        return _run(job, run_dir, emitter, stop)
    finally:
        emitter.close()
        os.close(lock_fd)


def _read_job(run_dir: Path) -> Job:
    try:
        return Job.model_validate_json((run_dir / JOB_FILE).read_bytes())
    except FileNotFoundError:
        raise WorkerError(f"{run_dir} is not a run directory: it holds no {JOB_FILE}.") from None
    except ValidationError as error:
        raise WorkerError(f"{run_dir / JOB_FILE} is not a job: {error}") from None


def _open_log(run_dir: Path, stop: StopSwitch) -> Emitter:
    """The run's log. Raises WorkerError if the run has completed: there is nothing left to do."""
    emitter = Emitter(run_dir / EVENTS_FILE, stop.wait)
    if emitter.last is not None and emitter.last.type == "status" and emitter.last.phase == "completed":
        emitter.close()
        raise WorkerError(f"The run in {run_dir} has completed already.", "Start a new run with its settings.")
    return emitter


def _run(job: Job, run_dir: Path, emitter: Emitter, stop: StopSwitch) -> int:
    """Trains, and whatever happens makes a terminal status the log's last line."""
    going_on = emitter.last is not None or job.is_exact_fork
    report = reporter(emitter)
    stop.catch_signals()
    report(StatusEvent(phase="preparing"))
    before_torch()
    try:
        # Imported now because torch takes seconds to load, and the page should show "preparing" meanwhile.
        if job.config.devices > 1:
            try:
                end = train_on_several(job, run_dir, going_on, stop)
            finally:
                emitter.count_on()
        else:
            from worker.training.preparation import prepare

            trainer, resumed_step = prepare(job, run_dir, report, stop, going_on=going_on)
            end = trainer.train(resumed_step)
    except StopRequested:
        end = stopped_before_training(going_on)
    except KeyboardInterrupt:
        end = StatusEvent(phase="interrupted", reason="Aborted by a second Ctrl-C; what was not saved is lost.")
    except Exception as error:  # noqa: BLE001 - the top of the program: a bug too ends in a terminal status
        end = failed(error)
    report(end)
    return 0 if end.phase in ("completed", "stopped") else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
