"""The validation loss is the mean over all its tokens, however they are laid out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tests.worker import designs
from tests.worker.texts import random_examples
from worker.data.batching import Layout
from worker.distributed.group import Group
from worker.models.forward import Forward
from worker.models.packing import choose_layout
from worker.process.control import StopSwitch
from worker.training import evaluation
from worker.training.evaluation import Evaluator

EXAMPLES = random_examples([2, 30, 7, 64, 15, 30, 33, 3, 50], designs.VOCABULARY)


def measured(layout: Layout, batch_size: int, tmp_path: Path) -> float:
    """The reported validation loss of a model in training."""
    model: Any = designs.make("gpt2", resid_pdrop=0.1).train()
    if layout == "packed":
        choose_layout(designs.language_model(model), True, "fp32", torch.device("cpu"))
    forward = Forward(designs.language_model(model), "fp32")
    events: list[Any] = []
    evaluator = Evaluator(
        designs.language_model(model),
        forward,
        EXAMPLES,
        layout,
        64,
        [],
        False,
        events.append,
        StopSwitch(tmp_path),
        Group(),
    )
    assert evaluator.tell(step=0, epoch=0.0, train_loss=None, loss=evaluator.measure(batch_size))
    assert model.training
    loss: float = events[0].loss
    return loss


@pytest.mark.parametrize("layout", ["packed", "grouped", "in_order"])
@pytest.mark.parametrize(("batch_size", "at_once"), [(4, 1024), (1, 1024), (2, 4)])
def test_every_layout_gives_the_mean_over_all_tokens(
    layout: Layout, batch_size: int, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "_LAID_OUT_AT_ONCE", at_once)
    model: Any = designs.make("gpt2").eval()
    texts = [torch.from_numpy(EXAMPLES[index]).long() for index in range(len(EXAMPLES))]
    with torch.no_grad():
        sums = [float(F.cross_entropy(model(ids[None, :-1]).logits[0], ids[1:], reduction="sum")) for ids in texts]
    expected = sum(sums) / sum(len(ids) - 1 for ids in texts)
    assert measured(layout, batch_size, tmp_path) == pytest.approx(expected, rel=1e-6)
