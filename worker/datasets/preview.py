"""Some records of a dataset as they stand in the file, and as the examples they become."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from worker.contract import DatasetSource
from worker.data.formats import (
    Chat,
    Completion,
    Record,
    Row,
    Section,
    guess,
    joined,
    read_records,
    read_rows,
    rows_of,
    spoken,
)
from worker.datasets.columns import columns_of, require_chosen, require_columns

SHOWN_CHARACTERS = 2000

Item = TypeVar("Item")


def preview(source: DatasetSource, columns: list[str] | None, limit: int, start: int, seed: int | None) -> dict[str, Any]:
    """Records from the ``start``-th on, or with a ``seed`` random ones, as backend/schemas/data.py's Preview without its
    total. ``columns`` None: they are found out anew, and the reading is guessed. Raises DataError."""
    if source.format == "txt":
        lines = _chosen(_numbered_texts(source), limit, start, seed)
        return {
            "columns": [],
            "numbers": [number for number, _ in lines],
            "records": [],
            "examples": [_parts(text) for _, text in lines],
        }
    records = _chosen(read_records(source), limit, start, seed)
    found = [record for _, record in records if isinstance(record, dict)]
    if columns is None:
        columns = columns_of(found)
        reading, _ = guess.reading_of(columns, found, named=source.header)
        source = source.model_copy(update={"reading": reading})
    require_chosen(source.reading, columns)
    require_columns(source.reading, columns)
    return {
        "columns": columns,
        "numbers": [number for number, _ in records],
        "records": [[_cell(record.get(name)) for name in columns] for record in found],
        "examples": [_example(number, record, source) for number, record in records],
    }


def _numbered_texts(source: DatasetSource) -> Iterator[tuple[int, Row]]:
    """The lines that hold something; of a document its sections."""
    for chunk in read_rows(source):
        yield from zip(chunk.numbers, chunk.rows, strict=True)


def _example(number: int, record: Record, source: DatasetSource) -> list[dict[str, Any]]:
    """What a record becomes, of a document its beginning; empty if nothing stands in it."""
    row = next(rows_of([(number, record)], source, SHOWN_CHARACTERS), None)
    return [] if row is None else _parts(row[1])


def _parts(row: Row) -> list[dict[str, Any]]:
    """A row as ExampleParts."""
    if isinstance(row, Chat):
        parts = [
            (message.role, spoken(message), message.role == "assistant" and message.learned) for message in row.messages
        ]
    elif isinstance(row, Completion):
        parts = [("prompt", row.prompt, False), ("completion", joined(row)[len(row.prompt) :], True)]
    else:
        parts = [("text", row.text if isinstance(row, Section) else row, True)]
    return [{"role": role, "text": text[:SHOWN_CHARACTERS], "learned": learned} for role, text, learned in parts]


def _chosen(items: Iterable[Item], limit: int, start: int, seed: int | None) -> list[Item]:
    return list(islice(items, start - 1, start - 1 + limit)) if seed is None else drawn(items, limit, seed)


def drawn(items: Iterable[Item], count: int, seed: int) -> list[Item]:
    """``count`` items, each as likely as any other, in their order. Holds no more than these (Vitter's algorithm R)."""
    chance = random.Random(seed)
    kept: list[tuple[int, Item]] = []
    for place, item in enumerate(items):
        if place < count:
            kept.append((place, item))
        elif (slot := chance.randrange(place + 1)) < count:
            kept[slot] = (place, item)
    return [item for _, item in sorted(kept, key=lambda pair: pair[0])]


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text[:SHOWN_CHARACTERS]
