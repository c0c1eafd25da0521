"""The token view shows what the worker feeds to the model: both are read here, and compared token for token."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.datasets.sample_corpus import sample_lines
from backend.datasets.store import Datasets
from tests.serving import Server
from worker.contract import Job, ModelSource, RunConfig
from worker.process.control import StopSwitch

STORIES = sample_lines(seed=5)[:60]
SETTINGS = {
    "model_name": "tiny",
    "max_length": 48,
    "validation_split": 0.2,
    "batch_size": 3,
    "gradient_accumulation_steps": 2,
}


def as_csv(rows: list[tuple[str, str]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([("question", "answer"), *rows])
    return file.getvalue()


def halves(story: str) -> tuple[str, str]:
    words = story.split()
    return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])


def conversation(story: str) -> dict[str, Any]:
    first, second = halves(story)
    turns = [("user", "Tell me a story 🐢"), ("assistant", first), ("user", "Go on"), ("assistant", second)]
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


FILES = {
    "text": ("stories.txt", "\n".join(STORIES)),
    "document": ("book.txt", "\n\n".join(STORIES)),
    "completion": ("pairs.csv", as_csv([halves(story) for story in STORIES])),
    "chat": ("chats.jsonl", "\n".join(json.dumps(conversation(story)) for story in STORIES)),
}


@pytest.fixture
def server(shared_server: Server) -> Server:
    """One for all of these tests: the process that looks into datasets takes seconds to start."""
    return shared_server


@pytest.fixture(params=list(FILES))
def dataset(request: pytest.FixtureRequest, server: Server) -> Iterator[dict[str, Any]]:
    name, content = FILES[request.param]
    created = server.client.post("/api/datasets", files={"file": (name, content)})
    assert created.status_code == 201, created.text
    found = server.client.patch(
        f"/api/datasets/{created.json()['id']}", json={"reading": {**created.json()["reading"], "kind": request.param}}
    )
    assert found.status_code == 200, found.text
    yield found.json()
    assert server.client.delete(f"/api/datasets/{created.json()['id']}").status_code == 204


@pytest.fixture
def trainer_of(server: Server, tmp_path: Path) -> Callable[..., Any]:
    """The Trainer that a worker would make of a dataset, in this process."""

    def make(dataset: dict[str, Any], **config: Any) -> Any:
        from worker.training.preparation import prepare

        job = Job(
            run_id="run",
            config=RunConfig(**SETTINGS, **config, sample_prompts=[]),
            model=ModelSource(kind="built_in", location="tiny"),
            dataset=Datasets(server.data_dir / "datasets").source(dataset["id"]),
            device="cpu",
        )
        run_dir = tmp_path / "run"
        run_dir.mkdir()
        return prepare(job, run_dir, lambda event: None, StopSwitch(run_dir))[0]

    return make


def view(server: Server, dataset: dict[str, Any], config: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    answer = server.client.post(f"/api/datasets/{dataset['id']}/tokens", json={"config": SETTINGS | config, **wanted})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_every_row_is_what_the_worker_learns_from(
    server: Server, dataset: dict[str, Any], trainer_of: Callable[..., Any]
) -> None:
    setup = trainer_of(dataset).setup
    items = view(server, dataset, {}, count=50)["items"]
    if dataset["rows"] > 50:
        items += view(server, dataset, {}, rows=list(range(51, dataset["rows"] + 1)))["items"]
    items = [item for item in items if item["used"]]
    for side, examples in (("train", setup.train), ("validation", setup.validation)):
        shown = [item for item in items if item["side"] == side]
        assert len(shown) == len(examples) > 3
        for number, item in enumerate(shown):
            seen = [token for token in item["tokens"] if token["state"] != "truncated"]
            assert [token["id"] for token in seen] == examples[number].tolist()
            assert [token["state"] == "trained" for token in seen] == [False, *examples.learned(number).tolist()]
            assert item["counts"].get("trained") == examples.trained[number]
    assert any(item["counts"].get("truncated") for item in items) == bool(setup.train.cut)


@pytest.mark.parametrize("packing", [True, False])
def test_the_first_update_is_what_the_worker_feeds_to_the_model(
    server: Server, dataset: dict[str, Any], trainer_of: Callable[..., Any], packing: bool
) -> None:
    trainer = trainer_of(dataset, packing=packing, precision="fp32")  # in which no pass is filled up
    fed: list[Any] = []
    forward = trainer.parallel
    trainer.parallel = lambda batch: fed.append(batch) or forward(batch)
    trainer._lay_out_anew()
    trainer._update()

    shown = view(server, dataset, {"packing": packing}, batch=True)["batch"]

    assert shown["passes"] == len(fed)
    assert shown["layout"] == ("packed" if packing else "in_order")
    pairs = [pair for row in shown["rows"] for pair in pairs_of(row)]
    batch = fed[0]
    places = range(batch.tokens) if batch.trained is None else batch.trained.tolist()
    targets = dict(zip(places, batch.targets.tolist(), strict=True))
    assert pairs == [(token, targets.get(place)) for place, token in enumerate(batch.inputs.flatten().tolist())]
    states = [token["state"] for row in shown["rows"] for token in row]
    assert states.count("trained") == batch.tokens == shown["counts"]["trained"]
    starts = sum(token["start"] for row in shown["rows"] for token in row)
    assert starts == shown["examples"]
    if packing:
        assert batch.texts is not None
        assert starts == len(batch.texts.starts) - 1


def pairs_of(row: list[dict[str, Any]]) -> list[tuple[int, int | None]]:
    """What is read at each position of a row, and what must be predicted there."""
    pairs: list[tuple[int, int | None]] = []
    for token, following in zip(row, [*row[1:], None], strict=True):
        within = following is not None and not following["start"]
        last_of_example = not within or following["state"] == "padding"
        if within and following["state"] == "trained":
            pairs.append((token["id"], following["id"]))
        elif not (last_of_example and token["state"] == "trained"):  # such a one is predicted and not read
            pairs.append((token["id"], None))
    return pairs


def test_a_row_that_is_not_there_is_told(shared_server: Server) -> None:
    answer = shared_server.client.post("/api/datasets/sample/tokens", json={"rows": [4000]})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "dataset")
    assert "no row 4000" in answer.json()["error"]["message"]


def test_random_rows_are_the_same_for_the_same_seed_and_differ_for_another(shared_server: Server) -> None:
    def rows(seed: int) -> list[int]:
        answer = shared_server.client.post("/api/datasets/sample/tokens", json={"seed": seed, "count": 5})
        return [item["row"] for item in answer.json()["items"]]

    assert rows(1) == rows(1) != rows(2)
    assert len(set(rows(1))) == 5
