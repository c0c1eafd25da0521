"""Comparisons: what differed, how runs ended, and that nothing is said beyond the numbers."""

from __future__ import annotations

from typing import Any

import pytest

from backend.metrics import compare, comparison_text
from backend.metrics.compare import Outcome
from backend.runs.tailer import Tailer
from backend.schemas.runs import Run
from tests.backend.records import Records, going_on, story
from worker.contract import EvaluationEvent, Job, RunConfig, now

NONE = dict.fromkeys(Run.model_fields)


def run(name: str, **config: Any) -> Run:
    settings = RunConfig(**{"learning_rate": 1e-3, "max_length": 256} | config)
    given = {"id": name, "name": name, "config": settings, "status": "completed", "tags": [], "notes": "", "archived": False}
    return Run(**NONE | given | {"created_at": "", "step": 10, "sparkline": [], "findings": [], "stream_cursor": 0})


def ended(name: str, loss: float | None, status: str = "completed") -> Outcome:
    return Outcome(**dict.fromkeys(Outcome.model_fields) | {
        "run": name, "status": status, "steps": 10, "best_validation_loss": loss, "losses": {}
    })  # fmt: skip


def said(runs: list[Run], losses: list[float | None], status: str = "completed", **readings: str) -> list[str]:
    outcomes = [ended(one.id, loss, status) for one, loss in zip(runs, losses, strict=True)]
    differences = compare.differences(runs, readings)
    return comparison_text.sentences(runs, differences, outcomes, compare.groups(runs, readings, outcomes))


def test_one_setting_that_differed_is_named_with_what_it_made_and_that_one_seed_proves_nothing() -> None:
    assert said([run("a", learning_rate=5e-5), run("b", learning_rate=1e-4)], [2.0, 1.88]) == [
        "Only Learning rate differed: 1e-4 ended 0.12 lower in best validation loss than 5e-5 (1.880 against 2.000).",
        "With one seed each, this may be chance. Repeat both with other seeds to know.",
    ]
    equal = said([run("a", packing=True), run("b", packing=False)], [2.0, 2.0])
    assert equal == ["Only Pack short examples differed: on and off have the same best validation loss (2.000)."]
    (unknown,) = said([run("a", batch_size=2), run("b", batch_size=4)], [2.0, None])
    assert unknown == "Only Batch size differed. There are not yet two validation losses to compare."


def test_of_several_settings_none_is_made_responsible() -> None:
    first, second = said([run("a"), run("b", batch_size=2, seed=1, lr_scheduler="cosine")], [2.0, 1.5])
    assert first == "3 settings differed (Batch size, Schedule and Seed), so what made the difference cannot be told."
    assert second == "Lowest best validation loss: “b” (1.500), then “a” (2.000)."


def test_what_a_run_tells_and_keeps_is_not_made_responsible() -> None:
    first, _ = said([run("a", save_steps=10, sample_prompts=["Once"]), run("b", learning_rate=1e-4)], [2.0, 1.5])
    assert first.startswith("Only Learning rate differed besides Save every and Sample prompts: 1e-4 ended 0.5 lower")


def repeated(losses: dict[float, list[float]]) -> list[str]:
    """What is said of runs with these losses per learning rate, each with a seed of its own."""
    runs, given = [], []
    for rate, of_rate in losses.items():
        for seed, loss in enumerate(of_rate):
            runs.append(run(f"{rate}-{seed}", learning_rate=rate, seed=seed, device="cpu"))
            given.append(loss)
    return said(runs, given)


def test_a_difference_is_held_against_the_spread_between_seeds() -> None:
    clear = repeated({1e-3: [1.0, 1.02, 1.04], 1e-2: [1.5, 1.52]})
    assert clear == [
        "Only Learning rate differed besides Seed: 0.001 ended 0.49 lower in best validation loss than 0.01 on average "
        "(1.020 against 1.510).",
        "That is more than the spread between seeds (standard deviation 0.02, 3 and 2 seeds).",
    ]
    assert "it may be chance" in repeated({1e-3: [1.0, 1.4], 1e-2: [1.1, 1.35]})[1]
    (alone,) = repeated({1e-3: [1.0, 1.1]})
    expected = "Only Seed differed: best validation loss 1.050 on average, with a standard deviation of 0.071 over 2 seeds."
    assert alone == expected


def test_several_values_of_one_setting_are_ranked() -> None:
    runs = [run(str(size), batch_size=size) for size in (1, 2, 4)]
    assert said(runs, [3.0, 1.0, 2.0]) == [
        "Only Batch size differed.",
        "Lowest best validation loss: 2 (1.000), then 4 (2.000), 1 (3.000).",
    ]
    assert repeated({1e-3: [1.0, 1.1], 1e-2: [1.3, 1.3], 1e-1: [2.0, 2.0]}) == [
        "Only Learning rate differed besides Seed.",
        "Lowest best validation loss on average: 0.001 (1.050), then 0.01 (1.300), 0.1 (2.000). "
        "The first two are 0.25 apart.",
        "That is more than the spread between seeds (standard deviation 0.071, 2 and 2 seeds).",
    ]


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"dataset": "mine"}, "Dataset"),
        ({"validation_split": 0.2}, "Validation split"),
        ({"max_length": 128}, "Max length"),
        ({"model_name": "mini"}, "these models' tokens differ"),
    ],
)
def test_losses_that_cannot_be_compared_are_not(other: dict[str, Any], word: str) -> None:
    sentences = said([run("a"), run("b", **other)], [2.0, 1.0])
    assert sentences[0].startswith("Validation losses are not comparable")
    assert word in sentences[0]
    assert not any("lower" in sentence or "Lowest" in sentence for sentence in sentences)


def test_models_of_unknown_tokens_are_compared_with_a_warning() -> None:
    sentences = said([run("a", model_name="gpt2"), run("b", model_name="other")], [2.0, 1.0])
    assert "comparable only if they cut text into the same tokens" in sentences[0]
    assert "other ended 1 lower" in sentences[1]


def test_the_reading_of_a_dataset_counts_as_a_difference() -> None:
    runs = [run("a"), run("b")]
    (found,) = [one for one in compare.differences(runs, {"a": "text", "b": "document"}) if one.field != "name"]
    assert (found.label, found.values) == ("Dataset read as", {"a": "text", "b": "document"})
    assert said(runs, [2.0, 1.0], a="text", b="document")[0].startswith("Validation losses are not comparable")


def test_runs_that_did_not_complete_are_named_and_count_in_no_mean() -> None:
    runs = [run("a", seed=1), run("b", seed=2)]
    sentences = said(runs, [2.0, 1.0], status="stopped")
    assert (
        sentences[0] == "Only Seed differed. How much chance alone changes is known once runs of two seeds have completed."
    )
    assert sentences[1] == "Not completed: “a” and “b”. What is said here counts only what they have done."


def test_runs_of_one_seed_count_once_in_its_group() -> None:
    runs = [
        run("a", seed=1),
        run("b", seed=1, device="cpu"),
        run("c", seed=2, num_workers=2),
        run("d", seed=3, batch_size=1),
    ]
    (group,) = compare.groups(runs, {}, [ended(one.id, loss) for one, loss in zip(runs, [1.0, 1.0, 2.0, 9.0], strict=True)])
    assert group.runs == ["a", "b", "c"]
    assert (group.seeds, group.mean) == (2, 1.5)
    assert group.deviation == pytest.approx(0.7071, abs=1e-4)
    assert compare.groups(runs[:2], {}, []) == []


def test_the_time_of_all_workers_counts_and_that_of_waiting_does_not() -> None:
    facts = [("queued", 0.0), ("starting", 10), ("running", 11), ("stopped", 20), ("queued", 50), ("starting", 60)]
    assert compare.seconds_with_a_worker(facts, 65.0) == 15
    assert compare.seconds_with_a_worker([*facts, ("failed", 61.0), ("failed", 70.0)], 99.0) == 11
    assert compare.seconds_with_a_worker([("queued", 0.0), ("stopped", 5.0)], 9.0) is None


@pytest.mark.parametrize("end", ["queued", "completed", "stopped", "failed", "interrupted"])
def test_every_end_stops_the_clock_and_a_pause_does_not(end: str) -> None:
    facts = [("queued", 0.0), ("starting", 10.0), ("running", 11.0), ("pausing", 12.0), ("paused", 13.0), (end, 20.0)]
    assert compare.seconds_with_a_worker(facts, 99.0) == 10
    assert compare.seconds_with_a_worker([*facts, ("starting", 30.0)], 33.0) == 13
    assert compare.seconds_with_a_worker(facts[:-1], 99.0) == 89


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, ""), (1, "a"), (2, "a and b"), (3, "a, b and c"), (4, "a, b, c and d"), (5, "a, b, c, d and 1 more"),
     (7, "a, b, c, d and 3 more")],
)  # fmt: skip
def test_a_list_names_some_and_counts_the_rest(count: int, said: str) -> None:
    assert comparison_text._list("abcdefg"[:count]) == said


def test_runs_are_compared_over_http(records: Records, start_server) -> None:
    one, two = records.add("starting", "running", name="one"), records.add("starting", "running", name="two")
    events = story(20)[:-1]
    lost = EvaluationEvent(seq=len(events) + 1, time=now(), step=15, epoch=1, loss=1.0, perplexity=2.7, best=True)
    events.append(lost)  # the best of all, but taken back
    records.append(one, *story(20))
    records.append(two, *events, *going_on(len(events) + 1, 10, 20))
    tailer = Tailer(records.database, records.settings.runs_dir)
    for run_id in (one, two):
        tailer.ingest(run_id)
    job = Job.model_validate_json((records.directory(two) / "config.json").read_bytes())
    reading = job.dataset.reading.model_copy(update={"kind": "document"})
    changed = job.model_copy(update={"dataset": job.dataset.model_copy(update={"reading": reading})})
    (records.directory(two) / "config.json").write_text(changed.model_dump_json())
    server = start_server(data_dir=records.settings.data_dir)
    for run_id in (one, two):
        server.end(run_id)

    body = server.client.get(f"/api/compare?runs={two},{one},{two}").json()
    assert [found["id"] for found in body["runs"]] == [two, one]
    assert [found["field"] for found in body["differences"]] == ["name", "reading"]
    second, first = body["outcomes"]
    assert (first["best_validation_loss"], first["best_step"], first["steps"], first["tokens"]) == (5.0, 20, 20, 2000)
    assert (second["best_validation_loss"], second["loss"]) == (4.5, 4.5), "what was taken back does not count"
    assert first["seconds"] > 0
    assert body["sentences"][0].startswith("Validation losses are not comparable: Dataset read as")
    assert body["stream_cursor"] > 0

    for query, status in ((one, 422), (f"{one},20200101-000000-0000", 404), (",".join(map(str, range(51))), 422), ("", 422)):
        answer = server.client.get(f"/api/compare?runs={query}")
        assert answer.status_code == status, query
