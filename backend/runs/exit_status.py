"""How a run ended, judged once its process is gone and its log has been read to the end."""

from __future__ import annotations

import signal
from typing import Any, NamedTuple, cast

from sqlalchemy import Row

from backend.schemas.runs import Status
from worker.contract import TERMINAL_PHASES


class Verdict(NamedTuple):
    status: Status
    reason: str | None = None
    hint: str | None = None


def judge(run: Row[Any], exit_status: int | None, *, rebooted: bool, last_lines: str) -> Verdict:
    """The worker's own last word counts; only if it left none does what happened to its process decide.

    ``run``: its row, of which status, phase, reason and hint are used. ``exit_status``: negative for a signal, None if
    unknown. ``rebooted``: the machine was started anew since the run began. ``last_lines``: the end of worker.log.
    """
    if run.phase in TERMINAL_PHASES:
        return Verdict(cast(Status, run.phase), run.reason, run.hint)
    log = f"The last lines of its log:\n{last_lines}" if last_lines else "Its log is empty."
    if run.status == "stopping":
        return Verdict("stopped", "The worker was ended before it had finished stopping. What it had saved is kept.", log)
    if rebooted:
        return Verdict("interrupted", "The machine was restarted or switched off while this run was going on.", log)
    if exit_status is None:
        return Verdict("failed", "The worker ended while no server was watching, without saying why.", log)
    if exit_status < 0:
        name = signal.Signals(-exit_status).name
        advice = (
            "Most often the system does this when memory runs out: try half the batch size, or a smaller model. "
            if name == "SIGKILL"
            else ""
        )
        return Verdict("failed", f"The worker was killed by signal {-exit_status} ({name}).", advice + log)
    return Verdict("failed", f"The worker ended with exit status {exit_status}, without saying why.", log)
