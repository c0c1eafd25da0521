"""Queries on the events of a run: pages, series, samples, checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from backend import models
from backend.schemas import Band, Checkpoint, Sample, Series
from worker.contract import ADAPTER_DIR, MODEL_DIR

SERIES_KEYS = {
    "loss": ("step", "loss"),
    "lr": ("step", "lr"),
    "grad_norm": ("step", "grad_norm"),
    "tokens_per_s": ("step", "tokens_per_s"),
    "validation_loss": ("evaluation", "loss"),
}
"""Key of a series → type of event, and the event's field."""

_events = models.events.c


def stamp(data: str, run_id: str, cursor: int) -> str:
    """An event's JSON with ``run`` and ``cursor`` put in front: what clients see, without decoding it."""
    return f'{{"run":"{run_id}","cursor":{cursor},{data[1:]}'


def page(
    connection: Connection, run_id: str, after: int, limit: int, kind: str | None
) -> tuple[list[dict[str, Any]], int | None]:
    """Events after a cursor, oldest first, of one type if given, and the cursor of the next page, if there is one."""
    query = (
        select(_events.cursor, _events.data)
        .where(_events.run_id == run_id, _events.cursor > after)
        .order_by(_events.cursor)
        .limit(limit + 1)
    )
    if kind:
        query = query.where(_events.type == kind)
    found = connection.execute(query).all()
    items = [json.loads(stamp(data, run_id, cursor)) for cursor, data in found[:limit]]
    return items, found[limit - 1].cursor if len(found) > limit else None


def series(
    connection: Connection, run_id: str, keys: list[str], first: int | None, last: int | None, px: int, cursor: int
) -> Series:
    """Metrics over steps, in at most ``px`` buckets with minimum, maximum and mean, so that no spike is lost."""
    values = {key: _values(connection, run_id, key, first, last) for key in keys}
    steps = sorted({step for points in values.values() for step, _ in points})
    if not steps:
        return Series(x=[], series={key: Band(min=[], max=[], mean=[]) for key in keys}, from_=None, to=None, points=0,
                      stream_cursor=cursor)  # fmt: skip
    start = steps[0]
    width = 1 if len(steps) <= px else -(-(steps[-1] - start + 1) // px)
    x: dict[int, int] = {}  # bucket → its first step
    for step in steps:
        x.setdefault((step - start) // width, step)
    bands = {key: _band(points, list(x), start, width) for key, points in values.items()}
    return Series(x=list(x.values()), series=bands, from_=start, to=steps[-1], points=len(x), stream_cursor=cursor)


def _values(
    connection: Connection, run_id: str, key: str, first: int | None, last: int | None
) -> list[tuple[int, float | None]]:
    kind, field = SERIES_KEYS[key]
    query = select(_events.step, func.json_extract(_events.data, f"$.{field}")).where(
        _events.run_id == run_id, _events.type == kind, ~_events.superseded
    )
    if first is not None:
        query = query.where(_events.step >= first)
    if last is not None:
        query = query.where(_events.step <= last)
    found = connection.execute(query.order_by(_events.cursor))
    return list({row[0]: row[1] for row in found}.items())  # the last word on a step holds


def _band(points: list[tuple[int, float | None]], buckets: list[int], start: int, width: int) -> Band:
    """A bucket with a null of its own, which is a NaN that the run met, is null as a whole, so that it stays seen."""
    inside: dict[int, list[float]] = {}
    broken = {(step - start) // width for step, value in points if value is None}
    for step, value in points:
        if value is not None:
            inside.setdefault((step - start) // width, []).append(value)
    present = [None if bucket in broken else inside.get(bucket) for bucket in buckets]
    return Band(
        min=[min(values) if values else None for values in present],
        max=[max(values) if values else None for values in present],
        mean=[sum(values) / len(values) if values else None for values in present],
    )


def samples(connection: Connection, run_id: str) -> list[Sample]:
    """What the model wrote at each evaluation, oldest first."""
    last = {(event["step"], event["prompt"]): event for event in of_type(connection, run_id, "sample")}
    return [Sample(**event) for event in last.values()]


def checkpoints(connection: Connection, run_id: str, directory: Path) -> list[Checkpoint]:
    """The run's folders of weights that are on disk now, oldest first, the final model last."""
    losses = {event["step"]: event["loss"] for event in of_type(connection, run_id, "evaluation")}
    # The same folder may be told of twice, as periodic and then as best: the later event holds.
    told = {event["path"]: event for event in of_type(connection, run_id, "checkpoint")}
    return [
        Checkpoint(
            name=Path(path).name,
            step=event["step"],
            kind=event["kind"],
            bytes=event["bytes"],
            path=str(directory / path),
            model=_model_name(run_id, path),
            validation_loss=losses.get(event["step"]),
        )
        for path, event in told.items()
        if (directory / path).is_dir()
    ]


def _model_name(run_id: str, path: str) -> str | None:
    """The name to train from or to prompt, of a folder in the run's directory."""
    if path == ADAPTER_DIR:
        return None
    return f"run:{run_id}" if path == MODEL_DIR else f"run:{run_id}@{Path(path).name}"


def of_type(connection: Connection, run_id: str, kind: str) -> list[dict[str, Any]]:
    """Its events of a type that still count."""
    query = select(_events.data).where(_events.run_id == run_id, _events.type == kind, ~_events.superseded)
    return [json.loads(data) for data in connection.execute(query.order_by(_events.cursor)).scalars()]
