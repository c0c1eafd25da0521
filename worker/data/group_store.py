"""Which texts stay on one side of the split: found once, kept in the run directory until the run has completed.

Another version of the library might find other near-duplicates, and a run that goes on must be split as it was.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from worker.checkpoints.folder import verify, write_folder
from worker.contract import GROUPS_DIR, DatasetSource
from worker.data.corpus import file_digest, section_characters
from worker.data.formats.text import Progress
from worker.data.near_duplicates import find, no_space
from worker.data.split import Groups
from worker.errors import CheckpointError

_ORIGIN_FILE, _GROUPS_FILE = "origin.json", "groups.npz"


def ensure(run_dir: Path, number: int, source: DatasetSource, max_length: int | None, progress: Progress) -> Groups:
    """Those in RUN_DIR/groups/NUMBER if an earlier worker of this run left them there, undamaged, else found and left there.

    ``max_length`` as in Corpus.read. Raises DataError if the file or the disk fails.
    """
    folder = run_dir / GROUPS_DIR / str(number)
    folder.parent.mkdir(exist_ok=True)
    origin = {
        "dataset_sha256": file_digest(Path(source.path)),
        "reading": source.reading.model_dump(),
        "section_characters": section_characters(max_length),
    }
    if not _is_whole(folder, origin):
        groups = find(source, max_length, progress, run_dir).groups
        try:
            write_folder(folder, lambda aside: _write(aside, origin, groups))
        except OSError as error:
            raise no_space(error) from error
    with np.load(folder / _GROUPS_FILE) as kept:
        return Groups(kept["places"], kept["shared"])


def discard(run_dir: Path) -> None:
    """Deletes RUN_DIR/groups, if it is there."""
    shutil.rmtree(run_dir / GROUPS_DIR, ignore_errors=True)


def _is_whole(folder: Path, origin: dict[str, object]) -> bool:
    try:
        if json.loads((folder / _ORIGIN_FILE).read_bytes()) != origin:
            return False
        verify(folder)
    except (FileNotFoundError, json.JSONDecodeError, CheckpointError):
        return False
    return True


def _write(folder: Path, origin: dict[str, object], groups: Groups) -> None:
    (folder / _ORIGIN_FILE).write_text(json.dumps(origin))
    np.savez(folder / _GROUPS_FILE, places=groups.places, shared=groups.shared)
