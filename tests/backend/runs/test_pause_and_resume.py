"""Real workers: paused, stopped, killed, and each time the curve goes on as if nothing had been."""

from __future__ import annotations

import signal
from typing import Any

from tests.serving import Server, workers

STEPS = 240
SHORT = {
    "max_steps": STEPS,
    "batch_size": 1,
    "gradient_accumulation_steps": 1,
    "save_steps": 40,
    "eval_steps": 120,
    "sample_prompts": [],
}


def ask(server: Server, run_id: str, action: str) -> dict[str, Any]:
    answer = server.client.post(f"/api/runs/{run_id}/{action}")
    assert answer.status_code == 202, answer.text
    run: dict[str, Any] = answer.json()
    return run


def at_step(step: int):
    return lambda event: event["type"] == "step" and event["step"] >= step


def in_phase(phase: str):
    return lambda event: event["type"] == "status" and event["phase"] == phase


def test_a_paused_run_outlives_its_server_and_goes_on_where_it_was(server: Server, short_text: str) -> None:
    run_id = server.create(dataset=short_text, **SHORT)["id"]
    server.wait(run_id, at_step(3))
    assert ask(server, run_id, "pause")["status"] == "pausing"
    paused = server.wait(run_id, lambda event: event.get("fact") == "paused")
    assert ask(server, run_id, "pause")["status"] == "paused", "asking twice changes nothing"
    waiting = server.create(dataset=short_text, **SHORT)["id"]

    (worker,) = workers(server.data_dir)
    server.stop(signal.SIGKILL)
    server.start()
    server.wait(run_id, lambda event: event.get("fact") == "adopted")
    run = server.run(run_id)
    assert (run["status"], run["phase"], run["eta_s"]) == ("paused", "paused", None)
    assert server.run(waiting)["queue_position"] == 1, "a paused run keeps its device"
    ask(server, waiting, "stop")

    ask(server, run_id, "resume")
    rest = list(server.events(run_id, after=paused["cursor"]))
    assert workers(server.data_dir) == [] or not worker.is_running()
    assert server.run(run_id)["status"] == "completed"
    assert [event["fact"] for event in rest if event["type"] == "server"] == ["adopted", "running", "completed"]
    assert [event["step"] for event in rest if event["type"] == "step"] == list(range(run["step"] + 1, STEPS + 1))
    assert server.run(run_id)["resumed_step"] is None, "it is still its first worker"


def test_a_run_goes_on_after_a_stop_and_after_a_kill(server: Server, short_text: str) -> None:
    run_id = server.create(dataset=short_text, **SHORT)["id"]
    server.wait(run_id, at_step(5))
    ask(server, run_id, "pause")
    ask(server, run_id, "stop")
    stopped = server.end(run_id)
    assert stopped["status"] == "stopped", "a paused run can be stopped, and one that is about to pause"
    last = max(event["cursor"] for event in server.events(run_id))

    resumed = ask(server, run_id, "resume")
    assert (resumed["step"], resumed["reason"], resumed["ended_at"]) == (stopped["step"], None, None)
    first = server.wait(run_id, lambda event: event["type"] == "step", after=last)
    assert first["step"] == stopped["step"] + 1, "a stop saves what was learned"
    assert server.run(run_id)["resumed_step"] == stopped["step"]

    (worker,) = workers(server.data_dir)
    saved = server.wait(run_id, lambda event: event["type"] == "checkpoint", after=first["cursor"])
    seen = server.wait(run_id, at_step(saved["step"] + 3), after=saved["cursor"])
    worker.kill()
    failed = server.end(run_id)
    assert (failed["status"], failed["reason"]) == ("failed", "The worker was killed by signal 9 (SIGKILL).")

    retried = ask(server, run_id, "retry")
    assert retried["step"] == failed["step"] >= seen["step"]
    done = server.end(run_id)
    assert (done["status"], done["step"], done["phase"]) == ("completed", STEPS, "completed")
    assert saved["step"] <= done["resumed_step"] <= failed["step"]
    assert done["resumed_step"] % SHORT["save_steps"] == 0
    series = server.client.get(f"/api/runs/{run_id}/series?keys=loss").json()
    assert series["x"] == list(range(1, STEPS + 1)), "each update is there once"
    events = server.client.get(f"/api/runs/{run_id}/events?limit=10000").json()["items"]
    seqs = [event["seq"] for event in events if "seq" in event]
    assert seqs == list(range(1, len(seqs) + 1)), "one log over three workers"
    assert [event["resumed_step"] for event in events if event.get("resumed_step") is not None] == [
        stopped["step"], done["resumed_step"],
    ]  # fmt: skip
    refused = server.client.post(f"/api/runs/{run_id}/retry").json()["error"]
    assert refused["hint"] == "Start a new run from its model."
