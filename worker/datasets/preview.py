"""Some records of a dataset as they stand in the file, and as the examples they become."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from worker.contract import DatasetSource
from worker.data.formats import plain_text, read_records, read_rows

SHOWN_CHARACTERS = 2000

Item = TypeVar("Item")


def preview(source: DatasetSource, columns: list[str], limit: int, start: int, seed: int | None) -> dict[str, Any]:
    """Records from the ``start``-th on, or with a ``seed`` random ones: {numbers, records, rows}."""
    if source.format == "txt":
        lines = _chosen(_numbered_texts(source), limit, start, seed)
        return {
            "numbers": [number for number, _ in lines],
            "records": [],
            "rows": [text[:SHOWN_CHARACTERS] for _, text in lines],
        }
    records = _chosen(read_records(source), limit, start, seed)
    wanted = {number for number, _ in records}
    examples = dict(_examples(source, wanted))
    return {
        "numbers": [number for number, _ in records],
        "records": [[_cell(record.get(name)) for name in columns] for _, record in records if isinstance(record, dict)],
        "rows": [examples.get(number, "")[:SHOWN_CHARACTERS] for number, _ in records],
    }


def _numbered_texts(source: DatasetSource) -> Iterator[tuple[int, str]]:
    """The lines that hold something; of a document its sections, counted."""
    document = source.reading.kind == "document"
    count = 0
    for chunk in read_rows(source):
        for number, row in zip(chunk.numbers, chunk.rows, strict=True):
            count += 1
            yield (count if document else number), plain_text(row)


def _examples(source: DatasetSource, wanted: set[int]) -> Iterator[tuple[int, str]]:
    last = max(wanted, default=0)
    for chunk in read_rows(source):
        for number, row in zip(chunk.numbers, chunk.rows, strict=True):
            if number in wanted:
                yield number, plain_text(row)
        if chunk.numbers[-1] >= last:
            return


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
