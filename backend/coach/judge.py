"""All that can be said of a run now."""

from __future__ import annotations

from backend.coach.finding import Finding
from backend.coach.record import RunRecord


def findings(record: RunRecord) -> list[Finding]:
    """The likeliest cause first. A healthy run has one finding at most: it is learning."""
    return []
