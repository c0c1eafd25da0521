"""A run as files to take along: its log, its numbers, a TensorBoard event file, a report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from backend.api.deps import ServicesDep, name_of_run
from backend.db import times
from backend.metrics import exports, report, tensorboard
from backend.runs import lifecycle
from worker.contract import EVENTS_FILE

router = APIRouter(prefix="/api/runs/{run_id}/files", tags=["files"])


@router.get("/events.jsonl", response_class=StreamingResponse)
def get_events_file(run_id: str, services: ServicesDep) -> Response:
    """The run's log as its worker wrote it, up to the last complete line."""
    name = name_of_run(services, run_id)
    lines = exports.complete_lines(services.settings.runs_dir / run_id / EVENTS_FILE)
    return _download(lines, exports.file_name(name, run_id, "events.jsonl"), "application/x-ndjson")


@router.get("/metrics.{form}", response_class=StreamingResponse)
def get_metrics_file(run_id: str, form: Literal["csv", "jsonl"], services: ServicesDep) -> Response:
    """A row for each step that anything was told of: losses, learning rate, speed, and the system where it was sampled.

    In the CSV an empty cell is not known and ``nan`` is NaN or infinite; in the JSON lines both are null, and
    ``nonfinite`` names the latter. Times are ISO 8601 UTC. What was made again after a resume stands there once.
    """
    name = name_of_run(services, run_id)
    columns = exports.columns(services.database, run_id)
    rows = exports.rows(exports.events(services.database, run_id))
    kind = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}[form]
    lines = exports.csv(rows, columns) if form == "csv" else exports.jsonl(rows, columns)
    return _download(lines, exports.file_name(name, run_id, f"metrics.{form}"), kind)


@router.get("/report.html", response_class=HTMLResponse)
def get_report(run_id: str, services: ServicesDep) -> Response:
    """The run on one page that needs no server: how it ended, curves, samples, warnings, settings, how to do it again."""
    with services.database.read() as connection:
        record = report.gather(connection, run_id, services.datasets)
    name = exports.file_name(record.run.name, run_id, "report.html")
    return HTMLResponse(report.render(record), headers=_as(name))


@router.get("/tensorboard", response_class=StreamingResponse)
def get_tensorboard_file(run_id: str, services: ServicesDep) -> Response:
    """The run as one TensorBoard event file: its numbers as scalars, its samples and its configuration as texts.

    Put it into a folder, and start ``tensorboard --logdir FOLDER``.
    """
    with services.database.read() as connection:
        run = lifecycle.get(connection, run_id)
    texts = {
        "run/name": tensorboard.verbatim(run.name),
        "run/config": tensorboard.verbatim(run.config.model_dump_json(indent=2)),
    }
    content = tensorboard.event_file(exports.events(services.database, run_id), run.created_at, texts)
    return _download(
        content, f"events.out.tfevents.{int(times.seconds(run.created_at))}.trainboard", "application/octet-stream"
    )


def _download(content: Iterable[bytes], name: str, kind: str) -> Response:
    """Pieces are made on a thread, each when the client has taken the one before."""
    return StreamingResponse(content, media_type=kind, headers=_as(name))


def _as(name: str) -> dict[str, str]:
    """Headers that have a browser keep the answer under this name rather than show it: it holds texts of others."""
    return {"content-disposition": f'attachment; filename="{name}"'}
