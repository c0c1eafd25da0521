"""Win rates, counted by hand."""

from __future__ import annotations

from typing import Any

from backend.schemas.generation import RatedAnswer, Vote
from backend.votes.standings import by_model, by_pair


def votes(*found: tuple[str, str, Any]) -> list[Vote]:
    """Each (chosen model, rejected model, verdict)."""
    return [
        Vote(
            id=str(number),
            time="",
            prompt="",
            chosen=RatedAnswer(model=first, text="1"),
            rejected=RatedAnswer(model=second, text="2"),
            verdict=verdict,
        )
        for number, (first, second, verdict) in enumerate(found)
    ]


FOUND = votes(
    ("a", "b", "better"),
    ("a", "b", "better"),
    ("b", "a", "better"),
    ("b", "a", "equal"),
    ("c", "a", "better"),
    ("b", "c", "both_bad"),
    ("a", "a", "better"),  # of one model with two seeds
)


def test_of_each_model() -> None:
    found = [
        (each.model, each.votes, each.won, each.lost, each.equal, each.both_bad, each.win_rate) for each in by_model(FOUND)
    ]
    assert found == [("c", 2, 1, 0, 0, 1, 0.75), ("a", 5, 2, 2, 1, 0, 0.5), ("b", 5, 1, 2, 1, 1, 0.4)]


def test_of_each_pair_once_from_the_side_of_the_better() -> None:
    found = [(each.model, each.other, each.votes, each.won, each.win_rate) for each in by_pair(FOUND)]
    assert found == [("a", "b", 4, 2, 0.625), ("b", "c", 1, 0, 0.5), ("c", "a", 1, 1, 1.0)]


def test_nothing_of_nothing() -> None:
    assert (by_model([]), by_pair([])) == ([], [])
