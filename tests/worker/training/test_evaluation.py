"""The validation loss is the mean over all its tokens, however they are laid out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tests.worker import designs
from tests.worker.texts import random_examples
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.data.batching import Layout
from worker.distributed.group import Group
from worker.generation.sampling import score
from worker.models.forward import Forward
from worker.models.loading import LanguageModel
from worker.models.packing import choose_layout
from worker.process.control import StopSwitch
from worker.training import evaluation
from worker.training.evaluation import Evaluator
from worker.training.setup import Setup

EXAMPLES = random_examples([2, 30, 7, 64, 15, 30, 33, 3, 50], designs.VOCABULARY)


def setup_of(language_model: LanguageModel, layout: Layout, run_dir: Path) -> Setup:
    """All that training a model on the examples above takes."""
    config = RunConfig(sample_prompts=[])
    source = ModelSource(kind="folder", location=str(run_dir))
    return Setup(
        job=Job(run_id="run", config=config, model=source, dataset=DatasetSource(path=str(run_dir))),
        run_dir=run_dir, language_model=language_model, train=EXAMPLES, validation=EXAMPLES, max_length=64,
        learning_rate=1e-3, device=torch.device("cpu"), precision="fp32", layout=layout,
        dataset_sha256="", base_sha256="", group=Group(),
    )  # fmt: skip


def measured(layout: Layout, batch_size: int, tmp_path: Path) -> float:
    """The reported validation loss of a model in training."""
    model: Any = designs.make("gpt2", resid_pdrop=0.1).train()
    if layout == "packed":
        choose_layout(designs.language_model(model), True, "fp32", torch.device("cpu"))
    forward = Forward(designs.language_model(model), "fp32")
    events: list[Any] = []
    setup = setup_of(designs.language_model(model), layout, tmp_path)
    evaluator = Evaluator(setup, forward, events.append, StopSwitch(tmp_path))
    assert evaluator.tell(step=0, epoch=0.0, train_loss=None, loss=evaluator.measure(batch_size), further={})
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


def test_it_is_what_scoring_each_text_adds_up_to(tmp_path: Path) -> None:
    model = designs.language_model(designs.make("gpt2").eval())
    chances = [
        piece.logprob for number in range(len(EXAMPLES)) for piece in list(score(model, EXAMPLES[number].tolist(), 0))[1:]
    ]
    assert -sum(chances) / len(chances) == pytest.approx(measured("packed", 4, tmp_path), abs=1e-5)
