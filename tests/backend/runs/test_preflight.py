"""What a run will take is told before it starts, kept with the run, and a run that cannot fit is stopped at the door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx_sse import connect_sse
from transformers import AutoTokenizer

from backend.datasets.sample_corpus import sample_lines
from tests.serving import Server
from tests.worker.designs import save_small_gpt2

SMALL = {"model_name": "tiny", "num_epochs": 2, "batch_size": 2, "gradient_accumulation_steps": 2, "sample_prompts": []}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all of these tests, as measuring the machine takes seconds."""
    server = Server(tmp_path_factory.mktemp("preflight") / "data")
    yield server
    server.stop()
    server.kill_workers()


@pytest.fixture(scope="module")
def short_text(server: Server) -> str:
    """A dataset of a few lines, so that a worker is soon at its first step."""
    lines = "".join(f"The little {animal} number {number} went home.\n" for animal in ("fox", "owl") for number in range(20))
    return str(server.client.post("/api/datasets", files={"file": ("short.txt", lines)}).json()["id"])


def preflight(server: Server, **config: Any) -> dict[str, Any]:
    answer = server.client.post("/api/preflight", json=config)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def measured(server: Server, **config: Any) -> list[tuple[str, dict[str, Any]]]:
    with connect_sse(server.client, "POST", "/api/preflight/measure", json=config, timeout=120) as source:
        return [(message.event, message.json()) for message in source.iter_sse()]


def test_what_is_estimated_is_what_the_run_then_does(server: Server, short_text: str) -> None:
    config = {**SMALL, "dataset": short_text, "save_steps": 5}
    told = preflight(server, **config)
    events = measured(server, **config)
    assert events[-1][0] == "done", events[-1]
    assert [kind for kind, _ in events[:-1]] == ["progress"] * (len(events) - 1) != []
    with_both = events[-1][1]
    assert with_both["measured"]["step_seconds"] > 0
    assert with_both["formula"] == preflight(server, **config)["formula"]

    run = server.end(server.create(**config)["id"])

    assert run["status"] == "completed", run["reason"]
    assert (told["exact"], told["fits"], told["device"], told["precision"]) == (True, True, "cpu", run["precision"])
    for name in ("train_examples", "validation_examples", "total_steps", "parameters"):
        assert told[name] == run[name], name
    last = [event for event in server.events(run["id"]) if event["type"] == "step"][-1]
    assert told["tokens_per_epoch"] * 2 == last["tokens"]
    assert run["predicted"]["measured"] == with_both["measured"]
    assert run["peak_memory_bytes"] == pytest.approx(with_both["measured"]["peak_memory_bytes"], rel=0.1)
    assert 0 < run["step_seconds"] < 5
    assert {problem["field"] for problem in told["problems"]} == {"dataset", "split_by_group"}, "few, and alike"
    assert not any(problem["blocking"] for problem in told["problems"])


def test_a_run_nobody_asked_about_has_no_prediction(server: Server, short_text: str) -> None:
    run = server.create(**SMALL, dataset=short_text, max_steps=1)
    assert run["predicted"] is None
    assert server.end(run["id"])["peak_memory_bytes"] > 10_000_000


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"model_name": "tiny", "max_length": 100_000}, "max_length"),
        ({"dataset": "nothing"}, "dataset"),
        ({"model_name": "local:nothing"}, "model_name"),
        ({"btch_size": 1}, "btch_size"),
    ],
)
def test_a_configuration_that_no_run_can_have_is_refused_alike(server: Server, config: dict[str, Any], field: str) -> None:
    for path in ("/api/preflight", "/api/preflight/measure"):
        answer = server.client.post(path, json=config)
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, field), answer.text


def test_a_run_that_cannot_fit_is_blocked_with_the_batch_that_does_and_may_be_overridden(server: Server) -> None:
    book = "\n".join(f"{number} {story}" for number in range(8) for story in sample_lines(seed=9))
    dataset = server.client.post("/api/datasets", files={"file": ("book.txt", book)}).json()["id"]
    document = server.client.patch(f"/api/datasets/{dataset}", json={"reading": {"kind": "document"}})
    assert document.status_code == 200, document.text
    config = {"model_name": "mini", "dataset": dataset, "batch_size": 1024, "gradient_accumulation_steps": 8}
    told = preflight(server, **config)
    assert not told["fits"]
    assert told["formula"]["peak_memory_bytes"] > told["memory_available_bytes"]
    size, accumulation = told["largest_batch_size"], told["largest_accumulation"]
    assert 1 <= size < 1024
    assert size * accumulation == 1024 * 8
    (problem,) = (problem for problem in told["problems"] if problem["blocking"])
    assert problem["field"] == "batch_size"
    assert f"is {size};" in problem["hint"]

    before = server.client.get("/api/runs").json()["items"]
    refused = server.client.post("/api/runs", json=config)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "does_not_fit")
    assert server.client.get("/api/runs").json()["items"] == before

    fitting = preflight(server, **config | {"batch_size": size, "gradient_accumulation_steps": accumulation})
    # Not "fits": what is free may have changed meanwhile.
    assert fitting["formula"]["peak_memory_bytes"] <= told["memory_available_bytes"]

    # One that is training keeps the device, so the one that is started all the same never takes this machine's memory.
    first = server.create(model_name="tiny", num_epochs=1000, sample_prompts=[])
    forced = server.client.post("/api/runs?override=true", json=config)
    assert (forced.status_code, forced.json()["status"]) == (201, "queued"), forced.text
    assert forced.json()["predicted"]["fits"] is False
    for run_id in (forced.json()["id"], first["id"]):
        server.client.post(f"/api/runs/{run_id}/stop")
    assert server.end(first["id"])["status"] == "stopped"


def test_a_chat_format_that_is_not_used_is_told(server: Server, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("7+1? 8\n" * 20)
    folder = server.data_dir / "models" / "instruct"
    source = save_small_gpt2(folder, texts)
    tokenizer = AutoTokenizer.from_pretrained(source.location)
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}"
    tokenizer.save_pretrained(source.location)
    rows = "".join(json.dumps({"prompt": f"7+{n}?", "completion": str(7 + n)}) + "\n" for n in range(30))
    dataset = server.client.post("/api/datasets", files={"file": ("sums.jsonl", rows)}).json()["id"]
    for model, told in (("local:instruct", True), ("tiny", False)):
        found = preflight(server, **{**SMALL, "model_name": model, "dataset": dataset})
        assert found["chat_format_unused"] is told
        assert any("answers in a chat format" in problem["message"] for problem in found["problems"]) is told
