"""A training step is looked at through the API, made by a real process."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

from backend.models.catalog import Catalog
from backend.runs.microscope import Microscope
from backend.schemas.microscope import MicroscopeRequest
from backend.schemas.runs import Run
from tests.serving import Server

ANIMALS = ("fox", "owl", "cat", "dog", "hen", "cow", "pig", "bee", "ant", "elk")
LINES = "".join(f"The {how} {animal} went home.\n" for animal in ANIMALS for how in ("little", "old", "young"))


@pytest.fixture(scope="module")
def run(shared_server: Server) -> Iterator[dict[str, Any]]:
    """One that completed, with checkpoints on the way."""
    dataset = shared_server.client.post("/api/datasets", files={"file": ("looked.txt", LINES)}).json()["id"]
    settings: dict[str, Any] = {"max_steps": 4, "batch_size": 2, "validation_split": 0.3, "sample_prompts": []}
    made = shared_server.create(dataset=dataset, name="Looked at", save_steps=2, keep_checkpoints=5, **settings)
    ended = shared_server.end(made["id"])
    assert ended["status"] == "completed"
    yield ended
    for path in (f"/api/runs/{made['id']}", f"/api/datasets/{dataset}"):
        shared_server.client.delete(path)


def look(server: Server, run: dict[str, Any], **wanted: Any) -> list[tuple[str, dict[str, Any]]]:
    """The events of POST /api/runs/ID/microscope."""
    client = httpx.Client(base_url=server.url, timeout=240)
    with client, connect_sse(client, "POST", f"/api/runs/{run['id']}/microscope", json=wanted) as source:
        assert source.response.status_code == 200, source.response.read()
        return [(message.event, message.json()) for message in source.iter_sse()]


def step_of(events: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    assert events[-1][0] == "done", events[-1]
    return events[-1][1]


def digests(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_a_step_is_told_and_nothing_is_written(shared_server: Server, run: dict[str, Any]) -> None:
    folder = shared_server.data_dir / "runs" / run["id"]
    before = digests(folder)
    events = look(shared_server, run, dataset_row=1, layer=1, head=1, top_k=3)
    told = [data["text"] for event, data in events[:-1] if event == "progress"]
    assert told[0] == "Getting ready."
    assert {text.split(":")[0] for text in told} >= {"Forward", "Backward", "Update"}
    step = step_of(events)
    assert digests(folder) == before

    assert (step["run"], step["checkpoint"], step["step"], step["update"]) == (run["id"], "step-000004", 4, 4)
    assert step["optimizer_state"] == "checkpoint"
    assert "".join(token["text"] for token in step["tokens"]).startswith(LINES.splitlines()[0])
    assert step["side"] in ("train", "validation")
    costs = [token["nats"] for token in step["tokens"] if token["learned"]]
    assert step["loss"] == pytest.approx(sum(costs) / len(costs), abs=1e-5)
    assert all(len(token["top"]) == 3 for token in step["tokens"][1:])
    assert [len(row) for row in step["attention"]["weights"]] == list(range(1, len(step["tokens"])))
    assert step["parts"][0]["name"] == "embeddings"
    assert any("averages the gradients" in note for note in step["notes"])


def test_training_shows_from_checkpoint_to_checkpoint(shared_server: Server, run: dict[str, Any]) -> None:
    names = ("start", "step-000002", "final")
    found = {name: step_of(look(shared_server, run, checkpoint=name, text="The little fox went home.")) for name in names}
    assert [found[name]["step"] for name in names] == [0, 2, 4]
    losses = [found[name]["loss"] for name in names]
    assert losses == sorted(losses, reverse=True), "the run has learned"
    assert losses[0] - losses[2] > 0.1
    assert [found[name]["optimizer_state"] for name in names] == ["fresh", "checkpoint", "fresh"]
    assert found["start"]["side"] is None


@pytest.mark.parametrize(
    ("wanted", "field", "said"),
    [
        ({}, "dataset_row", "Give a row of the run's dataset, or a text"),
        ({"dataset_row": 1, "text": "Both."}, "dataset_row", "and not both"),
        ({"dataset_row": 0}, "dataset_row", "Dataset row must be at least 1; you gave 0."),
        ({"text": ""}, "text", "Text must have at least 1 character"),
        ({"text": "x" * 20_001}, "text", "Text must have at most 20000 characters"),
        ({"dataset_row": 1, "top_k": 21}, "top_k", "Top k must be at most 20"),
        ({"dataset_row": 1, "checkpoint": "step-000099"}, "checkpoint", "has no checkpoint 'step-000099'"),
        ({"dataset_row": 1, "checkpoint": "../model"}, "checkpoint", "has no checkpoint '../model'"),
        ({"dataset_row": 1, "rows": 1}, "rows", "There is no setting called 'rows'"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    shared_server: Server, run: dict[str, Any], wanted: dict[str, Any], field: str, said: str
) -> None:
    response = shared_server.client.post(f"/api/runs/{run['id']}/microscope", json=wanted)
    assert response.status_code == 422, response.text
    error = response.json()["error"]
    assert (error["field"], said in error["message"]) == (field, True), error


@pytest.mark.parametrize(
    ("wanted", "field", "said"),
    [
        ({"dataset_row": 31}, "dataset_row", "no row 31 that holds anything"),
        ({"text": "   "}, "text", "too short"),
        ({"dataset_row": 1, "layer": 99}, "layer", "There is no layer 99"),
        ({"dataset_row": 1, "head": 99}, "head", "There is no head 99"),
    ],
)
def test_what_the_model_or_the_data_lack_is_told(
    shared_server: Server, run: dict[str, Any], wanted: dict[str, Any], field: str, said: str
) -> None:
    event, data = look(shared_server, run, **wanted)[-1]
    assert event == "error"
    assert (data["error"]["field"], said in data["error"]["message"]) == (field, True), data


def test_a_run_that_is_not_there_is_not_found(shared_server: Server) -> None:
    response = shared_server.client.post("/api/runs/20200101-000000-abcd/microscope", json={"dataset_row": 1})
    assert response.status_code == 404


def test_of_lora_the_finished_adapter_is_looked_at_and_not_what_it_was_merged_into(
    shared_server: Server, run: dict[str, Any], tmp_path: Path
) -> None:
    directory = tmp_path / run["id"]
    shutil.copytree(shared_server.data_dir / "runs" / run["id"], directory)
    microscope = Microscope(tmp_path, Catalog(tmp_path / "models", tmp_path), tmp_path / "log")

    def place(checkpoint: str | None) -> tuple[str, Path | None, int]:
        question = microscope.question(Run.model_validate(run), MicroscopeRequest(dataset_row=1, checkpoint=checkpoint))
        source = question["model"]
        return question["checkpoint"], source and Path(source["location"]), question["step"]

    assert place(None) == ("step-000004", directory / "checkpoints" / "step-000004", 4)
    assert place("start") == ("start", None, 0)
    assert place("final") == ("final", directory / "model", 4)
    (directory / "adapter").mkdir()
    (directory / "adapter" / "adapter_config.json").write_text("{}")
    assert place("final") == ("final", directory / "adapter", 4)
    shutil.rmtree(directory / "checkpoints")
    assert place(None)[0] == "final"
    shutil.rmtree(directory / "model")
    assert place(None)[0] == "start"


def test_one_at_a_time_and_few_wait(shared_server: Server, run: dict[str, Any]) -> None:
    """Two that are asked and not read yet leave no place for a third."""
    path, body = f"/api/runs/{run['id']}/microscope", {"text": "The fox. " * 40, "checkpoint": "start"}
    with ExitStack() as opened:
        clients = [opened.enter_context(httpx.Client(base_url=shared_server.url, timeout=240)) for _ in range(3)]
        sources = [opened.enter_context(client.stream("POST", path, json=body)) for client in clients[:2]]
        refused = clients[2].post(path, json=body)
        assert refused.status_code == 429, refused.text
        assert refused.headers["retry-after"]
        assert refused.json()["error"]["code"] == "busy"
        for source in sources:
            assert "event: done" in "".join(source.iter_text())
    assert step_of(look(shared_server, run, dataset_row=2))["row"] == 2


def test_a_step_that_takes_too_long_is_broken_off(shared_server: Server, run: dict[str, Any], run_async: Any) -> None:
    runs_dir = shared_server.data_dir / "runs"
    catalog = Catalog(shared_server.data_dir / "models", runs_dir)
    microscope = Microscope(runs_dir, catalog, shared_server.data_dir / "overdue.log", seconds=0)
    question = microscope.question(Run.model_validate(run), MicroscopeRequest(dataset_row=1))

    async def ask() -> list[dict[str, Any]]:
        return [reply async for reply in microscope.look(run["id"], question)]

    *_, last = run_async(ask())
    assert (last["event"], last["data"]["code"]) == ("error", "too_slow")
    assert not microscope.helper.running
