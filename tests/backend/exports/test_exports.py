"""Exports of a run by the API: made, followed, proven, downloaded in parts, stopped, deleted."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from httpx_sse import connect_sse

from backend.exports.keeper import Exports
from tests.backend.records import Records
from tests.loopback_hub import LoopbackHub
from tests.serving import Server

LINES = "".join(f"The little {animal} went home.\n" for animal in ("fox", "owl", "cat", "dog", "hen", "cow", "pig", "bee"))


@pytest.fixture(scope="module")
def run_id(shared_server: Server) -> str:
    """A run of two updates, with a checkpoint."""
    response = shared_server.client.post("/api/datasets", files={"file": ("short.txt", LINES * 5)})
    config = {"model_name": "tiny", "dataset": response.json()["id"], "max_steps": 2, "save_steps": 1, "max_length": 16}
    run_id = str(shared_server.create(**config)["id"])
    assert shared_server.end(run_id)["status"] == "completed"
    return run_id


def follow(server: Server, path: str) -> list[tuple[str, dict[str, Any]]]:
    """All events of an export's stream."""
    client = httpx.Client(base_url=server.url, timeout=120)
    with client, connect_sse(client, "GET", f"{path}/events") as source:
        return [(message.event, message.json()) for message in source.iter_sse()]


def making(server: Server) -> list[psutil.Process]:
    """Processes of this server that make exports, or look into one."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [child for child in children if any("worker.export" in part for part in child.cmdline())]


def test_a_gguf_file_is_made_proven_and_taken_away(shared_server: Server, run_id: str) -> None:
    client, exports = shared_server.client, f"/api/runs/{run_id}/exports"
    begun = client.post(exports, json={"format": "gguf"})
    assert begun.status_code == 201, begun.text
    assert begun.json()["name"] == "model-gguf-q8_0"
    path = f"{exports}/model-gguf-q8_0"
    again = client.post(exports, json={"format": "gguf"})
    assert (again.status_code, client.get(f"{path}/download.zip").status_code) == (409, 409)

    *before, (event, export) = follow(shared_server, path)
    assert event == "done"
    assert {name for name, _ in before} == {"progress"}
    shares = [data["share"] for _, data in before]
    assert shares == sorted(shares)
    assert export["status"] == "done", export
    proof = export["proof"]
    assert proof["passed"], proof
    assert 0 <= proof["kl"] <= proof["limit"]
    assert client.get(path).json() == client.get(exports).json()["items"][0] == export

    whole = client.get(f"{path}/download.zip")
    tag = {"if-range": whole.headers["etag"]}
    with zipfile.ZipFile(io.BytesIO(whole.content)) as opened:
        assert opened.testzip() is None
        assert sorted(opened.namelist()) == ["Modelfile", "README.md", "model-q8_0.gguf"]
        assert f"{proof['kl']:.2g} nats per token" in opened.read("README.md").decode()
    rest = client.get(f"{path}/download.zip", headers={"range": "bytes=5000-", **tag})
    assert (rest.status_code, rest.content) == (206, whole.content[5000:])
    assert rest.headers["content-range"] == f"bytes 5000-{len(whole.content) - 1}/{len(whole.content)}"
    last = client.get(f"{path}/download.zip", headers={"range": "bytes=-7"})
    assert last.content == whole.content[-7:]
    changed = client.get(f"{path}/download.zip", headers={"range": "bytes=5000-", "if-range": '"other"'})
    assert (changed.status_code, len(changed.content)) == (200, len(whole.content))
    beyond = client.get(f"{path}/download.zip", headers={"range": f"bytes={len(whole.content)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole.content)}")
    alone = client.get(f"{path}/files/model-q8_0.gguf")
    assert (alone.status_code, len(alone.content)) == (200, export["files"]["model-q8_0.gguf"])
    assert client.get(f"{path}/files/export.json").status_code == 404

    assert client.delete(path).status_code == 204
    assert [client.get(path).status_code, client.delete(path).status_code] == [404, 404]
    assert client.get(exports).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "format"),
        ({"format": "zip"}, "format"),
        ({"format": "gguf", "number_format": "bf16"}, "number_format"),
        ({"format": "gguf", "checkpoint": "../model"}, "checkpoint"),
        ({"format": "gguf", "checkpoint": "step-999999"}, "checkpoint"),
        ({"format": "adapter"}, "format"),
        ({"format": "gguf", "bits": 4}, "bits"),
    ],
)
def test_what_cannot_be_exported_is_refused(shared_server: Server, run_id: str, body: dict[str, Any], field: str) -> None:
    answer = shared_server.client.post(f"/api/runs/{run_id}/exports", json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field), answer.text


def test_there_is_nothing_of_a_run_that_is_not_there(shared_server: Server, run_id: str) -> None:
    gone = "/api/runs/20200101-000000-0000"
    client = shared_server.client
    answers = [
        client.get(f"{gone}/exports"),
        client.post(f"{gone}/exports", json={"format": "gguf"}),
        client.get(f"{gone}/files/model.zip"),
        client.get(f"/api/runs/{run_id}/exports/..%2F..%2Fmodel"),
        client.get(f"/api/runs/{run_id}/exports/model-gguf-fp16/events"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5


def test_a_checkpoint_as_it_lies_there_without_what_only_training_needs(shared_server: Server, run_id: str) -> None:
    checkpoint = next(
        one["name"]
        for one in shared_server.client.get(f"/api/runs/{run_id}/checkpoints").json()["items"]
        if one["kind"] != "final"
    )
    answer = shared_server.client.get(f"/api/runs/{run_id}/files/model.zip?checkpoint={checkpoint}")
    assert answer.headers["content-disposition"].endswith(f'{checkpoint}.zip"')
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(names)
    assert not [name for name in names if "training_state" in name or "manifest" in name]


def test_a_stopped_export_leaves_nothing(shared_server: Server, run_id: str) -> None:
    client, path = shared_server.client, f"/api/runs/{run_id}/exports/model-safetensors-fp32"
    client.post(f"/api/runs/{run_id}/exports", json={"format": "safetensors", "number_format": "fp32"})
    while not (there := making(shared_server)) and client.get(path).json()["status"] == "running":
        pass  # the answer does not wait for the process
    assert there
    assert client.delete(path).status_code == 204
    assert making(shared_server) == []
    assert client.get(path).status_code == 404
    assert list((shared_server.data_dir / "runs" / run_id / "exports").iterdir()) == []


def test_a_run_that_is_deleted_takes_its_exports_along(server: Server) -> None:
    config = {"model_name": "tiny", "max_steps": 1, "max_length": 16, "validation_split": 0, "sample_prompts": []}
    run_id = server.create(**config)["id"]
    server.end(run_id)
    server.client.post(f"/api/runs/{run_id}/exports", json={"format": "safetensors"})
    assert server.client.delete(f"/api/runs/{run_id}").status_code == 204
    assert making(server) == []
    assert list((server.data_dir / "runs").iterdir()) == []


def push(server: Server, path: str, **body: Any) -> tuple[str, dict[str, Any]]:
    """The last event of an upload."""
    client = httpx.Client(base_url=server.url, timeout=120)
    with client, connect_sse(client, "POST", f"{path}/push", json=body) as source:
        *_, last = ((message.event, message.json()) for message in source.iter_sse())
    return last


def test_an_export_goes_to_the_hub_with_a_token_that_is_kept_nowhere(
    start_server: Callable[..., Server], records: Records, tmp_path: Path
) -> None:
    run_id = records.add("starting", "running", "completed")
    folder = records.settings.runs_dir / run_id / "exports" / "model-gguf-q8_0"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("# A model\n")
    made = {"name": folder.name, "format": "gguf", "number_format": "q8_0", "checkpoint": None, "status": "done"}
    (folder / "export.json").write_text(json.dumps({**made, "created_at": "now", "files": {"README.md": 10}}))
    with LoopbackHub({}) as hub:
        hub.writes_with = "hf_secret"
        server = start_server(hub.environment(tmp_path / "hf"), data_dir=records.settings.data_dir)
        path = f"/api/runs/{run_id}/exports/{folder.name}"

        event, data = push(server, path, repository="someone/tiny", token="hf_other")
        assert (event, "someone/tiny" in data["error"]["message"]) == ("error", True)
        event, data = push(server, path, repository="someone/tiny", token="hf_secret")
        assert (event, data) == ("done", {"url": f"{hub.url}/someone/tiny"})
        assert hub.made == {"someone/tiny": {"README.md": b"# A model\n"}}
        refused = server.client.post(f"{path}/push", json={"repository": "https://elsewhere.example/x"})
        assert (refused.status_code, refused.json()["error"]["field"]) == (422, "repository")
        server.stop()
        kept = [file for file in tmp_path.rglob("*") if file.is_file() and b"hf_secret" in file.read_bytes()]
        assert kept == []
        assert "hf_secret" not in "".join(server.output)


def test_a_restart_sweeps_away_what_was_being_made(
    tmp_path: Path, run_async: Callable[..., Any], shared_server: Server
) -> None:
    del shared_server  # so that this one, too, is among those that need processes
    left = tmp_path / "one" / "exports" / ".making-model-gguf-q8_0"
    left.mkdir(parents=True)
    kept = tmp_path / "one" / "exports" / "model-gguf-fp16"
    kept.mkdir()
    (kept / "export.json").write_text(json.dumps({"of": "a later version"}))

    async def look() -> None:
        exports = Exports(tmp_path, tmp_path / "log")
        exports.prepare()
        assert exports.all("one") == []

    run_async(look())
    assert not left.exists()
    assert kept.exists()
