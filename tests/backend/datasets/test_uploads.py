"""Files of a form go to the disk and to the checker as they come; whatever goes wrong leaves nothing behind."""

from __future__ import annotations

import gzip
import json
import os
import socket
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.datasets import uploads
from backend.errors import TooLargeError
from tests.serving import Server


def folders(server: Server) -> list[str]:
    return sorted(os.listdir(server.data_dir / "datasets"))


def connect(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


HEAD = (
    b"POST /api/datasets HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
)
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n'


def test_a_broken_line_is_refused_before_the_rest_of_the_file_has_come(shared_server: Server) -> None:
    before = folders(shared_server)
    connection = connect(shared_server)
    start = PART % b"a.jsonl" + b'{"text": "good"}\n' * 6 + b'{"text": bad}\n'
    connection.sendall(HEAD % (1 << 30) + start)
    filler, sent, answer = b'{"text": "good"}\n' * 60_000, 0, b""
    while not answer and sent < 200_000_000:
        connection.settimeout(30)
        connection.sendall(filler)
        sent += len(filler)
        connection.settimeout(0.001)
        try:
            answer = connection.recv(65536)
        except TimeoutError:
            continue
    connection.settimeout(10)
    while b"Line 7" not in answer and (more := connection.recv(65536)):
        answer += more
    assert answer.startswith(b"HTTP/1.1 422"), answer[:200]
    assert b"Line 7 is not valid JSON" in answer
    assert sent < 100_000_000
    assert folders(shared_server) == before


def test_a_client_that_leaves_in_the_middle_leaves_nothing(shared_server: Server) -> None:
    before = folders(shared_server)
    connection = connect(shared_server)
    connection.sendall(HEAD % (1 << 30) + PART % b"a.txt" + b"some text\n" * 300_000)
    wait_until(lambda: folders(shared_server) != before)
    connection.close()
    wait_until(lambda: folders(shared_server) == before)


def wait_until(condition: Any) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.02)  # a folder of another process: there is no event to wait for


def test_fields_beside_the_file_are_passed_over_and_the_first_file_is_taken(shared_server: Server) -> None:
    parts = [("note", (None, "hello")), ("file", ("one.txt", "1\n2\n")), ("file", ("two.txt", "3\n4\n5\n"))]
    answer = shared_server.client.post("/api/datasets", files=parts)
    assert (answer.status_code, answer.json()["name"], answer.json()["rows"]) == (201, "one.txt", 2)
    assert shared_server.client.delete(f"/api/datasets/{answer.json()['id']}").status_code == 204


def test_a_form_cut_off_is_refused(shared_server: Server) -> None:
    before = folders(shared_server)
    answer = shared_server.client.post(
        "/api/datasets",
        content=PART % b"a.txt" + b"one\ntwo\n",
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "file")
    assert folders(shared_server) == before


def test_a_dataset_is_read_in_another_way_once_the_whole_file_allows_it(shared_server: Server) -> None:
    rows = [{"a": f"question {n}", "b": f"answer {n}", "c": n} for n in range(50)] + [{"a": "q", "b": ["no text"], "c": 1}]
    content = gzip.compress("\n".join(map(json.dumps, rows)).encode())
    dataset = shared_server.client.post("/api/datasets", files={"file": ("pairs.jsonl.gz", content)}).json()
    assert (dataset["rows"], dataset["reading"]["kind"], dataset["reading"]["text"]) == (51, "text", "a")
    path = f"/api/datasets/{dataset['id']}"

    refused = shared_server.client.patch(path, json={"reading": {"kind": "completion", "prompt": "a", "completion": "b"}})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "reading")
    assert "Line 51 holds no text in column 'b'" in refused.json()["error"]["message"]
    assert shared_server.client.get(path).json() == dataset
    refused = shared_server.client.patch(path, json={"reading": {"kind": "text", "text": "x"}})
    assert "Line 1 has no column 'x'" in refused.json()["error"]["message"]
    assert "a, b, c" in refused.json()["error"]["hint"]

    reading = {"kind": "completion", "prompt": "a", "completion": "c"}
    changed = shared_server.client.patch(path, json={"reading": reading, "name": "Pairs"}).json()
    assert (changed["name"], changed["reading"]["completion"], changed["rows"]) == ("Pairs", "c", 51)
    preview = shared_server.client.get(f"{path}/preview?limit=1&start=3").json()
    assert (preview["columns"], preview["records"]) == (["a", "b", "c"], [["question 2", "answer 2", "2"]])
    assert [(part["role"], part["text"], part["learned"]) for part in preview["examples"][0]] == [
        ("prompt", "question 2", False),
        ("completion", " 2", True),
    ]
    assert shared_server.client.delete(path).status_code == 204


def test_a_dataset_that_a_stopped_run_may_need_again_is_kept(server: Server, short_text: str) -> None:
    run = server.create(dataset=short_text, model_name="tiny", max_steps=5000, sample_prompts=[])
    server.wait(run["id"], lambda event: event["type"] == "step")
    assert server.client.delete(f"/api/datasets/{short_text}").status_code == 409
    server.client.post(f"/api/runs/{run['id']}/stop")
    assert server.end(run["id"])["status"] == "stopped"
    refused = server.client.delete(f"/api/datasets/{short_text}")
    assert refused.status_code == 409
    assert run["name"] in refused.json()["error"]["message"]
    assert server.client.delete(f"/api/runs/{run['id']}").status_code == 204
    assert server.client.delete(f"/api/datasets/{short_text}").status_code == 204


def test_a_run_keeps_the_reading_it_was_started_with(server: Server) -> None:
    rows = "\n".join(json.dumps({"one": f"first text {n}", "two": f"second text {n}"}) for n in range(20))
    dataset = server.client.post("/api/datasets", files={"file": ("a.jsonl", rows)}).json()
    run = server.create(dataset=dataset["id"], model_name="tiny", max_steps=1, sample_prompts=[])
    changed = server.client.patch(f"/api/datasets/{dataset['id']}", json={"reading": {"kind": "text", "text": "one"}})
    assert changed.status_code == 200
    job = json.loads((server.data_dir / "runs" / run["id"] / "config.json").read_text())
    assert job["dataset"]["reading"]["text"] == "two" != changed.json()["reading"]["text"]
    assert server.end(run["id"])["status"] == "completed"


def test_datasets_of_the_first_version_are_still_read(start_server: Any, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "datasets" / "old-12345678"
    folder.mkdir(parents=True)
    (folder / "data.txt").write_text("one line\ntwo lines\n")
    about = {"id": "old-12345678", "name": "old.txt", "format": "txt", "rows": 2, "bytes": 19, "sha256": "0" * 64}
    (folder / "dataset.json").write_text(json.dumps({**about, "built_in": False, "created_at": "2026-11-01T00:00:00Z"}))
    server = start_server()
    preview = server.client.get("/api/datasets/old-12345678/preview").json()
    assert preview["examples"] == [[{"role": "text", "text": text, "learned": True}] for text in ("one line", "two lines")]
    assert server.client.patch("/api/datasets/old-12345678", json={"name": "older"}).json()["name"] == "older"


@pytest.mark.parametrize("body", [{"id": "http://evil/x"}, {"id": "../x"}, {"id": "a/b/c"}, {"id": "a/b", "split": "../x"}])
def test_what_cannot_be_a_dataset_of_the_hub_is_refused(shared_server: Server, body: dict[str, str]) -> None:
    assert shared_server.client.post("/api/datasets/hub", json=body).status_code == 422


@pytest.mark.parametrize(("announced", "refused"), [(999, False), (1000, False), (1001, True), (None, False)])
def test_more_than_the_disk_has_room_for_is_refused_before_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, announced: int | None, refused: bool
) -> None:
    monkeypatch.setattr(uploads.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(TooLargeError, match="the disk has") if refused else nullcontext():
        uploads._require_room(announced, 10_000, tmp_path)


@pytest.mark.parametrize(("announced", "refused"), [(uploads.FORM_BYTES + 500, False), (uploads.FORM_BYTES + 501, True)])
def test_more_than_the_limit_is_refused_before_it_comes(tmp_path: Path, announced: int, refused: bool) -> None:
    with pytest.raises(TooLargeError, match="limit of 500 bytes") if refused else nullcontext():
        uploads._require_room(announced, 500, tmp_path)
