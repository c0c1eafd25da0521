"""A run's numbers as files: CSV, JSON lines, and the log itself. Each is made piece by piece, at any length."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import select

from backend.db import tables
from backend.db.database import Database
from backend.runs import history
from backend.series import curves

BATCH = 5000
CHUNK_BYTES = 1 << 20

FIELDS = {
    kind: {column: field for column, (its, field) in curves.KEYS.items() if its == kind and column != "time"}
    for kind in ("step", "evaluation", "system")
}
"""Type of event → column of a table → the event's field."""

_events = tables.events.c


def columns(database: Database, run_id: str) -> list[str]:
    """Those of the run's table: of the system only if it was sampled."""
    query = select(_events.cursor).where(_events.run_id == run_id, _events.type == "system").limit(1)
    with database.read() as connection:
        sampled = connection.execute(query).first() is not None
        losses = [event.get("losses", {}) for event in history.of_type(connection, run_id, "evaluation")]
    kinds = ("step", "evaluation", "system") if sampled else ("step", "evaluation")
    further = (curves.LOSSES + name for each in losses for name in each)
    return list(dict.fromkeys(("step", "epoch", "time", *(name for kind in kinds for name in FIELDS[kind]), *further)))


def events(database: Database, run_id: str) -> Iterator[list[dict[str, Any]]]:
    """The run's events that still count, oldest first, in batches; no transaction is open between two of them."""
    after = 0
    while True:
        query = (
            select(_events.cursor, _events.data)
            .where(_events.run_id == run_id, _events.cursor > after, ~_events.superseded)
            .order_by(_events.cursor)
            .limit(BATCH)
        )
        with database.read() as connection:
            found = connection.execute(query).all()
        if not found:
            return
        after = found[-1].cursor
        yield [json.loads(data) for _, data in found]


def rows(batches: Iterable[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """From batches of events to batches of rows: what is known of each step, steps ascending, the last word on it holding.

    A row has ``step``, ``time`` and those columns that something was told of. What was NaN or infinite is null there, and
    its column is in the row's ``nonfinite``.
    """
    row: dict[str, Any] = {}
    for batch in batches:
        finished = []
        for event in batch:
            if event["type"] not in FIELDS:
                continue
            # A sample of the system may come late, from another thread: it then belongs to the row that is open.
            if row and event["step"] > row["step"]:
                finished.append(row)
                row = {}
            _add(row, event)
        yield finished
    if row:
        yield [row]


def _add(row: dict[str, Any], event: dict[str, Any]) -> None:
    losses = {curves.LOSSES + name: loss for name, loss in event.get("losses", {}).items()}
    event = event | losses
    fields = FIELDS[event["type"]] | {name: name for name in losses}
    nonfinite = [*event.get("nonfinite", ()), *(name for name, loss in losses.items() if loss is None)]
    row.setdefault("step", event["step"])
    row.setdefault("time", event["time"])
    before = row.setdefault("nonfinite", [])
    if "epoch" in event:  # an evaluation's too, although it is no curve of its own
        row["epoch"] = event["epoch"]
    for column, field in fields.items():
        row[column] = event.get(field)
    if nonfinite or before:
        now = [column for column, field in fields.items() if field in nonfinite]
        row["nonfinite"] = [column for column in before if column not in fields] + now


def csv(batches: Iterable[list[dict[str, Any]]], columns: list[str]) -> Iterator[bytes]:
    """Lines of a CSV file, the head first. An empty cell: not known; ``nan``: NaN or infinite."""
    yield ",".join(columns).encode() + b"\r\n"
    for batch in batches:
        yield "".join(_line(row, columns) for row in batch).encode()


def _line(row: dict[str, Any], columns: list[str]) -> str:
    """Numbers and times need no quotes."""
    values = [row.get(column) for column in columns]
    cells = ["" if value is None else str(value) for value in values]
    for column in row["nonfinite"]:
        cells[columns.index(column)] = "nan"
    return ",".join(cells) + "\r\n"


def jsonl(batches: Iterable[list[dict[str, Any]]], columns: list[str]) -> Iterator[bytes]:
    """The same rows as JSON objects, a line each, all with the same names; ``nonfinite`` lists the NaN ones of the nulls."""
    for batch in batches:
        yield "".join(
            json.dumps({column: row.get(column) for column in columns} | {"nonfinite": row["nonfinite"]}) + "\n"
            for row in batch
        ).encode()


def complete_lines(path: Path) -> Iterator[bytes]:
    """A file up to the last newline that it has now, in pieces; nothing of a file that is not there."""
    if not path.exists():
        return
    with path.open("rb") as file:
        left = _last_newline(file)
        file.seek(0)
        while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk


def _last_newline(file: BinaryIO) -> int:
    """Where the last complete line ends, in bytes from the start."""
    start = file.seek(0, os.SEEK_END)
    while start > 0:
        end, start = start, max(0, start - CHUNK_BYTES)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
    return 0


def file_name(name: str, run_id: str, ending: str) -> str:
    """What a download is called: the run's name in letters that every system and header takes, else its id."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:60].rstrip("-")
    return f"{stem or run_id}-{ending}"
