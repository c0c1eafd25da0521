"""One training step, to be looked at; worker/microscope/ makes it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.base import Schema


class MicroscopeRequest(BaseModel):
    """``checkpoint``: a name that the run's page lists, "final" for the finished model, "start" for the model that the run
    began with; null: the newest checkpoint, or what there is. The row, counted from 1, is of the run's own dataset, in its
    own reading; or a ``text`` is learned instead. ``layer`` and ``head`` count from 0."""

    model_config = ConfigDict(extra="forbid")

    checkpoint: str | None = Field(None, min_length=1, max_length=100)
    dataset_row: int | None = Field(None, ge=1, le=2**53)
    text: str | None = Field(None, min_length=1, max_length=20_000)
    layer: int = Field(0, ge=0, le=10_000)
    head: int = Field(0, ge=0, le=10_000)
    top_k: int = Field(5, ge=1, le=20)


class Guess(Schema):
    """A token, and how likely the model finds it here."""

    id: int
    text: str
    probability: float | None


class LookedAtToken(Schema):
    """What the model made of a token from those before it: ``nats`` is its loss, ``rank`` its place among all that the model
    knows, 1 being the likeliest, ``entropy`` in nats how undecided it was, ``top`` what it found likeliest. Null for the
    first, before which nothing stands. ``…_after``: the same once the update was made.

    ``learned``: whether its loss counts. ``gradient``: the norm of the loss's gradient at what the token became when it was
    read; null for the last, which is only foreseen.
    """

    id: int
    text: str
    learned: bool
    nats: float | None
    probability: float | None
    rank: int | None
    entropy: float | None
    gradient: float | None
    nats_after: float | None
    probability_after: float | None
    top: list[Guess]


class Attention(Schema):
    """One head of one layer. ``weights`` has a list for each token that was read: how much it looked at the first, the
    second, … and at itself. ``layers`` are those that have attention."""

    layers: int
    heads: int
    layer: int
    head: int
    weights: list[list[float]]


class ModelPart(Schema):
    """A part of the model, and how many ``weights`` of it are trained. ``grad_norm`` is before clipping; ``update_ratio``
    the norm of the change of its weights by that of the weights, null where all of these were 0."""

    name: str
    weights: int
    grad_norm: float | None
    update_ratio: float | None


class MicroscopeStep(Schema):
    """One update on one example, in fp32 on the CPU. Losses are in nats per learned token; what is not finite is null.

    ``checkpoint`` was saved after update ``step``. ``side`` of the split is the row's, null for a typed text. The row has
    ``cut`` tokens more than the ``most_tokens`` that are looked at, and training makes ``windows`` examples of it, of which
    this is the first. ``attention`` is null where the model has none. ``update`` counts the run's; its learning rate is
    ``learning_rate_share`` of the full one. ``optimizer_state``: what the optimizer remembers is from the checkpoint, or
    nothing. ``rose`` and ``fell`` are places of tokens that the update made likelier and unlikelier, the most first.
    ``notes``: how this step differs from one of the run's.
    """

    run: str
    checkpoint: str
    step: int
    row: int | None
    side: Literal["train", "validation"] | None
    tokens: list[LookedAtToken]
    cut: int
    most_tokens: int
    windows: int
    loss: float | None
    loss_after: float | None
    attention: Attention | None
    parts: list[ModelPart]
    grad_norm: float | None
    grad_norm_clipped: float | None
    max_grad_norm: float
    optimizer: str
    optimizer_state: Literal["checkpoint", "fresh"]
    update: int
    learning_rate: float
    learning_rate_share: float
    rose: list[int]
    fell: list[int]
    notes: list[str]
