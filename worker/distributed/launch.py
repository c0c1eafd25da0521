"""Starts a run on several devices: one process for each under torchrun's agent, and one outcome for all of them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from worker.contract import CONTROL_FILE, Control, Job, StatusEvent
from worker.process.control import StopSwitch

_RANK = "worker.rank"
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG in Linux's prctl.h


def train_on_several(job: Job, run_dir: Path, going_on: bool, stop: StopSwitch) -> StatusEvent:
    """Trains ``job`` with ``job.config.devices`` processes and returns the terminal status, when the last has ended.

    They append the events; this process must not until then. SIGTERM and Ctrl-C here ask them for a stop.
    Raises StopRequested if ``stop`` had heard of one before.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    asked = threading.Event()

    def ask_for_stop(number: int, frame: FrameType | None) -> None:
        asked.set()
        _ask_for_stop(run_dir)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C aborts

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_for_stop)
    stop.check()  # a signal may have come before
    # Each process would take all the cores for itself otherwise.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // job.config.devices)))
    with tempfile.TemporaryDirectory() as ends:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=job.config.devices,
            run_id=job.run_id,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,  # a person decides about that: the run can be retried
            signals_to_handle="SIGQUIT",
            logs_specs=DefaultLogsSpecs(log_dir=ends),
        )
        try:
            elastic_launch(config, sys.executable)("-m", _RANK, str(run_dir), ends, "on" if going_on else "new")
        except ChildFailedError as error:
            return _first_failure(Path(ends), error)
        finally:
            if asked.is_set():  # else the next worker would stop at once
                (run_dir / CONTROL_FILE).unlink(missing_ok=True)
        return StatusEvent.model_validate_json((Path(ends) / "0.json").read_bytes())


def _ask_for_stop(run_dir: Path) -> None:
    """As the server does it: by a file that appears whole."""
    aside = run_dir / f"{CONTROL_FILE}.tmp"
    aside.write_text(Control(command="stop").model_dump_json())
    aside.rename(run_dir / CONTROL_FILE)


def _first_failure(ends: Path, error: Any) -> StatusEvent:
    """What went wrong first: the others fail for want of the one that did."""
    for rank, failure in error.failures.items():
        if failure.exitcode < 0 and not (ends / f"{rank}.json").exists():
            return StatusEvent(
                phase="failed",
                reason=f"The process of device {rank} was killed by signal {-failure.exitcode}.",
                hint="Signal 9 often means that the machine's memory was full. Retry goes on from the last checkpoint.",
            )
    for path in sorted(ends.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
        end = StatusEvent.model_validate_json(path.read_bytes())
        if end.phase in ("failed", "stopped"):
            return end
    return StatusEvent(phase="failed", reason="A device's process ended without a word.", hint="The log may tell more.")


def die_with_parent() -> None:
    """Has Linux kill this process when its parent dies, so that killing a run kills all of it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
