"""Texts and datasets are scored through the API, by real models in processes of their own."""

from __future__ import annotations

import math
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

from tests.serving import Server

LINES = "".join(f"The little {animal} went home.\n" for animal in ("fox", "owl", "cat", "dog", "hen", "cow", "pig", "bee"))


@pytest.fixture(scope="module")
def dataset(shared_server: Server) -> Iterator[str]:
    found = shared_server.client.post("/api/datasets", files={"file": ("evaluated.txt", LINES * 5)}).json()["id"]
    yield found
    shared_server.client.delete(f"/api/datasets/{found}")


@pytest.fixture(scope="module")
def run(shared_server: Server, dataset: str) -> Iterator[dict[str, Any]]:
    """One that completed, with a checkpoint on the way."""
    settings = {
        "max_steps": 4,
        "batch_size": 2,
        "save_steps": 2,
        "keep_checkpoints": 5,
        "validation_split": 0.3,
        "sample_prompts": [],
    }
    made = shared_server.create(dataset=dataset, name="scored", **settings)
    ended = shared_server.end(made["id"])
    assert ended["status"] == "completed"
    yield ended
    assert shared_server.client.delete(f"/api/runs/{made['id']}").status_code == 204


def scored(server: Server, **request: Any) -> list[tuple[str, dict[str, Any]]]:
    """The events of POST /api/score."""
    client = httpx.Client(base_url=server.url, timeout=120)
    with client, connect_sse(client, "POST", "/api/score", json=request) as source:
        assert source.response.status_code == 200, source.response.read()
        return [(message.event, message.json()) for message in source.iter_sse()]


def ended(server: Server, evaluation_id: str, until: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
    """The evaluation once it has ended, or ``until`` holds, from its stream."""
    client = httpx.Client(base_url=server.url, timeout=120)
    with client, connect_sse(client, "GET", f"/api/evaluations/{evaluation_id}/stream") as source:
        for message in source.iter_sse():
            found: dict[str, Any] = message.json()
            if message.event == "done" or (until and until(found)):
                return found
    raise AssertionError("the stream broke off")


def test_a_text_is_scored_by_two_models(shared_server: Server, run: dict[str, Any]) -> None:
    models = [f"run:{run['id']}", f"run:{run['id']}@step-000002"]
    events = scored(shared_server, models=models, text="The little fox went home.", top=3)
    assert {event for event, _ in events[:-1]} == {"progress"}
    event, done = events[-1]
    assert event == "done"
    assert [each["model"] for each in done["models"]] == models
    first, second = (each["scores"] for each in done["models"])
    assert first["loss"] < second["loss"], "it has learned for longer"
    for each in done["models"]:
        nats = [token["nats"] for token in each["tokens"][1:]]
        assert each["scores"]["loss"] == pytest.approx(sum(nats) / len(nats))
        assert each["scores"]["bits_per_byte"] == pytest.approx(sum(nats) / math.log(2) / each["scores"]["bytes"])
        assert "".join(token["text"] for token in each["tokens"]) == "The little fox went home."
        assert all(len(token["top"]) == 3 for token in each["tokens"][1:])


def test_a_score_is_that_of_an_echo(shared_server: Server, run: dict[str, Any]) -> None:
    model = f"run:{run['id']}"
    done = scored(shared_server, models=[model], text="The little fox")[-1][1]["models"][0]
    asked = {"model": model, "prompt": "The little fox", "echo": True, "max_tokens": 0, "logprobs": 0}
    echoed = shared_server.client.post("/v1/completions", json=asked).json()["choices"][0]["logprobs"]["token_logprobs"]
    assert [-token["nats"] for token in done["tokens"][1:]] == pytest.approx(echoed[1:], abs=1e-4)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"models": ["tiny"], "text": "x"}, "models"),
        ({"models": ["run:20200101-000000-abcd"], "text": "x"}, "models"),
        ({"models": ["local:a", "local:a"], "text": "x"}, "models"),
        ({"models": [], "text": "x"}, "models"),
        ({"models": ["a", "b", "c", "d", "e"], "text": "x"}, "models"),
        ({"models": ["tiny"], "text": ""}, "text"),
        ({"models": ["tiny"], "text": "x" * 20_001}, "text"),
        ({"models": ["tiny"], "text": "x", "top": 21}, "top"),
        ({"models": ["tiny"], "text": "x", "color": 1}, "color"),
    ],
)
def test_what_cannot_be_scored_is_told(shared_server: Server, request_: dict[str, Any], field: str) -> None:
    answer = shared_server.client.post("/api/score", json=request_)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field


def test_models_are_evaluated_on_datasets(shared_server: Server, run: dict[str, Any], dataset: str) -> None:
    own, early = f"run:{run['id']}", f"run:{run['id']}@step-000002"
    asked = {"models": [own, early], "datasets": [own, dataset], "limit": 1000}
    made = shared_server.client.post("/api/evaluations", json=asked)
    assert made.status_code == 201, made.text
    assert [each["name"] for each in made.json()["models"]] == ["scored", "scored, step-000002"]
    assert [each["name"] for each in made.json()["datasets"]] == ["Validation split of scored", "evaluated.txt"]
    seen = []
    found = ended(shared_server, made.json()["id"], lambda each: seen.append(each["progress"]) or False)  # type: ignore[func-returns-value]
    assert found["status"] == "completed"
    assert any(progress and progress["text"] for progress in seen)
    cells = {(cell["model"], cell["dataset"]): cell for cell in found["cells"]}
    assert len(cells) == 4
    assert all(cell["error"] is None for cell in cells.values())
    assert cells[own, own]["scores"]["loss"] == pytest.approx(run["validation_loss"], abs=1e-4)
    assert cells[own, own]["scores"]["loss"] < cells[early, own]["scores"]["loss"]
    assert cells[own, own]["scores"]["bytes"] == cells[early, own]["scores"]["bytes"]
    assert cells[own, own]["examples"] < cells[own, dataset]["examples"] == 40
    assert found in shared_server.client.get("/api/evaluations").json()["items"]
    assert shared_server.client.delete(f"/api/evaluations/{found['id']}").status_code == 204
    assert shared_server.client.get(f"/api/evaluations/{found['id']}").status_code == 404


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"models": ["tiny"], "datasets": ["sample"]}, "models"),
        ({"models": ["local:gone"], "datasets": ["sample"]}, "models"),
        ({"models": [], "datasets": ["sample"]}, "models"),
        ({"models": ["RUN"], "datasets": ["gone"]}, "datasets"),
        ({"models": ["RUN"], "datasets": ["run:20200101-000000-abcd"]}, "datasets"),
        ({"models": ["RUN"], "datasets": ["run:../../x"]}, "datasets"),
        ({"models": ["RUN"], "datasets": ["sample", "sample"]}, "datasets"),
        ({"models": ["RUN"], "datasets": []}, "datasets"),
        ({"models": ["RUN"], "datasets": ["sample"], "limit": 0}, "limit"),
        ({"models": ["RUN"], "datasets": ["sample"], "limit": "x"}, "limit"),
    ],
)
def test_what_cannot_be_evaluated_is_told(
    shared_server: Server, run: dict[str, Any], request_: dict[str, Any], field: str
) -> None:
    models = [f"run:{run['id']}" if name == "RUN" else name for name in request_["models"]]
    answer = shared_server.client.post("/api/evaluations", json={**request_, "models": models})
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["field"] == field


def test_what_is_gone_or_broken_costs_its_own_cells_alone(shared_server: Server, run: dict[str, Any]) -> None:
    models_dir = shared_server.data_dir / "models"
    good = shutil.copytree(shared_server.data_dir / "runs" / run["id"] / "model", models_dir / "good")
    broken = shutil.copytree(good, models_dir / "broken")
    (broken / "model.safetensors").write_bytes(b"nothing")
    gone = shared_server.client.post("/api/datasets", files={"file": ("gone.txt", LINES + "And more.\n")}).json()["id"]
    kept = shared_server.client.post("/api/datasets", files={"file": ("kept.txt", LINES + "And less.\n")}).json()["id"]
    asked = {"models": ["local:broken", "local:good"], "datasets": [gone, kept]}
    made = shared_server.client.post("/api/evaluations", json=asked).json()
    ended(shared_server, made["id"], lambda found: found["status"] == "running")
    shared_server.client.delete(f"/api/datasets/{gone}")
    found = ended(shared_server, made["id"])
    cells = {(cell["model"], cell["dataset"]): cell for cell in found["cells"]}
    assert found["status"] == "completed"
    assert cells["local:broken", kept]["error"]["message"]
    assert cells["local:good", gone]["error"]["message"]
    assert cells["local:good", kept]["scores"]["tokens"] > 0
    for name in (good, broken):
        shutil.rmtree(name)


@pytest.mark.slow
def test_what_was_done_outlives_the_server_and_the_rest_goes_on(
    start_server: Callable[..., Server], shared_server: Server, run: dict[str, Any]
) -> None:
    server = start_server()
    shutil.copytree(shared_server.data_dir / "runs" / run["id"] / "model", server.data_dir / "models" / "copied")
    few = server.client.post("/api/datasets", files={"file": ("few.txt", LINES)}).json()["id"]
    made = server.client.post("/api/evaluations", json={"models": ["local:copied"], "datasets": [few, "sample"]}).json()
    waiting = server.client.post("/api/evaluations", json={"models": ["local:copied"], "datasets": [few]}).json()
    first = ended(server, made["id"], lambda found: len(found["cells"]) == 1)
    assert first["status"] == "running"
    assert server.client.get(f"/api/evaluations/{waiting['id']}").json()["status"] == "queued"
    server.stop(signal.SIGKILL)
    server.start()
    again = ended(server, made["id"], lambda found: found["progress"] is not None)
    assert again["status"] == "running"
    assert again["cells"] == first["cells"]
    stopped = server.client.post(f"/api/evaluations/{made['id']}/stop").json()
    assert (stopped["status"], stopped["cells"]) == ("stopped", first["cells"])
    assert ended(server, waiting["id"])["status"] == "completed"
    assert server.client.post(f"/api/evaluations/{waiting['id']}/stop").json()["status"] == "completed"
