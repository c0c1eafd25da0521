"""Runs that an earlier edition of the code began, with its modules in other places, go on under this one."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import ROOT, Server, workers
from worker.contract import decode

BEFORE_THE_ROOMS = "4feafd6"
LONG = {
    "max_steps": 600, "batch_size": 1, "gradient_accumulation_steps": 1, "save_steps": 40, "eval_steps": 200,
    "sample_prompts": [], "max_length": 16,
}  # fmt: skip
TEXT = "The little fox went home.\nThe owl flew off.\nA cat slept.\nThe dog sang a song.\n" * 10


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The code of that time, out of the project's history."""
    folder = tmp_path / "earlier"
    folder.mkdir()
    archive = subprocess.run(["git", "archive", BEFORE_THE_ROOMS, "backend", "worker"], cwd=ROOT, capture_output=True)
    if archive.returncode:
        pytest.skip("the project's history is not here")
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    return folder


@pytest.fixture
def server(earlier: Path, tmp_path: Path) -> Iterator[Server]:
    """A server of that code, with a dataset, which goes on as this one when it is started again."""
    server = type("Earlier", (Server,), {"root": earlier})(tmp_path / "data")
    server.root = ROOT
    yield server
    if server.process.poll() is None:
        server.stop()
    server.kill_workers()


def upgrade(earlier: Path) -> None:
    """The new code takes the old one's place, as where a checkout is pulled: a living worker finds its modules gone."""
    for package in ("backend", "worker"):
        shutil.rmtree(earlier / package)
        shutil.copytree(ROOT / package, earlier / package)


def begin(server: Server) -> str:
    dataset = server.client.post("/api/datasets", files={"file": ("short.txt", TEXT)}).json()["id"]
    run_id: str = server.create(dataset=dataset, **LONG)["id"]
    server.wait(run_id, lambda event: event["type"] == "checkpoint")
    return run_id


def is_whole(server: Server, run_id: str) -> None:
    """Every step was made once or, from a checkpoint on, again; no event is missing; the model is there."""
    log = (server.data_dir / "runs" / run_id / "events.jsonl").read_bytes().splitlines()
    assert [decode(line).seq for line in log] == list(range(1, len(log) + 1))
    steps = server.client.get(f"/api/runs/{run_id}/series?keys=loss&px=2000").json()["x"]
    assert steps == list(range(steps[0], LONG["max_steps"] + 1))
    answer = server.client.post("/api/generate", json={"model": f"run:{run_id}", "prompt": "The", "max_new_tokens": 3})
    assert answer.status_code == 200, answer.text


@pytest.mark.slow
def test_a_running_one_is_adopted_and_finishes(server: Server, earlier: Path) -> None:
    run_id = begin(server)
    (worker,) = workers(server.data_dir)
    server.stop(signal.SIGKILL)
    upgrade(earlier)
    server.start()
    server.wait(run_id, lambda event: event.get("fact") == "adopted")
    assert worker.is_running(), "it is still the worker of that time"
    assert server.end(run_id)["status"] == "completed"
    is_whole(server, run_id)


@pytest.mark.slow
def test_a_stopped_one_is_resumed(server: Server) -> None:
    run_id = begin(server)
    server.client.post(f"/api/runs/{run_id}/stop")
    stopped = server.end(run_id)
    assert stopped["status"] == "stopped"
    server.stop()
    server.start()
    assert server.client.post(f"/api/runs/{run_id}/resume").status_code == 202
    run = server.end(run_id)
    assert (run["status"], run["resumed_step"]) == ("completed", stopped["step"])
    messages = server.client.get(f"/api/runs/{run_id}/events?type=message").json()["items"]
    assert any("not bit for bit, because" in message["text"] and "another order" in message["text"] for message in messages)
    is_whole(server, run_id)


@pytest.mark.slow
def test_one_that_was_killed_goes_on_in_the_terminal(server: Server) -> None:
    run_id = begin(server)
    server.stop(signal.SIGKILL)
    server.kill_workers()
    directory = server.data_dir / "runs" / run_id
    done = subprocess.run(
        [sys.executable, "-m", "worker", str(directory)], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    server.start()
    assert server.run(run_id)["status"] in ("completed", "running")
    assert server.end(run_id)["status"] == "completed"
    is_whole(server, run_id)
