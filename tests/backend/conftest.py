"""Fixtures for the server's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backend.records import Records
from tests.serving import Server


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records(tmp_path / "data")
    yield records
    records.database.close()


@pytest.fixture
def run_async() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine to its end, within a generous limit."""
    return lambda work: asyncio.run(asyncio.wait_for(work, 60))


@pytest.fixture
def short_text(server: Server) -> str:
    """A dataset of a few lines, so that a worker is soon at its first step."""
    lines = "".join(
        f"The little {animal} went home.\n" for animal in ("fox", "owl", "cat", "dog", "hen", "cow", "pig", "bee")
    )
    response = server.client.post("/api/datasets", files={"file": ("short.txt", lines * 5)})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])
