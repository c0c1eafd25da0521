"""Forks: from a checkpoint to the same bits, with what the changes allow, and a family that is remembered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from backend.runs.forking.fork import CARRIES_AT_MOST
from tests.backend.records import Records, story
from tests.serving import Server
from worker.contract import RunConfig

TEXT = "".join(f"The little {animal} went home to its {place}.\n" for animal in ("fox", "owl", "cat", "dog", "hen", "cow")
               for place in ("den", "nest", "barn", "tree"))  # fmt: skip
SMALL: dict[str, Any] = {
    "model_name": "tiny", "max_steps": 12, "save_steps": 4, "eval_steps": 4, "batch_size": 2, "keep_checkpoints": 9,
    "gradient_accumulation_steps": 2, "max_length": 24, "sample_prompts": [], "learning_rate": 1e-2,
}  # fmt: skip


class Family:
    """A server with a run of 12 updates that has ended, and checkpoints of 4, 8 and 12."""

    def __init__(self, server: Server) -> None:
        self.server = server
        dataset = server.client.post("/api/datasets", files={"file": ("short.txt", TEXT)}).json()["id"]
        self.parent = server.create(name="Grey fox", dataset=dataset, **SMALL)["id"]
        assert server.end(self.parent)["status"] == "completed"

    def ask(self, run_id: str | None = None, path: str = "fork", **body: Any) -> Any:
        return self.server.client.post(f"/api/runs/{run_id or self.parent}/{path}", json=body)

    def fork(self, **body: Any) -> dict[str, Any]:
        """A fork of the parent, once it has ended."""
        answer = self.ask(**body)
        assert answer.status_code == 201, answer.text
        ended = self.server.end(answer.json()["id"])
        assert ended["status"] == "completed", ended
        return ended

    def losses(self, run_id: str) -> dict[int, Any]:
        """Loss, gradient norm and rate of each update, and the loss of each evaluation, as they are in the log."""
        path = self.server.data_dir / "runs" / run_id / "events.jsonl"
        events = [json.loads(line) for line in path.read_text().splitlines()]
        told: dict[int, Any] = {e["step"]: (e["loss"], e["grad_norm"], e["lr"]) for e in events if e["type"] == "step"}
        return told | {-e["step"]: e["loss"] for e in events if e["type"] == "evaluation"}

    def refusal(self, run_id: str | None = None, **body: Any) -> dict[str, Any]:
        answer = self.ask(run_id, **body)
        assert answer.status_code == 422, answer.text
        return answer.json()["error"]


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Family]:
    server = Server(tmp_path_factory.mktemp("forks") / "data")
    yield Family(server)
    server.stop()
    server.kill_workers()


def test_without_changes_it_is_the_same_run_to_the_last_bit(family: Family) -> None:
    fork = family.fork(step=4)
    assert fork["origin"] == {"run": family.parent, "name": "Grey fox", "step": 4, "state": "exact", "changes": {}}
    assert (fork["name"], fork["resumed_step"], fork["step"]) == ("Grey fox fork", 4, 12)
    later = {step: told for step, told in family.losses(family.parent).items() if step > 4 or step <= -4}
    assert family.losses(fork["id"]) == later, "its curve begins where it was forked"
    assert fork["best_validation_loss"] == family.server.run(family.parent)["best_validation_loss"]
    saved = family.server.client.get(f"/api/runs/{fork['id']}/checkpoints").json()["items"]
    assert [one["step"] for one in saved if one["kind"] != "final"] == [4, 8, 12], "it has the one that it began from too"


def test_a_changed_rate_changes_what_comes_after_and_nothing_else(family: Family) -> None:
    before = family.losses(family.parent)
    fork = family.fork(step=8, changes={"learning_rate": 1e-3, "max_steps": 14}, name="Slower")
    assert (fork["name"], fork["origin"]["state"], fork["config"]["model_name"]) == ("Slower", "exact", "tiny")
    assert fork["origin"]["changes"] == {
        "learning_rate": {"before": 1e-2, "after": 1e-3}, "max_steps": {"before": 12, "after": 14},
    }  # fmt: skip
    after = family.losses(fork["id"])
    assert sorted(after) == [-14, -12, -8, 9, 10, 11, 12, 13, 14]
    assert after[9][:2] == before[9][:2], "the update's loss and gradient come before its change of the weights"
    assert after[10][0] != before[10][0]


def test_what_changes_too_much_begins_from_the_weights_alone(family: Family) -> None:
    wanted = {"step": 8, "changes": {"batch_size": 4, "max_steps": 2}}
    seen = family.ask(path="fork/preview", **wanted).json()
    assert (seen["state"], seen["because"], seen["steps"]) == ("weights", ["batch_size"], [4, 8, 12])
    fork = family.fork(**wanted)
    assert (fork["origin"]["state"], fork["config"]["model_name"]) == ("weights", f"run:{family.parent}@step-000008")
    assert set(fork["origin"]["changes"]) == {"batch_size", "max_steps"}
    losses = family.losses(fork["id"])
    assert losses[0] == family.losses(family.parent)[-8], "untrained it is as good as the checkpoint"
    assert {1, 2} <= set(losses)
    same_window = {"batch_size": 1, "gradient_accumulation_steps": 4}
    assert family.ask(path="fork/preview", step=8, changes=same_window).json()["state"] == "exact"


def test_from_the_start_it_is_a_new_run_that_knows_its_origin(family: Family) -> None:
    fork = family.fork(changes={"learning_rate": 2e-3, "max_steps": 1})
    assert (fork["origin"]["state"], fork["origin"]["step"], fork["resumed_step"]) == ("start", None, None)
    like = family.server.client.post(f"/api/runs?from={family.parent}", json={**fork["config"], "name": "Again"}).json()
    assert like["origin"]["changes"] == fork["origin"]["changes"]
    members = family.server.client.get(f"/api/runs/{fork['id']}/lineage").json()["items"]
    assert members[0]["id"] == family.parent
    assert {fork["id"], like["id"]} <= {member["id"] for member in members[1:] if member["origin"]["run"] == family.parent}
    assert family.server.end(like["id"])["status"] == "completed"


def test_what_cannot_be_is_refused_by_name(family: Family) -> None:
    unknown = family.refusal(step=5)
    assert (unknown["field"], unknown["message"]) == ("step", "There is no checkpoint of step 5.")
    assert unknown["hint"].startswith("There are: 4, 8, 12.")
    assert family.refusal(changes={"learning_rat": 1})["field"] == "learning_rat"
    assert family.refusal(changes={"learning_rate": "high"})["field"] == "learning_rate"
    assert family.refusal(changes={"name": "x"})["field"] == "name"
    assert family.refusal(step=4, changes={"model_name": "mini"})["field"] == "model_name"
    assert family.refusal(step=12)["field"] == "max_steps", "there is nothing left to do"
    assert family.refusal(step=4, changes={"dataset": "nothing"})["field"] == "dataset"
    assert family.refusal(step=0)["field"] == "step"
    assert family.ask("20260101-000000-abcd").status_code == 404


def test_a_parent_may_go_and_its_forks_stay(family: Family) -> None:
    client = family.server.client
    exact, weights = family.fork(step=8), family.fork(step=4, changes={"seed": 7, "max_steps": 1})
    for run in family.server.client.get("/api/runs").json()["items"]:
        if run["id"] not in (exact["id"], weights["id"]):
            assert client.delete(f"/api/runs/{run['id']}").status_code == 204
    assert family.server.run(exact["id"])["origin"]["name"] == "Grey fox"
    members = client.get(f"/api/runs/{weights['id']}/lineage").json()["items"]
    assert [(one["name"], one["status"]) for one in members] == [
        ("Grey fox", None), (exact["name"], "completed"), (weights["name"], "completed"),
    ]  # fmt: skip
    assert family.server.end(family.ask(exact["id"], step=8).json()["id"])["status"] == "completed", "from its own copy"
    assert family.ask(weights["id"], changes={"max_steps": 2}).json()["error"]["field"] == "model_name"


def test_a_damaged_checkpoint_is_not_gone_on_from(records: Records, start_server) -> None:
    run_id = records.add("starting", "running", "stopped")
    records.append(run_id, *story(12)[:-1])
    folder = records.directory(run_id) / "checkpoints" / "step-000010"
    folder.mkdir(parents=True)
    (folder / "training_state.json").write_text("{}")
    (folder / "manifest.json").write_text('{"files": {"training_state.json": {"bytes": 9, "sha256": "x"}}}')
    server = start_server()
    refused = server.client.post(f"/api/runs/{run_id}/fork", json={"step": 10})
    assert refused.json()["error"]["field"] == "dataset", "whose file is gone"
    job = json.loads((records.directory(run_id) / "config.json").read_text())
    text = records.settings.data_dir / "text.txt"
    text.write_text(TEXT)
    job["dataset"]["path"] = str(text)
    (records.directory(run_id) / "config.json").write_text(json.dumps(job))
    made = server.client.post(f"/api/runs/{run_id}/fork", json={"step": 10})
    assert made.status_code == 201, made.text
    ended = server.end(made.json()["id"])
    assert (ended["status"], ended["reason"]) == ("failed", "The checkpoint that this run was to go on from cannot be used.")


def test_the_table_has_each_setting_of_the_model_the_data_and_the_method() -> None:
    """But for what people call the run, and noise that no state remembers."""
    groups = {name: field.json_schema_extra["group"] for name, field in RunConfig.model_fields.items()}
    decisive = {name for name, group in groups.items() if group in ("essentials", "method")}
    assert decisive - set(CARRIES_AT_MOST) == {"name", "lora_dropout"}
    assert set(CARRIES_AT_MOST) - decisive == {"max_length", "seed", "optimizer"}
