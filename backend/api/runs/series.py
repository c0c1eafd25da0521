"""Curves: of one run, or of several to be laid over each other."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from backend.api.deps import ServicesDep, parts_of
from backend.errors import InvalidFieldError
from backend.runs import history, lifecycle
from backend.schemas.runs import Series, SeriesList, SeriesOfRun
from backend.series.curves import KEYS, LAYERS, LOSSES, is_key

router = APIRouter(prefix="/api", tags=["series"])

MOST_RUNS = 100

_FAMILIES = ", ".join([f"{LOSSES}NAME", *(f"{before}PART" for before in LAYERS.values())])
Keys = Annotated[str, Query(description=f"Some of {', '.join(KEYS)}, {_FAMILIES}, separated by commas")]
From = Annotated[int | None, Query(alias="from", ge=0, le=2**62, description="First step")]
To = Annotated[int | None, Query(ge=0, le=2**62, description="Last step")]
Px = Annotated[int, Query(ge=1, le=10_000, description="Most points, as many as the chart has pixels")]


@router.get("/runs/{run_id}/series")
def get_series(
    run_id: str,
    services: ServicesDep,
    keys: Keys = "loss,lr,validation_loss",
    from_: From = None,
    to: To = None,
    px: Px = 1000,
) -> Series:
    """Metrics over steps, at most ``px`` points of minimum, maximum and mean each: a spike is never lost."""
    wanted = _keys(keys)
    with services.database.read() as connection:
        found = history.series(connection, lifecycle.row(connection, run_id), wanted, from_, to, px)
        return Series(**dict(found), stream_cursor=lifecycle.newest_cursor(connection))


@router.get("/series")
def get_series_of_runs(
    services: ServicesDep,
    runs_: Annotated[str, Query(alias="runs", description="Ids separated by commas")],
    keys: Keys = "loss,validation_loss",
    from_: From = None,
    to: To = None,
    px: Px = 500,
) -> SeriesList:
    """The same of several runs at once, for laying them over each other."""
    ids = parts_of(runs_)
    if not 1 <= len(ids) <= MOST_RUNS:
        raise InvalidFieldError("runs", f"{len(ids)} runs were named.", hint=f"Name 1 to {MOST_RUNS}.")
    wanted = _keys(keys)
    with services.database.read() as connection:
        items = [
            SeriesOfRun(
                **dict(history.series(connection, lifecycle.row(connection, run_id), wanted, from_, to, px)), run=run_id
            )
            for run_id in ids
        ]
        return SeriesList(items=items, stream_cursor=lifecycle.newest_cursor(connection))


def _keys(keys: str) -> list[str]:
    wanted = parts_of(keys)
    for key in wanted:
        if not is_key(key):
            raise InvalidFieldError("keys", f"There is no series {key[:40]!r}.", hint=f"Use: {', '.join(KEYS)}.")
    return wanted
