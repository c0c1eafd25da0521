"""What is counted of a dataset before training: near-duplicates, leaks, and the split, which is the run's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx_sse import connect_sse

from backend.datasets.store import Datasets
from tests.planted import planted
from tests.serving import Server
from worker.contract import Job, ModelSource, RunConfig
from worker.process.control import StopSwitch

MADE = planted(300, 100)


@pytest.fixture(scope="module")
def leaky(shared_server: Server) -> Iterator[dict[str, Any]]:
    created = shared_server.client.post("/api/datasets", files={"file": ("leaky.txt", "\n".join(MADE.texts))})
    yield created.json()
    shared_server.client.delete(f"/api/datasets/{created.json()['id']}")


def statistics(server: Server, dataset: str, **query: Any) -> dict[str, Any]:
    with connect_sse(server.client, "GET", f"/api/datasets/{dataset}/statistics", params=query) as source:
        *_, last = source.iter_sse()
    assert last.event == "done", last.data
    return dict(last.json())


def test_leaks_are_told_with_examples_and_gone_after_the_split_by_group(
    shared_server: Server, leaky: dict[str, Any]
) -> None:
    split = {"validation_split": 0.3, "model_name": "tiny"}
    found = statistics(shared_server, leaky["id"], **split)
    near = found["near_duplicates"]
    assert (near["groups"], near["largest_group"]) == (near["rows"] // 2, 2)
    assert near["rows"] == pytest.approx(200, abs=6)
    assert found["duplicate_rows"] == 0
    assert near["leaked_rows"] > 20
    places = {frozenset((one + 1, two + 1)) for one, two in MADE.pairs}
    for example in near["examples"]:
        one, two = example["rows"]
        assert {one["side"], two["side"]} == {"train", "validation"}
        assert frozenset((one["row"], two["row"])) in places
        assert one["text"] == MADE.texts[one["row"] - 1]
        assert 0.7 < example["in_common"] < 1
    together = statistics(shared_server, leaky["id"], **split, split_by_group=True)
    assert together["near_duplicates"]["leaked_rows"] == 0
    assert together["near_duplicates"]["rows"] == near["rows"]
    assert together["validation_rows"] != found["validation_rows"]


def test_what_a_validation_dataset_has_in_common_with_the_dataset_is_told_before_start(shared_server: Server) -> None:
    made = planted(200, 40, seed=3)
    place = {one: two for pair in made.pairs for one, two in (pair, pair[::-1])}
    held = [one for one, _ in made.pairs[:15]]  # each nearly the same as one that stays
    others = [number for number in range(200) if number not in held and number not in place]
    learned = [number for number in range(200) if number not in held and number not in others[:20]]
    tested = [*held, *others[:20], learned[50]]  # 15 near, 20 that are new, and a copy
    files = [[made.texts[number] for number in numbers] for numbers in (learned, tested)]
    one, two = (
        shared_server.client.post("/api/datasets", files={"file": (name, "\n".join(lines))}).json()["id"]
        for name, lines in zip(("learned.txt", "tested.txt"), files, strict=True)
    )
    config = {"dataset": one, "validation_dataset": two, "model_name": "tiny"}
    found = shared_server.client.post("/api/preflight", json=config).json()
    assert found["leaked_examples"] == 16
    told = next(problem for problem in found["problems"] if problem["field"] == "validation_dataset")
    assert "16 examples of the validation dataset are nearly the same" in told["message"]
    first, *rest = found["leaks"]
    assert (first["in_common"], len(rest)) == (1, 5)
    for pair in found["leaks"]:
        ours, theirs = pair["rows"]
        assert (ours["side"], theirs["side"]) == ("train", "validation")
        numbers = learned[ours["row"] - 1], tested[theirs["row"] - 1]
        assert numbers[0] == numbers[1] or place[numbers[0]] == numbers[1]
        assert [ours["text"], theirs["text"]] == [made.texts[number] for number in numbers]
    for dataset in (one, two):
        shared_server.client.delete(f"/api/datasets/{dataset}")


def test_nothing_is_said_of_the_samples_templates(shared_server: Server) -> None:
    found = shared_server.client.post("/api/preflight", json={"dataset": "sample", "model_name": "tiny"}).json()
    assert found["leaked_examples"] > 100
    assert all(problem["field"] != "split_by_group" for problem in found["problems"])


def test_text_read_in_a_wrong_encoding_is_told_with_what_was_meant(shared_server: Server) -> None:
    lines = [f"Line {number} is as it should be." for number in range(40)]
    lines[6] = "Der Mann isst fÃ¼nf BrÃ¶tchen."
    created = shared_server.client.post("/api/datasets", files={"file": ("misread.txt", "\n".join(lines))}).json()
    [told] = statistics(shared_server, created["id"], model_name="tiny")["text_problems"]
    assert told == {
        "kind": "mojibake",
        "rows": 1,
        "examples": [{"row": 7, "text": lines[6], "meant": "Der Mann isst fünf Brötchen."}],
    }
    shared_server.client.delete(f"/api/datasets/{created['id']}")


def test_the_split_is_the_same_in_preflight_token_view_and_run(
    shared_server: Server, leaky: dict[str, Any], tmp_path: Path
) -> None:
    from worker.training.preparation import prepare

    config = {"dataset": leaky["id"], "model_name": "tiny", "validation_split": 0.3, "split_by_group": True}
    job = Job(
        run_id="run",
        config=RunConfig(**config, max_length=32, sample_prompts=[]),
        model=ModelSource(kind="built_in", location="tiny"),
        dataset=Datasets(shared_server.data_dir / "datasets").source(leaky["id"]),
        device="cpu",
    )
    setup = prepare(job, tmp_path, lambda event: None, StopSwitch(tmp_path))[0].setup
    body = {"config": config | {"max_length": 32}, "rows": list(range(1, 51))}
    shown = shared_server.client.post(f"/api/datasets/{leaky['id']}/tokens", json=body).json()["items"]
    counted = statistics(shared_server, leaky["id"], **{name: config[name] for name in list(config)[1:]}, max_length=32)
    preflight = shared_server.client.post("/api/preflight", json=config | {"max_length": 32}).json()
    assert preflight["leaked_examples"] == 0
    alone = shared_server.client.post("/api/preflight", json=config | {"max_length": 32, "split_by_group": False}).json()
    assert alone["leaked_examples"] > 20
    told = next(problem for problem in alone["problems"] if problem["field"] == "split_by_group")
    assert "nearly the same as one that is learned" in told["message"]
    assert not told["blocking"]
    assert (preflight["train_examples"], preflight["validation_examples"]) == (len(setup.train), len(setup.validation))
    assert (counted["train_rows"], counted["validation_rows"]) == (len(setup.train), len(setup.validation))
    for side, examples in (("train", setup.train), ("validation", setup.validation)):
        ours = [[token["id"] for token in item["tokens"] if token["state"] != "truncated"]
                for item in shown if item["side"] == side]  # fmt: skip
        assert ours == [examples[number].tolist() for number in range(len(ours))]
        assert len(ours) > 5
