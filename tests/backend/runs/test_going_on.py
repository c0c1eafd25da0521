"""A run that goes on after an end: what its first worker said last must not be taken for the second one's word."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from backend.events import broadcast
from backend.events.broadcast import Broadcaster
from backend.runs import history, lifecycle
from backend.runs.tailer import Tailer
from backend.schemas.runs import Run
from tests.backend.records import Records, going_on, story
from tests.serving import pretend_gpus, worker_of
from worker.contract import LockInfo, SampleEvent, StatusEvent, StepEvent


def first_life() -> list:
    """19 updates, checks and samples at 0 and 10, and a failure."""
    events = [event for event in story(20) if getattr(event, "step", 0) < 20]
    events.insert(-1, SampleEvent(seq=len(events), time=events[-1].time, step=15, prompt="Once", text="superseded"))
    events[-1] = StatusEvent(seq=len(events), time=events[-1].time, phase="failed", reason="boom")
    return events


def described(records: Records, run_id: str) -> Run:
    with records.database.read() as connection:
        return lifecycle.get(connection, run_id)


@pytest.mark.parametrize("at_once", [False, True])
def test_what_was_reported_after_the_checkpoint_no_longer_counts(records: Records, at_once: bool) -> None:
    run_id = records.add("starting", "running")
    tailer = Tailer(records.database, records.settings.runs_dir)
    first = first_life()
    second = going_on(len(first) + 1, after=12, steps=17)
    for events in ([*first, *second],) if at_once else (first, second[:2], second[2:]):
        records.append(run_id, *events)
        tailer.ingest(run_id)
        if events == second[:2]:
            run = described(records, run_id)
            assert (run.step, run.resumed_step, run.epoch, run.eta_s) == (12, 12, 1.2, None)
            assert (run.loss, run.validation_loss, run.best_validation_loss) == (5.8, 6.0, 6.0)
            assert run.sparkline[-1] == 5.8

    with records.database.read() as connection:
        series = history.series(connection, lifecycle.row(connection, run_id), ["loss"], None, None, 1000)
        samples = history.samples(connection, run_id)
        told, _ = history.page(connection, run_id, 0, 1000, None)
    assert series.x == list(range(1, 18))
    means = series.series["loss"].mean
    assert means[11] == pytest.approx(5.8), "update 12 is in the checkpoint"
    assert means[12] == pytest.approx(7 - 1.3 - 0.5), "update 13 was made again"
    assert means[16] == pytest.approx(7 - 1.7 - 0.5)
    assert [sample.step for sample in samples] == [0]
    assert len([event for event in told if event["type"] == "step"]) == 19 + 5, "the log keeps everything"
    run = described(records, run_id)
    assert (run.step, run.resumed_step, len(run.sparkline)) == (17, 12, 16)


def test_starting_over_leaves_the_untrained_models_check_once(records: Records) -> None:
    run_id = records.add("starting", "running")
    first, again = first_life(), story(3)[:-1]
    again[1].resumed_step = 0
    for seq, event in enumerate(again, len(first) + 1):
        event.seq = seq
    records.append(run_id, *first, *again)
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    with records.database.read() as connection:
        assert history.series(connection, lifecycle.row(connection, run_id), ["validation_loss"], None, None, 1000).x == [0]
        assert [sample.step for sample in history.samples(connection, run_id)] == [0]
    run = described(records, run_id)
    assert (run.step, run.resumed_step, run.best_validation_loss) == (3, 0, 7.0)


def test_a_log_that_lost_its_end_in_a_power_cut_is_what_counts(records: Records) -> None:
    """The index had read further. The next worker counts on from what is left, with numbers that the index has seen."""
    run_id = records.add("starting", "running")
    tailer = Tailer(records.database, records.settings.runs_dir)
    first = story(20)[:-1]
    records.append(run_id, *first)
    tailer.ingest(run_id)
    left = [event for event in first if getattr(event, "step", 0) <= 9]
    (records.directory(run_id) / "events.jsonl").unlink()
    records.append(run_id, *left)
    tailer.ingest(run_id)
    run = described(records, run_id)
    assert (run.step, run.loss, run.validation_loss, run.status) == (9, 6.1, 7.0, "running")
    records.append(run_id, *going_on(len(left) + 1, after=5, steps=12))
    tailer.ingest(run_id)
    with records.database.read() as connection:
        assert history.series(connection, lifecycle.row(connection, run_id), ["loss"], None, None, 1000).x == list(
            range(1, 13)
        )
    assert described(records, run_id).step == 12


def test_the_time_that_a_run_was_paused_is_no_part_of_its_pace(records: Records) -> None:
    run_id = records.add("starting", "running")
    events = story(4)[:-1]
    stamps = iter(range(len(events)))
    for event in events:
        event.time = f"2026-01-01T00:00:{next(stamps):02}.000000Z"
    step: StepEvent = events[-1]
    pause = StatusEvent(seq=step.seq + 1, time="2026-01-01T00:00:10.000000Z", phase="paused")
    after = [
        step.model_copy(update={"seq": pause.seq + n, "step": step.step + n, "time": f"2026-01-01T09:00:0{n}.000000Z"})
        for n in (1, 2)
    ]
    resumed = StatusEvent(phase="training", total_steps=100)
    tailer = Tailer(records.database, records.settings.runs_dir)
    records.append(run_id, *events, pause)
    tailer.ingest(run_id)
    assert (described(records, run_id).status, described(records, run_id).eta_s) == ("paused", None)
    resumed.seq, resumed.time = pause.seq + 1, "2026-01-01T09:00:00.000000Z"
    for event in after:
        event.seq += 1
    records.append(run_id, resumed, *after)
    tailer.ingest(run_id)
    run = described(records, run_id)
    assert (run.status, run.step, run.eta_s) == ("running", 6, 94.0), "94 updates of a second each"


def test_a_pause_that_was_taken_back_before_the_worker_saw_it_leaves_the_run_running(records: Records) -> None:
    run_id = records.add("starting", "running", "pausing")
    records.append(run_id, *story(2)[:-1])
    tailer = Tailer(records.database, records.settings.runs_dir)
    tailer.ingest(run_id)
    assert records.status(run_id) == "pausing", "an update that was under way ends no pausing"
    with records.database.write() as connection:
        assert not lifecycle.request_resume(connection, run_id)
    assert records.status(run_id) == "running"


def test_a_stream_of_a_run_that_was_resumed_passes_over_its_earlier_end(records: Records, run_async) -> None:
    run_id = records.add("starting", "running", "stopped", "queued", "starting", "running")

    async def scenario() -> tuple[bytes, bytes, bytes]:
        broadcaster = Broadcaster(records.database)
        await broadcaster.start()
        stream = broadcaster.follow(0, frozenset({run_id}))
        replayed = await anext(stream)
        following = asyncio.create_task(anext(stream))
        ended, _ = await asyncio.wait([following], timeout=0.2)
        assert not ended, "all that there is was told, and the run goes on"
        with records.database.write() as connection:
            lifecycle.transition(connection, run_id, "completed")
        frames = replayed, await following, await anext(stream)
        await broadcaster.stop()
        return frames

    replayed, live, end = run_async(scenario())
    assert b'"fact": "stopped"' in replayed
    assert b'"fact": "completed"' in live
    assert end == broadcast.END


def test_a_server_killed_as_it_started_a_run_anew_starts_it_anew(records: Records, start_server) -> None:
    """The earlier worker's last word and process id are there; neither may be taken for the next worker's."""
    run_id = records.add("starting", "running")
    records.append(run_id, *first_life())
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    for status in ("failed", "queued", "starting"):
        with records.database.write() as connection:
            assert lifecycle.transition(connection, run_id, status)
    (records.directory(run_id) / "worker.lock").write_bytes(b"")
    before = len(records.events(run_id))
    server = start_server()
    facts = [event["fact"] for event in server.events(run_id) if event["type"] == "server"]
    assert facts[5:8] == ["starting", "queued", "starting"], facts
    assert server.run(run_id)["reason"] != "boom", "its dataset does not exist, so the next worker fails as well"
    assert len(records.events(run_id)) > before


def test_asking_a_run_to_go_on_clears_what_was_asked_of_its_earlier_worker(records: Records, start_server) -> None:
    run_id = records.add("starting", "running", "stopped")
    directory = records.directory(run_id)
    (directory / "control.json").write_text('{"command": "stop"}')
    (directory / "worker.lock").write_text(LockInfo(pid=1, started=0.0).model_dump_json())
    server = start_server()
    answer = server.client.post(f"/api/runs/{run_id}/resume")
    assert (answer.status_code, answer.json()["status"] in ("queued", "starting", "running")) == (202, True)
    assert server.end(run_id)["status"] == "failed", "its dataset does not exist: the worker got that far, unstopped"
    assert not (directory / "control.json").exists()
    refused = server.client.post(f"/api/runs/{run_id}/pause")
    assert (refused.status_code, refused.json()["error"]["message"]) == (409, "This run cannot be paused: it is failed.")
    assert refused.json()["error"]["hint"].startswith("Retry it")


@pytest.fixture
def four_gpus(tmp_path: Path) -> dict[str, str]:
    """An environment in which nvidia-smi tells of four GPUs."""
    return pretend_gpus(tmp_path, 4)


def test_a_run_on_several_gpus_gets_them_at_once_and_is_not_overtaken_for_ever(start_server, four_gpus) -> None:
    """GPU 0 is in use, so two more are free for one run of two; the next run of two waits, and so does who comes later."""
    server = start_server(four_gpus)
    single = server.create(device="cuda:0")["id"]
    server.wait(single, lambda event: event.get("fact") == "starting")
    held = worker_of(server, single)
    held.suspend()
    double, waiting, later = (server.create(devices=devices)["id"] for devices in (2, 2, 1))
    server.wait(double, lambda event: event.get("fact") == "starting")
    process = worker_of(server, double)
    process.suspend()
    assert process.environ()["CUDA_VISIBLE_DEVICES"] == "1,2"
    assert "CUDA_VISIBLE_DEVICES" not in held.environ()
    assert json.loads((server.data_dir / "runs" / double / "config.json").read_text())["device"] == "auto"
    assert server.run(double)["device"] == "cuda:1,cuda:2"
    assert [server.run(run_id)["queue_position"] for run_id in (waiting, later)] == [1, 2]

    held.kill()
    server.wait(waiting, lambda event: event.get("fact") == "starting")
    assert server.run(waiting)["device"] == "cuda:0,cuda:3"


def test_more_gpus_than_there_are_and_gpus_of_other_kinds_are_refused(start_server, four_gpus) -> None:
    server = start_server(four_gpus)

    def problem(**config: object) -> tuple[str, str]:
        answer = server.client.post("/api/runs", json=config)
        assert answer.status_code == 422
        return answer.json()["error"]["field"], answer.json()["error"]["message"]

    assert problem(devices=5) == ("devices", "This machine has 4 GPUs; you asked for 5.")
    assert problem(devices=2, device="cuda:1") == ("devices", "Several GPUs cannot be used with Device cuda:1.")


def test_several_devices_without_a_gpu_are_refused_unless_they_are_processes_on_the_processor(
    records: Records, start_server
):
    server = start_server()
    refused = server.client.post("/api/runs", json={"devices": 2}).json()["error"]
    assert (refused["field"], refused["message"]) == (
        "devices",
        "This machine has no GPU that can share a run; you asked for 2.",
    )
    run_id = server.create(devices=2, device="cpu", max_steps=1)["id"]
    server.wait(run_id, lambda event: event.get("fact") == "starting")
    assert server.run(run_id)["device"] == "cpu"
    server.client.post(f"/api/runs/{run_id}/kill")
