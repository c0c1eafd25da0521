"""Judges a log by the coach's rules: events.jsonl, trainer_state.json, a CSV, or TensorBoard's event files.

Exit status: 0 if nothing is wrong, 1 with warnings, 2 with errors, 3 if the log cannot be read.
"""

from __future__ import annotations

import sys
from pathlib import Path

from backend.coach.finding import Finding
from backend.coach.judge import findings
from backend.coach.logs import UnreadableLogError, read_log

UNREADABLE = 3


def lint(path: Path) -> int:
    """Print what there is to say of a log, a paragraph each; the exit status."""
    try:
        record = read_log(path)
    except UnreadableLogError as error:
        print(f"trainboard: {error}", file=sys.stderr)
        return UNREADABLE
    found = findings(record)
    for one in found:
        print(_paragraph(one))
    if not found:
        print(f"{record.step:,} updates: nothing stands out.")
    return max((_STATUS.get(one.level, 0) for one in found), default=0)


_STATUS = {"warning": 1, "error": 2}


def _paragraph(one: Finding) -> str:
    where = f"step {one.step}" if one.from_step == one.step else f"steps {one.from_step} to {one.step}"
    numbers = ", ".join(f"{name} {_said(value)}" for name, value in one.evidence.items() if value is not None)
    lines = [f"{one.level}: {one.rule}, {where}", one.text, one.advice, numbers]
    if one.fix:
        lines.append("fix: " + ", ".join(f"{field} = {_said(value)}" for field, value in one.fix.items()))
    return "\n  ".join(lines)


def _said(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(_said, value))
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)
