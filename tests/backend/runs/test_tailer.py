"""From log to rows: each complete line once, whatever happens in between."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time

from backend.events.broadcast import Broadcaster
from backend.runs import lifecycle
from backend.runs.tailer import Tailer
from tests.backend.records import Records, story
from worker.contract import EVENTS_FILE, StepEvent, encode


def test_a_log_cut_at_every_byte_gives_each_event_once(records: Records) -> None:
    data = b"".join(encode(event) for event in story(2))
    tailer = Tailer(records.database, records.settings.runs_dir)
    run_id = records.add("starting")
    told = len(records.events(run_id))
    path = records.directory(run_id) / EVENTS_FILE
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        tailer.ingest(run_id)
        complete = data[:end].count(b"\n")
        seqs = [seq for seq, _ in records.events(run_id) if seq]
        assert seqs == list(range(1, complete + 1))
    path.write_bytes(data)
    tailer.ingest(run_id)
    assert records.status(run_id) == "running", "the first event tells that it runs"
    assert len(records.events(run_id)) == told + len(story(2)) + 1


def test_lines_that_are_no_events_are_left_out(records: Records, caplog) -> None:
    run_id = records.add("starting")
    events = story(3)
    records.append(
        run_id, events[0], b"not json\n", b"\xff\xfe\n", b"\n", events[1], events[1], b'{"type": "odd"}\n', *events[2:]
    )
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    assert [seq for seq, _ in records.events(run_id) if seq] == [event.seq for event in events]
    assert "is not an event" in caplog.text
    assert "came again" in caplog.text


def test_summary_follows_the_events(records: Records) -> None:
    run_id = records.add("starting")
    records.append(run_id, *story(20)[:-1])
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    with records.database.read() as connection:
        run = lifecycle.get(connection, run_id)
    assert (run.step, run.total_steps, run.epoch, run.loss, run.validation_loss) == (20, 20, 2.0, 5.0, 5.0)
    assert (run.parameters, run.precision, run.eta_s, run.phase) == (1000, "fp32", 0.0, "training")
    assert len(run.sparkline) == 19, "a NaN is not drawn"


def test_the_time_left_is_the_updates_left_times_what_one_takes(records: Records) -> None:
    """The first by its own time, then by the mean since the first, in which checks and checkpoints are."""
    run_id = records.add("starting", "running")
    preparing, training, *_ = story(20)

    def step(number: int, seconds: int) -> StepEvent:
        return StepEvent(
            seq=2 + number, time=f"2026-01-01T00:00:{seconds:02}.000000Z", step=number, epoch=0, lr=1e-3, loss=1.0,
            grad_norm=1.0, tokens=number, tokens_per_s=10.0, step_ms=100.0,
        )  # fmt: skip

    for event, left in ((step(1, 0), 1.9), (step(5, 8), 30.0), (step(20, 38), 0.0), (step(21, 40), 0.0)):
        records.append(run_id, *(() if event.step > 1 else (preparing, training)), event)
        Tailer(records.database, records.settings.runs_dir).ingest(run_id)
        with records.database.read() as connection:
            assert lifecycle.get(connection, run_id).eta_s == left


def test_long_sparkline_is_thinned_evenly(records: Records) -> None:
    run_id = records.add("starting")
    records.append(run_id, *story(1000))
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    with records.database.read() as connection:
        points = lifecycle.get(connection, run_id).sparkline
    assert 30 <= len(points) <= 60
    gaps = {round(a - b, 3) for a, b in itertools.pairwise(points)}
    assert len(gaps) == 1


def test_from_append_to_stream_takes_milliseconds(records: Records, run_async, capsys) -> None:
    """The figure is printed; the limit only catches a poll or a lost wake-up."""
    run_id = records.add("starting", "running")
    events = story(50)

    async def scenario() -> list[float]:
        broadcaster = Broadcaster(records.database)
        await broadcaster.start()
        following = asyncio.create_task(Tailer(records.database, records.settings.runs_dir).follow(run_id, asyncio.Event()))
        stream = broadcaster.follow(0, frozenset({run_id}))
        await anext(stream)  # the facts of its creation
        delays = []
        for event in events:
            began = time.perf_counter()
            records.append(run_id, event)
            frame = await anext(stream)
            delays.append(time.perf_counter() - began)
            assert f'"seq":{event.seq},' in frame.decode()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await broadcaster.stop()
        return delays

    delays = sorted(run_async(scenario()))
    with capsys.disabled():
        print(f"\nappend to stream: median {statistics.median(delays) * 1e3:.1f} ms, p95 {delays[-3] * 1e3:.1f} ms")
    assert statistics.median(delays) < 0.2
