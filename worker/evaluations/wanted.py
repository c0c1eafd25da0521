"""What is to be evaluated."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, model_validator

from worker.contract import DatasetSource, Job, ModelSource


class EvaluatedSet(BaseModel):
    """A dataset, all of it, or what a run keeps aside to test on, computed in the run's ``precision``. ``id``: by which the
    answer names it."""

    id: str
    source: DatasetSource | None = None
    job: Job | None = None
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"

    @model_validator(mode="after")
    def _one_of_them(self) -> EvaluatedSet:
        if (self.source is None) == (self.job is None):
            raise ValueError("a set is a source or a job's")
        return self


class Evaluation(BaseModel):
    """A model, and what to evaluate it on. ``max_length``: tokens at which the examples of datasets are cut; those of a run
    are cut as the run does. ``limit``: of each set only the first so many rows."""

    id: int
    op: Literal["evaluate"]
    model: ModelSource
    device: str = "auto"
    sets: list[EvaluatedSet]
    max_length: int = Field(ge=2)
    limit: int | None = Field(None, ge=1)
