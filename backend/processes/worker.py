"""A worker as a process: start it, find it again after a restart, wait for its end, kill it.

Alive means: holds the lock on its run directory's worker.lock. The lock ends with the process, whatever ends it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from backend.settings import ROOT
from worker.contract import LOCK_FD_VARIABLE, LOCK_FILE, LOG_FILE

START_TOLERANCE_S = 2.0  # a start time is computed from the boot time, which moves a little when the clock is set


@dataclass
class WorkerProcess:
    """A worker that was alive when this was made. ``child`` is None for one that an earlier server started."""

    directory: Path
    pid: int | None
    started: float | None
    child: subprocess.Popen[bytes] | None = None

    @classmethod
    def spawn(cls, directory: Path, variables: dict[str, str]) -> WorkerProcess:
        """Start a worker in a session of its own, so that it outlives us; ``variables`` join its environment.

        Raises OSError.
        """
        lock = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            # Locked before the worker exists and inherited by it: there is no instant at which it lives unlocked.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with (directory / LOG_FILE).open("ab") as output:
                child = subprocess.Popen(
                    [sys.executable, "-m", "worker", str(directory)],
                    cwd=ROOT,  # where `-m worker` is found
                    env=environment() | variables | {LOCK_FD_VARIABLE: str(lock)},
                    pass_fds=(lock,),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        finally:
            os.close(lock)
        return cls(directory, child.pid, start_time(child.pid), child)

    @classmethod
    def adopt(cls, directory: Path, pid: int | None, started: float | None) -> WorkerProcess | None:
        """The living worker of a run directory, or None. ``pid`` and ``started`` are what is known of it."""
        return cls(directory, pid, started) if is_locked(directory) else None

    async def wait(self) -> int | None:
        """Wait for its end. The exit status, negative for a signal, or None if it was not our child."""
        descriptor = self._pidfd()
        if descriptor is None:
            while self._alive():  # noqa: ASYNC110  a process that is not ours gives no other sign here
                await asyncio.sleep(1)
        else:
            await _readable(descriptor)
        return self.child.wait() if self.child else None

    def kill(self) -> bool:
        """SIGKILL it, if the process with its id is still the same one."""
        if self.child:
            self.child.kill()
            return True
        if self.pid is None or not self._is_same():
            return False
        psutil.Process(self.pid).kill()
        return True

    def _alive(self) -> bool:
        return self.child.poll() is None if self.child else is_locked(self.directory)

    def _is_same(self) -> bool:
        started = start_time(self.pid) if self.pid else None
        return started is not None and self.started is not None and abs(started - self.started) < START_TOLERANCE_S

    def _pidfd(self) -> int | None:
        """A descriptor that becomes readable when the process ends; None where the system has no such thing."""
        if self.pid is None or not hasattr(os, "pidfd_open"):
            return None
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return None
        if self.child or self._is_same():
            return descriptor
        os.close(descriptor)
        return None


def environment() -> dict[str, str]:
    """Ours, for a process that has no business with the server's token."""
    return {name: value for name, value in os.environ.items() if name != "TRAINBOARD_TOKEN"}


def is_locked(directory: Path) -> bool:
    """Whether a living worker holds this run directory."""
    try:
        lock = os.open(directory / LOCK_FILE, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def start_time(pid: int) -> float | None:
    """When a process began, in seconds since 1970; None if there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def boot_id() -> str:
    """Differs after each start of the machine."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else str(round(psutil.boot_time()))


async def _readable(descriptor: int) -> None:
    """Wait until a descriptor can be read, then close it."""
    ready, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
