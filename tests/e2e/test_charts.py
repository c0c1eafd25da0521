"""The charts of a run: zoom, axes, link, keys, marks, files; and the samples that go with their cursor."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.backend.records import Records
from tests.serving import Server
from worker.contract import (
    LOCK_FILE,
    CheckpointEvent,
    EvaluationEvent,
    MessageEvent,
    SampleEvent,
    StatusEvent,
    StepEvent,
    SystemEvent,
)

pytestmark = pytest.mark.browser

STEPS = 3000
SPIKE, BROKEN, WARNED = 1137, 2000, 1500
PROMPTS = ("Over the hill", "Then")
CHECKED_EVERY = 500
WHOLE = "The whole run. Drag across a chart to zoom in."
BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def long_story() -> list[Any]:
    """A run of one step each half a second with a spike in one step, a NaN in another, checks, samples and a warning."""
    events: list[Any] = [StatusEvent(phase="training", total_steps=STEPS, precision="fp32", parameters=1000)]
    for step in range(STEPS + 1):
        if step:
            events.append(step_event(step))
        if step % CHECKED_EVERY == 0:
            events.append(EvaluationEvent(step=step, epoch=step / 1000, loss=7 - step / 1000, perplexity=90.0, best=True))
            events += [
                SampleEvent(step=step, prompt=prompt, text=f" came {step} sheep") for prompt in ("Over the hill", "Then")
            ]
            if step:
                events.append(CheckpointEvent(step=step, path=f"checkpoints/step-{step:06}", bytes=10, kind="periodic"))
        if step == WARNED:
            events.append(MessageEvent(level="warning", text="The disk is nearly full."))
        if step % 10 == 0:
            events.append(SystemEvent(step=step, cpu_percent=50.0, memory_bytes=10**9 + step, disk_free_bytes=10**10))
    events.append(StatusEvent(phase="completed"))
    for seq, event in enumerate(events, 1):
        at = BEGAN + timedelta(seconds=getattr(event, "step", WARNED) / 2)
        event.seq, event.time = seq, at.isoformat()
    return events


def step_event(step: int) -> StepEvent:
    loss = None if step == BROKEN else 50.0 if step == SPIKE else 7 - step / 1000 + (step % 7) / 20
    return StepEvent(
        step=step,
        epoch=step / 1000,
        loss=loss,
        lr=1e-3,
        grad_norm=1.0 + (step % 5) / 10,
        tokens=100 * step,
        tokens_per_s=1000.0,
        step_ms=500.0,
        nonfinite=[] if loss is not None else ["loss"],
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the page of the long run."""
    records = Records(tmp_path_factory.mktemp("charts") / "data")
    run_id = records.add("starting", "running")
    records.append(run_id, *long_story())
    for step in range(CHECKED_EVERY, STEPS + 1, CHECKED_EVERY):
        (records.directory(run_id) / f"checkpoints/step-{step:06}").mkdir(parents=True)
    records.database.close()
    server = Server(records.settings.data_dir)
    server.end(run_id)
    yield f"{server.url}/#/runs/{run_id}"
    server.stop()


def figure(page: Page, name: str) -> Locator:
    return page.locator(f'[data-figure="{name}"]')


def drag(page: Page, chart: Locator, start: float, end: float) -> None:
    """Across a chart, from and to these shares of its width."""
    chart.locator(".u-over").scroll_into_view_if_needed()
    box = chart.locator(".u-over").bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + (start + end) / 2 * box["width"], y, steps=3)
    page.mouse.move(box["x"] + end * box["width"], y, steps=3)
    page.mouse.up()


def rows_of_csv(page: Page, name: str) -> list[list[str]]:
    figure(page, name).hover()
    with page.expect_download() as download:
        figure(page, name).get_by_role("button", name="Save as CSV").click()
    return [line.split(",") for line in download.value.path().read_text().splitlines()]


def test_each_thing_that_was_told_has_a_chart(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("[data-figure] canvas")).to_have_count(8)
    names = page.locator("[data-figure]").evaluate_all("cards => cards.map(card => card.dataset.figure)")
    assert names == ["loss", "perplexity", "lr", "grad_norm", "tokens_per_s", "step_ms", "memory", "cpu"]
    expect(figure(page, "loss").locator(".legend")).to_contain_text("Not a numberonce")
    marks = figure(page, "loss").locator('.chart-mark:not([data-kind="finding"]):visible')
    expect(marks).to_have_count(7)
    expect(marks.and_(page.locator('[data-title="Checkpoint step 1,000"]'))).to_be_visible()
    warning = marks.and_(page.locator('[data-kind="warning"]'))
    expect(warning).to_have_attribute("data-title", "Warning at about step 1,500: The disk is nearly full.")
    marks.first.hover()
    figure(page, "loss").get_by_role("link", name="What is loss?").focus()
    expect(page.get_by_role("tooltip")).to_contain_text("How wrong the guesses")


def test_a_range_that_is_dragged_is_fetched_in_detail_for_all_charts(page: Page, address: str) -> None:
    page.goto(address)
    whole = rows_of_csv(page, "loss")
    assert len(whole) < 1000 < STEPS
    assert max(float(row[3] or 0) for row in whole[1:] if row[3] != "NaN") == 50, "a spike of one step is in sight"

    with page.expect_response(re.compile(r"/series\?.*from=\d+")) as fetched:
        drag(page, figure(page, "loss"), 0.35, 0.4)
    assert fetched.value.ok
    expect(page.get_by_text(re.compile(r"^Steps 1,0[45]\d to 1,(19|20)\d$"))).to_be_visible()
    detail = rows_of_csv(page, "grad_norm")
    steps = [int(row[0]) for row in detail[1:] if row[1]]
    assert steps == list(range(steps[0], steps[-1] + 1)), "each step of the range"
    assert steps[0] < SPIKE < steps[-1]
    assert [row[1] for row in rows_of_csv(page, "loss") if row[0] == str(SPIKE)] == ["50"]

    figure(page, "lr").locator(".u-over").dblclick()
    expect(page.get_by_text(WHOLE)).to_be_visible()
    assert "from=" not in page.url
    assert rows_of_csv(page, "loss") == whole


def test_the_link_has_the_view_and_the_choice_is_remembered(page: Page, address: str) -> None:
    page.goto(address)
    loss = figure(page, "loss")
    expect(loss.locator("canvas")).to_be_visible()
    page.evaluate("() => { window.sameDocument = true; }")
    linear = loss.locator("canvas").screenshot()
    page.get_by_label("Log", exact=True).check()
    page.get_by_label("Tokens", exact=True).check()
    page.get_by_label("Smoothing").fill("0.9")
    drag(page, figure(page, "lr"), 0.5, 0.75)
    expect(loss.locator(".legend")).to_contain_text("Tokens")
    expect(page.get_by_role("button", name="Reset zoom")).to_be_enabled()
    assert loss.locator("canvas").screenshot() != linear
    assert re.search(r"\?x=tokens&log=1&smooth=0\.9&from=1[45]\d\d&to=2[23]\d\d$", page.url), page.url
    assert page.evaluate("() => window.sameDocument"), "the page was loaded anew"

    link, range_shown = page.url, page.locator(".chart-range").inner_text()
    page.evaluate("() => localStorage.clear()")
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator(".chart-range")).to_have_text(range_shown)
    for chosen in ("Tokens", "Log"):
        expect(page.get_by_label(chosen, exact=True)).to_be_checked()
    expect(page.locator("output")).to_have_text("0.90")

    page.get_by_label("Epoch", exact=True).check()
    page.goto("about:blank")
    page.goto(address)
    expect(page.get_by_label("Epoch", exact=True)).to_be_checked()
    expect(page.locator(".chart-range")).to_have_text(WHOLE)


def test_time_runs_from_the_first_step(page: Page, address: str) -> None:
    page.goto(f"{address}?x=time")
    expect(figure(page, "loss").locator(".legend")).to_contain_text(re.compile("Time2[45] min"))
    drag(page, figure(page, "loss"), 0.5, 0.75)
    expect(page.get_by_text(re.compile(r"^Steps 1,[45]\d\d to 2,[23]\d\d$"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".chart-range")).to_have_text(WHOLE)


def test_keys_move_the_cursor_zoom_and_reset(page: Page, address: str) -> None:
    page.goto(address)
    chart = figure(page, "perplexity").get_by_role("application")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator('.legend dd:text-is("3,000")')).to_have_count(8)
    page.keyboard.press("ArrowLeft")
    expect(page.locator('.legend dd:text-is("2,500")')).to_have_count(8)  # to the check before, in all charts
    expect(page.get_by_text("Step 2,500, Validation 90. Checkpoint step 2,500", exact=True)).to_be_attached()
    expect(page.locator("[data-sample-step]")).to_have_text("step 2,500")
    across = """lines => lines.map(line => {
      const [here, chart] = [line, line.parentElement].map(element => element.getBoundingClientRect());
      return Math.round(100 * (here.left - chart.left) / chart.width);
    })"""
    assert set(page.locator(".u-cursor-x").evaluate_all(across)) <= {83, 84}, "5/6 of the way in all charts"
    page.keyboard.press("+")
    expect(page.locator(".chart-range")).to_have_text("Steps 1,250 to 2,750")
    page.keyboard.press("+")
    expect(page.locator(".chart-range")).to_have_text("Steps 1,875 to 2,625")
    page.keyboard.press("-")
    expect(page.locator(".chart-range")).to_have_text("Steps 1,250 to 2,750")
    page.keyboard.press("Escape")
    expect(page.locator(".chart-range")).to_have_text(WHOLE)
    page.keyboard.press("Tab")
    expect(page.locator("[data-sample-step]")).to_have_text("step 3,000")


def test_samples_go_with_the_slider_and_with_the_charts_cursor(page: Page, address: str) -> None:
    page.goto(address)
    written, tag, slider = (
        page.get_by_label("What it wrote"),
        page.locator("[data-sample-step]"),
        page.get_by_role("slider", name="Evaluation"),
    )
    ruler = figure(page, "loss").locator(".chart-ruler")
    expect(written).to_have_text("Over the hill came 3000 sheep")
    expect(ruler).to_be_hidden()
    slider.fill("0")
    expect(tag).to_have_text("before training")
    expect(written).to_have_text("Over the hill came 0 sheep")
    slider.press("ArrowRight")
    expect(tag).to_have_text("step 500")
    expect(slider).to_have_attribute("aria-valuetext", "step 500")
    expect(ruler).to_be_visible()
    page.get_by_label("Then", exact=True).check()
    expect(written).to_have_text("Then came 500 sheep")

    box = figure(page, "loss").locator(".u-over").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.62, box["y"] + 50)
    expect(tag).to_have_text("step 1,500")
    expect(written).to_have_text("Then came 1500 sheep")
    page.mouse.move(box["x"] - 60, box["y"] - 200)
    expect(tag).to_have_text("step 500")
    page.get_by_role("button", name="Newest").click()
    expect(tag).to_have_text("step 3,000")
    expect(ruler).to_be_hidden()


def test_a_chart_fills_the_screen_and_is_saved_as_a_picture(page: Page, address: str) -> None:
    page.goto(address)
    loss = figure(page, "loss")
    loss.hover()
    with page.expect_download() as download:
        loss.get_by_role("button", name="Save as PNG").click()
    assert download.value.suggested_filename == "a-run-loss.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")

    small = loss.locator("canvas").bounding_box()
    loss.get_by_role("button", name="Loss: Full screen").click()
    expect(loss.get_by_role("button", name="Leave full screen")).to_be_visible()
    large = loss.locator("canvas").bounding_box()
    assert small
    assert large
    assert large["height"] > 1.5 * small["height"]
    loss.get_by_role("button", name="Leave full screen").click()
    expect(loss.get_by_role("button", name="Loss: Full screen")).to_be_visible()


def test_a_range_goes_on_while_the_run_does(page: Page, start_server: Callable[..., Server], tmp_path: Path) -> None:
    records = Records(tmp_path / "data")
    run_id = records.add("starting", "running")
    lock = (records.directory(run_id) / LOCK_FILE).open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)  # as a living worker does
    events = [event for event in long_story() if getattr(event, "step", 0) <= 60][:-1]
    records.append(run_id, *events[:-1])
    server = start_server()
    page.goto(f"{server.url}/#/runs/{run_id}")
    loss = figure(page, "loss")
    step = loss.locator(".legend > div").first
    expect(step).to_have_text("Step60")

    with page.expect_response(re.compile("from=40&to=70")) as detail:
        page.goto(f"{server.url}/#/runs/{run_id}?from=40&to=70")
    detail.value.finished()
    expect(page.locator(".chart-range")).to_have_text("Steps 40 to 70")
    later = [event for event in long_story() if isinstance(event, StepEvent) and 60 < event.step <= 80]
    for seq, event in enumerate(later, events[-1].seq):
        event.seq = seq
    records.append(run_id, *later[:5])
    expect(step).to_have_text("Step65")
    records.append(run_id, *later[5:])
    expect(page.get_by_text("step 80 of 3,000")).to_be_visible()
    expect(step).to_have_text("Step70")
    assert [row[0] for row in rows_of_csv(page, "loss")] == ["step", *map(str, range(40, 71))]
    page.get_by_role("button", name="Reset zoom").click()
    expect(step).to_have_text("Step80")
