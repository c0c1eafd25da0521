"""How long an evaluation may be silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from backend.evaluations import patience
from backend.evaluations.patience import SilentError, while_heard


@pytest.mark.parametrize(("said", "limit"), [(["loading"], 0.01), (["loading", "loaded", "progress"], 0.06)])
def test_what_says_nothing_is_given_up_later_the_larger_the_model(
    said: list[str], limit: float, run_async: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LOADING_S", 0.01)
    monkeypatch.setattr(patience, "SILENT_S", 0.01)
    monkeypatch.setattr(patience, "PER_PARAMETER_S", 0.001)
    heard, closed = [], asyncio.Event()

    async def replies() -> AsyncGenerator[dict[str, Any], None]:
        try:
            for kind in said:
                yield {"event": kind, "data": {"parameters": 50}}
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def work() -> None:
        async for reply in while_heard(replies()):
            heard.append(reply["event"])

    with pytest.raises(SilentError) as silence:
        run_async(work())
    assert silence.value.args == (pytest.approx(limit),)
    assert heard == said
    assert closed.is_set()


def test_the_end_is_no_silence(run_async: Callable[..., Any]) -> None:
    async def replies() -> AsyncGenerator[dict[str, Any], None]:
        yield {"event": "done", "data": {}}

    async def work() -> list[dict[str, Any]]:
        return [reply async for reply in while_heard(replies())]

    assert len(run_async(work())) == 1


def test_it_is_told_in_words() -> None:
    assert [SilentError(seconds).told for seconds in (2.0, 300.0)] == ["2 seconds", "5 minutes"]
