"""Helper processes and the GPU: who holds it leaves at once, and who waited does not take it back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from backend.errors import BusyError, failure
from backend.processes.helper import Helper

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_a_helper_on_the_gpu_leaves_it_and_what_waited_is_done_on_the_processor(tmp_path: Path, run_async: Run) -> None:
    device = "auto"
    helper = Helper("tests.backend.processes.echo", tmp_path / "log", "echoes", device=lambda: device)

    async def answered(op: str, told: asyncio.Event | None = None) -> dict[str, Any]:
        events = []
        async for event in helper.ask({"op": op}):
            events.append(event)
            if told:
                told.set()
        return events[-1]

    async def work() -> None:
        nonlocal device
        begun = asyncio.Event()
        held = asyncio.create_task(answered("hold", begun))
        await begun.wait()
        waiting = asyncio.create_task(answered("tell"))
        await asyncio.sleep(0)  # it waits for its turn now
        device = "cpu"
        await helper.leave_gpu()
        broken = (await held)["data"]
        assert broken["message"] == "A run needs the GPU, so this broke off."
        assert isinstance(failure(broken), BusyError), "clients try again by themselves"
        assert (await waiting)["data"] == {"device": "cpu"}
        process = helper._process
        assert process
        await helper.leave_gpu()
        assert (await answered("tell"))["event"] == "done"
        assert helper._process is process, "it was not on the GPU"
        process.kill()
        await process.wait()
        await helper.release()
        begun.clear()
        lost = asyncio.create_task(answered("hold", begun))
        await begun.wait()
        await helper.release()
        assert (await lost)["data"]["message"] == "The process that echoes ended unexpectedly."

    run_async(work())
