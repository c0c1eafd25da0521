"""Texts made up of random words, and of some of them another one that is nearly the same."""

from __future__ import annotations

import random
from itertools import accumulate
from typing import NamedTuple

VOCABULARY = [f"w{number}" for number in range(5000)]
_WEIGHTS = list(accumulate(1 / (rank + 1) for rank in range(len(VOCABULARY))))  # few words are common, as in a language


class Planted(NamedTuple):
    """``texts`` in any order; ``pairs`` are the places of those that are nearly the same."""

    texts: list[str]
    pairs: list[tuple[int, int]]


def words(draw: random.Random, count: int) -> list[str]:
    """So many, as common as in a language."""
    return draw.choices(VOCABULARY, cum_weights=_WEIGHTS, k=count)


def changed(text: str, share: float, draw: random.Random) -> str:
    """The same text with this share of its words put for others."""
    found = text.split()
    for place in draw.sample(range(len(found)), max(1, round(share * len(found)))):
        found[place] = draw.choice(VOCABULARY)
    return " ".join(found)


def planted(count: int, pairs: int, seed: int = 0, shortest: int = 20, longest: int = 90) -> Planted:
    """``count`` texts, of ``pairs`` of which 1 to 20% of the words are changed in another."""
    draw = random.Random(seed)
    texts = [" ".join(words(draw, draw.randint(shortest, longest))) for _ in range(count - pairs)]
    texts += [changed(text, draw.uniform(0.01, 0.2), draw) for text in texts[:pairs]]
    order = draw.sample(range(count), count)
    place = {number: where for where, number in enumerate(order)}
    return Planted(
        [texts[number] for number in order], [(place[number], place[count - pairs + number]) for number in range(pairs)]
    )
