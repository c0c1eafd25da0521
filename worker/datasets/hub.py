"""Fetches a dataset of the Hugging Face hub as one file. No code of a repository is ever run.

    python -m worker.datasets.hub OWNER/NAME[:SPLIT] FOLDER

Lines of JSON on standard output: {"bytes": n, "total": n} while it downloads, then {"file": name} for the file that it left
in FOLDER, or {"error": {"message", "hint"}}. HF_ENDPOINT and HF_TOKEN are honoured.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

from worker.data.formats.shards import choose, join
from worker.errors import DataError
from worker.models.hub import counting_bar

DEFAULT_SPLIT = "train"
_TIMEOUT_S = 15
_SECONDS_BETWEEN_LINES = 0.3


def fetch_dataset(name: str, split: str, folder: Path) -> Path:
    """The file in ``folder`` that holds this split. Tells of progress on standard output. Raises DataError."""
    parts = folder / "parts"
    try:
        # One request with a time limit, so that a hub that cannot be reached is told of soon.
        info = HfApi().dataset_info(name, timeout=_TIMEOUT_S, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        chosen = choose(list(sizes), split)
        progress = _Progress(sum(sizes[file] for file in chosen))
        paths = [_download(name, file, info.sha, parts, progress) for file in chosen]
        progress.finish()
        return join(paths, folder)
    except DataError:
        raise
    except GatedRepoError:
        reason = f"{name} is only given to people who accepted its terms."
        hint = "Accept them on the dataset's page and set HF_TOKEN for the server."
        raise DataError(reason, hint) from None
    except (RepositoryNotFoundError, HFValidationError):
        reason = f"The hub has no dataset {name}, or it is private."
        raise DataError(reason, "Check the name. A private dataset needs HF_TOKEN set for the server.") from None
    except Exception as error:  # the client lets its transport's errors through, and these differ by version
        reason = f"{name} could not be downloaded: {error}"
        raise DataError(reason, "Check the connection and the free disk space, and try again.") from error
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _download(name: str, file: str, revision: str | None, folder: Path, progress: _Progress) -> Path:
    bar = counting_bar(progress.add)
    path = hf_hub_download(name, file, repo_type="dataset", revision=revision, local_dir=folder, tqdm_class=bar)
    return Path(path)


class _Progress:
    """Bytes of all files that have come, told now and then."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._bytes = 0
        self._next = 0.0
        self.add(0)  # at once, for a size over the limit ends it

    def add(self, count: int) -> None:
        """So many more have come; fewer than none when a part has to be fetched again."""
        self._bytes += count
        if time.monotonic() >= self._next:
            _say({"bytes": min(self._bytes, self._total), "total": self._total})
            self._next = time.monotonic() + _SECONDS_BETWEEN_LINES

    def finish(self) -> None:
        """All are there."""
        _say({"bytes": self._total, "total": self._total})


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def main(arguments: Sequence[str]) -> int:
    """Prints the lines."""
    name, _, split = arguments[0].partition(":")
    try:
        _say({"file": fetch_dataset(name, split or DEFAULT_SPLIT, Path(arguments[1])).name})
    except DataError as error:
        _say({"error": {"message": error.reason, "hint": error.hint}})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
