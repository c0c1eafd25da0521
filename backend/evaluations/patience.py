"""How long the process that evaluates may be silent before it is given up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from anyio import move_on_after

LOADING_S = 1200.0
"""For a model that comes from a slow disk; of a download is told how far it is."""
SILENT_S = 300.0
PER_PARAMETER_S = 3e-6
"""More for each parameter, as there is a word after each forward pass: of 8 texts of 1,024 tokens, at 5 billion operations
a second, which any processor does."""


class SilentError(Exception):
    """Nothing was heard for so many ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.told = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


async def while_heard(replies: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[dict[str, Any], None]:
    """The replies of the process. Raises SilentError if the next one is too long in coming."""
    limit = LOADING_S
    while True:
        with move_on_after(limit) as scope:
            reply = await anext(replies, None)
        if scope.cancelled_caught:
            raise SilentError(limit)
        if reply is None:
            return
        if reply["event"] == "loaded":
            limit = SILENT_S + PER_PARAMETER_S * reply["data"]["parameters"]
        yield reply
