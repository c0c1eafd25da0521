"""Models evaluated on datasets."""

from __future__ import annotations

from typing import Literal

from backend.schemas.base import Schema
from backend.schemas.scores import Scores


class Named(Schema):
    """``name`` is what it was called when the evaluation was asked for."""

    id: str
    name: str


class CellError(Schema):
    message: str
    hint: str | None = None


class EvaluationCell(Schema):
    """One model on one dataset: its scores, or why there are none. ``examples`` were scored; ``notes`` are sentences on what
    was not."""

    model: str
    dataset: str
    scores: Scores | None = None
    examples: int | None = None
    seconds: float | None = None
    notes: list[str] = []
    error: CellError | None = None


class EvaluationProgress(Schema):
    """``share`` is of all cells together; ``eta_s`` null until it can be judged."""

    model: str
    dataset: str | None
    text: str
    share: float
    eta_s: float | None


class Evaluation(Schema):
    """``datasets`` are ids of datasets, or ``run:ID`` for what that run keeps aside to test on. ``limit``: of each only the
    first so many rows. ``max_length``: tokens at which the examples of datasets are cut, the same for all models.

    ``cells`` come as they are done, and stay whatever happens then. ``progress`` is there while it runs.
    """

    id: str
    status: Literal["queued", "running", "completed", "stopped"]
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    models: list[Named]
    datasets: list[Named]
    limit: int | None
    max_length: int
    cells: list[EvaluationCell] = []
    progress: EvaluationProgress | None = None


class EvaluationList(Schema):
    items: list[Evaluation]
