"""Checkpoints and the finished model: when a folder is written, which ones are kept, and which one a run goes on from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from worker.checkpoints.folder import prune, verify, write_folder
from worker.contract import (
    CHECKPOINTS_DIR,
    MANIFEST_FILE,
    MODEL_DIR,
    CheckpointEvent,
    EvaluationEvent,
    MessageEvent,
    checkpoint_name,
    checkpoint_step,
)
from worker.errors import CheckpointError


class Saver:
    """Writes a run's folders and tells of them; ``saved`` are its checkpoints on disk, oldest first."""

    def __init__(self, run_dir: Path, keep: int, report: Callable[[Any], None]) -> None:
        self.run_dir = run_dir
        self.saved: list[Path] = []
        self.best: Path | None = None
        self._keep = keep
        self._report = report

    def path(self, step: int) -> Path:
        """Where the checkpoint of ``step`` belongs."""
        return self.run_dir / CHECKPOINTS_DIR / checkpoint_name(step)

    def save_checkpoint(self, step: int, kind: str, write: Callable[[Path], None]) -> bool:
        """Has ``write`` fill the checkpoint of ``step`` and returns whether it is there now.

        A disk that fails costs this checkpoint and not the run.
        """
        target = self.path(step)
        best_before = self.best
        if kind == "best":
            self.best = target  # before it is written, as the state in it says which one is the best
        try:
            size = write_folder(target, write)
        except OSError as error:
            self.best = best_before
            self._warn(f"No checkpoint at step {step}: {error}. Training goes on.")
            return False
        self.saved = [*(path for path in self.saved if path != target), target]
        self._tell(step, target, size, kind)
        try:
            prune(self.saved, self._keep, self.best)
        except OSError as error:
            self._warn(f"An old checkpoint could not be deleted: {error}.")
        self.saved = [path for path in self.saved if path.exists()]
        return True

    def save_result(self, step: int, name: str, kind: str, write: Callable[[Path], None]) -> None:
        """Has ``write`` fill the folder ``name`` of the run. Raises CheckpointError if the disk fails."""
        target = self.run_dir / name
        try:
            size = write_folder(target, write)
        except OSError as error:
            rest = f" {self.saved[-1].name} is the latest checkpoint." if self.saved else ""
            what = "finished model" if name == MODEL_DIR else name
            raise CheckpointError(f"The {what} could not be written: {error}.", f"Free some space.{rest}") from error
        self._tell(step, target, size, kind)

    def take_over(self, step: int, best: str | None) -> None:
        """Counts as its own what an earlier process of this run saved up to ``step``."""
        self.saved = [path for path in _checkpoints(self.run_dir) if _step(path) <= step]
        self.best = next((path for path in self.saved if path.name == best), None)

    def tell_taken_over(self, evaluations: Sequence[EvaluationEvent]) -> None:
        """Tells of what was taken over from another run, and how good it is, as the log of this one does not."""
        losses = {event.step: event for event in evaluations}
        for path in self.saved:
            if event := losses.get(_step(path)):
                self._report(event)
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and file.name != MANIFEST_FILE)
            self._tell(_step(path), path, size, "best" if path == self.best else "periodic")

    def _tell(self, step: int, folder: Path, size: int, kind: str) -> None:
        path = folder.relative_to(self.run_dir).as_posix()
        self._report(CheckpointEvent(step=step, path=path, bytes=size, kind=kind))

    def _warn(self, text: str) -> None:
        self._report(MessageEvent(level="warning", text=text))


def latest_whole(run_dir: Path, warn: Callable[[str], None]) -> Path | None:
    """The newest undamaged checkpoint of an earlier process, or None. ``warn`` hears of each that is passed over."""
    for folder in reversed(_checkpoints(run_dir)):
        try:
            verify(folder)
        except CheckpointError as error:
            warn(f"{folder.name} cannot be used, so the one before it is: {error.reason}")
        else:
            return folder
    return None


def _checkpoints(run_dir: Path) -> list[Path]:
    found = (run_dir / CHECKPOINTS_DIR).glob("*")
    return sorted((path for path in found if checkpoint_step(path.name) is not None), key=_step)


def _step(folder: Path) -> int:
    """Of a checkpoint."""
    step = checkpoint_step(folder.name)
    assert step is not None
    return step
