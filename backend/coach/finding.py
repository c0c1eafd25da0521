"""What a rule says of a run: a statement with its evidence, what it means, and what to do."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Level = Literal["good", "info", "warning", "error"]


class Finding(BaseModel):
    """``rule`` is its name and that of its page; ``step`` and ``from_step`` are the updates that it is about.

    ``evidence`` are the numbers that it rests on, by names that a person understands, with their units in them; ``text``
    says in one sentence what is so and what it means, and ``advice`` what to do. ``fix`` are settings of a fork that
    mends it.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    level: Level
    step: int
    from_step: int
    evidence: dict[str, Any]
    text: str
    advice: str
    fix: dict[str, Any] | None = None
