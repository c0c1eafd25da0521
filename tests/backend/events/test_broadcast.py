"""Streams: each event exactly once, from any cursor, live and replayed alike."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator

import httpx
import psutil
import pytest
from httpx_sse import connect_sse

from backend.events import broadcast
from backend.events.broadcast import Broadcaster
from backend.runs import lifecycle
from backend.runs.tailer import Tailer
from tests.backend.records import Records, story
from tests.serving import Server
from worker.contract import encode


@pytest.fixture(scope="module")
def module_records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    records = Records(tmp_path_factory.mktemp("streams") / "data")
    yield records
    records.database.close()


@pytest.fixture(scope="module")
def module_server(module_records: Records) -> Iterator[Server]:
    """A server that finds a run whose worker ended while nobody read its log."""
    run_id = module_records.add("starting", "running")
    module_records.append(run_id, *story(20))
    server = Server(module_records.settings.data_dir)
    yield server
    server.stop()


@pytest.fixture
def ended(module_server: Server) -> tuple[Server, str]:
    """A server, and a run of its that has ended."""
    (run,) = module_server.client.get("/api/runs?q=a run").json()["items"]
    assert module_server.end(run["id"])["status"] == "completed"
    return module_server, run["id"]


def test_resuming_at_every_cursor_gives_each_event_once(ended) -> None:
    server, run_id = ended
    whole = list(server.events(run_id))
    cursors = [event["cursor"] for event in whole]
    assert [event["seq"] for event in whole if "seq" in event] == [event.seq for event in story(20)]
    assert cursors == sorted(set(cursors))
    assert all(event["sse_id"] == str(event["cursor"]) and event["sse_event"] == event["type"] for event in whole)
    assert whole[-1]["fact"] == "completed"
    for place, cursor in enumerate(cursors):
        path = f"/api/runs/{run_id}/stream"
        rest = list(server.stream(path, {"Last-Event-ID": str(cursor)}))
        assert rest == whole[place + 1 :]
    assert list(server.stream(f"/api/stream?runs={run_id}&after=0")) == whole
    assert list(server.stream(f"/api/runs/{run_id}/stream?after=0", {"Last-Event-ID": str(cursors[-1])})) == []


@pytest.mark.parametrize("what", ["", "/series", "/events", "/samples", "/checkpoints"])
def test_a_stream_after_a_snapshot_has_what_is_not_in_it(ended, what: str) -> None:
    server, run_id = ended
    cursor = server.client.get(f"/api/runs/{run_id}{what}").json()["stream_cursor"]
    assert cursor == list(server.events(run_id))[-1]["cursor"]


def test_bad_and_future_ids_are_defined(ended) -> None:
    server, run_id = ended
    for bad in ("x", "-1", "1.5", "", "9" * 30):
        response = server.client.get(f"/api/runs/{run_id}/stream", headers={"Last-Event-ID": bad})
        assert (response.status_code, response.json()["error"]["field"]) == (422, "Last-Event-ID")
    assert list(server.stream(f"/api/runs/{run_id}/stream", {"Last-Event-ID": "999999"})) == []


def test_events_page_by_page_are_the_stream(ended) -> None:
    server, run_id = ended
    paged, after = [], 0
    while after is not None:
        page = server.client.get(f"/api/runs/{run_id}/events", params={"after": after, "limit": 7}).json()
        paged += page["items"]
        after = page["next"]
    messages = server.client.get(f"/api/runs/{run_id}/events", params={"type": "evaluation"}).json()["items"]
    assert messages == [event for event in paged if event["type"] == "evaluation"]
    streamed = [{k: v for k, v in event.items() if not k.startswith("sse_")} for event in server.events(run_id)]
    assert paged == streamed


def test_series_are_exact_and_bucketed_without_losing_a_spike(ended) -> None:
    server, run_id = ended
    series = server.client.get(f"/api/runs/{run_id}/series").json()
    assert (series["x"], series["from"], series["to"], series["points"]) == (list(range(21)), 0, 20, 21)
    assert series["series"]["loss"]["mean"][:2] == [None, 6.9], "step 0 has a check, and no update"
    assert series["series"]["loss"]["mean"][7] is None, "a NaN is a gap"
    assert series["series"]["loss"]["nonfinite"] == [7]
    assert series["series"]["validation_loss"]["nonfinite"] == []
    assert [v for v in series["series"]["validation_loss"]["mean"] if v is not None] == [7.0, 6.0, 5.0]
    few = server.client.get(f"/api/runs/{run_id}/series?keys=loss&px=4").json()
    assert (few["points"], set(few["series"])) == (4, {"loss"})
    shown = few["series"]["loss"]
    assert max(value for value in shown["max"] if value is not None) == 6.9
    assert min(value for value in shown["min"] if value is not None) == 5.0
    assert (shown["mean"].count(None), shown["nonfinite"]) == (0, [1]), "the bucket in which a NaN came says so"
    part = server.client.get(f"/api/runs/{run_id}/series?from=5&to=9").json()
    assert part["x"] == [5, 6, 7, 8, 9]
    unknown = server.client.get(f"/api/runs/{run_id}/series?keys=loss,accuracy")
    assert (unknown.status_code, unknown.json()["error"]["field"]) == (422, "keys")


def test_samples_are_text_and_checkpoints_are_those_on_disk(ended, module_records: Records) -> None:
    server, run_id = ended
    assert server.client.get(f"/api/runs/{run_id}/samples").json()["items"][0]["text"].startswith(" \u2028 <script>")
    kept = module_records.directory(run_id) / "checkpoints" / "step-000020"
    kept.mkdir(parents=True)
    (only,) = server.client.get(f"/api/runs/{run_id}/checkpoints").json()["items"]
    assert (only["path"], only["model"], only["validation_loss"]) == (str(kept), f"run:{run_id}@step-000020", 5.0)


def test_log_comes_in_chunks_that_split_no_character(ended, module_records: Records) -> None:
    server, run_id = ended
    text = "é" * 50_000 + "end\n"
    (module_records.directory(run_id) / "worker.log").write_text(text, encoding="utf-8")
    read, offset = "", 0
    while True:
        chunk = server.client.get(f"/api/runs/{run_id}/log", params={"offset": offset}).json()
        if not chunk["text"]:
            break
        read, offset = read + chunk["text"], chunk["offset"]
    assert read == text
    assert server.client.get(f"/api/runs/{run_id}/log?offset=-4").json()["text"] == "end\n"


def test_stream_of_all_runs_starts_now_and_tells_of_renaming_and_deleting(
    module_records: Records, module_server: Server
) -> None:
    server, run_id = module_server, module_records.add("stopped", name="another")
    heard: list[dict] = []
    opened = threading.Event()

    def listen() -> None:
        with httpx.stream("GET", f"{server.url}/api/stream", timeout=60) as response:
            opened.set()
            for line in response.iter_lines():
                if line.startswith("data: "):
                    heard.append(json.loads(line[6:]))
                if heard and heard[-1]["fact"] == "deleted":
                    return

    listener = threading.Thread(target=listen)
    listener.start()
    assert opened.wait(30)
    assert server.client.patch(f"/api/runs/{run_id}", json={"name": " Better "}).json()["name"] == "Better"
    assert server.client.delete(f"/api/runs/{run_id}").status_code == 204
    listener.join(30)
    assert [event["fact"] for event in heard] == ["renamed", "deleted"]
    assert not (server.data_dir / "runs" / run_id).exists()
    assert server.client.get(f"/api/runs/{run_id}").status_code == 404


def test_slow_and_quick_streams_see_the_same(records: Records, run_async, monkeypatch) -> None:
    """Streams that join at any time, under a writer faster than the memory is long, all see each event once."""
    monkeypatch.setattr(broadcast, "RECENT", 32)
    monkeypatch.setattr(broadcast, "BATCH", 16)
    run_id, other = records.add("starting", "running"), records.add("starting", "running")
    events, tailer = story(300), Tailer(records.database, records.settings.runs_dir)

    def write() -> None:
        for event in events:
            records.append(run_id, event)
            records.append(other, event)
            tailer.ingest(run_id)
            tailer.ingest(other)
        with records.database.write() as connection:
            lifecycle.transition(connection, run_id, "completed")

    async def read(broadcaster: Broadcaster, pause: float, after: int = 0) -> list[int]:
        seqs = []
        async for frames in broadcaster.follow(after, frozenset({run_id})):
            for frame in frames.decode().split("\n\n"):
                data = frame.partition("data: ")[2]
                if data and "seq" in (event := json.loads(data)):
                    assert event["run"] == run_id
                    seqs.append(event["seq"])
            await asyncio.sleep(pause)
        return seqs

    async def scenario() -> list[list[int]]:
        broadcaster = Broadcaster(records.database)
        await broadcaster.start()
        writing = asyncio.create_task(asyncio.to_thread(write))
        readers = []
        for pause in (0, 0.001, 0.01, 0.05):
            readers.append(asyncio.create_task(read(broadcaster, pause)))
            await asyncio.sleep(0.1)
        await writing
        readers.append(asyncio.create_task(read(broadcaster, 0)))
        found = await asyncio.gather(*readers)
        await broadcaster.stop()
        return found

    for seqs in run_async(scenario()):
        assert seqs == [event.seq for event in events]


def test_an_id_from_the_future_waits_for_what_comes_next(records: Records, run_async) -> None:
    run_id = records.add("starting", "running")

    async def scenario() -> list[bytes]:
        broadcaster = Broadcaster(records.database)
        await broadcaster.start()
        stream = broadcaster.follow(10**9, frozenset({run_id}))
        first = asyncio.create_task(anext(stream))
        await asyncio.wait([first], timeout=0.2)
        with records.database.write() as connection:
            lifecycle.transition(connection, run_id, "completed")
        frames = [await first, await anext(stream)]
        await broadcaster.stop()
        return frames

    told, end = run_async(scenario())
    assert told.count(b"id: ") == 1
    assert b'"fact": "completed"' in told
    assert end == broadcast.END


def test_a_client_that_stops_reading_costs_no_memory(records: Records, start_server) -> None:
    """Frozen clients fall behind; they do not make the server hold what they did not take."""
    run_id = records.add("starting", "running")
    records.append(run_id, *story(20_000))
    server = start_server()
    server.end(run_id)
    before = psutil.Process(server.process.pid).memory_info().rss
    port = int(server.url.rsplit(":", 1)[1])
    frozen = []
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(f"GET /api/runs/{run_id}/stream HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        frozen.append(connection)
    assert sum(len(encode(event)) for event in story(20_000)) > 3_000_000, "much more than any buffer"
    assert server.client.get(f"/api/runs/{run_id}").status_code == 200
    grown = psutil.Process(server.process.pid).memory_info().rss - before
    assert grown < 30_000_000
    for connection in frozen:
        connection.close()


def test_the_heartbeat_of_a_stream_tells_what_the_machine_does(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=30) as client, connect_sse(client, "GET", "/api/stream") as source:
        beat = next(message for message in source.iter_sse() if message.event == "machine")
    machine = json.loads(beat.data)
    assert beat.id == "", "a heartbeat is no place to go on from"
    assert 0 < machine["memory_used_bytes"] < machine["memory_bytes"]
    assert 0 <= machine["cpu_percent"] <= 100
    assert machine["gpus"] == [] or machine["gpus"][0]["memory_bytes"] > 0
    assert server.client.get("/api/system").json()["now"]["disk_bytes"] == machine["disk_bytes"]


def test_several_runs_are_fetched_at_once(ended) -> None:
    server, run_id = ended
    alone = server.client.get(f"/api/runs/{run_id}/series?keys=loss&px=9").json()
    together = server.client.get(f"/api/series?runs={run_id},{run_id}&keys=loss&px=9").json()
    (item,) = together["items"]
    assert item.pop("run") == run_id
    assert {**item, "stream_cursor": together["stream_cursor"]} == alone
    assert server.client.get("/api/series?runs=").json()["error"]["field"] == "runs"
    assert server.client.get("/api/series?runs=nobody").status_code == 404
