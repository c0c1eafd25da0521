"""How well models foretell texts; worker/models/scores.py defines what the numbers mean."""

from __future__ import annotations

from backend.schemas.base import Schema


class Scores(Schema):
    """``loss`` in nats per token, ``accuracy`` of 1. ``tokens`` were scored, and stand for ``bytes`` of text, in UTF-8. A
    number that is not finite is null."""

    loss: float | None
    perplexity: float | None
    bits_per_byte: float | None
    accuracy: float | None
    tokens: int
    bytes: int


class LikelyToken(Schema):
    """``logprob`` in nats."""

    text: str
    logprob: float


class ScoredToken(Schema):
    """``nats`` is its loss, and ``rank`` its place among all that the model knows, 1 being the likeliest; null where it was
    not scored, as nothing stands before it. ``text`` is empty where a character of several tokens is not complete yet."""

    text: str
    id: int
    bytes: int
    nats: float | None
    rank: int | None
    top: list[LikelyToken]


class ScoredText(Schema):
    """``windows``: a text longer than ``window_tokens`` is read in so many that overlap by half."""

    model: str
    tokens: list[ScoredToken]
    windows: int
    window_tokens: int
    scores: Scores


class ScoredTexts(Schema):
    models: list[ScoredText]
