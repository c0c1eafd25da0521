"""Datasets mixed with a run's own: told before the start, learned in their shares, measured each, and kept while needed."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.serving import Server

LINES = [f"Number {number} is followed by {number + 1} and then by {number + 2}." for number in range(60)]
WORDS = ["a", "few", "words", "that", "stand", "in", "any", "order", "as", "it", "comes"]
OTHERS = [" ".join(random.Random(line).choices(WORDS, k=12)) for line in range(200)]


def upload(server: Server, name: str, lines: list[str]) -> str:
    return str(server.client.post("/api/datasets", files={"file": (name, "\n".join(lines))}).json()["id"])


def test_a_run_learns_from_a_mixture_and_tells_what_it_is_made_of(shared_server: Server) -> None:
    client, dataset, other = shared_server.client, *(upload(shared_server, *one) for one in
                                                     (("numbers.txt", LINES), ("words.txt", OTHERS)))  # fmt: skip
    config: dict[str, Any] = {"model_name": "tiny", "max_steps": 3, "sample_prompts": [], "dataset": dataset}
    config |= {"mixture": [f"{other}=0.25"], "max_length": 64, "split_by_group": True}
    told = client.post("/api/preflight", json=config).json()
    assert [part["name"] for part in told["mixture"]] == [dataset, "words.txt"]
    assert told["exact"]
    assert sum(part["tokens"] for part in told["mixture"]) == told["tokens_per_epoch"]
    assert told["mixture"][1]["share"] == pytest.approx(0.25, abs=64 / told["tokens_per_epoch"])
    assert told["mixture"][0]["passes"] == 1
    assert 0 < told["mixture"][1]["passes"] < 1
    run = shared_server.create(**config)
    assert client.delete(f"/api/datasets/{other}").status_code == 409
    run = shared_server.end(run["id"])
    assert (run["status"], run["train_examples"]) == ("completed", told["train_examples"])
    events = client.get(f"/api/runs/{run['id']}/events").json()["items"]
    (text,) = (event["text"] for event in events if event["type"] == "message" and "An epoch learns" in event["text"])
    assert f"{told['mixture'][1]['tokens']:,} of words.txt" in text
    losses = [event["losses"] for event in events if event["type"] == "evaluation"]
    assert all(set(found) == {"words.txt"} for found in losses)
    assert losses[-1]["words.txt"] < losses[0]["words.txt"]
    card = shared_server.data_dir / "runs" / run["id"] / "model" / "README.md"
    assert f"`{dataset}`, `{other}=0.25`" in card.read_text()
    for each in (dataset, other):
        assert client.delete(f"/api/datasets/{each}").status_code == 204


@pytest.mark.parametrize(
    ("field", "config", "told"),
    [
        ("mixture", {"mixture": ["nothing=0.5"]}, "no dataset"),
        ("mixture", {"mixture": ["sample=0.5"]}, "is the dataset itself"),
        ("mixture", {"mixture": ["other"]}, "a share between 0 and 1"),
        ("mixture", {"mixture": ["other=2"]}, "a share between 0 and 1"),
        ("mixture", {"mixture": ["other=nan"]}, "a share between 0 and 1"),
        ("mixture", {"mixture": ["=0.2"]}, "a share between 0 and 1"),
        ("mixture", {"mixture": ["other=0.2", "other=0.3"]}, "once"),
        ("mixture", {"mixture": ["other=0.6", "another=0.4"]}, "less than 1"),
        ("validation_dataset", {"mixture": ["OTHER=0.5"], "validation_dataset": "OTHER"}, "mixed with it"),
        ("evaluation_datasets", {"mixture": ["OTHER=0.5"], "evaluation_datasets": ["OTHER"]}, "learned from"),
    ],
)
def test_what_cannot_be_mixed_is_refused_at_its_field(
    shared_server: Server, field: str, config: dict[str, Any], told: str
) -> None:
    other = upload(shared_server, "words.txt", OTHERS)
    named = json.loads(json.dumps(config).replace("OTHER", other))
    answer = shared_server.client.post("/api/runs", json={"dataset": "sample", **named})
    assert shared_server.client.delete(f"/api/datasets/{other}").status_code == 204
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert told in answer.json()["error"]["message"]
