"""Numbers as people read them, as js/format.js has them on the page. None gives an en dash."""

from __future__ import annotations

NONE = "–"


def count(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def number(value: float | None, digits: int = 3) -> str:
    """With so many digits: plain from 0.001 to a million, else with an exponent."""
    if value is None:
        return NONE
    if value == 0 or 0.001 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def loss(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.{1 if value >= 100 else 2 if value >= 10 else 3}f}"


def scaled(value: float | None, units: tuple[str, ...], space: str = "") -> str:
    """With three digits and the largest unit that fits; each is 1000 times the one before."""
    if value is None:
        return NONE
    place = 0
    while abs(value) >= 999.5 and place < len(units) - 1:
        value, place = value / 1000, place + 1
    return f"{value:.3g}{space}{units[place]}".rstrip()


def short(value: float | None) -> str:
    return scaled(value, ("", "K", "M", "B", "T"))


def size(value: float | None) -> str:
    return scaled(value, ("B", "kB", "MB", "GB", "TB"), " ")


def duration(seconds: float | None) -> str:
    """The two largest units: 48 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds is None:
        return NONE
    total = max(0, round(seconds))
    if total < 60:
        return f"{total} s"
    large, large_name, small, small_name = (
        (60, "min", 1, "s") if total < 3600 else (3600, "h", 60, "min") if total < 86400 else (86400, "d", 3600, "h")
    )
    rest = total % large // small
    return f"{total // large} {large_name}" + (f" {rest} {small_name}" if rest else "")


def step_time(seconds: float | None) -> str:
    """Of one update, in milliseconds below ten seconds."""
    if seconds is None:
        return NONE
    return f"{number(seconds * 1000)} ms" if seconds < 10 else f"{seconds:.1f} s"
