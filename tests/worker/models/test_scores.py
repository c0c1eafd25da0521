"""Scores are what their definitions say, of any model, laid out in any way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from tests.worker import designs
from tests.worker.texts import random_examples
from worker.data.batching import Layout, lay_out
from worker.models import forward
from worker.models.forward import Forward
from worker.models.packing import choose_layout
from worker.models.scores import ScoreSums, score_tokens

EXAMPLES = random_examples([2, 30, 7, 64, 15, 30, 33, 3, 50], designs.VOCABULARY)


@pytest.mark.parametrize("design", designs.ALL)
@pytest.mark.parametrize("layout", ["packed", "in_order"])
def test_each_token_is_scored_as_by_a_plain_pass(design: str, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "chunk_rows", lambda *_: 7)  # so that there are several chunks
    language_model = designs.language_model(designs.make(design).eval())
    if layout == "packed":
        assert choose_layout(language_model, True, "fp32", torch.device("cpu"))[0] == "packed"
    order = list(range(len(EXAMPLES)))
    found = [Forward(language_model, "fp32").score(each) for each in lay_out(EXAMPLES, order, layout, 3, 64)]
    nats, ranks = (torch.cat([getattr(each, name) for each in found]) for name in ("nats", "ranks"))
    plain = _plain(designs.make(design).eval(), layout)
    torch.testing.assert_close(nats, -plain.gather(1, _targets(layout)[:, None])[:, 0], rtol=1e-4, atol=1e-5)
    assert ((plain.argmax(-1) == _targets(layout)) == (ranks == 1)).all()


def _order(layout: Layout) -> list[int]:
    """The examples as the layouts take them."""
    if layout == "in_order":
        return list(range(len(EXAMPLES)))
    from worker.data.batching import first_fit

    return [example for rows in first_fit(range(len(EXAMPLES)), EXAMPLES.lengths, 3 * 64) for example in rows]


def _targets(layout: Layout) -> torch.Tensor:
    return torch.cat([torch.tensor(EXAMPLES[number][1:].astype("int64")) for number in _order(layout)])


@torch.inference_mode()
def _plain(model: Any, layout: Layout) -> torch.Tensor:
    """Log-probabilities [tokens, vocabulary], each text alone."""
    texts = [torch.tensor(EXAMPLES[number].astype("int64"))[None] for number in _order(layout)]
    return torch.cat([model(text[:, :-1]).logits[0].log_softmax(-1) for text in texts])


def test_ranks_among_equals_are_as_in_argmax() -> None:
    logits = torch.tensor([[1.0, 3.0, 3.0, 0.0], [1.0, 3.0, 3.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert score_tokens(logits, torch.tensor([1, 2, 3]), 2).ranks.tolist() == [1, 2, 4]
    top = score_tokens(logits, torch.tensor([1, 2, 3]), 9)
    torch.testing.assert_close(top.top_logprobs, logits.log_softmax(-1).sort(descending=True).values)


def test_sums_are_made_into_scores_by_their_definitions() -> None:
    sums = ScoreSums()
    sums.add(np.array([1.0, 2.0], dtype="float32"), np.array([1, 5]), np.array([4, 0]))  # the second one is special
    sums.add(np.array([3.0], dtype="float32"), np.array([1]), np.array([2]))
    assert sums.numbers() == {
        "loss": 2.0,
        "perplexity": math.exp(2.0),
        "bits_per_byte": pytest.approx((1.0 + 3.0) / math.log(2) / 6),
        "accuracy": 2 / 3,
        "tokens": 3,
        "bytes": 6,
    }
    assert ScoreSums().numbers()["loss"] is None
    sums.add(np.array([math.nan], dtype="float32"), np.array([1]), np.array([2]))
    assert sums.numbers()["loss"] is None
    assert sums.numbers()["tokens"] == 4
