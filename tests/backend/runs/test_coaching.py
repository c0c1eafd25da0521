"""What the coach finds is told once, again when it changes, and no more when it is over or was taken back."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest

from backend.coach.finding import Finding
from backend.coach.record import RunRecord
from backend.runs import lifecycle
from backend.runs.judging import health
from backend.runs.judging.coaching import Coach
from backend.runs.tailer import Tailer
from tests.backend.records import Records, going_on, story
from worker.contract import StepEvent, now


class Seen(RunRecord):
    """The steps' losses, as a rule of these tests needs them."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: dict[int, float | None] = {}

    def add(self, event: dict[str, Any]) -> None:
        super().add(event)
        if event["type"] == "step":
            self.losses[event["step"]] = event["loss"]
        elif event.get("resumed_step") is not None:
            self.losses = {step: loss for step, loss in self.losses.items() if step <= event["resumed_step"]}


def found(rule: str, level: Any = "warning", step: int = 1, from_step: int = 1, **more: Any) -> Finding:
    told = {"evidence": {"loss": 7.0}, "text": f"{rule} at {step}.", "advice": "Do something."}
    return Finding(rule=rule, level=level, step=step, from_step=from_step, **{**told, **more})


def find(record: Any, now: datetime | None) -> list[Finding]:
    """A rule of each kind: a good one that goes on, an error that stays, and one that is over after a while."""
    losses = record.losses
    if not losses:
        return []
    last = max(losses)
    told = [found("learning", "good", last)]
    if broken := [step for step, loss in losses.items() if loss is None]:
        told.append(found("nonfinite", "error", broken[0], broken[0], fix={"learning_rate": 1e-4}))
    if 12 <= last <= 15:
        told.append(found("flat", "info", last, 12))
    return told


@pytest.fixture
def coach(records: Records, monkeypatch: pytest.MonkeyPatch) -> Coach:
    monkeypatch.setattr("backend.runs.judging.coaching.RunRecord", lambda *_: Seen())
    return Coach(records.database, find=find)


def tell(records: Records, run_id: str, *events: Any) -> None:
    records.append(run_id, *events)
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)


def told(records: Records, run_id: str) -> list[tuple[Any, ...]]:
    """Of each finding event, in order: rule, step, and whether it holds."""
    with records.database.read() as connection:
        query = "SELECT data FROM events WHERE run_id = ? AND type = 'finding' ORDER BY cursor"
        events = [json.loads(data) for (data,) in connection.exec_driver_sql(query, (run_id,))]
    return [(event["rule"], event["step"], event["holds"]) for event in events]


def holding(records: Records, run_id: str) -> list[str]:
    with records.database.read() as connection:
        rules = [one.rule for one in health.holding(connection, run_id)]
        assert [one.rule for one in lifecycle.get(connection, run_id).findings] == rules, "the board says the same"
    return rules


def test_a_finding_is_told_once_and_again_when_it_is_over(records: Records, coach: Coach) -> None:
    run_id = records.add("starting", "running")
    events = story(20)[:-1]
    for event in events:
        tell(records, run_id, event)
        coach.look(run_id)
    assert told(records, run_id) == [
        ("learning", 1, True), ("learning", 2, True), ("learning", 4, True), ("nonfinite", 7, True), ("learning", 8, True),
        ("flat", 12, True), ("flat", 16, False), ("learning", 16, True),
    ]  # fmt: skip
    assert holding(records, run_id) == ["nonfinite", "learning"], "the worst first"


def test_at_the_end_the_last_numbers_are_told(records: Records, coach: Coach) -> None:
    run_id = records.add("starting", "running")
    tell(records, run_id, *story(11))
    coach.look(run_id)
    tell(records, run_id, StepEvent(seq=99, time=now(), step=12, epoch=1, loss=5.0, lr=1e-3, grad_norm=1.0, tokens=9,
                                    tokens_per_s=1.0, step_ms=1.0))  # fmt: skip
    coach.look(run_id, ended=True)
    assert told(records, run_id)[-3:] == [("nonfinite", 7, True), ("learning", 12, True), ("flat", 12, True)]


def test_what_is_made_again_takes_its_findings_back(records: Records, coach: Coach) -> None:
    run_id = records.add("starting", "running")
    first = story(20)[:-1]
    tell(records, run_id, *first[:-4])
    coach.look(run_id)
    assert holding(records, run_id) == ["nonfinite", "learning"]
    tell(records, run_id, *going_on(len(first) + 1, after=5, steps=6))
    coach.look(run_id)
    assert holding(records, run_id) == ["learning"], "the NaN of step 7 has not been made again"
    tell(records, run_id, *going_on(len(first) + 1, after=5, steps=8)[3:])
    coach.look(run_id)
    assert holding(records, run_id) == ["nonfinite", "learning"]
    assert [rule for rule, _, holds in told(records, run_id) if rule == "nonfinite" and holds] == ["nonfinite"] * 2


def test_a_restarted_server_finds_the_same_and_tells_nothing_twice(records: Records, coach: Coach) -> None:
    run_id = records.add("starting", "running")
    events = story(20)[:-1]
    tell(records, run_id, *events[:20])
    coach.look(run_id)
    before = told(records, run_id)
    again = Coach(records.database, find=find)
    again.look(run_id)
    assert told(records, run_id) == before
    tell(records, run_id, *events[20:])
    for one in (coach, again):
        one.look(run_id)
    assert holding(records, run_id) == ["nonfinite", "learning"]


def test_a_rule_that_breaks_keeps_no_run_from_ending(records: Records, caplog: pytest.LogCaptureFixture) -> None:
    def broken(record: RunRecord, now: datetime | None) -> list[Finding]:
        raise ZeroDivisionError

    run_id = records.add("starting", "running")
    tell(records, run_id, *story(3))
    Coach(records.database, find=broken).look(run_id, ended=True)
    assert "could not be judged" in caplog.text
    assert holding(records, run_id) == []


def test_a_run_is_judged_when_there_is_news_and_not_at_each_event(records: Records, run_async) -> None:
    run_id = records.add("starting", "running")
    judged = asyncio.Queue[int]()

    async def scenario() -> list[int]:
        loop = asyncio.get_running_loop()

        def count(record: RunRecord, now: datetime | None) -> list[Finding]:
            loop.call_soon_threadsafe(judged.put_nowait, 1)
            return []

        news = asyncio.Event()
        following = [
            asyncio.create_task(work(run_id, news))
            for work in (
                Tailer(records.database, records.settings.runs_dir).follow,
                Coach(records.database, find=count).follow,
            )
        ]
        for event in story(300)[:-1]:
            records.append(run_id, event)
            await asyncio.sleep(0)
        counts = [await judged.get(), await judged.get()]
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        return [*counts, *(judged.get_nowait() for _ in range(judged.qsize()))]

    assert len(run_async(scenario())) < 10, "for 300 updates"


def test_the_findings_of_an_old_run_are_made_when_they_are_asked_for(records: Records, start_server) -> None:
    run_id = records.add("starting", "running")
    tell(records, run_id, *story(20))
    with records.database.write() as connection:
        lifecycle.transition(connection, run_id, "completed")
        connection.exec_driver_sql("UPDATE runs SET findings = NULL")
    server = start_server()
    first, second = (server.client.get(f"/api/runs/{run_id}/findings") for _ in range(2))
    assert first.status_code == 200, first.text
    assert first.json()["items"] == second.json()["items"]
    assert server.run(run_id)["findings"] == [
        {name: one[name] for name in ("rule", "level", "title")} for one in first.json()["items"]
    ]
    assert server.client.get("/api/runs/nothing/findings").status_code == 404
