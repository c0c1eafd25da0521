"""A disk that is really full, under a real run and a real server: a file system of a few megabytes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serving import Server
from worker.contract import decode

RUN = {"max_steps": 800, "batch_size": 1, "gradient_accumulation_steps": 1, "sample_prompts": [], "validation_split": 0}
RUN |= {"save_steps": 10_000, "max_length": 16}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "disk"
    path.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(path)]
    if sys.platform != "linux" or subprocess.run(mounted, capture_output=True).returncode:
        pytest.skip("only root on Linux can make a small disk; tests/worker/process/test_emitter.py makes one up")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def fill(disk: Path) -> Path:
    """Takes all the room there is."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 512, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return path


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, f"waited a minute in vain for {what}"
        time.sleep(0.05)  # nobody tells of what another process does to a file


def test_a_run_waits_for_space_and_the_server_says_what_to_free(
    start_server: Callable[..., Server], small_disk: Path
) -> None:
    server = start_server(data_dir=small_disk / "data")
    lines = {"file": ("short.txt", "The little fox went home.\nThe owl flew.\nA cat slept.\n" * 5)}
    dataset = server.client.post("/api/datasets", files=lines).json()["id"]
    ended = server.create(dataset=dataset, **RUN | {"max_steps": 1})["id"]
    assert server.end(ended)["status"] == "completed"
    run_id = server.create(dataset=dataset, **RUN)["id"]
    server.wait(run_id, lambda event: event["type"] == "step" and event["step"] >= 20)
    filler = fill(small_disk)
    log = small_disk / "data" / "runs" / run_id / "events.jsonl"
    until(lambda: b"The disk is full" in log.read_bytes(), "the run to say so")

    assert server.run(run_id)["status"] == "running"
    refused = server.client.post("/api/runs", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (507, "disk_full")
    assert str(small_disk) in refused.json()["error"]["message"]
    assert "runs" in refused.json()["error"]["hint"]
    upload = server.client.post("/api/datasets", files={"file": ("more.txt", "a line\n" * 100)})
    assert upload.status_code in (413, 507), upload.text
    renamed = server.client.patch(f"/api/runs/{run_id}", json={"name": "x" * 100, "notes": "n" * 10_000})
    assert renamed.status_code == 507
    length = log.stat().st_size
    assert server.client.delete(f"/api/runs/{ended}").status_code == 204, "room can be made from the page"
    assert server.client.get("/api/runs").json()["items"][0]["id"] == run_id

    filler.unlink()
    run = server.end(run_id)
    assert run["status"] == "completed"
    events = [decode(line) for line in log.read_bytes().splitlines()]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.step for event in events if event.type == "step"] == list(range(1, 801))
    told = [event["text"] for event in server.events(run_id) if event["type"] == "message"]
    assert any("The disk is full" in text for text in told)
    assert any("There is space again" in text for text in told)
    assert log.stat().st_size > length
