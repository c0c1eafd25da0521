"""Datasets of the Hugging Face hub: a process of their own fetches them, then they are checked and kept like an upload."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend.datasets.checker import check_file
from backend.datasets.store import Datasets
from backend.errors import HelperError, InvalidFieldError, TooLargeError
from backend.processes.worker import environment
from backend.schemas.names import is_hub_id
from backend.settings import ROOT


def require_id(name: str) -> None:
    """Raises InvalidFieldError for ``id`` if this cannot be a dataset of the hub: a URL, a host, a path."""
    if not is_hub_id(name):
        raise InvalidFieldError(
            "id", f"{name[:100]!r} is not the name of a dataset.", hint="Use owner/name, as the hub shows it."
        )


async def fetch(name: str, split: str, datasets: Datasets, most: int) -> AsyncGenerator[dict[str, Any], None]:
    """Events ``progress`` {bytes, total} and ``done`` with the dataset. ``most``: the bytes it may have.

    Raises InvalidFieldError for ``id``, or TooLargeError. Leaving early ends the download; nothing is left behind.
    """
    temporary = Path(tempfile.mkdtemp(prefix=".upload-", dir=datasets.folder))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker.datasets.hub", f"{name}:{split}", str(temporary)),
        cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout
        filename = None
        async for line in process.stdout:
            said = json.loads(line)
            if "error" in said:
                raise InvalidFieldError("id", said["error"]["message"], hint=said["error"].get("hint"))
            if said.get("total", 0) > most:
                raise TooLargeError(f"{name} is larger than the limit of {most:,} bytes.", field="id")
            filename = said.get("file", filename)
            if "file" not in said:
                yield {"event": "progress", "data": said}
        if filename is None:
            raise HelperError("The process that fetches datasets ended unexpectedly.", hint="Try again.")
        dataset = await asyncio.to_thread(_keep, temporary / filename, name, datasets)
        yield {"event": "done", "data": dataset.model_dump(mode="json")}
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)


def _keep(path: Path, name: str, datasets: Datasets) -> Any:
    checked = check_file(path.name, path, field="id")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    filename = re.sub(r".*/", "", name) + "".join(path.suffixes)
    return datasets.add(path, filename, checked, path.stat().st_size, digest.hexdigest(), origin=name)[0]
