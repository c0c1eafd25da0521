"""``python -m worker.microscope``: the process that makes one training step to be looked at.

The protocol is that of ``worker.protocol``:

    {"id": 1, "op": "step", "job": Job, "model": {"kind", "location"} | null, ...}    as Question has it

    {"id": 1, "event": "progress", "data": {"text"}}
    {"id": 1, "event": "done", "data": {...}}    backend/schemas/microscope.py's MicroscopeStep

The latest model stays in memory, for the next row or head.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.devices.memory_limit import keep_to_what_is_free
from worker.errors import DeviceError, StopRequested
from worker.microscope.question import Question
from worker.protocol import Reply, serve

if TYPE_CHECKING:
    from worker.datasets.cache import Samples
    from worker.models.loading import LanguageModel


class Microscope:
    """Answers, and keeps the latest model and what it knows of the latest datasets."""

    def __init__(self) -> None:
        self._samples: Samples | None = None
        self._held: tuple[str, LanguageModel] | None = None

    def answer(self, message: dict[str, Any], reply: Reply) -> None:
        """Answers one request. Raises WorkerError, StopRequested, or pydantic's ValidationError."""
        question = Question.model_validate(message)

        def say(text: str) -> None:
            if reply.is_cancelled():
                raise StopRequested
            reply.send("progress", text=text)

        say("Getting ready.")
        from worker.devices.out_of_memory import is_out_of_memory  # loads torch, which takes seconds

        keep_to_what_is_free()
        try:
            found = self._step(question, say)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._held = None
            raise DeviceError(
                "The memory is full: one training step of this model does not fit beside what else runs.",
                "Choose a shorter text or a smaller model, or try again when nothing else is running.",
            ) from error
        reply.send("done", **found)

    def _step(self, question: Question, say: Any) -> dict[str, Any]:
        from worker.datasets.cache import Samples
        from worker.microscope.chosen_row import choose_row
        from worker.microscope.step import make_step
        from worker.microscope.subject import load_subject, make_ready, require_room_for_step

        self._samples = self._samples or Samples()
        key = _key(question)
        if self._held is None or self._held[0] != key:
            say("Loading the model.")
            self._held = None  # before the next one: memory holds one
            self._held = key, load_subject(question, self._samples)
        language_model = self._held[1]
        chosen = choose_row(question.job, language_model, self._samples, question.row, question.text)
        require_room_for_step(language_model.model, len(chosen.ids))
        return make_step(question, language_model, chosen, make_ready(question, language_model.model), say)


def _key(question: Question) -> str:
    """What decides which model it is: a checkpoint's folder may be written anew by a run that goes on."""
    if question.model is None:
        return question.job.model_dump_json()
    folder = Path(question.model.location)
    changed = folder.stat().st_mtime_ns if folder.exists() else 0
    return f"{question.model.model_dump_json()} {changed} {question.job.has_chats}"


if __name__ == "__main__":
    sys.exit(serve(Microscope().answer))
