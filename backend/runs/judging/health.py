"""What the coach has found of a run, in the database: told once, and again when it changes.

A finding is an event of the server, of type ``finding``: the Finding's own fields, the rule's ``title``, ``time``, and
``holds``, which is false once it is no longer so. Its row counts for the last update that it is about, or of one that is
over for the update at which that was told, so that going on from an earlier checkpoint takes it back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, update

from backend.coach.finding import Finding, Level
from backend.coach.rule_book import RULES
from backend.db import tables
from backend.runs import history, lifecycle
from backend.schemas.runs import RunFinding
from worker.contract import now

WORST_FIRST: tuple[Level, ...] = ("error", "warning", "info", "good")
ALARMING: tuple[Level, ...] = ("error", "warning")
"""Levels of which people are told who are not looking."""

_TOLD_AGAIN = 2
"""A finding that goes on is told anew, with its new numbers, whenever a run has come so many times as far."""

_events = tables.events.c


class HeldFinding(Finding):
    """A finding that holds, with its rule's title, and when it was told."""

    title: str
    time: str


def holding(connection: Connection, run_id: str) -> list[HeldFinding]:
    """Those that hold now, the worst first, and of like ones the likeliest cause. Raises NotFoundError."""
    ranked = [one["rule"] for one in json.loads(lifecycle.row(connection, run_id).findings or "[]")]
    found = [event for rule, event in _latest(connection, run_id).items() if event["holds"] and rule in ranked]
    found.sort(key=lambda event: ranked.index(event["rule"]))
    return [HeldFinding(**{name: event[name] for name in HeldFinding.model_fields}) for event in found]


def title(rule: str) -> str:
    """A rule's name for people."""
    return RULES[rule].title if rule in RULES else rule.replace("_", " ").capitalize()


def changes(
    connection: Connection, run_id: str, found: Sequence[Finding], step: int, *, ended: bool
) -> list[dict[str, Any]]:
    """The events that tell how ``found``, at update ``step``, differs from what was told."""
    told, fresh = _latest(connection, run_id), _each_once(found)
    over = [
        {**event, "time": now(), "step": max(step, event["step"]), "holds": False}
        for rule, event in told.items()
        if event["holds"] and rule not in fresh
    ]
    news = [
        {"type": "finding", "time": now(), **finding.model_dump(mode="json"), "title": title(rule), "holds": True}
        for rule, finding in fresh.items()
        if _is_news(told.get(rule), finding, ended=ended)
    ]
    return [*over, *news]


def note(connection: Connection, run_id: str, events: list[dict[str, Any]], found: Sequence[Finding]) -> None:
    """Append ``events``, which ``changes`` gave, and note in the run's row what holds from now on."""
    rows = [{"run_id": run_id, "type": "finding", "step": event["step"], "data": json.dumps(event)} for event in events]
    if rows:
        connection.execute(insert(tables.events), rows)
    connection.execute(update(tables.runs).where(tables.runs.c.id == run_id).values(findings=summary_of(found)))


def summary_of(found: Sequence[Finding]) -> str:
    """The row's column: rules that hold, the worst first."""
    ranked = sorted(_each_once(found).values(), key=_severity)
    return json.dumps([RunFinding(rule=one.rule, level=one.level, title=title(one.rule)).model_dump() for one in ranked])


def is_alarm(connection: Connection, run_id: str, cursor: int, event: dict[str, Any]) -> bool:
    """Whether an event says that something is wrong of which nobody has been told: not the same again with new numbers."""
    if not (event["holds"] and event["level"] in ALARMING):
        return False
    before = _latest(connection, run_id, _events.cursor < cursor).get(event["rule"])
    return before is None or not before["holds"] or before["level"] != event["level"]


def _each_once(found: Sequence[Finding]) -> dict[str, Finding]:
    """By rule, in order; of several by one rule the first."""
    once: dict[str, Finding] = {}
    for finding in found:
        once.setdefault(finding.rule, finding)
    return once


def _severity(finding: Finding) -> int:
    return WORST_FIRST.index(finding.level)


def _is_news(told: dict[str, Any] | None, finding: Finding, *, ended: bool) -> bool:
    if told is None or not told["holds"]:
        return True
    # Where it begins, and a fix's values, move a little with each judgement: only another place or another fix is news.
    elsewhere = finding.from_step > told["step"]
    if told["level"] != finding.level or elsewhere or set(told["fix"] or ()) != set(finding.fix or ()):
        return True
    goes_on = finding.step >= _TOLD_AGAIN * max(1, told["step"])
    return bool((ended or goes_on) and told["text"] != finding.text)


def _latest(connection: Connection, run_id: str, *conditions: Any) -> dict[str, dict[str, Any]]:
    """What was told last under each rule, of what still counts."""
    return {event["rule"]: event for event in history.of_type(connection, run_id, "finding", *conditions)}
