"""Every status is decided by one table and one compare-and-set."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from backend.errors import ConflictError, NotFoundError
from backend.runs import lifecycle
from backend.runs.exit_status import judge
from worker.contract import RunConfig

STATUSES = list(lifecycle.TRANSITIONS)
PATHS: dict[str, tuple[lifecycle.Status, ...]] = {
    "queued": (),
    "starting": ("starting",),
    "running": ("starting", "running"),
    "pausing": ("starting", "running", "pausing"),
    "paused": ("starting", "running", "pausing", "paused"),
    "stopping": ("starting", "running", "stopping"),
    **{status: ("starting", "running", status) for status in lifecycle.TERMINAL},
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATUSES, STATUSES)))
def test_only_what_the_table_allows_happens(records, before: lifecycle.Status, after: lifecycle.Status) -> None:
    run_id = records.add(*PATHS[before])
    told = len(records.events(run_id))
    with records.database.write() as connection:
        changed = lifecycle.transition(connection, run_id, after)
    assert changed == (after in lifecycle.TRANSITIONS[before])
    assert records.status(run_id) == (after if changed else before)
    assert len(records.events(run_id)) == told + changed, "streams hear of a change, and of nothing else"


def test_out_of_an_end_leads_only_the_queue_and_nothing_out_of_completed() -> None:
    assert {status: lifecycle.TRANSITIONS[status] for status in lifecycle.TERMINAL} == {
        "completed": (), "stopped": ("queued",), "failed": ("queued",), "interrupted": ("queued",),
    }  # fmt: skip
    assert set(lifecycle.ACTIVE) | set(lifecycle.TERMINAL) == set(STATUSES)


REQUESTS: dict[str, tuple[Callable[[Connection, str], object], dict[str, str]]] = {
    "pause": (lifecycle.request_pause, {"running": "pausing", "pausing": "pausing", "paused": "paused"}),
    "resume": (
        lifecycle.request_resume,
        {"paused": "paused", "pausing": "running", "stopped": "queued"} | {s: s for s in ("queued", "starting", "running")},
    ),
    "retry": (
        lifecycle.request_retry,
        {"failed": "queued", "interrupted": "queued"} | {s: s for s in ("queued", "starting", "running")},
    ),
    "stop": (
        lifecycle.request_stop,
        {"queued": "stopped"} | dict.fromkeys(lifecycle.ALIVE, "stopping"),
    ),
}
"""What may be asked for → how, and status before → status at once after. Asked in any other status, it is refused."""


@pytest.mark.parametrize(("request_", "before"), list(itertools.product(REQUESTS, STATUSES)))
def test_what_is_asked_for_is_done_or_refused_with_advice(records, request_: str, before: lifecycle.Status) -> None:
    run_id = records.add(*PATHS[before])
    ask, allowed = REQUESTS[request_]
    with records.database.write() as connection:
        if before in allowed:
            told = ask(connection, run_id)
            assert request_ != "stop" or told == allowed[before]
        else:
            with pytest.raises(ConflictError, match=f"is {before}") as refused:
                ask(connection, run_id)
            assert refused.value.detail.hint or request_ == "stop"
    assert records.status(run_id) == allowed.get(before, before)


def test_a_run_that_is_queued_again_waits_behind_the_others_and_keeps_what_it_learned(records) -> None:
    stopped, waiting = records.add("starting", "running", "stopped"), records.add()
    with records.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE runs SET step = 5, loss = 2.5, phase = 'stopped', hint = 'old', pid = 1 WHERE id = ?", (stopped,)
        )
        assert lifecycle.request_resume(connection, stopped)
        again = lifecycle.get(connection, stopped)
        assert [row.id for row in lifecycle.with_status(connection, "queued")] == [waiting, stopped]
        assert (again.queue_position, again.step, again.loss) == (2, 5, 2.5)
        assert (again.reason, again.hint, again.ended_at, again.phase, again.device) == (None,) * 5
        assert lifecycle.row(connection, stopped).pid is None, "the process of the earlier worker is not the next one's"
        assert lifecycle.request_stop(connection, stopped) == "stopped"
        assert (lifecycle.get(connection, stopped).step, lifecycle.get(connection, stopped).loss) == (5, 2.5)


@pytest.mark.parametrize("_", range(20))
def test_a_stop_that_races_the_end_leaves_one_terminal_status(records, _: int) -> None:
    run_id = records.add("starting", "running")
    barrier = threading.Barrier(3)
    outcomes: list[bool] = []

    def end(status: lifecycle.Status) -> None:
        barrier.wait()
        with records.database.write() as connection:
            outcomes.append(lifecycle.transition(connection, run_id, status))

    def stop() -> None:
        barrier.wait()
        with contextlib.suppress(ConflictError), records.database.write() as connection:  # it may come too late
            lifecycle.request_stop(connection, run_id)

    threads = [threading.Thread(target=end, args=(status,)) for status in ("completed", "failed")]
    threads.append(threading.Thread(target=stop))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, True]
    assert records.status(run_id) in ("completed", "failed")


@pytest.mark.parametrize(
    ("phase", "status", "exit_status", "rebooted", "expected"),
    [
        ("completed", "running", 0, False, "completed"),
        ("completed", "stopping", 0, False, "completed"),
        ("stopped", "stopping", 0, False, "stopped"),
        ("failed", "running", 1, False, "failed"),
        ("completed", "running", -9, False, "completed"),
        ("training", "running", -9, False, "failed"),
        ("training", "stopping", -9, False, "stopped"),
        ("training", "running", 3, False, "failed"),
        (None, "starting", None, False, "failed"),
        ("training", "running", None, True, "interrupted"),
        ("paused", "paused", -9, False, "failed"),
        ("paused", "stopping", -9, False, "stopped"),
    ],
)
def test_verdict(records, phase, status, exit_status, rebooted, expected) -> None:
    run_id = records.add(*PATHS[status])
    with records.database.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET phase = ? WHERE id = ?", (phase, run_id))
        row = lifecycle.row(connection, run_id)
    verdict = judge(row, exit_status, rebooted=rebooted, last_lines="boom")
    assert verdict.status == expected
    if phase == "training":
        assert verdict.reason
        assert verdict.hint
        assert verdict.hint.endswith("boom")
    if exit_status == -9 and expected == "failed":
        assert "signal 9 (SIGKILL)" in (verdict.reason or "")


def test_what_the_worker_said_last_is_the_verdict(records) -> None:
    run_id = records.add("starting", "running")
    with records.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE runs SET phase = 'failed', reason = 'memory is full', hint = 'halve it' WHERE id = ?", (run_id,)
        )
        row = lifecycle.row(connection, run_id)
    assert judge(row, -9, rebooted=True, last_lines="boom") == ("failed", "memory is full", "halve it")


def test_a_signal_is_advised_on_only_if_the_system_sends_it_for_memory(records) -> None:
    run_id = records.add("starting", "running")
    with records.database.write() as connection:
        row = lifecycle.row(connection, run_id)
    advice = "Most often the system does this when memory runs out: try half the batch size, or a smaller model. "
    assert judge(row, -9, rebooted=False, last_lines="").hint == f"{advice}Its log is empty."
    assert judge(row, -11, rebooted=False, last_lines="boom").hint == "The last lines of its log:\nboom"


def test_what_the_worker_said_outlives_every_change_before_the_end(records) -> None:
    """Its reason may arrive before the run counts as running, and before somebody presses Stop."""
    run_id = records.add("starting")
    with records.database.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET reason = 'memory is full', hint = 'halve it' WHERE id = ?", (run_id,))
        lifecycle.transition(connection, run_id, "running")
        lifecycle.request_stop(connection, run_id)
        row = lifecycle.row(connection, run_id)
    assert (row.reason, row.hint) == ("memory is full", "halve it")


@pytest.mark.parametrize("suffix", ["", "@step-000010"])
@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_run_that_another_builds_on_is_not_deleted(records, suffix: str, status: str) -> None:
    base, other = records.add(*PATHS["completed"]), records.add(*PATHS[status])
    config = RunConfig(model_name=f"run:{base}{suffix}").model_dump_json()
    with records.database.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET config = ? WHERE id = ?", (config, other))
    with pytest.raises(ConflictError, match="using this run's model"), records.database.write() as connection:
        lifecycle.remove(connection, base)
    with records.database.write() as connection:
        lifecycle.transition(connection, other, "stopping" if status == "running" else "stopped")
        if status == "running":
            lifecycle.transition(connection, other, "stopped")
        lifecycle.remove(connection, base)
    with records.database.read() as connection, pytest.raises(NotFoundError):
        lifecycle.row(connection, base)
