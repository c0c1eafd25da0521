"""Fixtures for the server's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backend.records import Records


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records(tmp_path / "data")
    yield records
    records.database.close()


@pytest.fixture
def run_async() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine to its end, within a generous limit."""
    return lambda work: asyncio.run(asyncio.wait_for(work, 60))
