"""Several runs side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from backend.api.deps import ServicesDep, parts_of
from backend.errors import InvalidFieldError, NotFoundError
from backend.metrics import compare, comparison_text, outcomes
from backend.metrics.compare import Difference, Outcome, SeedGroup
from backend.runs import lifecycle as all_runs
from backend.schemas.base import Schema
from backend.schemas.runs import Run

router = APIRouter(prefix="/api/compare", tags=["runs"])

MOST_RUNS = 50


class Comparison(Schema):
    """``runs`` as they were asked for; ``sentences`` say what the tables show, the most important first."""

    runs: list[Run]
    differences: list[Difference]
    outcomes: list[Outcome]
    groups: list[SeedGroup]
    sentences: list[str]
    stream_cursor: int


@router.get("")
def compare_runs(
    services: ServicesDep,
    runs: Annotated[str, Query(max_length=2000, description=f"2 to {MOST_RUNS} ids, separated by commas")],
) -> Comparison:
    """What several runs differ in, how they ended, and what that says."""
    ids = parts_of(runs)
    if not 2 <= len(ids) <= MOST_RUNS:
        raise InvalidFieldError("runs", f"Runs must be 2 to {MOST_RUNS} different ids; you gave {len(ids)}.")
    with services.database.read() as connection:
        found = [_get(connection, run_id) for run_id in ids]
        ended = [outcomes.outcome(connection, run) for run in found]
        cursor = all_runs.newest_cursor(connection)
    readings = {run.id: outcomes.reading(services.settings.runs_dir / run.id) for run in found}
    differences = compare.differences(found, readings)
    groups = compare.groups(found, readings, ended)
    return Comparison(
        runs=found,
        differences=differences,
        outcomes=ended,
        groups=groups,
        sentences=comparison_text.sentences(found, differences, ended, groups),
        stream_cursor=cursor,
    )


def _get(connection: Connection, run_id: str) -> Run:
    try:
        return all_runs.get(connection, run_id)
    except NotFoundError as error:
        raise NotFoundError(f"There is no run {run_id[:40]}.", hint="It may have been deleted. Leave it out.") from error
