"""Evaluations, one at a time and in order. Each model is loaded once, in a process that ends with the evaluation.

A cell is on the disk as soon as it is done; a server that is started again goes on with what is missing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from backend.errors import ApiError, BusyError, InvalidFieldError, NotFoundError
from backend.evaluations.archive import Archive
from backend.evaluations.patience import SilentError, while_heard
from backend.evaluations.sources import Sources
from backend.processes.helper import Helper
from backend.runs.lifecycle import new_id
from backend.schemas.evaluations import CellError, Evaluation, EvaluationCell, EvaluationProgress, Named
from backend.schemas.scores import Scores
from backend.system.devices import for_texts
from worker.contract import DEFAULT_MAX_LENGTH, now

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_UNFINISHED = 20
UNFINISHED = ("queued", "running")


class Evaluations:
    def __init__(self, data_dir: Path, sources: Sources, busy_devices: Callable[[], Collection[str]]) -> None:
        self._sources, self._busy_devices = sources, busy_devices
        self._archive = Archive(data_dir / "evaluations")
        self._disk = ThreadPoolExecutor(1)  # so that what is written last is what stays, whoever is cancelled meanwhile
        self._helper = Helper("worker.evaluations", data_dir / "evaluations.log", "evaluates models")
        self._known: dict[str, Evaluation] = {}
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()  # another one after each change
        self._worker: asyncio.Task[None] | None = None
        self._current: asyncio.Task[None] | None = None
        self._device = "cpu"
        self._sent_away = False

    async def start(self) -> None:
        """Goes on with what an earlier server did not finish."""
        self._known = {each.id: each for each in await self._on_disk(self._archive.load)}
        self._wake.set()
        self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """What is unfinished waits for the next server."""
        if self._worker:
            self._worker.cancel()
            with suppress(asyncio.CancelledError):
                await self._worker
        await asyncio.to_thread(self._disk.shutdown)

    def all(self) -> list[Evaluation]:
        """The newest first."""
        return sorted(self._known.values(), key=lambda each: each.id, reverse=True)

    def get(self, evaluation_id: str) -> Evaluation:
        """Raises NotFoundError."""
        if evaluation_id not in self._known:
            raise NotFoundError(
                f"There is no evaluation {evaluation_id[:60]!r}.", hint="GET /api/evaluations lists those there are."
            )
        return self._known[evaluation_id]

    async def watch(self, evaluation_id: str) -> AsyncGenerator[dict[str, Any], None]:
        """Events ``evaluation`` at first and after changes, and a last ``done``, each with all of it.

        Raises NotFoundError, also when it is deleted meanwhile.
        """
        while True:
            changed, evaluation = self._changed, self.get(evaluation_id)
            ended = evaluation.status not in UNFINISHED
            yield {"event": "done" if ended else "evaluation", "data": evaluation.model_dump(mode="json")}
            if ended:
                return
            await changed.wait()

    async def create(self, models: Sequence[str], datasets: Sequence[str], limit: int | None) -> Evaluation:
        """Queues one. Raises InvalidFieldError for what there is not, BusyError if too many wait, or OSError."""
        if sum(each.status in UNFINISHED for each in self._known.values()) >= MOST_UNFINISHED:
            raise BusyError("Too many evaluations are waiting.", hint="Stop some, or try again when one has ended.")
        for field, names in (("models", models), ("datasets", datasets)):
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise InvalidFieldError(field, f"{twice[:100]} stands there twice.", hint="Name each once.")
        evaluation = await run_in_threadpool(self._planned, models, datasets, limit)
        self._known[evaluation.id] = evaluation
        try:
            await self._on_disk(self._archive.keep, evaluation)
        except OSError:
            del self._known[evaluation.id]
            raise
        self._wake.set()
        return evaluation

    def _planned(self, models: Sequence[str], datasets: Sequence[str], limit: int | None) -> Evaluation:
        contexts = [self._sources.model(name).context for name in models]
        return Evaluation(
            id=next(each for each in iter(new_id, None) if each not in self._known),
            status="queued",
            created_at=now(),
            models=[self._sources.model_name(name) for name in models],
            datasets=[self._sources.dataset_name(name) for name in datasets],
            limit=limit,
            max_length=min([DEFAULT_MAX_LENGTH, *(context for context in contexts if context)]),
        )

    async def cancel(self, evaluation_id: str) -> Evaluation:
        """Stops it, if it has not ended; what is done stays. Raises NotFoundError."""
        evaluation = self.get(evaluation_id)
        if evaluation.status in UNFINISHED:
            running = evaluation.status == "running"
            self._change(evaluation, status="stopped", ended_at=now(), progress=None)
            if running and self._current:
                self._current.cancel()
            await self._keep(evaluation)
        return evaluation

    async def remove(self, evaluation_id: str) -> None:
        """Raises NotFoundError."""
        await self.cancel(evaluation_id)
        self._known.pop(evaluation_id, None)
        self._tell()
        await self._on_disk(self._archive.remove, evaluation_id)

    async def leave_gpu(self) -> None:
        """A run needs it: what is being evaluated there begins anew on the processor."""
        if self._current and self._device != "cpu":
            self._sent_away = True
            await self._helper.release()

    async def _work(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while waiting := [each for each in self.all() if each.status in UNFINISHED]:
                    self._current = asyncio.create_task(self._evaluate(waiting[-1]))
                    await asyncio.wait([self._current])
                    if not self._current.cancelled() and (error := self._current.exception()):
                        log.error("An evaluation broke off.", exc_info=error)
                        self._change(waiting[-1], status="stopped", ended_at=now(), progress=None)
                    self._current = None
                    await self._helper.release()
        finally:
            if self._current:
                self._current.cancel()
            await self._helper.release()

    async def _evaluate(self, evaluation: Evaluation) -> None:
        self._change(evaluation, status="running", started_at=evaluation.started_at or now())
        clock = _Clock(len(evaluation.models) * len(evaluation.datasets), len(evaluation.cells))
        for model in evaluation.models:
            while missing := _missing(evaluation, model):
                await self._evaluate_model(evaluation, model, missing, clock)
        self._change(evaluation, status="completed", ended_at=now(), progress=None)
        await self._keep(evaluation)

    async def _evaluate_model(self, evaluation: Evaluation, model: Named, missing: Sequence[Named], clock: _Clock) -> None:
        """Adds a cell for each that is missing, unless the GPU had to be left meanwhile, or nothing was heard
        of one."""
        sets = []
        try:
            source = (await run_in_threadpool(self._sources.model, model.id)).source
        except ApiError as error:
            return await self._fail(evaluation, model, missing, _told(error))
        for each in missing:
            try:
                sets.append(await run_in_threadpool(self._sources.evaluated_set, each.id))
            except ApiError as error:
                await self._fail(evaluation, model, [each], _told(error))
        if not sets:
            return None
        self._device = "cpu" if self._sent_away else for_texts(self._busy_devices())
        self._sent_away = False
        order = {
            "op": "evaluate",
            "model": source.model_dump(),
            "device": self._device,
            "sets": sets,
            "max_length": evaluation.max_length,
            "limit": evaluation.limit,
        }
        loaded = False
        try:
            async with aclosing(self._helper.ask(order)) as replies:
                async for reply in while_heard(replies):
                    loaded = loaded or reply["event"] == "loaded"
                    await self._take(evaluation, model, reply, clock)
        except SilentError as silence:
            await self._helper.release()
            missing = _missing(evaluation, model)  # in the order in which they are done
            hint = "It may be stuck, or need more memory than there is. Evaluate it again, or a smaller model."
            told = CellError(message=f"Nothing was heard of it for {silence.told}, so it was given up.", hint=hint)
            await self._fail(evaluation, model, missing[:1] if loaded else missing, told)

    async def _take(self, evaluation: Evaluation, model: Named, reply: dict[str, Any], clock: _Clock) -> None:
        """What the process tells."""
        data = reply["data"]
        if reply["event"] == "scored":
            await self._add(evaluation, _cell(model.id, data))
        elif reply["event"] == "error" and not self._sent_away:
            error = CellError(message=data["message"], hint=data.get("hint"))
            await self._fail(evaluation, model, _missing(evaluation, model), error)
        elif reply["event"] in ("loading", "progress"):
            done, text = len(evaluation.cells), data.get("text", f"Loading {model.name}.")
            share, eta = clock.judge(done, data.get("share") or 0.0)
            told = EvaluationProgress(model=model.id, dataset=data.get("set"), text=text, share=share, eta_s=eta)
            self._change(evaluation, progress=told)

    async def _fail(self, evaluation: Evaluation, model: Named, sets: Sequence[Named], error: CellError) -> None:
        await self._add(evaluation, *(EvaluationCell(model=model.id, dataset=each.id, error=error) for each in sets))

    async def _add(self, evaluation: Evaluation, *cells: EvaluationCell) -> None:
        self._change(evaluation, cells=[*evaluation.cells, *cells])
        await self._keep(evaluation)

    def _change(self, evaluation: Evaluation, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(evaluation, name, value)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _on_disk(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work, *arguments)

    async def _keep(self, evaluation: Evaluation) -> None:
        """On a full disk it is held in memory until the next cell."""
        if evaluation.id not in self._known:  # deleted meanwhile
            return
        try:
            await self._on_disk(self._archive.keep, evaluation)
        except OSError as error:
            log.warning("The evaluation %s could not be written: %s", evaluation.id, error)


class _Clock:
    """Judges how long an evaluation still takes by what was done since this began."""

    def __init__(self, cells: int, done: int) -> None:
        self._cells, self._first = cells, done / cells
        self._started = time.monotonic()

    def judge(self, done: int, of_next: float) -> tuple[float, float | None]:
        """The share of all that is done, and seconds left."""
        share = min(1.0, (done + of_next) / self._cells)
        new, seconds = share - self._first, time.monotonic() - self._started
        return share, seconds * (1 - share) / new if new > 0.01 else None


def _missing(evaluation: Evaluation, model: Named) -> list[Named]:
    done = {cell.dataset for cell in evaluation.cells if cell.model == model.id}
    return [each for each in evaluation.datasets if each.id not in done]


def _cell(model: str, data: dict[str, Any]) -> EvaluationCell:
    if "error" in data:
        return EvaluationCell(model=model, dataset=data["set"], error=CellError(**data["error"]))
    scores = Scores(**{name: data[name] for name in Scores.model_fields})
    rest = {name: data[name] for name in ("examples", "seconds", "notes")}
    return EvaluationCell(model=model, dataset=data["set"], scores=scores, **rest)


def _told(error: ApiError) -> CellError:
    return CellError(message=error.detail.message, hint=error.detail.hint)
