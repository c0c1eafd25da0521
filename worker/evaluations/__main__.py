"""``python -m worker.evaluations``: how well a model foretells datasets.

The protocol is that of ``worker.protocol``:

    {"id": 1, "op": "evaluate", "model": {"kind", "location"}, "sets": [...], ...}    as wanted.Evaluation has it

    {"id": 1, "event": "loading", "data": {"bytes"?, "total"?}}    bytes of total have been downloaded
    {"id": 1, "event": "loaded", "data": {"parameters"}}    how many the model has
    {"id": 1, "event": "progress", "data": {"set", "text", "share"}}    share: of the set, once it is known
    {"id": 1, "event": "scored", "data": {"set", "loss", ..., "examples", "seconds", "notes"}}    scores as ScoreSums.numbers
        has them; or {"set", "error": {"message", "hint"}} for a set that cannot be scored
    {"id": 1, "event": "done", "data": {}}
"""

from __future__ import annotations

import sys
import time
from typing import Any

from worker.devices.memory_limit import keep_to_what_is_free
from worker.errors import DeviceError, StopRequested, WorkerError
from worker.evaluations.wanted import EvaluatedSet, Evaluation
from worker.protocol import Reply, serve

_SECONDS_BETWEEN_LINES = 0.3


def evaluate(message: dict[str, Any], reply: Reply) -> None:
    """Answers one request. Raises WorkerError, StopRequested, or pydantic's ValidationError."""
    request = Evaluation.model_validate(message)
    reply.send("loading")
    from worker.devices.out_of_memory import free_unused, is_out_of_memory

    keep_to_what_is_free()
    try:
        _evaluate(request, reply)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError("There is no memory left for this model.", "Free some, or choose a smaller model.") from error
    finally:
        free_unused()
    reply.send("done")


def _evaluate(request: Evaluation, reply: Reply) -> None:
    from worker.devices.device import choose_device
    from worker.evaluations.measure import scores_of
    from worker.models import loading

    loading.quiet_libraries()
    language_model = loading.load_model(request.model, watch=_Download(reply))
    language_model.model.to(choose_device(request.device)).eval()
    reply.send("loaded", parameters=sum(weight.numel() for weight in language_model.model.parameters()))
    for each in request.sets:
        progress = _Progress(each, reply)
        try:
            reply.send("scored", set=each.id, **scores_of(language_model, each, request, progress))
        except WorkerError as error:
            reply.send("scored", set=each.id, error={"message": error.reason, "hint": error.hint})


class _Download:
    """Tells how much of a model has come, when more has."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._told = 0

    def __call__(self, done: int, total: int) -> None:
        """Raises StopRequested if nobody waits for the answer any more."""
        if self._reply.is_cancelled():
            raise StopRequested
        if done > self._told:
            self._told = done
            self._reply.send("loading", bytes=done, total=total)


class _Progress:
    """Tells now and then how far a set is."""

    def __init__(self, evaluated: EvaluatedSet, reply: Reply) -> None:
        self._set, self._reply = evaluated.id, reply
        self._next = 0.0

    def __call__(self, text: str, share: float | None = None) -> None:
        """Raises StopRequested if nobody waits for the answer any more."""
        if self._reply.is_cancelled():
            raise StopRequested
        if time.monotonic() >= self._next:
            self._reply.send("progress", set=self._set, text=text, share=share)
            self._next = time.monotonic() + _SECONDS_BETWEEN_LINES


if __name__ == "__main__":
    sys.exit(serve(evaluate))
