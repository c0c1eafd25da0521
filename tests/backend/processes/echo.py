"""``python -m tests.backend.processes.echo``: a helper process that tells where it was asked to work, or works for ever."""

from __future__ import annotations

import sys
import threading
from typing import Any

from worker.protocol import Reply, serve


def answer(message: dict[str, Any], reply: Reply) -> None:
    """``hold`` is never done."""
    reply.send("begun")
    if message["op"] == "hold":
        threading.Event().wait()
    reply.send("done", device=message["device"])


if __name__ == "__main__":
    sys.exit(serve(answer))
