"""Fixtures for the server's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.backend.doors import Doors
from tests.backend.records import Records
from tests.serving import Server


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records(tmp_path / "data")
    yield records
    records.database.close()


@pytest.fixture
def run_async() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine to its end, within a generous limit.

    On a thread of its own: in ours, Playwright's loop goes on once a browser test has run in this process.
    """

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, asyncio.wait_for(work, 240)).result()

    return run


@pytest.fixture
def short_text(server: Server) -> str:
    """A dataset of a few lines, so that a worker is soon at its first step."""
    lines = "".join(
        f"The little {animal} went home.\n" for animal in ("fox", "owl", "cat", "dog", "hen", "cow", "pig", "bee")
    )
    response = server.client.post("/api/datasets", files={"file": ("short.txt", lines * 5)})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


@pytest.fixture(scope="session")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """One server and one model for all tests of clients."""
    doors = Doors(tmp_path_factory.mktemp("doors") / "data")
    yield doors
    doors.server.stop()
