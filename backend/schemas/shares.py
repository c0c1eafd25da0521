"""Links to one thing of this server, for people who have no token."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.base import Schema
from backend.schemas.names import RUN_ID_PATTERN

DAY_S = 24 * 3600


class NewShare(BaseModel):
    """What to share: a ``run``, to be read, or a ``model``, to be tried until it has written ``max_tokens`` in all."""

    model_config = ConfigDict(extra="forbid")

    run: str | None = Field(None, pattern=RUN_ID_PATTERN)
    model: str | None = Field(None, min_length=1, max_length=200)
    expires_in_s: int = Field(7 * DAY_S, ge=60, le=90 * DAY_S)
    max_tokens: int = Field(20_000, ge=1, le=100_000_000)


class Share(Schema):
    """``target``: the run's id, or the model's name. ``path``: the link, after this server's address. ``used_tokens`` counts
    what the model has written for those who have it."""

    id: str
    kind: Literal["run", "model"]
    target: str
    created_at: str
    expires_at: str
    max_tokens: int
    used_tokens: int
    expired: bool
    path: str


class ShareList(Schema):
    items: list[Share]
