"""Votes: lines of votes.jsonl in the data directory, their only record. The database is an index of other files; a vote that
stood in it alone would be gone with it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from backend import files
from backend.errors import NotFoundError
from backend.schemas.generation import NewVote, Vote
from worker.contract import now

log = logging.getLogger(__name__)


class Votes:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._changing = threading.Lock()

    def all(self) -> list[Vote]:
        """The oldest first. What is no vote, such as a line that a power cut left half written, is passed over."""
        return list(self._read())

    def add(self, vote: NewVote) -> Vote:
        """Raises OSError, such as for a full disk; then the file is as it was."""
        kept = Vote(**vote.model_dump(), id=uuid4().hex[:12], time=now())
        with self._changing, self._path.open("a+b") as file:
            size = file.tell()
            file.seek(max(0, size - 1))
            ended = file.read(1) in (b"", b"\n")
            try:
                file.write((b"" if ended else b"\n") + kept.model_dump_json().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self._path, size)
                raise
        return kept

    def remove(self, vote_id: str) -> None:
        """Raises NotFoundError."""
        with self._changing:
            votes = self.all()
            left = [vote for vote in votes if vote.id != vote_id]
            if len(left) == len(votes):
                raise NotFoundError(f"There is no vote {vote_id[:60]!r}.", hint="GET /api/votes lists those there are.")
            files.write_whole(self._path, "".join(f"{vote.model_dump_json()}\n" for vote in left))

    def _read(self) -> Iterator[Vote]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        for number, line in enumerate(content.split(b"\n"), 1):
            try:
                if line:
                    yield Vote.model_validate_json(line)
            except ValidationError:
                log.warning("Line %s of %s is no vote.", number, self._path)
