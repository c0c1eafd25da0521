"""Evaluations as files: DATA/evaluations/ID.json, each written whole after every cell."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from backend import files
from backend.schemas.evaluations import Evaluation

log = logging.getLogger(__name__)


class Archive:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> list[Evaluation]:
        """All of them, the oldest first."""
        self._folder.mkdir(parents=True, exist_ok=True)
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                found.append(Evaluation.model_validate_json(path.read_bytes()))
            except ValidationError as error:
                log.warning("%s is no evaluation: %s", path, error)
        return found

    def keep(self, evaluation: Evaluation) -> None:
        """Raises OSError."""
        text = evaluation.model_dump_json(indent=2, exclude={"progress"})
        files.write_whole(self._folder / f"{evaluation.id}.json", text)

    def remove(self, evaluation_id: str) -> None:
        (self._folder / f"{evaluation_id}.json").unlink(missing_ok=True)
