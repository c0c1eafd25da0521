"""Exports of runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.schemas.base import Schema
from worker.contract import ExportFormat, NumberFormat, Proof


class ExportRequest(BaseModel):
    """What to export. ``checkpoint``: the name of one of the run's, or null for its finished model. ``number_format``: null
    is q8_0 for a .gguf file, and else that of the base."""

    model_config = ConfigDict(extra="forbid")

    format: ExportFormat
    checkpoint: Annotated[str | None, Field(max_length=100)] = None
    number_format: NumberFormat | None = None


class Push(BaseModel):
    """Where on the hub to put it. ``token`` is used for this alone, and never kept; without one the server's HF_TOKEN is."""

    model_config = ConfigDict(extra="forbid")

    repository: Annotated[str, Field(max_length=96)]
    private: bool = True
    token: Annotated[str | None, Field(max_length=400)] = None


class Export(Schema):
    """``share`` is how much of it is done, of 1; ``text`` what is done now. ``error`` and ``hint`` say why it failed.
    ``files`` are those that it has, by name and bytes, once it is done."""

    name: str
    checkpoint: str | None
    format: ExportFormat
    number_format: NumberFormat
    status: Literal["running", "done", "failed"]
    created_at: str
    text: str = ""
    share: float = 0.0
    bytes: int = 0
    files: dict[str, int] = {}
    proof: Proof | None = None
    error: str | None = None
    hint: str | None = None


class ExportList(Schema):
    items: list[Export]
