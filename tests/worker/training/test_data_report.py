"""What is told of the data before training: counted by hand here, on examples and on a run's own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.worker.texts import examples_of, random_examples
from worker.contract import DataEvent, DatasetSource, Job, ModelSource, RunConfig, decode, encode
from worker.process.control import StopSwitch
from worker.training import preparation
from worker.training.data_report import data_event


def test_copies_and_leaks_are_counted_beyond_the_first() -> None:
    train = examples_of([1, 2, 3], [4, 5], [1, 2, 3], [1, 2, 3], [4, 5, 6])
    validation = examples_of([4, 5], [7, 8, 9], [4, 5, 6], [4, 5])
    event = data_event(train, validation, [(train, validation)])
    assert (event.examples, event.validation_examples, event.tokens, event.trained_tokens) == (5, 4, 14, 9)
    assert (event.duplicates, event.leaked) == (2, 3)
    assert decode(encode(event)) == event


def test_copies_are_found_across_what_is_mixed_and_not_where_an_epoch_takes_an_example_twice() -> None:
    own, mixed, none = examples_of([1, 2], [3, 4]), examples_of([3, 4], [5, 6]), examples_of([9, 9])
    event = data_event(own.taken([0, 1, 0, 1]), none, [(own, none), (mixed, none)])
    assert (event.examples, event.duplicates, event.leaked) == (4, 1, 0)


def test_what_would_take_too_long_is_not_known() -> None:
    train = random_examples([3] * 5000, 1000)
    event = data_event(train, train, [(train, train)], seconds=0)
    assert (event.duplicates, event.leaked) == (None, None)
    assert data_event(train, train, [(train, train)], seconds=3600).leaked == 5000


def test_a_run_tells_of_its_data_once_before_training(tmp_path: Path) -> None:
    lines, tests = tmp_path / "lines.txt", tmp_path / "tests.txt"
    texts = [f"A short line, number {number}." for number in range(20)]
    lines.write_text("\n".join([*texts, *texts[:6], "long " * 60]) + "\n")
    tests.write_text("\n".join(["Nothing like it at all.", *texts[:4]]) + "\n")
    job = Job(
        run_id="run",
        config=RunConfig(max_length=32, sample_prompts=[], max_steps=2, batch_size=2),
        model=ModelSource(kind="built_in", location="tiny"),
        dataset=DatasetSource(path=str(lines)),
        validation=DatasetSource(path=str(tests)),
        device="cpu",
    )
    said: list[Any] = []
    trainer, _ = preparation.prepare(job, tmp_path, said.append, StopSwitch(tmp_path))
    (event,) = (event for event in said if isinstance(event, DataEvent))
    assert (event.examples, event.validation_examples, event.cut) == (27, 5, 1)
    assert (event.duplicates, event.leaked, event.unlearned) == (6, 4, 0)
    trainer.train()
    assert [event.type for event in said].count("data") == 1
    assert json.loads(event.model_dump_json())["trained_tokens"] == event.tokens - 27
