"""An export: a run's model as files for other programs, and whether they answer there as they do here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

EXPORTS_DIR = "exports"
EXPORT_FILE = "export.json"
"""In each folder of ``exports/``: what the server tells of it."""

ExportFormat = Literal["safetensors", "adapter", "gguf"]
NumberFormat = Literal["kept", "fp32", "bf16", "fp16", "q8_0", "q4_k_m"]

NUMBER_FORMATS: dict[ExportFormat, tuple[NumberFormat, ...]] = {
    "safetensors": ("kept", "fp32", "bf16", "fp16"),
    "adapter": ("kept",),
    "gguf": ("q8_0", "q4_k_m", "fp16"),
}
"""The first one is taken where none is asked for. ``kept``: that of the base."""


class ExportOrder(BaseModel):
    """What ``python -m worker.export`` is to make. Paths are absolute. ``checkpoint`` None: of the finished model."""

    run_dir: str
    checkpoint: str | None
    format: ExportFormat
    number_format: NumberFormat
    folder: str


class Proof(BaseModel):
    """What an independent program made of an export.

    ``passed`` is None if none could be asked; ``problems`` then says why, and else what is wrong, a sentence each. ``kl`` is
    the mean over ``tokens`` places of KL(here ‖ there) in nats; ``noise`` what it would be from rounding alone, ``base_kl``
    that of the untouched base exported alike, ``limit`` what is let pass. ``same_choice`` is the share of places at which
    the most likely next token is the same. ``texts`` says where the rows are from. ``notes`` are no faults.
    """

    passed: bool | None
    engine: str = ""
    kl: float | None = None
    noise: float | None = None
    base_kl: float | None = None
    limit: float | None = None
    same_choice: float | None = None
    tokens: int = 0
    texts: str = ""
    problems: list[str] = []
    notes: list[str] = []
