"""Times as events and the API have them, ISO 8601 UTC, and as numbers."""

from __future__ import annotations

from datetime import datetime


def seconds(time: str) -> float:
    """Since 1970."""
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()  # Python 3.10 does not know the Z
