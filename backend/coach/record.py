"""What a run has told so far, in bounded memory, as rules need it."""

from __future__ import annotations

from typing import Any


class RunRecord:
    """A run's settings and the events that count. ``add`` takes them one by one, in order, as JSON has them."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        self.config = config or {}

    def add(self, event: dict[str, Any]) -> None:
        """Takes an event of any type; one that goes on from a checkpoint takes back what was told of later updates."""
