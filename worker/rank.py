"""One process of several that train one model, started by ``worker.launch``: ``python -m worker.rank RUN_DIR ENDS new|on``.

Leaves how it ended as ENDS/<rank>.json, for the process that started it to tell. Exit code 0: completed or stopped.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from worker.contract import EVENTS_FILE, JOB_FILE, Job, StatusEvent
from worker.control import StopSwitch
from worker.emitter import Emitter
from worker.errors import StopRequested, WorkerError
from worker.launch import before_training, die_with_parent
from worker.progress import Console


def main(run_dir: Path, ends: Path, going_on: bool) -> int:
    """Trains with the others and returns the exit code."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches all; the parent turns it into a stop
    rank = int(os.environ["RANK"])
    job = Job.model_validate_json((run_dir / JOB_FILE).read_bytes())
    report = _reporter(run_dir) if rank == 0 else _silent
    try:
        from worker.group import Group, SharedSwitch
        from worker.optimization import choose_device
        from worker.preparation import prepare

        wanted = job.config.device if job.device == "auto" else job.device
        device = choose_device(wanted, number=rank)
        group = Group.join(device)
        stop = SharedSwitch(StopSwitch(run_dir), group)
        trainer, resumed_step = prepare(job, run_dir, report, stop, going_on=going_on, group=group)
        end = trainer.train(resumed_step)
    except StopRequested:
        end = StatusEvent(phase="stopped", reason=before_training(going_on))
        (ends / f"{rank}.json").write_text(end.model_dump_json())
        return 1  # so that the others are ended
    except WorkerError as error:
        if error.__cause__ is not None:
            traceback.print_exc()
        end = StatusEvent(phase="failed", reason=error.reason, hint=error.hint)
    except Exception as error:  # noqa: BLE001 - the top of the program: a bug too ends in a terminal status
        traceback.print_exc()
        end = StatusEvent(phase="failed", reason=f"{type(error).__name__}: {error}", hint="The log has the details.")
    (ends / f"{rank}.json").write_text(end.model_dump_json())
    return 0 if end.phase in ("completed", "stopped") else 1


def _reporter(run_dir: Path) -> Any:
    emitter, console = Emitter(run_dir / EVENTS_FILE), Console()

    def report(event: Any) -> None:
        emitter.emit(event)
        console.show(event)

    return report


def _silent(event: Any) -> None:
    """What the others would say, the first one says."""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "on"))
