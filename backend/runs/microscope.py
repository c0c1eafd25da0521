"""One training step of a run, made by a process of its own so that it can be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from anyio import move_on_after

from backend.errors import InvalidFieldError
from backend.models.catalog import Catalog
from backend.processes.helper import Helper
from backend.runs.forking.fork import steps_of
from backend.runs.jobs import read_job
from backend.schemas.microscope import MicroscopeRequest, MicroscopeStep
from backend.schemas.runs import Run
from worker.contract import ADAPTER_DIR, MODEL_DIR, ModelSource, checkpoint_name, checkpoint_step, is_adapter

START = "start"
FINAL = "final"
MOST_WAITING = 2
SECONDS = 300
"""That an answer may take once it has begun."""


class Microscope:
    """Asks the process. ``helper`` has one at a time, and few wait."""

    def __init__(self, runs_dir: Path, catalog: Catalog, log_path: Path, seconds: float = SECONDS) -> None:
        self._runs_dir = runs_dir
        self._catalog = catalog
        self._seconds = seconds
        self.helper = Helper("worker.microscope", log_path, "makes single training steps", most_waiting=MOST_WAITING)

    def question(self, run: Run, wanted: MicroscopeRequest) -> dict[str, Any]:
        """What the process is asked. Raises InvalidFieldError."""
        if (wanted.dataset_row is None) == (wanted.text is None):
            raise InvalidFieldError(
                "dataset_row", "Give a row of the run's dataset, or a text, and not both.", hint="Such as dataset_row 1."
            )
        directory = self._runs_dir / run.id
        job = read_job(directory)
        checkpoint = wanted.checkpoint or _newest(directory)
        source, step = self._source(run, checkpoint)
        return {
            "op": "step",
            "checkpoint": checkpoint,
            "job": job.model_dump(mode="json"),
            "model": source and source.model_dump(),
            "step": step,
            "total_steps": run.total_steps,
            "row": wanted.dataset_row,
            "text": wanted.text,
            "layer": wanted.layer,
            "head": wanted.head,
            "top": wanted.top_k,
        }

    async def look(self, run_id: str, question: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Events ``progress`` {text} and a last ``done`` with the MicroscopeStep, or ``error``. Leaving early cancels.

        An answer that takes too long is broken off, and its process with it.
        """
        async with aclosing(self.helper.ask(question)) as replies:
            reply = await anext(replies)  # its turn has come
            end = asyncio.get_running_loop().time() + self._seconds
            while reply["event"] not in ("done", "error"):
                yield reply
                with move_on_after(end - asyncio.get_running_loop().time()) as scope:
                    reply = await anext(replies)
                if scope.cancelled_caught:
                    await self.helper.release()
                    reply = {"event": "error", "data": self._overdue()}
            if reply["event"] == "done":
                told = {"run": run_id, **{name: question[name] for name in ("checkpoint", "step", "row")}}
                reply = {"event": "done", "data": MicroscopeStep(**told, **reply["data"]).model_dump()}
            yield reply

    def _overdue(self) -> dict[str, Any]:
        return {
            "code": "too_slow",
            "message": f"The step was not done within {self._seconds:.0f} s, so it was broken off.",
            "hint": "Choose a shorter text, or try again when no run is using the processor.",
        }

    def _source(self, run: Run, checkpoint: str) -> tuple[ModelSource | None, int]:
        """The checkpoint's folder, and after which update it was saved; none of the model that the run began with."""
        if checkpoint == START:
            return None, 0
        if checkpoint == FINAL:
            resolved = self._catalog.resolve(f"run:{run.id}", field="checkpoint").source
            adapter = self._runs_dir / run.id / ADAPTER_DIR
            return ModelSource(kind="folder", location=str(adapter)) if is_adapter(adapter) else resolved, run.step
        source = self._catalog.resolve(f"run:{run.id}@{checkpoint}", field="checkpoint").source
        saved = checkpoint_step(checkpoint)
        return source, run.step if saved is None else saved


def _newest(directory: Path) -> str:
    """What is looked at where nobody says what."""
    if steps := steps_of(directory):
        return checkpoint_name(steps[-1])
    return FINAL if (directory / MODEL_DIR).is_dir() else START
