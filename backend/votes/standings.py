"""Win rates from votes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from backend.schemas.generation import Standing, Vote


class _Seen(NamedTuple):
    """What a vote says of one of its two models."""

    model: str
    other: str
    outcome: str


def by_model(votes: Iterable[Vote]) -> list[Standing]:
    """Of each model against all others, the best first."""
    found = _tally((seen, (seen.model, None)) for seen in _both_sides(votes))
    return sorted(found, key=lambda each: (-each.win_rate, -each.votes, each.model))


def by_pair(votes: Iterable[Vote]) -> list[Standing]:
    """Of each two models that met, once, from the side of the one with the higher share. Those that met most come first."""
    found = _tally((seen, (seen.model, seen.other)) for seen in _both_sides(votes))
    once = [each for each in found if (each.win_rate, each.other or "") > (0.5, each.model)]
    return sorted(once, key=lambda each: (-each.votes, each.model, each.other))


def _both_sides(votes: Iterable[Vote]) -> Iterable[_Seen]:
    for vote in votes:
        first, second = vote.chosen.model, vote.rejected.model
        if first == second:
            continue
        better = vote.verdict == "better"
        yield _Seen(first, second, "won" if better else vote.verdict)
        yield _Seen(second, first, "lost" if better else vote.verdict)


def _tally(seen: Iterable[tuple[_Seen, tuple[str, str | None]]]) -> list[Standing]:
    counts: defaultdict[tuple[str, str | None], Counter[str]] = defaultdict(Counter)
    for each, key in seen:
        counts[key][each.outcome] += 1
    return [_standing(*key, count) for key, count in counts.items()]


def _standing(model: str, other: str | None, count: Counter[str]) -> Standing:
    ties = count["equal"] + count["both_bad"]
    return Standing(
        model=model,
        other=other,
        votes=count.total(),
        won=count["won"],
        lost=count["lost"],
        equal=count["equal"],
        both_bad=count["both_bad"],
        win_rate=(count["won"] + ties / 2) / count.total(),
    )
