"""Curves as the geometry of an SVG picture: paths, ticks and marks in its own units. No markup, no colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from backend.schemas.runs import Band

WIDTH, HEIGHT = 420, 230
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 30
TICKS = 4
"""About as many spaces between the labels of an axis."""

Point = tuple[float, float, float, float]
"""x, lowest, mean, highest."""


class Tick(NamedTuple):
    place: float
    text: str


class Curve(NamedTuple):
    """``line`` and ``band`` are path data; ``marks`` the x of buckets with NaN or infinite values, ``steps`` their steps."""

    kind: str
    label: str
    line: str
    band: str
    marks: list[float]
    steps: list[int]


class Picture(NamedTuple):
    title: str
    unit: str
    curves: list[Curve]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    summary: str


class Scale(NamedTuple):
    """Linear, from [low, high] to [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + share * (self.end - self.start), 1)


def picture(
    title: str, unit: str, x: Sequence[int], bands: dict[tuple[str, str], Band], show: Callable[[float], str]
) -> Picture | None:
    """A chart over steps of ``bands``, by kind and label; None if none of them has a number. ``show`` writes a value."""
    values = [value for band in bands.values() for value in (*band.min, *band.max) if value is not None]
    if not values:
        return None
    ticks = _nice(min(values), max(values))
    across = Scale(x[0], x[-1], LEFT, WIDTH - RIGHT)
    up = Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    curves = [_curve(kind, label, x, band, across, up) for (kind, label), band in bands.items()]
    steps = [step for step in _nice(x[0], x[-1]) if x[0] <= step <= x[-1] and step == int(step)]
    summary = f"{title}: from {show(min(values))} to {show(max(values))} {unit}".rstrip()
    return Picture(
        title=title,
        unit=unit,
        curves=curves,
        x_ticks=[Tick(across(step), f"{int(step):,}") for step in steps],
        y_ticks=[Tick(up(value), show(value)) for value in ticks],
        summary=summary,
    )


def _curve(kind: str, label: str, x: Sequence[int], band: Band, across: Scale, up: Scale) -> Curve:
    segments = list(_segments(x, band))
    broken = sorted(band.nonfinite)
    return Curve(
        kind=kind,
        label=label,
        line="".join(_path([(across(at), up(mean)) for at, _, mean, _ in part]) for part in segments),
        band="".join(_around(part, across, up) for part in segments if any(low < high for _, low, _, high in part)),
        marks=[across(x[place]) for place in broken],
        steps=[x[place] for place in broken],
    )


def _segments(x: Sequence[int], band: Band) -> Iterator[list[Point]]:
    """Parts without a break. Where nothing was told the line goes on; where something was not finite it breaks."""
    broken, part = set(band.nonfinite), list[Point]()
    for place, at in enumerate(x):
        low, mean, high = band.min[place], band.mean[place], band.max[place]
        if place in broken and part:
            yield part
            part = []
        if low is not None and mean is not None and high is not None:
            part.append((at, low, mean, high))
        if place in broken and part:
            yield part
            part = []
    if part:
        yield part


def _path(points: list[tuple[float, float]]) -> str:
    """A single point is a line of no length, which a round cap makes a dot."""
    first, *rest = points
    return f"M{first[0]} {first[1]}" + ("".join(f"L{x} {y}" for x, y in rest) or "h0")


def _around(part: list[Point], across: Scale, up: Scale) -> str:
    outline = [(across(at), up(high)) for at, _, _, high in part] + [
        (across(at), up(low)) for at, low, _, _ in reversed(part)
    ]
    return _path(outline) + "z"


def _nice(low: float, high: float) -> list[float]:
    """Some round numbers, evenly spread, the first at most ``low`` and the last at least ``high``."""
    if low == high:
        return [low]
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    distance = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    first, last = math.floor(low / distance), math.ceil(high / distance)
    return [place * distance for place in range(first, last + 1)]
