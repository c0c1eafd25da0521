"""A file's columns, and whether a reading's are among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.contract import Reading
from worker.errors import DataError


def columns_of(records: Sequence[dict[str, Any]]) -> list[str]:
    """All their names, but for columns that a table left without one, and without anything in them."""
    names = dict.fromkeys(name for record in records for name in record)
    return [name for name in names if not name.startswith("column ") or any(record.get(name) for record in records)]


def require_chosen(reading: Reading, columns: Sequence[str]) -> None:
    """Raises DataError if ``reading`` lacks a column that it needs."""
    for role, column in reading.columns().items():
        if not column:
            raise DataError(f"No column is chosen for {role}.", _have(columns))


def require_columns(reading: Reading, columns: Sequence[str]) -> None:
    """Raises DataError if ``reading`` names a column that is not there and that records may be without: it would be taken
    for empty in each of them."""
    needed = reading.columns().values()
    for name in reading.used():
        if name not in needed and name not in columns and name.partition(".")[0] not in columns:
            raise DataError(f"The file has no column {name!r}.", _have(columns))


def _have(columns: Sequence[str]) -> str:
    return f"The columns are: {', '.join(columns)[:500]}."
