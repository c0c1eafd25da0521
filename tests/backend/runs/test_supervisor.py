"""Workers, real ones: started, queued, stopped, killed, left behind by a server and found again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil

from tests.backend.records import Records, story
from tests.serving import ROOT, Server, workers

LONG = {"num_epochs": 1000, "sample_prompts": [], "log_steps": 1, "batch_size": 1, "gradient_accumulation_steps": 1}


def test_a_server_killed_mid_run_finds_its_worker_again(server: Server, short_text: str) -> None:
    """The run goes on, is adopted, and its stream has every event once, over both servers."""
    run_id = server.create(dataset=short_text, **LONG)["id"]
    before = []
    for event in server.events(run_id):
        before.append(event)
        if event["type"] == "step" and event["step"] >= 3:
            break
    (worker,) = workers(server.data_dir)
    server.stop(signal.SIGKILL)
    assert worker.is_running(), "a worker outlives its server"
    assert os.getsid(worker.pid) == worker.pid, "and the terminal that the server was started from"

    began = time.monotonic()
    server.start()
    adopted = server.wait(run_id, lambda event: event.get("fact") == "adopted")
    took = time.monotonic() - began
    assert took < 5 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), "5 s on a machine that is not overloaded"
    assert worker.is_running()
    assert server.run(run_id)["status"] == "running"

    assert server.client.post(f"/api/runs/{run_id}/stop").status_code == 202
    rest = list(server.stream(f"/api/runs/{run_id}/stream", {"Last-Event-ID": before[-1]["sse_id"]}))
    whole = list(server.events(run_id))
    assert before + rest == whole
    assert adopted in whole
    seqs = [event["seq"] for event in whole if "seq" in event]
    assert seqs == list(range(1, len(seqs) + 1))
    assert server.run(run_id)["status"] == "stopped"
    assert [e["fact"] for e in whole if e["type"] == "server"] == [
        "queued", "starting", "running", "adopted", "stopping", "stopped",
    ]  # fmt: skip


def test_a_killed_worker_is_a_failed_run_with_its_reason(server: Server, short_text: str) -> None:
    run_id = server.create(dataset=short_text, **LONG)["id"]
    server.wait(run_id, lambda event: event["type"] == "status")
    (worker,) = workers(server.data_dir)
    worker.kill()
    began = time.monotonic()
    run = server.end(run_id)
    assert time.monotonic() - began < 10
    assert run["status"] == "failed"
    assert run["reason"] == "The worker was killed by signal 9 (SIGKILL)."
    assert "memory" in run["hint"]
    log = (server.data_dir / "runs" / run_id / "worker.log").read_text()
    for line in log.splitlines()[-3:]:
        assert line in run["hint"]


def test_one_run_at_a_time_and_stop_in_the_queue(server: Server, short_text: str) -> None:
    first, second, third = (server.create(dataset=short_text, **LONG)["id"] for _ in range(3))
    server.wait(first, lambda event: event["type"] == "status")
    assert [server.run(run_id)["queue_position"] for run_id in (first, second, third)] == [None, 1, 2]
    assert len(workers(server.data_dir)) == 1

    assert server.client.delete(f"/api/runs/{first}").status_code == 409
    assert server.client.delete(f"/api/datasets/{short_text}").status_code == 409
    stopped = server.client.post(f"/api/runs/{second}/stop").json()
    assert (stopped["status"], stopped["started_at"]) == ("stopped", None)
    assert server.client.post(f"/api/runs/{second}/stop").status_code == 409

    assert server.client.post(f"/api/runs/{first}/kill").json()["status"] in ("stopping", "stopped")
    assert server.end(first)["status"] == "stopped"
    server.wait(third, lambda event: event["type"] == "status")
    assert server.client.post(f"/api/runs/{third}/stop").status_code == 202
    assert server.end(third)["status"] == "stopped"
    assert server.client.delete(f"/api/datasets/{short_text}").status_code == 409, "a stopped run may go on"
    for run_id in (first, second, third):
        assert server.client.delete(f"/api/runs/{run_id}").status_code == 204
    assert server.client.delete(f"/api/datasets/{short_text}").status_code == 204


def test_a_hundred_clicks_make_one_run(server: Server, short_text: str) -> None:
    def click(_: int) -> tuple[int, str]:
        response = server.client.post("/api/runs", json={"dataset": short_text, **LONG}, headers={"Idempotency-Key": "one"})
        return response.status_code, response.json()["id"]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(click, range(100)))
    assert len({run_id for _, run_id in answers}) == 1
    assert sorted(status for status, _ in answers) == [200] * 99 + [201]
    assert len(server.client.get("/api/runs").json()["items"]) == 1
    assert len(list((server.data_dir / "runs").iterdir())) == 1
    assert server.client.post("/api/runs", json={"dataset": short_text, **LONG}).json()["name"].endswith(" #2")


def test_a_second_server_on_one_data_directory_refuses(server: Server) -> None:
    command = [sys.executable, "-m", "backend", "serve", "--port", "0", "--data-dir", str(server.data_dir)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert second.returncode == 2
    assert f"Another Trainboard server, process {server.process.pid}, is using {server.data_dir}." in second.stderr


def test_shutdown_is_prompt_with_open_streams(server: Server) -> None:
    closed = threading.Event()

    def listen() -> None:
        with contextlib.suppress(Exception):
            list(server.stream("/api/stream"))
        closed.set()

    threading.Thread(target=listen, daemon=True).start()
    began = time.monotonic()
    assert server.stop() in (0, -signal.SIGTERM)
    assert time.monotonic() - began < 10
    assert closed.wait(5)


def test_a_run_that_ended_unseen_is_closed_by_its_own_last_word(records: Records, start_server) -> None:
    told = records.add("starting", "running")
    records.append(told, *story(5))
    silent = records.add("starting", "running")
    records.append(silent, *story(5)[:-1])
    (records.directory(silent) / "worker.log").write_text("one\ntwo\nlast words\n")
    rebooted = records.add("starting", "running")
    with records.database.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET boot_id = 'another' WHERE id = ?", (rebooted,))
    server = start_server()
    assert server.end(told)["status"] == "completed"
    run = server.end(silent)
    assert (run["status"], run["step"]) == ("failed", 5)
    assert run["hint"].endswith("one\ntwo\nlast words")
    run = server.end(rebooted)
    assert run["status"] == "interrupted"
    assert "restarted" in run["reason"]


def test_a_stranger_with_a_reused_pid_is_never_signalled(records: Records, start_server) -> None:
    """The lock is held by a live process, but the noted pid belongs to another."""
    run_id = records.add("starting", "running")
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with records.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE runs SET pid = ?, pid_started = ? WHERE id = ?",
            (stranger.pid, psutil.Process(stranger.pid).create_time() - 60, run_id),
        )
    hold = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(records.directory(run_id) / "worker.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    holder.stdout.readline()
    server = start_server()
    server.wait(run_id, lambda event: event.get("fact") == "adopted")
    assert server.client.post(f"/api/runs/{run_id}/kill").status_code == 409
    assert stranger.poll() is None
    holder.kill()
    assert server.end(run_id)["status"] == "stopped", "its lock is free: it is gone, after it was asked to stop"
    stranger.kill()
    stranger.wait()
    holder.wait()


def test_a_run_whose_worker_never_came_to_be_goes_back_to_the_queue(records: Records, start_server) -> None:
    """The server was killed between taking the run from the queue and starting its worker."""
    run_id = records.add("starting")
    server = start_server()
    facts = [event["fact"] for event in server.events(run_id) if event["type"] == "server"]
    assert facts[-4:] == ["queued", "starting", "running", "failed"], "its dataset does not exist"


def test_many_who_stop_a_run_at_once_are_all_answered(server) -> None:
    run_id = server.create(num_epochs=100, sample_prompts=[])["id"]
    server.wait(run_id, lambda event: event["type"] == "step")
    with ThreadPoolExecutor(16) as pool:
        codes = set(pool.map(lambda _: server.client.post(f"/api/runs/{run_id}/stop").status_code, range(32)))
    assert codes == {202}
    assert server.end(run_id)["status"] == "stopped"
