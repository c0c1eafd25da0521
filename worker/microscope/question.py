"""What is asked of the microscope."""

from __future__ import annotations

from pydantic import BaseModel, Field

from worker.contract import Job, ModelSource


class Question(BaseModel):
    """A step of the run ``job`` on its dataset's ``row``, counted from 1, or on a ``text``.

    ``model`` is a checkpoint of the run or its finished model; None: the model that the run began with. ``total_steps`` are
    the run's updates, where they are known. ``layer`` and ``head``, from 0, are those whose attention is told. ``top``: how
    many guesses to tell of at each place.
    """

    job: Job
    model: ModelSource | None = None
    step: int = 0
    total_steps: int | None = None
    row: int | None = None
    text: str | None = None
    layer: int = Field(0, ge=0)
    head: int = Field(0, ge=0)
    top: int = Field(5, ge=1)
