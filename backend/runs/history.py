"""Queries on the events of a run: pages, series, samples, checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, func, select

from backend.db import tables
from backend.schemas.inside import OddRows
from backend.schemas.runs import Band, Checkpoint, Curves, Sample
from backend.series import curves
from worker.contract import ADAPTER_DIR, MODEL_DIR

_events = tables.events.c
_MOST_SPIKES = 50


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


def series(connection: Connection, run: Row[Any], keys: list[str], first: int | None, last: int | None, px: int) -> Curves:
    """Metrics over steps, in at most ``px`` buckets with minimum, maximum and mean, so that no spike is lost."""
    window = curves.read(connection, run.id, run.rolled_seq, keys, first, last, px)
    x = window.x.astype(int).tolist()
    buckets = (window.x - window.start) // window.width
    bands = {
        key: _band(entries, np.searchsorted(buckets, (entries[:, 0] - window.start) // window.width), len(x))
        for key, entries in window.curves.items()
    }
    return Curves(x=x, series=bands, from_=x[0] if x else None, to=x[-1] if x else None, points=len(x))


def _band(entries: curves.Entries, places: NDArray[np.intp], length: int) -> Band:
    """Over the finite values of each bucket; where there is none, null."""
    finite = entries[:, 4] > 0
    means = entries[:, 3] / np.where(finite, entries[:, 4], 1)
    lowest, highest, mean = (
        _column(length, places[finite], values[finite]) for values in (entries[:, 1], entries[:, 2], means)
    )
    return Band(min=lowest, max=highest, mean=mean, nonfinite=places[entries[:, 5] > 0].tolist())


def _column(length: int, places: NDArray[np.intp], values: NDArray[np.float64]) -> list[float | None]:
    column = np.full(length, None, dtype=object)
    column[places] = values
    return column.tolist()


def odd_rows(connection: Connection, run_id: str) -> list[OddRows]:
    """The latest spikes of the loss, and the latest of each other cause, in the order of their steps."""
    cause = func.json_extract(_events.data, "$.cause")
    found = of_type(connection, run_id, "rows", cause == "spike")[-_MOST_SPIKES:]
    found += [latest(connection, run_id, "rows", cause == name) for name in ("training", "evaluation")]
    return sorted((OddRows(**event) for event in found if event), key=lambda odd: odd.step)


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


def of_type(connection: Connection, run_id: str, kind: str, *conditions: Any) -> list[dict[str, Any]]:
    """Its events of a type that still count."""
    query = select(_events.data).where(_events.run_id == run_id, _events.type == kind, ~_events.superseded, *conditions)
    return [json.loads(data) for data in connection.execute(query.order_by(_events.cursor)).scalars()]


def latest(connection: Connection, run_id: str, kind: str, *conditions: Any) -> dict[str, Any]:
    """The last event of a type that still counts; empty if there is none."""
    query = select(_events.data).where(_events.run_id == run_id, _events.type == kind, ~_events.superseded, *conditions)
    data = connection.execute(query.order_by(_events.cursor.desc()).limit(1)).scalar()
    return json.loads(data) if data else {}
