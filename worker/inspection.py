"""``python -m worker.inspection``: the process that looks into datasets for the server, before anything is trained.

The protocol is that of ``worker.protocol``. Ops, each with what backend/schemas calls its answer:

    preview     {source, columns, limit, start, seed}   Preview, without ``total``
    statistics  {job, empty_rows}                       events ``progress`` {text}; Statistics
    tokens      {job, rows, seed, count, batch}         TokenView
    preflight   {job, memory_available_bytes}           what of Preflight a worker can know
"""

from __future__ import annotations

import sys
from typing import Any

from worker.contract import DatasetSource, Job
from worker.datasets.cache import Samples
from worker.datasets.preview import preview
from worker.protocol import Reply, serve


class Inspector:
    """Answers, and keeps the tokenizers and the tokens it has made."""

    def __init__(self) -> None:
        self._samples = Samples()

    def answer(self, message: dict[str, Any], reply: Reply) -> None:
        """Answers one request. Raises WorkerError, or pydantic's ValidationError."""
        op = message["op"]
        if op == "preview":
            source = DatasetSource.model_validate(message["source"])
            reply.send("done", **preview(source, message["columns"], message["limit"], message["start"], message["seed"]))
            return
        # Each imported only when it is asked for: they load torch, which takes seconds.
        job = Job.model_validate(message["job"])
        if op == "statistics":
            from worker.datasets.statistics import statistics

            found = statistics(job, self._samples, message["empty_rows"], reply)
        elif op == "tokens":
            from worker.datasets.token_view import token_view

            wanted = (message["rows"], message["seed"], message["count"])
            found = token_view(job, self._samples, *wanted, batch=message["batch"])
        else:
            from worker.preflight.request import preflight

            found = preflight(job, self._samples, message["memory_available_bytes"])
        reply.send("done", **found)


if __name__ == "__main__":
    sys.exit(serve(Inspector().answer))
