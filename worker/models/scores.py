"""How well a model foretells texts. What evaluations, scored texts and training call by these names is defined here.

loss           nats of a scored token, in the mean
perplexity     exp(loss)
bits per byte  nats / ln 2 / UTF-8 bytes, over the scored tokens that stand for text: special tokens are left out on both
               sides, so that models with different tokenizers compare (The Pile, Gao et al., 2020, section 3.1)
accuracy       share of the scored tokens that the model found likeliest
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray


class TokenScores(NamedTuple):
    """What a model made of some tokens: the loss of each in nats, [tokens] float32, and its rank among all that it knows,
    1 being the likeliest, [tokens] int64; ids and log-probabilities in nats of the likeliest few, [tokens, top]."""

    nats: torch.Tensor
    ranks: torch.Tensor
    top_ids: torch.Tensor
    top_logprobs: torch.Tensor


def score_tokens(logits: torch.Tensor, targets: torch.Tensor, top: int) -> TokenScores:
    """What ``logits`` [tokens, vocabulary] say of ``targets`` [tokens] int64. Of equally likely tokens the first is before
    the others, as in argmax."""
    logprobs = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
    wanted = targets[:, None]
    found = logprobs.gather(1, wanted)
    earlier = torch.arange(logprobs.shape[1], device=logprobs.device) < wanted
    before = (logprobs > found) | ((logprobs == found) & earlier)
    best = logprobs.topk(min(top, logprobs.shape[1]), dim=-1)
    return TokenScores(-found[:, 0], before.sum(-1) + 1, best.indices, best.values)


@dataclass
class ScoreSums:
    """Sums over scored tokens: all of them, and ``text_nats`` of those that stand for ``bytes`` of text."""

    nats: float = 0.0
    tokens: int = 0
    correct: int = 0
    text_nats: float = 0.0
    bytes: int = 0

    def add(self, nats: NDArray[Any], ranks: NDArray[Any], bytes_: NDArray[Any]) -> None:
        """Takes in tokens: the loss, rank and bytes of each."""
        nats = nats.astype("float64")
        self.nats += float(nats.sum())
        self.tokens += len(nats)
        self.correct += int((ranks == 1).sum())
        self.text_nats += float(nats[bytes_ > 0].sum())
        self.bytes += int(bytes_.sum())

    def numbers(self) -> dict[str, float | int | None]:
        """The scores; None for what is not finite, or of which nothing was scored."""
        loss = self.nats / self.tokens if self.tokens else math.nan
        found = {
            "loss": loss,
            "perplexity": perplexity(loss),
            "bits_per_byte": self.text_nats / math.log(2) / self.bytes if self.bytes else math.nan,
            "accuracy": self.correct / self.tokens if self.tokens else math.nan,
        }
        return {**without_nonfinite(**found)[0], "tokens": self.tokens, "bytes": self.bytes}


def perplexity(loss: float) -> float:
    """exp(loss), infinite where that is more than a float can hold."""
    return math.exp(loss) if loss < 700 else math.inf if not math.isnan(loss) else math.nan


def without_nonfinite(**numbers: float) -> tuple[dict[str, float | None], list[str]]:
    """``numbers`` with None in place of those that are NaN or infinite, and the names of these."""
    broken = [name for name, value in numbers.items() if not math.isfinite(value)]
    return {name: None if name in broken else value for name, value in numbers.items()}, broken
