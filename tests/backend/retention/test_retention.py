"""What takes the disk is told and freed: by people, by age, and by a quota; never what a run still needs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio import (
    from_thread,  # noqa: F401 - what the sweeper runs in
    to_thread,
)

from backend.datasets.store import Datasets
from backend.db.database import Database
from backend.disk_space import Reserve
from backend.retention.sweeper import RetentionSweeper
from backend.schemas.disk import Retention
from backend.settings import Settings
from tests.serving import Server

SETTINGS = {
    "model_name": "tiny", "device": "cpu", "max_steps": 6, "save_steps": 1, "eval_steps": 2, "keep_checkpoints": 4,
    "sample_prompts": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("retention") / "data")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def finished(server: Server) -> dict[str, Any]:
    """A run with checkpoints of four updates, of which the last is the best."""
    made = server.create(**SETTINGS)
    list(server.events(made["id"]))
    return server.run(made["id"])


@pytest.fixture
def run(server: Server, finished: dict[str, Any]) -> dict[str, Any]:
    """As it ended, also after a test has freed some of it."""
    folder, kept = directory(server, finished["id"]), server.data_dir.parent / "kept"
    if not kept.exists():
        shutil.copytree(folder, kept)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(kept, folder)
    return finished


def directory(server: Server, run_id: str) -> Path:
    return server.data_dir / "runs" / run_id


def saved(server: Server, run_id: str) -> list[str]:
    return sorted(path.name for path in (directory(server, run_id) / "checkpoints").iterdir())


def item(server: Server, run_id: str) -> dict[str, Any]:
    (found,) = [each for each in server.client.get("/api/disk").json()["items"] if each["id"] == run_id]
    return dict(found)


def test_what_takes_the_disk_adds_up(server: Server, run: dict[str, Any]) -> None:
    usage = server.client.get("/api/disk").json()
    assert usage["data_bytes"] == sum(each["bytes"] for each in usage["items"])
    everything = sum(path.lstat().st_blocks * 512 for path in [server.data_dir, *server.data_dir.rglob("*")])
    assert usage["data_bytes"] == pytest.approx(everything, rel=0.05)  # the database grows meanwhile
    own = item(server, run["id"])
    assert 0 < own["freeable_bytes"] < own["checkpoints_bytes"] < own["bytes"]
    sizes = [each["bytes"] for each in usage["items"]]
    assert sizes == sorted(sizes, reverse=True)


def test_what_nothing_goes_on_from_is_freed(server: Server, run: dict[str, Any]) -> None:
    assert saved(server, run["id"]) == [f"step-{step:06}" for step in (3, 4, 5, 6)]
    expected = item(server, run["id"])["freeable_bytes"]
    freed = server.client.post(f"/api/runs/{run['id']}/free").json()
    assert freed == {"checkpoints": [f"step-{step:06}" for step in (3, 4, 5)], "bytes": expected}
    assert saved(server, run["id"]) == ["step-000006"], "the best one"
    assert (directory(server, run["id"]) / "model" / "model.safetensors").exists()
    facts = server.client.get(f"/api/runs/{run['id']}/events", params={"type": "server"}).json()["items"]
    assert facts[-1]["fact"] == "freed"
    assert "step-000003, step-000004, step-000005" in facts[-1]["reason"]
    assert facts[-1]["status"] == "completed"
    assert not list((server.data_dir / "runs").glob(".deleted-*"))
    assert server.client.post(f"/api/runs/{run['id']}/free").json() == {"checkpoints": [], "bytes": 0}
    again = server.client.get(f"/api/runs/{run['id']}/events", params={"type": "server"}).json()["items"]
    assert len(again) == len(facts), "nothing is told of nothing"


def test_a_stopped_run_can_still_go_on(server: Server) -> None:
    made = server.create(**{**SETTINGS, "max_steps": 100_000, "eval_steps": None})
    for event in server.events(made["id"]):
        if event["type"] == "checkpoint" and event["step"] >= 4:
            break
    assert server.client.post(f"/api/runs/{made['id']}/free").status_code == 409, "it is running"
    server.client.post(f"/api/runs/{made['id']}/stop")
    list(server.events(made["id"]))
    before = saved(server, made["id"])
    server.client.post(f"/api/runs/{made['id']}/free").raise_for_status()
    assert saved(server, made["id"])[-1] == before[-1]
    assert len(before) > 1
    server.client.post(f"/api/runs/{made['id']}/resume").raise_for_status()
    for event in server.events(made["id"]):
        if event["type"] == "status" and event.get("resumed_step"):
            assert event["resumed_step"] == int(before[-1].rpartition("-")[2])
            break
    server.client.post(f"/api/runs/{made['id']}/stop")
    list(server.events(made["id"]))
    server.client.delete(f"/api/runs/{made['id']}").raise_for_status()


def test_a_run_that_another_builds_on_keeps_all(server: Server, run: dict[str, Any]) -> None:
    other = server.create(**{**SETTINGS, "model_name": f"run:{run['id']}@step-000004", "max_steps": 100_000})
    refused = server.client.post(f"/api/runs/{run['id']}/free")
    assert refused.status_code == 409
    assert other["name"] in refused.json()["error"]["message"]
    assert len(saved(server, run["id"])) == 4
    server.client.post(f"/api/runs/{other['id']}/stop")
    list(server.events(other["id"]))
    server.client.delete(f"/api/runs/{other['id']}").raise_for_status()


def test_rules_are_kept_and_bad_ones_are_not(server: Server) -> None:
    rules = {"checkpoint_days": 30, "archived_days": None, "quota_bytes": None}
    assert server.client.put("/api/disk/retention", json=rules).json() == rules
    assert server.client.get("/api/disk").json()["retention"] == rules
    for bad in ({"checkpoint_days": 0}, {"quota_bytes": -1}, {"other": 1}, {"archived_days": 10**30}):
        assert server.client.put("/api/disk/retention", json=bad).status_code == 422
    assert server.client.get("/api/disk").json()["retention"] == rules
    server.client.put("/api/disk/retention", json={}).raise_for_status()


def look(server: Server, rules: Retention, days: float) -> None:
    """What the server does of its own, as of a day that is so far off."""
    settings = Settings(data_dir=server.data_dir)
    database = Database(settings.database)

    async def leave(run_id: str) -> None:
        left.append(run_id)

    async def begin() -> None:
        sweeper = RetentionSweeper(settings, database, Datasets(settings.datasets_dir), Reserve(settings.data_dir), leave)
        sweeper.choose(rules)
        await to_thread.run_sync(sweeper.look, datetime.now(timezone.utc) + timedelta(days=days))

    left: list[str] = []
    try:
        anyio.run(begin)
    finally:
        (server.data_dir / "retention.json").unlink()
        database.close()


def test_checkpoints_go_when_they_are_old_enough(server: Server, run: dict[str, Any]) -> None:
    look(server, Retention(checkpoint_days=30), 29.9)
    assert len(saved(server, run["id"])) == 4
    look(server, Retention(archived_days=1), 400)
    assert len(saved(server, run["id"])) == 4, "it is not archived, and of checkpoints nothing was said"
    look(server, Retention(checkpoint_days=30), 30.1)
    assert saved(server, run["id"]) == ["step-000006"]


def test_archived_runs_go_when_they_are_old_enough(server: Server) -> None:
    kept, archived = (server.create(**{**SETTINGS, "max_steps": 1})["id"] for _ in range(2))
    for run_id in (kept, archived):
        list(server.events(run_id))
    server.client.patch(f"/api/runs/{archived}", json={"archived": True}).raise_for_status()
    look(server, Retention(archived_days=7), 6.9)
    assert directory(server, archived).exists()
    look(server, Retention(archived_days=7), 7.1)
    assert not directory(server, archived).exists()
    assert server.client.get(f"/api/runs/{archived}").status_code == 404
    assert server.run(kept)["status"] == "completed"


def test_a_file_of_rules_that_cannot_be_read_frees_nothing(server: Server, run: dict[str, Any]) -> None:
    (server.data_dir / "retention.json").write_text('{"checkpoint_days": "soon"}')
    assert server.client.get("/api/disk").json()["retention"]["checkpoint_days"] is None
    (server.data_dir / "retention.json").unlink()
    assert len(saved(server, run["id"])) == 4


def until(server: Server, run_id: str, names: list[str]) -> None:
    """Waits, by the run's events, until only these checkpoints are there."""
    for _ in range(100):
        if saved(server, run_id) == names:
            return
        with httpx.stream("GET", f"{server.url}/api/stream", timeout=2) as stream:
            try:
                next(stream.iter_lines())
            except httpx.TimeoutException:
                continue
    raise AssertionError(saved(server, run_id))


def test_a_quota_frees_checkpoints_by_itself(server: Server, run: dict[str, Any]) -> None:
    server.client.put("/api/disk/retention", json={"quota_bytes": 1_000_000}).raise_for_status()
    until(server, run["id"], ["step-000006"])
    assert server.run(run["id"])["status"] == "completed", "a run that is not archived stays"
    server.client.put("/api/disk/retention", json={}).raise_for_status()
