"""The report's words and geometry, and that whatever people wrote stays text in it."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from backend.datasets.store import Datasets
from backend.metrics import number_text, report, svg
from backend.runs.judging.health import HeldFinding
from backend.runs.tailer import Tailer
from backend.schemas.runs import Band
from tests.backend.records import Records, story
from worker.contract import MessageEvent, RunOrigin, SampleEvent, SettingChange

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>' {{ 7 * 7 }}"


def made(records: Records, *more: object, name: str = "a run", steps: int = 20) -> tuple[str, report.Record]:
    datasets = Datasets(records.settings.datasets_dir)
    datasets.prepare()
    run_id = records.add("starting", "running", name=name)
    events = [*story(steps)[:-1], *more]
    for seq, event in enumerate(events, 1):
        event.seq, event.time = seq, "2026-01-01T00:00:00.000000Z"
    records.append(run_id, *events)
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    with records.database.read() as connection:
        record = report.gather(connection, run_id, datasets)
    return report.render(record), record


def test_whatever_people_wrote_stays_text(records: Records) -> None:
    _, record = made(
        records,
        SampleEvent(step=20, prompt=EVIL, text=EVIL),
        MessageEvent(level="warning", text=EVIL),
        name=EVIL,
    )
    said = {"notes": EVIL, "tags": [EVIL], "reason": EVIL, "hint": EVIL}
    page = report.render(record._replace(run=record.run.model_copy(update=said)))
    assert "<script" not in page
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in page
    assert page.count("&lt;img src=x onerror=alert(2)&gt;") >= 9, "name, title, prompt, sample, warning and what is said"
    assert "http" not in re.sub(r"http-equiv|<pre>curl[^<]*</pre>", "", page), "it names no address but that of the command"


def test_the_command_holds_the_whole_configuration(records: Records) -> None:
    _, record = made(records)
    config = record.run.config.model_copy(update={"sample_prompts": ["it's", "\u2028"]})
    words = shlex.split(report.command(record.run.model_copy(update={"config": config})))
    assert json.loads(words[-1]) == config.model_dump(exclude_none=True)


def test_how_it_ended_in_words(records: Records) -> None:
    _, record = made(records)
    ended = record.run.model_copy(update={"status": "failed", "reason": "No memory was left"})
    text = report.outcome(ended, record.series)
    assert text == "It failed. No memory was left. Validation loss fell from 7.000 to 5.000; lower is better."
    assert report.outcome(record.run, record.series).startswith(
        "It is running: this report shows it as it stood at update 20."
    )


def test_curves_break_where_a_value_was_not_a_number() -> None:
    values = [3.0, 2.0, None, 1.0, 1.0]
    band = Band(min=values, max=values, mean=values)
    whole = svg.picture("Loss", "nats", [1, 2, 3, 4, 5], {("train", "training"): band}, str)
    assert whole.curves[0].line.count("M") == 1, "a step of which nothing was told is no break"
    band.nonfinite = [2]
    broken = svg.picture("Loss", "nats", [1, 2, 3, 4, 5], {("train", "training"): band}, str)
    assert broken.curves[0].line.count("M") == 2
    assert broken.curves[0].steps == [3]


def test_what_was_not_a_number_is_marked(records: Records) -> None:
    page, record = made(records)
    loss = report.pictures(record.series)[0].curves[0]
    assert loss.steps == [7]
    assert loss.line.count("M") == 2
    assert "training: not a number at step 7" in page


def test_a_run_that_waits_has_a_report_without_curves(records: Records) -> None:
    datasets = Datasets(records.settings.datasets_dir)
    with records.database.read() as connection:
        record = report.gather(connection, records.add(), datasets)
    page = report.render(record)
    assert "It is queued" in page
    assert "The dataset sample has been deleted" in page
    assert "<svg" not in page


def test_the_band_reaches_the_spike() -> None:
    band = Band(min=[1.0, 1.0], max=[1.0, 9.0], mean=[1.0, 1.2])
    picture = svg.picture("Loss", "nats", [1, 100], {("train", "training"): band}, str)
    assert picture.y_ticks[-1].text == "10.0"
    highest = min(float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", picture.curves[0].band))
    assert svg.TOP <= highest < svg.TOP + 0.15 * svg.HEIGHT


def test_no_numbers_no_picture() -> None:
    assert svg.picture("Loss", "", [], {("train", "x"): Band(min=[], max=[], mean=[])}, str) is None


@pytest.mark.parametrize(("low", "high"), [(0, 1), (5e-9, 9e-9), (-3, 1e12), (6.9, 7.0), (4, 4)])
def test_labels_of_an_axis_span_the_values(low: float, high: float) -> None:
    ticks = svg._nice(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 1 <= len(ticks) <= 8
    assert len({number_text.number(tick, 4) for tick in ticks}) == len(ticks)


def test_of_very_many_samples_some_are_shown_the_first_and_the_last_among_them(records: Records) -> None:
    samples = [SampleEvent(step=step, prompt="Once", text=f"text {step}.") for step in range(21, 321)]
    page, _ = made(records, *samples)
    assert page.count("<summary>step") == report.MOST_SAMPLED
    assert "text 320." in page
    assert "step 0<" in page


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (number_text.number(0.00005), "5e-5"), (number_text.number(1234.5), "1,234"), (number_text.number(2.5e7), "2.5e7"),
        (number_text.loss(12.345), "12.35"), (number_text.loss(None), "–"), (number_text.size(1_234_000), "1.23 MB"),
        (number_text.short(999.7), "1K"), (number_text.duration(59.4), "59 s"), (number_text.duration(200), "3 min 20 s"),
        (number_text.duration(7500), "2 h 5 min"), (number_text.duration(90_000), "1 d 1 h"),
        (number_text.step_time(0.1), "100 ms"),
    ],
)  # fmt: skip
def test_numbers_as_people_read_them(written: str, expected: str) -> None:
    assert written == expected


def test_what_the_coach_finds_and_where_a_run_comes_from_stand_in_it(records: Records) -> None:
    _, record = made(records)
    finding = HeldFinding(
        rule="spike", title="Spike", level="warning", step=12, from_step=7, time="2026-01-01T00:00:00Z",
        text="It jumped <b>.", advice="Look at the rows.",
        evidence={"loss": 9.12345, "rows": [3, 4], "usual": {"loss": 2.5}},
    )  # fmt: skip
    change = SettingChange(before=None, after=12)
    origin = RunOrigin(run="r", name="Grey fox", step=40, state="exact", changes={"max_steps": change})
    page = report.render(record._replace(run=record.run.model_copy(update={"origin": origin}), findings=[finding]))
    for text in (
        "<h2>Coach</h2>", "Spike", "It jumped &lt;b&gt;. Look at the rows.", "7 to 12", "9.123", "3, 4", "loss: 2.5",
                 "Forked from Grey fox at step 40: max_steps none → 12."):  # fmt: skip
        assert text in page, text
    assert "<h2>Coach</h2>" not in report.render(record)
