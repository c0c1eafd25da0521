"""A spike names its row, and evaluations the rows that are hardest: by losses that are the model's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tests.worker.designs import Ids, save_small_gpt2
from tests.worker.texts import random_examples
from worker.contract import DatasetSource, Job, MixedDataset, ModelSource, RowsEvent, RunConfig, decode, encode
from worker.process.control import StopSwitch
from worker.training.preparation import prepare as prepared
from worker.training.watching.row_watch import RowWatch, scored_rows

Prepare = Callable[..., tuple[Any, list[Any]]]


def rows(events: list[Any], cause: str) -> list[RowsEvent]:
    return [event for event in events if event.type == "rows" and event.cause == cause]


def test_the_hardest_rows_have_the_losses_that_the_model_gives_them(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=3, validation_split=0.3, precision="fp32")
    trainer.train()
    model, setup = trainer.model.eval(), trainer.setup
    lines = Path(setup.job.dataset.path).read_text().splitlines()
    (before, after) = rows(reported, "evaluation")
    assert len(before.rows) == len(after.rows) == len(setup.validation)
    assert decode(encode(after)) == after
    wanted = {}
    for number in range(len(setup.validation)):
        ids = torch.from_numpy(setup.validation[number].astype(np.int64))
        with torch.no_grad():
            wanted[int(setup.validation.rows[number])] = float(F.cross_entropy(model(ids[None, :-1]).logits[0], ids[1:]))
    assert {row.row: row.loss for row in after.rows} == pytest.approx(wanted, rel=1e-4)
    middle = float(np.median(list(wanted.values())))
    scores = [(row.loss - middle) * row.tokens**0.5 for row in after.rows]
    assert scores == sorted(scores, reverse=True)
    for row in after.rows:
        assert lines[row.row - 1].startswith(row.text[:20])
        assert row.dataset is None


def test_what_was_learned_is_told_as_it_was_when_it_was_learned(prepare: Prepare) -> None:
    trainer, reported = prepare(num_epochs=1, eval_steps=4, precision="fp32", learning_rate=1e-9)
    trainer.train()
    learned = [row for event in rows(reported, "training") for row in event.rows]
    examples = trainer.setup.train
    assert sorted(row.row for row in learned) == sorted(examples.rows.tolist()), "each once, in the evaluation after it"
    model = trainer.model.eval()
    for row in learned[::20]:
        number = examples.rows.tolist().index(row.row)
        ids = torch.from_numpy(examples[number].astype(np.int64))
        with torch.no_grad():
            loss = float(F.cross_entropy(model(ids[None, :-1]).logits[0], ids[1:]))
        assert row.loss == pytest.approx(loss, rel=1e-4)
        assert row.tokens == len(ids) - 1


def watch(lengths: list[int]) -> tuple[RowWatch, Any]:
    examples = random_examples(lengths, 50)
    return RowWatch(examples, [(None, 2), ("other", len(lengths) - 2)], Ids()), examples


def note(watch: RowWatch, examples: Any, step: int, losses: dict[int, float]) -> RowsEvent | None:
    """An update of these examples, with a mean loss each."""
    tokens = np.concatenate([np.full(examples.trained[number], loss) for number, loss in losses.items()])
    return watch.note(step, float(tokens.mean()), list(losses), tokens)


def test_a_spike_names_the_row_that_was_odd_and_not_those_it_spoiled() -> None:
    own, examples = watch([9] * 8)
    random = np.random.default_rng(0)
    for step in range(1, 40):
        assert not note(own, examples, step, {number: 3 + random.normal(0, 0.1) for number in range(4)})
    assert not note(own, examples, 40, {0: 3.0, 1: 3.1, 6: 3.6, 3: 2.9}), "odd, yet no spike"
    event = note(own, examples, 41, {4: 6.2, 5: 6.0, 2: 6.1, 7: 6.05})
    assert event
    assert event.cause == "spike"
    assert (event.rows[0].row, event.rows[0].dataset) == (7, "other")
    assert not note(own, examples, 42, {0: 6.0, 1: 6.0, 2: 6.0, 3: 6.0}), "the same spike"


def test_a_loss_that_falls_or_wanders_is_no_spike() -> None:
    own, examples = watch([9] * 8)
    random = np.random.default_rng(1)
    for step in range(3000):
        level = 2 + 6 * np.exp(-step / 100) + 0.1 * np.sin(step / 200)
        assert not note(own, examples, step, {number: level + random.normal(0, 0.2) for number in range(8)}), step


def test_what_is_no_number_is_named_first() -> None:
    own, examples = watch([9] * 4)
    event = note(own, examples, 1, {0: 3.0, 1: 9.0, 2: float("nan"), 3: 3.1})
    assert event
    assert [(row.row, row.loss) for row in event.rows[:2]] == [(3, None), (2, 9.0)]


def test_a_rare_word_is_not_before_a_text_that_is_odd_from_end_to_end() -> None:
    examples = random_examples([2, 41, 21, 21, 21], 50)
    losses = np.concatenate([[8.0], np.full(40, 5.0), np.full(60, 3.0)])
    assert scored_rows(examples, range(5), losses).worst(2).numbers.tolist() == [1, 0]


def test_rows_of_what_is_mixed_are_told_with_their_dataset(tmp_path: Path, fragments: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("".join(f"other words {number} of them\n" for number in range(40)))
    job = Job(
        run_id="run",
        config=RunConfig(max_length=32, sample_prompts=[], num_epochs=1, mixture=["other=0.3"]),
        model=ModelSource(kind="built_in", location="tiny"),
        dataset=DatasetSource(path=str(fragments)),
        mixture={"other": MixedDataset(source=DatasetSource(path=str(other)), share=0.3)},
        device="cpu",
    )
    said: list[Any] = []
    trainer, _ = prepared(job, tmp_path, said.append, StopSwitch(tmp_path))
    trainer.train()
    lines = {None: fragments.read_text().splitlines(), "other": other.read_text().splitlines()}
    found = [row for event in rows(said, "training") for row in event.rows]
    assert {row.dataset for row in found} == {None, "other"}
    for row in found:
        assert lines[row.dataset][row.row - 1].startswith(row.text[:12])


def planted(folder: Path, seed: int, exclude: Sequence[int] = ()) -> tuple[int, list[Any]]:
    """Two epochs of 10,000 rows of a made-up language, one of which is noise; the number of that, and the run's events."""
    random = np.random.default_rng(seed)
    words = ["".join(random.choice(list("abcdefgh"), random.integers(2, 5))) for _ in range(40)]
    lines = [" ".join(random.choice(words[step % 4 :: 4]) for step in range(random.integers(5, 9))) for _ in range(10_000)]
    place = int(random.integers(10_000))
    lines[place] = "".join(random.choice(list("~^%$#@!*{}[]|0123456789"), 60))
    path = folder / "rows.txt"
    path.write_text("\n".join(lines) + "\n")
    source = save_small_gpt2(folder / "model", path, dropout=0.0)
    job = Job(
        run_id="run",
        config=RunConfig(
            max_length=64, sample_prompts=[], num_epochs=2, batch_size=64, gradient_accumulation_steps=1, seed=seed,
            learning_rate=3e-3, validation_split=0.0, model_name="local:model", save_steps=10_000,
            exclude_rows=list(exclude),
        ),
        model=source,
        dataset=DatasetSource(path=str(path)),
        device="cpu",
    )  # fmt: skip
    said: list[Any] = []
    trainer, _ = prepared(job, folder, said.append, StopSwitch(folder))
    trainer.train()
    return place + 1, said


def named_first(folder: Path, seed: int) -> None:
    """Asserts that the bad row alone makes a spike, and is named before all others; a run without it has none."""
    (folder / "with").mkdir()
    (folder / "without").mkdir()
    row, events = planted(folder / "with", seed)
    spikes = rows(events, "spike")
    assert spikes, "no spike was seen"
    assert {event.rows[0].row for event in spikes} == {row}
    _, events = planted(folder / "without", seed, exclude=[row])
    assert not rows(events, "spike")


def test_a_bad_row_among_ten_thousand_is_named_first_and_without_it_there_is_no_spike(tmp_path: Path) -> None:
    named_first(tmp_path, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 50))
def test_so_it_is_in_fifty_runs_of_fifty(tmp_path: Path, seed: int) -> None:
    named_first(tmp_path, seed)
