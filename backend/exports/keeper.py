"""Makes exports, each in a process of its own and one after the other, and keeps them in their runs' directories.

An export appears whole, by one rename, or not at all. One that fails, or that a restart cuts short, leaves nothing.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import INTERNAL, BusyError, ConflictError, NotFoundError
from backend.models.catalog import NAME_PATTERN
from backend.processes.helper import Helper
from backend.schemas.exports import Export, ExportRequest, Push
from worker.contract import EXPORT_FILE, EXPORTS_DIR, NUMBER_FORMATS, ExportOrder, Proof, now

log = logging.getLogger(__name__)

MOST_WAITING = 8
_MAKING = ".making-"
_WAITS = "Waiting until another export is done."


@dataclass
class _Making:
    """An export that is being made, or that failed."""

    export: Export
    changed: asyncio.Event
    task: asyncio.Task[None] | None = None

    def change(self, **values: Any) -> None:
        self.export = self.export.model_copy(update=values)
        self.changed.set()
        self.changed = asyncio.Event()

    def note_failure(self, task: asyncio.Task[None]) -> None:
        """A bug costs this export, and nobody waits for it for ever."""
        if not task.cancelled() and (error := task.exception()):
            log.error("The export %s broke off.", self.export.name, exc_info=error)
            self.change(status="failed", error=INTERNAL.message)


class Exports:
    def __init__(self, runs_dir: Path, log_path: Path) -> None:
        self._runs_dir = runs_dir
        self._log_path = log_path
        self._making: dict[tuple[str, str], _Making] = {}
        self._turn = asyncio.Semaphore(1)

    def prepare(self) -> None:
        """Removes what a restart cut short."""
        for left in self._runs_dir.glob(f"*/{EXPORTS_DIR}/.*"):
            shutil.rmtree(left, ignore_errors=True)

    def all(self, run_id: str) -> list[Export]:
        """A run's exports, the newest first."""
        made = [_read(file.parent) for file in self._folder(run_id).glob(f"[!.]*/{EXPORT_FILE}")]
        making = {name: one.export for (run, name), one in self._making.items() if run == run_id}
        found = [*making.values(), *(export for export in made if export and export.name not in making)]
        return sorted(found, key=lambda export: export.created_at, reverse=True)

    def get(self, run_id: str, name: str) -> Export:
        """Raises NotFoundError."""
        if making := self._making.get((run_id, name)):
            return making.export
        export = _read(self._folder(run_id) / name) if NAME_PATTERN.fullmatch(name) else None
        if export is None:
            raise NotFoundError(f"This run has no export {name[:100]!r}.", hint="GET /api/runs/ID/exports lists them.")
        return export

    def done(self, run_id: str, name: str) -> tuple[Export, Path]:
        """An export that can be taken away, and its folder. Raises NotFoundError or ConflictError."""
        export = self.get(run_id, name)
        if export.status != "done":
            raise ConflictError("This export is not done.", hint=export.hint or "Wait until it is, or start it again.")
        return export, self._folder(run_id) / name

    async def start(self, run_id: str, wanted: ExportRequest) -> Export:
        """Begin to make one; the one of before is replaced once it is done. Raises ConflictError, BusyError or OSError."""
        number_format = wanted.number_format or NUMBER_FORMATS[wanted.format][0]
        name = f"{wanted.checkpoint or 'model'}-{wanted.format}-{number_format}"
        key = run_id, name
        going = [one for one in self._making.values() if one.export.status == "running"]
        if key in self._making and self._making[key] in going:
            raise ConflictError("This export is being made already.", hint="Follow it, or stop it first.")
        if len(going) > MOST_WAITING:
            raise BusyError("Too many exports are waiting.", hint="Try again when one is done.")
        export = Export(
            name=name, checkpoint=wanted.checkpoint, format=wanted.format, number_format=number_format, status="running",
            created_at=now(), text=_WAITS if going else "Starting.",
        )  # fmt: skip
        making = self._making[key] = _Making(export, asyncio.Event())
        making.task = asyncio.create_task(self._make(run_id, making))
        making.task.add_done_callback(making.note_failure)
        return export

    async def watch(self, run_id: str, name: str) -> AsyncGenerator[dict[str, Any], None]:
        """Events ``progress`` with the Export each time that it changed, and a last ``done``. Raises NotFoundError."""
        self.get(run_id, name)
        while making := self._making.get((run_id, name)):
            changed = making.changed
            if making.export.status != "running":
                break
            yield {"event": "progress", "data": making.export.model_dump(mode="json")}
            await changed.wait()
        with suppress(NotFoundError):  # it was stopped
            yield {"event": "done", "data": self.get(run_id, name).model_dump(mode="json")}
            return
        yield {"event": "error", "data": {"code": "cancelled", "message": "The export was stopped."}}

    async def push(self, run_id: str, name: str, wanted: Push) -> AsyncGenerator[dict[str, Any], None]:
        """Events ``progress``, and ``done`` or ``error``, of its upload. Raises NotFoundError or ConflictError."""
        export, folder = self.done(run_id, name)
        process = Helper("worker.export.hub", self._log_path, "uploads exports")
        request = {"op": "push", "folder": str(folder), "files": [*export.files], **wanted.model_dump()}
        try:
            async with aclosing(process.ask(request)) as events:
                async for event in events:
                    yield event
        finally:
            await process.release()

    async def remove(self, run_id: str, name: str) -> None:
        """Stop it if it is being made, and delete it. Raises NotFoundError."""
        self.get(run_id, name)
        await self._stop(run_id, name)
        await asyncio.to_thread(shutil.rmtree, self._folder(run_id) / name, ignore_errors=True)

    async def leave(self, run_id: str) -> None:
        """Stop all that is being made of this run, which is about to be deleted."""
        for run, name in [*self._making]:
            if run == run_id:
                await self._stop(run, name)

    async def stop(self) -> None:
        """Stop all."""
        for run, name in [*self._making]:
            await self._stop(run, name)

    async def _stop(self, run_id: str, name: str) -> None:
        making = self._making.get((run_id, name))
        if making is None:
            return
        if making.task and not making.task.done():
            making.task.cancel()
            with suppress(asyncio.CancelledError):
                await making.task
        self._making.pop((run_id, name), None)
        making.changed.set()

    async def _make(self, run_id: str, making: _Making) -> None:
        name = making.export.name
        folder = self._folder(run_id) / f"{_MAKING}{name}"
        try:
            async with self._turn:
                await asyncio.to_thread(_clear, folder)
                proof = await self._ask(run_id, making, folder)
                if proof is not None:
                    await asyncio.to_thread(self._keep, run_id, making, folder, proof)
                    self._making.pop((run_id, name), None)
                    making.changed.set()
        except OSError as error:
            making.change(status="failed", error=f"The export could not be written: {error.strerror}.")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _ask(self, run_id: str, making: _Making, folder: Path) -> Proof | None:
        """Has a process of its own make it; None if that failed, which is told."""
        export = making.export
        order = ExportOrder(
            run_dir=str(self._runs_dir / run_id), checkpoint=export.checkpoint, format=export.format,
            number_format=export.number_format, folder=str(folder),
        )  # fmt: skip
        process = Helper("worker.export", self._log_path, "makes exports")
        try:
            async with aclosing(process.ask({"op": "export", "order": order.model_dump()})) as events:
                async for event in events:
                    data = event["data"]
                    if event["event"] == "done":
                        return Proof(**data)
                    if event["event"] == "error":
                        making.change(status="failed", error=data["message"], hint=data.get("hint"))
                    else:
                        making.change(text=data["text"], share=data["share"])
        finally:
            await process.release()
        return None

    def _keep(self, run_id: str, making: _Making, folder: Path, proof: Proof) -> None:
        """Puts it where it belongs."""
        files = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
        export = making.export.model_copy(
            update={"status": "done", "text": "", "share": 1.0, "files": files, "bytes": sum(files.values()), "proof": proof}
        )
        (folder / EXPORT_FILE).write_text(export.model_dump_json(indent=2), encoding="utf-8")
        target = self._folder(run_id) / export.name
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)

    def _folder(self, run_id: str) -> Path:
        return self._runs_dir / run_id / EXPORTS_DIR


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)  # not its parents: a run that is gone stays gone
    folder.mkdir()


def _read(folder: Path) -> Export | None:
    """What is told of the export in ``folder``; None if there is none, or one of another version."""
    try:
        return Export.model_validate_json((folder / EXPORT_FILE).read_bytes())
    except (OSError, ValueError):
        return None
