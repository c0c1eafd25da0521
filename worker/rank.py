"""One process of several that train one model: ``python -m worker.rank RUN_DIR ENDS new|on``.

Started by ``worker.distributed.launch``.

Leaves how it ended as ENDS/<rank>.json, for the process that started it to tell. Exit code 0: completed or stopped.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from worker.contract import EVENTS_FILE, JOB_FILE, Job
from worker.distributed.launch import die_with_parent
from worker.errors import StopRequested
from worker.process.control import StopSwitch
from worker.process.emitter import Emitter
from worker.process.reporting import failed, reporter, stopped_before_training
from worker.startup import before_torch


def main(run_dir: Path, ends: Path, going_on: bool) -> int:
    """Trains with the others and returns the exit code."""
    die_with_parent()
    before_torch()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches all; the parent turns it into a stop
    rank = int(os.environ["RANK"])
    job = Job.model_validate_json((run_dir / JOB_FILE).read_bytes())
    switch = StopSwitch(run_dir)
    report = reporter(Emitter(run_dir / EVENTS_FILE, switch.wait)) if rank == 0 else _silent
    try:
        from worker.devices.device import device_of
        from worker.distributed.group import Group, SharedSwitch
        from worker.training.preparation import prepare

        group = Group.join(device_of(job, rank))
        stop = SharedSwitch(switch, group)
        trainer, resumed_step = prepare(job, run_dir, report, stop, going_on=going_on, group=group)
        end, code = trainer.train(resumed_step), 0
        group.leave()
    except StopRequested:
        end, code = stopped_before_training(going_on), 1  # so that the others are ended
    except Exception as error:  # noqa: BLE001 - the top of the program: a bug too ends in a terminal status
        end, code = failed(error), 1
    (ends / f"{rank}.json").write_text(end.model_dump_json())
    return code


def leave(status: int) -> NoReturn:
    """Ends this process: a thread of gloo that is still there when the interpreter is taken down would abort it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _silent(event: Any) -> bool:
    """What the others would say, the first one says."""
    return False


if __name__ == "__main__":
    leave(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "on"))
