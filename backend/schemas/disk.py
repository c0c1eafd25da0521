"""What takes the disk, and what is freed by itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.base import Schema
from backend.schemas.runs import Status

Days = Annotated[int, Field(ge=1, le=36500)]


class Retention(BaseModel):
    """What is freed by itself; null: nothing. ``checkpoint_days``: days after a run's end until the checkpoints go that
    nothing goes on from. ``archived_days``: days after its end until an archived run is deleted. ``quota_bytes``: as long as
    the data directory takes more, those checkpoints go at once, and then archived runs, of the runs that ended first."""

    model_config = ConfigDict(extra="forbid")

    checkpoint_days: Days | None = None
    archived_days: Days | None = None
    quota_bytes: Annotated[int, Field(ge=1_000_000, le=2**60)] | None = None


class DiskItem(Schema):
    """A run, a dataset, a model, or all else of the data directory together. ``bytes`` are those on the disk: what several
    runs share counts for one of them. ``freeable_bytes``: checkpoints that nothing goes on from."""

    kind: Literal["run", "dataset", "model", "download", "other"]
    id: str
    name: str
    bytes: int
    status: Status | None = None
    ended_at: str | None = None
    archived: bool = False
    checkpoints_bytes: int = 0
    freeable_bytes: int = 0


class DiskUsage(Schema):
    """``data_bytes`` are the data directory's; ``items`` the largest first."""

    disk_bytes: int
    free_bytes: int
    data_bytes: int
    items: list[DiskItem]
    retention: Retention


class Freed(Schema):
    """The names of the checkpoints that were deleted, and what they took."""

    checkpoints: list[str]
    bytes: int
