"""``python -m worker.datasets.validation``: judges a file, as it arrives or on disk. The server never reads one."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from backend.errors import HelperError, InvalidFieldError
from backend.processes.worker import environment
from backend.settings import ROOT
from worker.contract import Checked, DatasetSource

log = logging.getLogger(__name__)


class Checker:
    """Judges a file while its bytes come in. To be ended by ``close``, however it goes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        assert process.stdout
        self._process = process
        self._input = process.stdin
        self._verdict = asyncio.create_task(process.stdout.read())

    @classmethod
    async def start(cls, filename: str, path: Path) -> Checker:
        """``path`` is where the file is being written, for those kinds that can only be judged when they are whole."""
        process = await asyncio.create_subprocess_exec(
            *_command("check", filename, str(path)),
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return cls(process)

    @property
    def has_answered(self) -> bool:
        """Whether what came so far was enough for a judgement, which can only be a bad one."""
        return self._verdict.done()

    async def feed(self, data: bytes) -> None:
        """Takes the next bytes, as fast as they are read. What is fed after the answer goes nowhere."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._input.write(data)
            await self._input.drain()

    async def finish(self) -> Checked:
        """What is in the file, now that all of it has been fed. Raises InvalidFieldError for ``file``."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._input.close()
            await self._input.wait_closed()
        return _judge(await self._verdict, "file")

    async def close(self) -> None:
        """Ends the process, if it has not ended by itself."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await asyncio.gather(self._verdict, return_exceptions=True)


def check_file(filename: str, path: Path, field: str = "dataset") -> Checked:
    """What is in a file on disk. Raises InvalidFieldError for ``field``."""
    with path.open("rb") as file:
        return _judge(_run(_command("check", filename, str(path)), file), field)


def check_reading(filename: str, source: DatasetSource, *, guess: bool = False) -> Checked:
    """What is in a file on disk if it is read as its source says; with ``guess``, as suits it. Raises InvalidFieldError for
    ``reading``."""
    command = _command("guess" if guess else "again", filename, source.model_dump_json())
    return _judge(_run(command, subprocess.DEVNULL), "reading")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "worker.datasets.validation", *arguments]


def _run(command: list[str], file: BinaryIO | int) -> bytes:
    return subprocess.run(command, cwd=ROOT, env=environment(), stdin=file, stdout=subprocess.PIPE, check=False).stdout


def _judge(answer: bytes, field: str) -> Checked:
    try:
        found = json.loads(answer)
    except ValueError:
        log.error("The process that checks files ended without an answer.")
        raise HelperError(
            "The process that checks files ended unexpectedly.", hint="Try again; the server's log may say more."
        ) from None
    if "error" in found:
        raise InvalidFieldError(field, found["error"]["message"], hint=found["error"].get("hint"))
    return Checked.model_validate(found["ok"])
