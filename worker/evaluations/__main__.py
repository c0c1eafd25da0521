"""``python -m worker.evaluations``: how well a model foretells datasets.

The protocol is that of ``worker.protocol``:

    {"id": 1, "op": "evaluate", "model": {"kind", "location"}, "sets": [...], ...}    as wanted.Evaluation has it

    {"id": 1, "event": "loading", "data": {}}
    {"id": 1, "event": "progress", "data": {"set", "text", "share"}}    share: of the set, once it is known
    {"id": 1, "event": "scored", "data": {"set", "loss", ..., "examples", "seconds", "notes"}}    scores as ScoreSums.numbers
        has them; or {"set", "error": {"message", "hint"}} for a set that cannot be scored
    {"id": 1, "event": "done", "data": {}}
"""

from __future__ import annotations

import sys
import time
from typing import Any

from worker.errors import DeviceError, StopRequested, WorkerError
from worker.evaluations.wanted import EvaluatedSet, Evaluation
from worker.protocol import Reply, serve

_SECONDS_BETWEEN_LINES = 0.3


def evaluate(message: dict[str, Any], reply: Reply) -> None:
    """Answers one request. Raises WorkerError, StopRequested, or pydantic's ValidationError."""
    request = Evaluation.model_validate(message)
    reply.send("loading")
    import torch

    from worker.devices.device import choose_device
    from worker.evaluations.measure import scores_of
    from worker.models import loading

    loading.quiet_libraries()
    device = choose_device(request.device)
    try:
        language_model = loading.load_model(request.model)
        language_model.model.to(device).eval()
        for each in request.sets:
            progress = _Progress(each, reply)
            try:
                reply.send("scored", set=each.id, **scores_of(language_model, each, request, progress))
            except WorkerError as error:
                reply.send("scored", set=each.id, error={"message": error.reason, "hint": error.hint})
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            "The device has no memory left for this model.", "Free some, or choose a smaller model."
        ) from error
    reply.send("done")


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
