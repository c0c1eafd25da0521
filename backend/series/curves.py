"""Curves of any length, of which any part is read in milliseconds: roll-ups that are kept while events are read.

Of each key the points are stored as they are (level 0) and condensed to every 16th, 256th, … step (levels 1, 2, …), in
blocks of some hundred. Lowest and highest value survive each level, so that no spike is lost, and so does the number of
values that were NaN or infinite. The newest events, fewer than ROLL_EVERY, are not in blocks yet: they are read as they
are, so that no event costs a write of its own here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from backend.db import tables, times

NOISE = ["gradient_signal", "gradient_noise"]

KEYS = {
    **{name: ("step", name) for name in ("loss", "lr", "grad_norm", "tokens_per_s", "step_ms", "tokens", "epoch", "scale")},
    "time": ("step", "time"),
    "validation_loss": ("evaluation", "loss"),
    "perplexity": ("evaluation", "perplexity"),
    **{name: ("system", name) for name in ("cpu_percent", "memory_bytes", "disk_free_bytes")},
    **{name: ("system", name) for name in ("gpu_percent", "gpu_memory_bytes", "gpu_temperature", "gpu_power")},
    **{name: ("layers", name) for name in NOISE},
}
"""Key of a curve → type of event, and the event's field. ``time`` is in seconds since 1970."""

LOSSES = "losses/"
"""What the keys of the losses on further datasets begin with, before the dataset's name."""

LAYERS = {"grad_norm": "layers/grad_norm/", "update_ratio": "layers/update_ratio/"}
"""What the keys of each layer's numbers begin with, before its name, such as layers/grad_norm/block 0."""

ROLL_EVERY = 1024
"""Events that may wait until they are put into blocks."""

_BLOCK = 256  # entries
_FINER = 2  # entries that make up a bucket at least, so that rounding its width to whole entries does little
_WIDTHS = (1, 16, 256, 4096, 65536)  # steps that an entry of each level stands for

Entries = NDArray[np.float64]
"""[n, 6]: first step, lowest, highest, sum and number of the finite values, number of the others. Rising in step."""


class Window(NamedTuple):
    """A part of some curves. Buckets are ``width`` steps wide from ``start`` on; ``x`` are the first steps in those that
    hold anything, and each curve has at most one entry in each."""

    curves: dict[str, Entries]
    start: int
    width: int
    x: NDArray[np.float64]


_events, _curves = tables.events.c, tables.curves.c


def roll(connection: Connection, run_id: str, rolled_seq: int) -> None:
    """Put the run's events after ``rolled_seq`` into blocks."""
    keys = [*KEYS, *_further(connection, run_id, rolled_seq)]
    for key, entries in _waiting(connection, run_id, rolled_seq, keys).items():
        if (
            max(_ends(connection, run_id, key), default=-1) >= entries[0, 0]
        ):  # a worker that starts over evaluates step 0 anew
            _truncate(connection, run_id, key, int(entries[0, 0]) - 1)
        for level, width in enumerate(_WIDTHS):
            _append(connection, run_id, key, level, condense(entries, width))


def catch_up(connection: Connection) -> None:
    """Roll up the events of a database from before there were curves."""
    columns = tables.runs.c
    behind = select(columns.id, columns.rolled_seq, columns.last_seq).where(
        columns.last_seq - columns.rolled_seq >= ROLL_EVERY
    )
    for run_id, rolled_seq, last_seq in connection.execute(behind).all():
        roll(connection, run_id, rolled_seq)
        connection.execute(update(tables.runs).where(columns.id == run_id).values(rolled_seq=last_seq))


def truncate(connection: Connection, run_id: str, step: int) -> None:
    """Take back what was rolled up of later steps."""
    for key in connection.execute(select(_curves.key).where(_curves.run_id == run_id).distinct()).scalars().all():
        _truncate(connection, run_id, key, step)


def forget(connection: Connection, run_id: str) -> None:
    """Delete all blocks of a run."""
    connection.execute(delete(tables.curves).where(_curves.run_id == run_id))


def read(
    connection: Connection, run_id: str, rolled_seq: int, keys: list[str], first: int | None, last: int | None, px: int
) -> Window:
    """The curves of ``keys`` from step ``first`` to ``last``, with an entry for each of at most ``px`` buckets."""
    waiting = _waiting(connection, run_id, rolled_seq, keys)
    ends = [step for key in keys for step in _ends(connection, run_id, key)]
    ends += [int(entries[place, 0]) for entries in waiting.values() for place in (0, -1)]
    low, high = max(min(ends, default=0), first or 0), min(max(ends, default=-1), 2**62 if last is None else last)
    level = max(level for level, steps in enumerate(_WIDTHS) if _FINER * steps * px <= high - low + 1 or level == 0)
    found = {key: _in_range(connection, run_id, key, level, low, high, waiting.get(key, _NONE)) for key in keys}
    steps = np.unique(np.concatenate([_NONE[:, 0], *(entries[:, 0] for entries in found.values())]))
    if len(steps) <= px:
        return Window(found, low, _WIDTHS[level], steps)
    start = low - low % _WIDTHS[level]
    width = -(-(high - start + 1) // (px * _WIDTHS[level])) * _WIDTHS[level]
    starts = np.flatnonzero(np.diff((steps - start) // width, prepend=-np.inf))
    return Window({key: condense(entries, width, start) for key, entries in found.items()}, start, width, steps[starts])


def _in_range(connection: Connection, run_id: str, key: str, level: int, low: int, high: int, waiting: Entries) -> Entries:
    """Entries of a level; where the range cuts one in two, of the steps that are within."""
    width = _WIDTHS[level]
    whole_from, whole_to = -(-low // width) * width, (high + 1) // width * width
    parts = [
        _between(connection, run_id, key, 0, low, min(whole_from - 1, high)),
        _between(connection, run_id, key, level, whole_from, whole_to - 1),
        _between(connection, run_id, key, 0, max(whole_to, whole_from), high),
        waiting[(waiting[:, 0] >= low) & (waiting[:, 0] <= high)],
    ]
    return condense(np.concatenate(parts), width)


def condense(entries: Entries, width: int, start: int = 0) -> Entries:
    """One entry for each ``width`` steps, counted from ``start``, that have any."""
    buckets = (entries[:, 0] - start) // width
    starts = np.flatnonzero(np.diff(buckets, prepend=-np.inf))
    if len(starts) == len(entries):
        return entries
    ways = (np.minimum, np.minimum, np.maximum, np.add, np.add, np.add)
    return np.stack([way.reduceat(entries[:, place], starts) for place, way in enumerate(ways)], axis=1)


def _entries(points: NDArray[np.float64]) -> Entries:
    """Of single points [n, 2], step and value; a value that is no finite number counts in the last column alone."""
    steps, values = points[:, 0], points[:, 1]
    finite = np.isfinite(values)
    lowest, highest, total = (np.where(finite, values, instead) for instead in (np.inf, -np.inf, 0.0))
    return np.stack([steps, lowest, highest, total, finite, ~finite], axis=1).astype(np.float64)


_NONE: Entries = np.empty((0, 6))


def _further(connection: Connection, run_id: str, rolled_seq: int) -> list[str]:
    """The keys of further datasets and of layers that events after ``rolled_seq`` tell of."""
    after = (_events.run_id == run_id, _events.seq > rolled_seq)
    evaluations = connection.execute(select(_events.data).where(*after, _events.type == "evaluation")).scalars()
    found = dict.fromkeys(LOSSES + name for data in evaluations for name in json.loads(data).get("losses", {}))
    # The parts of a model are the same in all of its events.
    layers = connection.execute(select(_events.data).where(*after, _events.type == "layers").limit(1)).scalar()
    return [*found, *(layer_keys(json.loads(layers)["parts"]) if layers else [])]


def layer_keys(parts: Iterable[str]) -> list[str]:
    """The keys of these parts of a model."""
    return [before + part for before in LAYERS.values() for part in parts]


def is_key(key: str) -> bool:
    """Whether there may be a curve of this name."""
    return key in KEYS or key.startswith((LOSSES, *LAYERS.values()))


def _waiting(connection: Connection, run_id: str, rolled_seq: int, keys: Iterable[str]) -> dict[str, Entries]:
    """What the events after ``rolled_seq`` say, of those keys of which they say anything. The last word on a step holds."""
    wanted: dict[str, list[tuple[str, str]]] = {}
    for key in keys:
        kind, field = KEYS.get(key, ("evaluation" if key.startswith(LOSSES) else "layers", key))
        wanted.setdefault(kind, []).append((key, field))
    query = select(_events.type, _events.step, _events.data).where(
        _events.run_id == run_id,
        _events.seq > rolled_seq,
        _events.type.in_(wanted),
        ~_events.superseded,
    )
    points: dict[str, dict[int, float]] = {}
    for kind, step, data in connection.execute(query.order_by(_events.seq)):
        event = json.loads(data)
        for key, field in wanted[kind]:
            told = value(event, field)
            if told is not None:
                points.setdefault(key, {})[step] = told
    return {key: _entries(np.array(sorted(values.items()), dtype=np.float64)) for key, values in points.items()}


def value(event: dict[str, Any], field: str) -> float | None:
    """NaN if it was not finite, None if the event does not tell."""
    if field == "time":
        return times.seconds(event["time"])
    if field.startswith(LOSSES):
        losses = event.get("losses", {})
        name = field.removeprefix(LOSSES)
        return None if name not in losses else float("nan") if losses[name] is None else float(losses[name])
    if field.startswith("layers/"):
        _, name, part = field.split("/", 2)
        number = event[name][event["parts"].index(part)] if part in event["parts"] else None
        return None if number is None else float(number)
    number = event.get(field)
    if number is None:
        return float("nan") if field in event.get("nonfinite", ()) else None
    return float(number)


def _of(run_id: str, key: str, level: int) -> ColumnElement[bool]:
    """Which blocks: those of one level of one curve."""
    return (_curves.run_id == run_id) & (_curves.key == key) & (_curves.level == level)


def _ends(connection: Connection, run_id: str, key: str) -> list[int]:
    """First and last step that is stored; empty if none is."""
    query = select(_curves.first_step, _curves.last_step).where(_of(run_id, key, 0))
    found = [
        connection.execute(query.order_by(order).limit(1)).one_or_none() for order in (_curves.block, _curves.block.desc())
    ]
    return [step for row in found if row for step in row]


def _stored(connection: Connection, run_id: str, key: str, level: int, low: int, high: int) -> list[Entries]:
    """The blocks that have steps from ``low`` to ``high``, whole, in order."""
    query = select(_curves.data).where(_of(run_id, key, level), _curves.last_step >= low, _curves.first_step <= high)
    return [_unpack(level, data) for data in connection.execute(query.order_by(_curves.block)).scalars()]


def _append(connection: Connection, run_id: str, key: str, level: int, entries: Entries) -> None:
    """Add to what is stored of a level; the last entry there may go on."""
    here = _of(run_id, key, level)
    query = select(_curves.block, _curves.data).where(here).order_by(_curves.block.desc()).limit(1)
    found = connection.execute(query).one_or_none()
    block = 0
    if found:
        block = found.block
        entries = condense(np.concatenate([_unpack(level, found.data), entries]), _WIDTHS[level])
        connection.execute(delete(tables.curves).where(here, _curves.block == block))
    rows = []
    for start in range(0, len(entries), _BLOCK):
        piece = entries[start : start + _BLOCK]
        rows.append({"run_id": run_id, "key": key, "level": level, "block": block + start // _BLOCK,
                     "first_step": int(piece[0, 0]), "last_step": int(piece[-1, 0]) + _WIDTHS[level] - 1,
                     "data": _pack(level, piece)})  # fmt: skip
    connection.execute(insert(tables.curves), rows)


def _truncate(connection: Connection, run_id: str, key: str, step: int) -> None:
    single = _between(connection, run_id, key, 0, (step + 1) // _WIDTHS[-1] * _WIDTHS[-1], step)
    for level, width in enumerate(_WIDTHS):
        whole = (step + 1) // width * width  # what begins here or later may reach beyond the step
        cut = _of(run_id, key, level) & (_curves.last_step >= whole)
        start = connection.execute(select(func.min(_curves.first_step)).where(cut)).scalar()
        if start is None:
            continue
        kept = _between(connection, run_id, key, level, start, whole - 1)
        connection.execute(delete(tables.curves).where(cut))
        entries = np.concatenate([kept, condense(single[single[:, 0] >= whole], width)])
        if len(entries):
            _append(connection, run_id, key, level, entries)


def _between(connection: Connection, run_id: str, key: str, level: int, low: int, high: int) -> Entries:
    """The stored entries that begin from step ``low`` to ``high``."""
    entries = np.concatenate([*_stored(connection, run_id, key, level, low, high), _NONE])
    return entries[(entries[:, 0] >= low) & (entries[:, 0] <= high)]


def _pack(level: int, entries: Entries) -> bytes:
    """Level 0 keeps step and value alone."""
    if level:
        return entries.tobytes()
    values = np.where(entries[:, 4] > 0, entries[:, 3], np.nan)
    return np.stack([entries[:, 0], values], axis=1).tobytes()


def _unpack(level: int, data: bytes) -> Entries:
    array = np.frombuffer(data, dtype=np.float64)
    return array.reshape(-1, 6) if level else _entries(array.reshape(-1, 2))
