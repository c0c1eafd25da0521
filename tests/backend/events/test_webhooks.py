"""A webhook is told of each run's end, signed, once taken never again, and across failures and restarts."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import queue
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Literal

import pytest

from backend.coach.finding import Finding
from backend.events import outbox, webhooks
from backend.events.broadcast import Broadcaster
from backend.events.webhooks import Webhooks
from backend.runs import lifecycle
from backend.runs.judging import health
from tests.backend.receiver import Received, Receiver
from tests.backend.records import Records
from tests.serving import ROOT

SECRET = "very-secret"


@pytest.fixture
def start_receiver() -> Iterator[Callable[..., Receiver]]:
    started: list[Receiver] = []

    def start(*statuses: int, port: int = 0) -> Receiver:
        started.append(Receiver(*statuses, port=port))
        return started[-1]

    yield start
    for receiver in started:
        receiver.close()


def verifies(request: Received) -> bool:
    expected = "sha256=" + hmac.new(SECRET.encode(), request.raw, hashlib.sha256).hexdigest()
    return request.headers["x-trainboard-signature"] == expected


def end(records: Records, run_id: str, status: lifecycle.Status = "completed", reason: str | None = None) -> None:
    with records.database.write() as connection:
        assert lifecycle.transition(connection, run_id, status, reason=reason)


def pending(records: Records) -> int:
    with records.database.read() as connection:
        return outbox.pending(connection)


async def telling(
    records: Records, url: str, work: Callable[[Webhooks], Awaitable[None]], secret: str | None = SECRET
) -> None:
    """Do ``work`` beside a running webhook whose tries follow each other quickly."""
    broadcaster = Broadcaster(records.database)
    await broadcaster.start()
    told = Webhooks(records.database, broadcaster.news, url, secret, "http://here:1", first_delay_s=0.01)
    await told.start()
    try:
        await work(told)
    finally:
        await told.stop()
        await broadcaster.stop()


async def settled(records: Records) -> None:
    """Once the outbox is empty."""

    def wait() -> None:
        while pending(records):
            time.sleep(0.01)

    await asyncio.to_thread(wait)


def test_the_end_of_a_run_is_told_and_signed(records: Records, run_async, start_receiver) -> None:
    receiver = start_receiver()
    run_id = records.add("starting", "running", name="fox & owl")

    async def work(told: Webhooks) -> None:
        await asyncio.to_thread(end, records, run_id, "failed", "No memory was left.")
        request = await asyncio.to_thread(receiver.next)
        assert verifies(request)
        assert (request.headers["x-trainboard-event"], request.path) == ("run.failed", "/hook")
        body = request.body
        assert body["id"] == request.headers["x-trainboard-delivery"]
        assert body["event"] == "run.failed"
        assert body["time"] <= body["sent"]
        assert {name: body["run"][name] for name in ("id", "name", "status", "reason", "url")} == {
            "id": run_id, "name": "fox & owl", "status": "failed", "reason": "No memory was left.",
            "url": f"http://here:1/#/runs/{run_id}",
        }  # fmt: skip
        await settled(records)
        state = await asyncio.to_thread(told.state)
        assert (state.last_status, state.last_error, state.pending) == (200, None, 0)

    run_async(telling(records, receiver.url, work))
    assert receiver.none_left()


def test_only_an_end_is_told_and_each_once(records: Records, run_async, start_receiver) -> None:
    receiver = start_receiver()
    before = records.add("starting", "running", "completed", name="from before there was a webhook")
    run_id = records.add("starting", "running")

    async def work(_: Webhooks) -> None:
        await asyncio.to_thread(rename_and_go_on)
        names = [(await asyncio.to_thread(receiver.next)).body for _ in range(2)]
        assert [(body["event"], body["run"]["id"]) for body in names] == [("run.stopped", run_id), ("run.completed", run_id)]
        await settled(records)

    def rename_and_go_on() -> None:
        end(records, run_id, "stopped")
        with records.database.write() as connection:
            lifecycle.tell(connection, run_id, "renamed", "stopped")  # repeats the status
            lifecycle.tell(connection, before, "renamed", "completed")
            lifecycle.request_resume(connection, run_id)
            lifecycle.transition(connection, run_id, "starting")
        end(records, run_id, "completed")

    run_async(telling(records, receiver.url, work))
    assert receiver.none_left()


def test_what_is_newly_wrong_is_told_and_each_once(records: Records, run_async, start_receiver) -> None:
    """Not what is well, nor the same with new numbers; but what gets worse, or comes back."""
    receiver = start_receiver()
    run_id = records.add("starting", "running")
    numbers = {"evidence": {"loss": 7.0}, "text": "It rose.", "advice": "Lower the rate.", "fix": {"learning_rate": 1e-4}}
    good = Finding(rule="learning", level="good", step=1, from_step=1, **numbers)
    flat, rising = (Finding(rule=rule, level="warning", step=5, from_step=5, **numbers) for rule in ("flat", "rising"))

    def find(*found: Finding, step: int) -> None:
        with records.database.write() as connection:
            news = health.changes(connection, run_id, found, step, ended=False)
            health.note(connection, run_id, news, found)

    async def work(_: Webhooks) -> None:
        await asyncio.to_thread(find, good, step=5)
        await asyncio.to_thread(find, rising, step=5)
        first = (await asyncio.to_thread(receiver.next)).body
        assert (first["event"], first["run"]["id"], first["run"]["status"]) == ("run.finding", run_id, "running")
        assert first["finding"] == {"title": "Loss is rising", **rising.model_dump()}
        further = rising.model_copy(update={"step": 20, "text": "It rose more."})
        await asyncio.to_thread(find, further, step=20)
        await asyncio.to_thread(find, further, flat, step=21)
        await asyncio.to_thread(find, rising.model_copy(update={"level": "error"}), step=22)
        told = [(await asyncio.to_thread(receiver.next)).body["finding"] for _ in range(2)]
        assert [(one["rule"], one["level"]) for one in told] == [("flat", "warning"), ("rising", "error")]
        await asyncio.to_thread(find, step=30)
        await asyncio.to_thread(find, rising, step=31)
        assert (await asyncio.to_thread(receiver.next)).body["finding"]["level"] == "warning"
        await settled(records)

    run_async(telling(records, receiver.url, work))
    assert receiver.none_left()


def test_what_fails_is_tried_again_and_holds_up_nothing(records: Records, run_async, start_receiver) -> None:
    receiver = start_receiver(500, 307)
    run_id = records.add("starting", "running")

    async def work(_: Webhooks) -> None:
        await asyncio.to_thread(end, records, run_id)
        tries = [await asyncio.to_thread(receiver.next) for _ in range(3)]
        assert len({request.body["id"] for request in tries}) == 1, "one delivery, however often it is tried"
        assert {request.path for request in tries} == {"/hook"}, "no redirect is followed"
        assert all(map(verifies, tries))
        await settled(records)

    run_async(telling(records, receiver.url, work))
    assert receiver.none_left()


def test_an_endless_failure_is_given_up_and_later_ones_are_told_meanwhile(
    records: Records, run_async, start_receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_TRIES", 4)
    receiver = start_receiver(500)
    first, second = records.add("starting", "running"), records.add("starting", "running")

    async def work(told: Webhooks) -> None:
        told._first_delay_s = 1  # so that the second comes in between
        await asyncio.to_thread(end, records, first)
        await asyncio.to_thread(receiver.next)
        await asyncio.to_thread(end, records, second)
        assert (await asyncio.to_thread(receiver.next)).body["run"]["id"] == second
        told._first_delay_s = 0.01
        receiver._statuses[:] = [500] * 20
        assert [(await asyncio.to_thread(receiver.next)).body["run"]["id"] for _ in range(3)] == [first] * 3
        await settled(records)
        assert (await asyncio.to_thread(told.state)).last_error == "It answered 500."

    run_async(telling(records, receiver.url, work))
    assert receiver.none_left()


def test_a_receiver_that_says_nothing_is_left(
    records: Records, run_async, start_receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TRY_S", 0.5)
    receiver = start_receiver(0)

    async def work(_: Webhooks) -> None:
        await asyncio.to_thread(end, records, records.add("starting", "running"))
        first, second = [await asyncio.to_thread(receiver.next) for _ in range(2)]
        assert first.body["id"] == second.body["id"]
        await settled(records)

    run_async(telling(records, receiver.url, work))


class News(asyncio.Event):
    """``awaited`` is set while somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited = asyncio.Event()

    async def wait(self) -> Literal[True]:
        self.awaited.set()
        return await super().wait()


@pytest.mark.parametrize("turns", range(4))
def test_it_stops_even_as_news_comes(records: Records, run_async, turns: int) -> None:
    """A cancellation that meets the end of a wait must not be lost: the server would never end."""

    async def work() -> None:
        news = News()
        told = Webhooks(records.database, news, "http://127.0.0.1:1/hook", SECRET, "http://here:1", first_delay_s=60)
        await told.start()
        await asyncio.to_thread(end, records, records.add("starting", "running"))
        for _ in range(2):  # nobody answers there, so that a second try is due in a minute
            await news.awaited.wait()
            news.awaited.clear()
            news.set()
        for _ in range(turns):  # of the event loop, between the news and the stop
            await asyncio.sleep(0)
        await told.stop()

    run_async(work())


def test_without_a_secret_nothing_is_signed_and_credentials_are_not_shown(
    records: Records, run_async, start_receiver
) -> None:
    receiver = start_receiver()

    async def work(told: Webhooks) -> None:
        await asyncio.to_thread(end, records, records.add("starting", "running"))
        request = await asyncio.to_thread(receiver.next)
        assert "x-trainboard-signature" not in request.headers
        assert request.headers["authorization"].startswith("Basic ")
        assert request.path == "/hook?key=abc"
        assert (await asyncio.to_thread(told.state)).url == receiver.url

    run_async(telling(records, receiver.url.replace("//", "//me:word@") + "?key=abc", work, secret=None))


def test_a_restarted_server_delivers_what_ended_meanwhile(records: Records, tmp_path, start_server, start_receiver) -> None:
    """The run's worker died unseen, which the server finds; then it is killed itself, with the receiver still away."""
    run_id = records.add("starting", "running")
    receiver = start_receiver()
    port = receiver.port
    receiver.close()
    settings = {
        "TRAINBOARD_WEBHOOK_URL": f"http://me:word@127.0.0.1:{port}/hook?key=abc",
        "TRAINBOARD_WEBHOOK_SECRET": SECRET,
    }
    server = start_server(settings, data_dir=records.settings.data_dir)
    address = f"{server.url}/#/runs/{run_id}"
    while not (state := server.client.get("/api/system").json()["webhook"])["pending"]:
        time.sleep(0.01)
    assert state["url"] == f"http://127.0.0.1:{port}/hook"
    server.process.kill()
    server.process.wait()

    receiver = start_receiver(500, port=port)
    server.start()
    first, second = receiver.next(60), receiver.next(60)
    assert first.body["id"] == second.body["id"]
    assert verifies(second)
    assert (second.body["run"]["id"], second.body["run"]["url"]) == (run_id, address)
    with pytest.raises(queue.Empty):
        receiver.next(1.5)
    shown = server.client.get("/api/system").json()["webhook"]
    assert (shown["last_status"], shown["last_error"], shown["pending"]) == (200, None, 0)
    written = "".join(server.output) + str(shown)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("trainboard.db*"))
    for secret in (SECRET, "word", "abc"):
        assert secret not in written
        assert secret.encode() not in stored


def test_a_webhook_address_must_be_one(tmp_path) -> None:
    for url in ("ftp://here/hook", "http://", "http://me:word@[here/hook"):
        done = subprocess.run(
            [sys.executable, "-m", "backend", "serve", "--port", "0", "--data-dir", str(tmp_path)],
            cwd=ROOT, env={"TRAINBOARD_WEBHOOK_URL": url, "PATH": ""}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 2
        assert "Webhook url must begin with http:// or https:// and name a host." in done.stderr
        assert "word" not in done.stderr


def test_without_a_webhook_what_waits_is_dropped_and_one_set_later_hears_of_later_ends_alone(records: Records) -> None:
    old, new = records.add("starting", "running"), records.add("starting", "running")
    with records.database.write() as connection:
        outbox.begin(connection)
    end(records, old)
    with records.database.write() as connection:
        outbox.collect(connection, "http://here", 0.0)
    assert pending(records) == 1
    outbox.clear(records.database)
    assert pending(records) == 0
    with records.database.write() as connection:
        outbox.begin(connection)
    end(records, new)
    with records.database.write() as connection:
        outbox.collect(connection, "http://here", 0.0)
        delivery = outbox.earliest(connection)
    assert pending(records) == 1
    assert delivery is not None
    assert new in delivery.body


@pytest.mark.parametrize(("tries", "wait"), [(0, 1), (1, 2), (2, 4), (8, 256), (9, 512), (10, 600)])
def test_the_waits_between_tries_double_up_to_ten_minutes(records: Records, run_async, tries: int, wait: int) -> None:
    run_id = records.add("starting", "running")
    with records.database.write() as connection:
        outbox.begin(connection)
    end(records, run_id)
    with records.database.write() as connection:
        outbox.collect(connection, "http://here", 0.0)
        number = outbox.earliest(connection).number
        outbox.postpone(connection, number, tries, 0.0)

    async def fail() -> None:
        told = Webhooks(records.database, asyncio.Event(), "http://127.0.0.1:9/closed", None, "http://here")
        with records.database.read() as connection:
            delivery = outbox.earliest(connection)
        await told._send(delivery)

    before = time.time()
    run_async(fail())
    with records.database.read() as connection:
        delivery = outbox.earliest(connection)
    assert delivery.tries == tries + 1
    assert before + wait <= delivery.due <= time.time() + wait


def test_after_twelve_tries_a_delivery_is_given_up(records: Records, run_async) -> None:
    run_id = records.add("starting", "running")
    with records.database.write() as connection:
        outbox.begin(connection)
    end(records, run_id)
    with records.database.write() as connection:
        outbox.collect(connection, "http://here", 0.0)
        outbox.postpone(connection, outbox.earliest(connection).number, 11, 0.0)

    async def fail() -> None:
        told = Webhooks(records.database, asyncio.Event(), "http://127.0.0.1:9/closed", None, "http://here")
        with records.database.read() as connection:
            delivery = outbox.earliest(connection)
        await told._send(delivery)

    run_async(fail())
    assert pending(records) == 0
