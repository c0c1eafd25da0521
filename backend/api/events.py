"""Answers that come bit by bit: a helper's events as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from sse_starlette import ServerSentEvent

from backend.errors import ApiError


async def as_events(replies: AsyncGenerator[dict[str, Any], None]) -> AsyncIterator[ServerSentEvent]:
    """Each {"event", "data"} as an event; an error's is wrapped as in other answers. Leaving early closes ``replies``."""
    async with aclosing(replies):
        try:
            async for reply in replies:
                data = {"error": reply["data"]} if reply["event"] == "error" else reply["data"]
                yield ServerSentEvent(json.dumps(data), event=reply["event"], sep="\n")
        except ApiError as error:  # too late for a status
            yield ServerSentEvent(json.dumps({"error": error.detail.model_dump(exclude_none=True)}), event="error", sep="\n")
