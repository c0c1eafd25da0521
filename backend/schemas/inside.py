"""What happened inside a run: its layers, its time, and the rows that stand out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from backend.schemas.base import Schema
from backend.schemas.runs import Band
from worker.contract import RowLoss


class NoiseScale(Schema):
    """``examples``: the batch size at which half of a gradient is chance (McCandlish et al. 2018, the simple noise scale),
    ``low`` to ``high`` with about 95 % confidence, over ``updates``; ``batch_size``: examples of an update. ``verdict`` is
    null where nothing certain can be said."""

    examples: float
    low: float
    high: float
    updates: int
    batch_size: int
    verdict: str | None


class Layers(Schema):
    """Of each of ``parts``, from the embeddings to the head, the norm of its gradient before clipping, and of the change of
    its weights by that of the weights, per bucket of steps; ``x`` is the first step of each."""

    parts: list[str]
    x: list[int]
    grad_norm: list[Band]
    update_ratio: list[Band]
    from_: int | None = Field(alias="from")
    to: int | None
    noise_scale: NoiseScale | None
    stream_cursor: int


class TimeShare(Schema):
    """``share`` is of all the time that is told of, from 0 to 1."""

    kind: Literal["preparing", "data", "forward", "backward", "optimizer", "evaluation", "saving", "waiting", "other"]
    label: str
    seconds: float
    share: float


class TimeSpent(Schema):
    """Where the time of a run's workers went, in the order in which it passes; together it is all of it. ``verdict`` is what
    stands out, and what could be done."""

    seconds: float
    shares: list[TimeShare]
    verdict: str | None
    step: int | None
    stream_cursor: int


class OddRows(Schema):
    """Rows that stood out at an update, the worst first. ``cause``: a spike of the loss; what was learned since the
    evaluation before (training); or what is tested on (evaluation)."""

    step: int
    cause: Literal["spike", "training", "evaluation"]
    rows: list[RowLoss]


class OddRowsList(Schema):
    """The latest 50 spikes, and the latest of the other causes, in the order of their steps."""

    items: list[OddRows]
    stream_cursor: int
