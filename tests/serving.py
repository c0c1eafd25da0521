"""A real server, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
from httpx_sse import connect_sse

ROOT = Path(__file__).parent.parent


class Server:
    """``trainboard serve`` on a free port. ``url`` and ``client`` are of the process that runs now, ``root`` is its code."""

    root = ROOT

    def __init__(self, data_dir: Path, environment: dict[str, str] | None = None, *flags: str) -> None:
        self.data_dir = data_dir
        # One thread per worker: several share the cores of the machine that runs the tests. No hub, no cache of one's own.
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TRAINBOARD_")},
            "OMP_NUM_THREADS": "1",
            "HF_HOME": str(data_dir.parent / "hf"),
            "HF_HUB_OFFLINE": "1",
            **(environment or {}),
        }
        self._flags = flags
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend", "serve", "--port", "0", "--data-dir", str(self.data_dir), *self._flags],
            cwd=self.root,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout
        first = self.process.stdout.readline()
        assert first.startswith("Trainboard: "), first + self.process.stdout.read()
        self.url = first.split()[1]
        self.output: list[str] = []
        threading.Thread(target=self.output.extend, args=(self.process.stdout,), daemon=True).start()
        self.client = httpx.Client(base_url=self.url, timeout=60)
        assert self.client.get("/api/health").status_code in (200, 401)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the server, but not its workers; its exit status."""
        self.client.close()
        self.process.send_signal(how)
        return self.process.wait(timeout=30)

    def create(self, **config: Any) -> dict[str, Any]:
        """A new run. Raises if it is refused."""
        response = self.client.post("/api/runs", json=config)
        assert response.status_code == 201, response.text
        return response.json()

    def run(self, run_id: str) -> dict[str, Any]:
        return self.client.get(f"/api/runs/{run_id}").json()

    def events(self, run_id: str, after: int = 0) -> Iterator[dict[str, Any]]:
        """The run's stream after a cursor, to its end; each with its SSE ``id`` and ``event``, for checking them."""
        return self.stream(f"/api/runs/{run_id}/stream?after={after}")

    def stream(self, path: str, headers: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
        client = httpx.Client(base_url=self.url, timeout=120)
        with client, connect_sse(client, "GET", path, headers=headers or {}) as source:
            source.response.raise_for_status()
            for message in source.iter_sse():
                if message.event == "end":
                    return
                if not message.data or message.event == "machine":
                    continue  # a heartbeat
                yield {**message.json(), "sse_id": message.id, "sse_event": message.event}
        raise AssertionError("the stream broke off without an end event")

    def generate(self, **request: Any) -> list[tuple[str, dict[str, Any]]]:
        """The events of POST /api/generate."""
        client = httpx.Client(base_url=self.url, timeout=120)
        with client, connect_sse(client, "POST", "/api/generate", json=request) as source:
            return [(message.event, message.json()) for message in source.iter_sse()]

    def wait(self, run_id: str, until: Callable[[dict[str, Any]], bool], after: int = 0) -> dict[str, Any]:
        """The first event of the run after a cursor for which ``until`` holds, from its stream."""
        for event in self.events(run_id, after):
            if until(event):
                return event
        raise AssertionError(f"the run ended first: {self.run(run_id)}")

    def end(self, run_id: str) -> dict[str, Any]:
        """The run once it has ended."""
        for _ in self.events(run_id):
            pass
        return self.run(run_id)

    def kill_workers(self) -> None:
        for process in workers(self.data_dir):
            process.kill()


def workers(data_dir: Path) -> list[psutil.Process]:
    """The living workers of a data directory."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        if command[1:3] == ["-m", "worker"] and command[3].startswith(str(data_dir)) and process.info["status"] != "zombie":
            found.append(process)
    return found


def worker_of(server: Server, run_id: str) -> psutil.Process:
    """The process of a run, once it is there."""
    while True:
        for process in workers(server.data_dir):
            if run_id in process.cmdline()[3]:
                return process


def pretend_gpus(folder: Path, number: int) -> dict[str, str]:
    """An environment in which nvidia-smi, a program in ``folder``, tells of so many GPUs."""
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir()
    lines = "".join(f"{n}, GPU-{n}, Pretended, 8192\\n" for n in range(number))
    program.write_text(f"#!/bin/sh\nprintf '{lines}'\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}
