"""Holds worker.lock for the worker's whole life, so that others can tell it is alive."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import psutil

from worker.contract import LOCK_FD_VARIABLE, LOCK_FILE, LockInfo
from worker.errors import WorkerError


def take(run_dir: Path) -> int:
    """Descriptor of the run's locked worker.lock, holding this process's LockInfo; closing it frees the run.

    Uses the descriptor the server hands over, which is locked already. Raises WorkerError if another process has it.
    """
    inherited = os.environ.pop(LOCK_FD_VARIABLE, None)
    fd = int(inherited) if inherited else os.open(run_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    os.set_inheritable(fd, False)  # a child that outlived the worker would hold the lock for it
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WorkerError(
            f"Another worker is training in {run_dir}.", "Wait for it, or stop it, before starting a second one there."
        ) from None
    info = LockInfo(pid=os.getpid(), started=psutil.Process().create_time())
    os.ftruncate(fd, 0)
    os.pwrite(fd, info.model_dump_json().encode(), 0)
    return fd
