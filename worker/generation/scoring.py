"""How likely a model finds a text that somebody gives it, token by token.

    {"id": 1, "op": "score", "model": {"kind", "location"}, "text": "...", ...}    as ScoreRequest has it

    {"id": 1, "event": "loading", "data": {}}            only where the model is not in memory yet
    {"id": 1, "event": "progress", "data": {"share"}}    of the text, if it is read in several windows
    {"id": 1, "event": "done", "data": {"tokens": [{"text", "id", "bytes", "nats", "rank", "top": [{"text", "logprob"}]}],
        "windows", "window_tokens", "scores": {"loss", ...}}}    as ScoreSums.numbers has them

``nats`` and ``rank`` are null for the first token, before which nothing stands.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch

from worker.data.token_bytes import TokenBytes
from worker.generation.adapters import voice_of
from worker.generation.text_request import ScoreRequest
from worker.generation.text_stream import TextStream
from worker.models.loading import LanguageModel
from worker.models.scores import ScoreSums, TokenScores, score_tokens
from worker.protocol import Reply

_MOST_AT_ONCE = 1024  # tokens; others wait for their next token meanwhile


class Window(NamedTuple):
    """The model reads the tokens from ``start`` to ``end - 1``, and those from ``first`` to ``end`` are scored."""

    start: int
    first: int
    end: int


def windows_of(length: int, most: int) -> list[Window]:
    """Windows in which a model that reads ``most`` tokens scores each of ``length`` tokens but the first, once: one if it
    can, else such that half a window or more stands before each token that is scored from the second one on."""
    windows = [Window(0, 1, min(length, most + 1))]
    step = max(1, most // 2)
    while windows[-1].end < length:
        end = min(length, windows[-1].end + step)
        windows.append(Window(end - most - 1, windows[-1].end, end))
    return windows


class Scoring:
    """A text that is being scored, a window at each ``step``."""

    def __init__(self, request: ScoreRequest, language_model: LanguageModel, reply: Reply) -> None:
        self.reply, self.voice = reply, voice_of(language_model)
        self._request, self._tokenizer = request, language_model.tokenizer
        self._ids = _ids_of(language_model.tokenizer, request.text)
        self._most = min(language_model.context or _MOST_AT_ONCE, _MOST_AT_ONCE)
        self._windows = windows_of(len(self._ids), self._most)
        self._model: Any = language_model.model
        self._scores: list[TokenScores] = []

    def step(self) -> bool:
        """Scores the next window; whether there is no more to do. Tells of the whole at the end."""
        if not self.reply.is_cancelled() and len(self._ids) > 1:
            self._scores.append(self._score(self._windows[len(self._scores)]))
            if len(self._scores) < len(self._windows):
                self.reply.send("progress", share=len(self._scores) / len(self._windows))
                return False
        self.reply.send("done", **self._told())
        return True

    @torch.inference_mode()
    def _score(self, window: Window) -> TokenScores:
        """By the whole model, as texts are written: it may be one that several adapters share."""
        ids = torch.tensor(self._ids[window.start : window.end])
        logits = self._model(input_ids=ids[None, :-1].to(self._model.device), use_cache=False).logits[0]
        wanted = logits[window.first - 1 - window.start :].float().cpu()
        return score_tokens(wanted, ids[window.first - window.start :], self._request.top)

    def _told(self) -> dict[str, Any]:
        counter = TokenBytes(self._tokenizer)
        counts = counter.of(np.array(self._ids))
        if len(counts) > 1 and not counts[0]:  # a mark of the beginning, and a text that begins after it
            counts[1] = counter.leading(self._ids[1])
        texts, sums = _texts(self._tokenizer, self._ids), ScoreSums()
        tokens = [
            {"text": text, "id": token, "bytes": count, "nats": None, "rank": None, "top": []}
            for text, token, count in zip(texts, self._ids, counts.tolist(), strict=True)
        ]
        end = 1
        for scores in self._scores:
            found = zip(tokens[end:], scores.nats.tolist(), scores.ranks.tolist(), strict=False)
            top = zip(scores.top_ids.tolist(), scores.top_logprobs.tolist(), strict=True)
            for (token, nats, rank), (ids, logprobs) in zip(found, top, strict=True):
                token |= {"nats": nats, "rank": rank} if math.isfinite(nats) else {}
                token["top"] = [
                    {"text": self._tokenizer.decode([each]), "logprob": logprob}
                    for each, logprob in zip(ids, logprobs, strict=True)
                    if math.isfinite(logprob)
                ]
            start, end = end, end + len(scores.nats)
            sums.add(scores.nats.numpy(), scores.ranks.numpy(), counts[start:end])
        return {"tokens": tokens, "windows": len(self._windows), "window_tokens": self._most, "scores": sums.numbers()}


def _ids_of(tokenizer: Any, text: str) -> list[int]:
    """As in training, but for the mark of the end: nobody said that the text ends here."""
    ids: list[int] = tokenizer(text, split_special_tokens=True, verbose=False)["input_ids"]
    if len(ids) > 1 and ids[-1] == tokenizer.eos_token_id:
        return ids[:-1]
    return ids


def _texts(tokenizer: Any, ids: list[int]) -> list[str]:
    """What each token shows, special ones their names. Joined without these it is what the tokenizer makes of all."""
    stream = TextStream(tokenizer, [])
    texts = [stream.push(token) for token in ids]
    last = max((place for place, token in enumerate(ids) if token not in stream.specials), default=None)
    if last is not None:
        texts[last] += stream.rest()
    return [stream.specials.get(token, text) for token, text in zip(ids, texts, strict=True)]
