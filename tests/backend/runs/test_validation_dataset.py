"""A dataset of one's own to test on: found, counted before the start, told in the run, and kept as long as it is needed."""

from __future__ import annotations

from typing import Any

from tests.serving import Server

LINES = [f"Number {number} is followed by {number + 1} and then by {number + 2}." for number in range(40)]


def upload(server: Server, name: str, lines: list[str]) -> str:
    return str(server.client.post("/api/datasets", files={"file": (name, "\n".join(lines))}).json()["id"])


def test_a_run_is_tested_on_the_dataset_that_was_chosen_for_it(shared_server: Server) -> None:
    learned, tested = upload(shared_server, "learned.txt", LINES[:31]), upload(shared_server, "tested.txt", LINES[31:])
    config: dict[str, Any] = {"model_name": "tiny", "max_steps": 2, "sample_prompts": [], "validation_split": 0}
    config |= {"dataset": learned, "validation_dataset": tested, "early_stopping_patience": 5}
    told = shared_server.client.post("/api/preflight", json=config).json()
    assert (told["train_examples"], told["validation_examples"], told["exact"]) == (31, 9, True)
    assert told["formula"]["evaluation_seconds"] > 0
    run = shared_server.create(**config)
    refused = shared_server.client.delete(f"/api/datasets/{tested}")
    assert (refused.status_code, "in use" in refused.json()["error"]["message"]) == (409, True)
    run = shared_server.end(run["id"])
    assert (run["status"], run["train_examples"], run["validation_examples"]) == ("completed", 31, 9)
    assert run["config"]["validation_dataset"] == tested
    assert run["validation_loss"] > 0
    for dataset in (learned, tested):
        assert shared_server.client.delete(f"/api/datasets/{dataset}").status_code == 204


def test_further_datasets_are_evaluated_on_and_kept_as_long_as_they_are_needed(shared_server: Server) -> None:
    learned, other = upload(shared_server, "learned.txt", LINES[:31]), upload(shared_server, "other.txt", LINES[31:])
    config: dict[str, Any] = {"model_name": "tiny", "max_steps": 2, "sample_prompts": [], "dataset": learned}
    without = shared_server.client.post("/api/preflight", json=config).json()
    told = shared_server.client.post("/api/preflight", json=config | {"evaluation_datasets": [other]}).json()
    assert told["formula"]["evaluation_seconds"] > 2 * without["formula"]["evaluation_seconds"]
    run = shared_server.create(**config, evaluation_datasets=[other])
    assert shared_server.client.delete(f"/api/datasets/{other}").status_code == 409
    run = shared_server.end(run["id"])
    assert run["config"]["evaluation_datasets"] == [other]
    events = shared_server.client.get(f"/api/runs/{run['id']}/events", params={"type": "evaluation"}).json()["items"]
    losses = [event["losses"]["other.txt"] for event in events if event["type"] == "evaluation"]
    assert len(losses) == 2
    assert losses[1] < losses[0]
    series = shared_server.client.get(f"/api/runs/{run['id']}/series", params={"keys": "loss,losses/other.txt"}).json()
    assert [loss for loss in series["series"]["losses/other.txt"]["mean"] if loss is not None] == losses
    head, *rows = shared_server.client.get(f"/api/runs/{run['id']}/files/metrics.csv").text.splitlines()
    cells = [row.split(",")[head.split(",").index("losses/other.txt")] for row in rows]
    assert [float(cell) for cell in cells if cell] == losses
    plain = shared_server.end(shared_server.create(**config)["id"])
    compared = shared_server.client.get("/api/compare", params={"runs": f"{run['id']},{plain['id']}"}).json()
    assert [outcome["losses"] for outcome in compared["outcomes"]] == [{"other.txt": losses[1]}, {}]
    report = shared_server.client.get(f"/api/runs/{run['id']}/files/report.html").text
    assert "loss on other.txt" in report
    for wrong in ([learned], [other, other], ["nothing"]):
        answer = shared_server.client.post("/api/runs", json=config | {"evaluation_datasets": wrong})
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "evaluation_datasets")
    for dataset in (learned, other):
        assert shared_server.client.delete(f"/api/datasets/{dataset}").status_code == 204


def test_what_cannot_be_tested_on_is_refused(shared_server: Server) -> None:
    for wrong, told in (("sample", "the dataset itself"), ("nothing", "no dataset")):
        answer = shared_server.client.post("/api/runs", json={"dataset": "sample", "validation_dataset": wrong})
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "validation_dataset")
        assert told in answer.json()["error"]["message"]
