"""What all answers have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Schema(BaseModel):
    model_config = ConfigDict(protected_namespaces=(), populate_by_name=True)
