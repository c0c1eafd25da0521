"""The board and the comparison, as people use them: with a mouse, and with the keyboard alone."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.runs import about, lifecycle
from backend.runs.about import AboutChange
from backend.runs.tailer import Tailer
from tests.backend.records import Records
from tests.serving import Server
from worker.contract import EvaluationEvent, RunConfig, StatusEvent, StepEvent, now

pytestmark = pytest.mark.browser


def curve(steps: int, floor: float, first: int = 1) -> list[StepEvent]:
    """Step events of a loss that falls to a floor."""
    return [
        StepEvent(
            step=step,
            epoch=step / 100,
            loss=floor + 4 * math.exp(-step / 40),
            lr=1e-3,
            grad_norm=1.0,
            tokens=100 * step,
            tokens_per_s=1000.0,
            step_ms=100.0,
            time=now(),
        )
        for step in range(first, first + steps)
    ]


def add(
    records: Records, name: str, status: lifecycle.Status, *, steps: int = 60, floor: float = 1.0, **config: object
) -> str:
    """A run with a curve and a check at its end."""
    run_id = records.add("starting", "running", name=name)
    check = EvaluationEvent(step=steps, epoch=1, loss=floor + 0.25, perplexity=3.0, best=True)
    events = [StatusEvent(phase="training", total_steps=steps), *curve(steps, floor), check]
    for seq, event in enumerate(events, 1):
        event.seq, event.time = seq, now()
    records.append(run_id, *events)
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    settings = RunConfig(name=name, max_length=256, **{"learning_rate": 1e-3} | config)
    with records.database.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET config = ? WHERE id = ?", (settings.model_dump_json(), run_id))
        if status != "running":
            lifecycle.transition(connection, run_id, status)
    return run_id


@pytest.fixture
def board(records: Records, start_server) -> tuple[Server, dict[str, str]]:
    """A server with four ended runs, by name."""
    ids = {
        "ant": add(records, "ant", "completed", floor=1.0, learning_rate=1e-3),
        "bee": add(records, "bee", "completed", floor=1.5, learning_rate=1e-2),
        "cat": add(records, "cat", "failed", floor=2.0),
        "dog": add(records, "dog", "stopped", floor=3.0),
    }
    with records.database.write() as connection:
        directory = records.directory(ids["bee"])
        about.change(connection, directory, ids["bee"], AboutChange(tags=["paper"], notes="the good one"))
    return start_server(data_dir=records.settings.data_dir), ids


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records(tmp_path / "data")
    yield records
    records.database.close()


def expect_names(page: Page, *wanted: str) -> None:
    expect(page.locator(".board-name a")).to_have_text(list(wanted))


def test_filters_stand_in_the_link_and_survive_a_reload(page: Page, board: tuple[Server, dict[str, str]]) -> None:
    server, _ = board
    page.goto(server.url)
    expect_names(page, "dog", "cat", "bee", "ant")
    page.get_by_label("Find runs").fill("good")
    expect_names(page, "bee")
    assert page.url.endswith("#/?q=good")
    page.reload()
    expect(page.get_by_label("Find runs")).to_have_value("good")
    expect_names(page, "bee")

    page.get_by_label("Status").select_option("Failed")
    expect(page.get_by_text("No run fits these filters.")).to_be_visible()
    page.get_by_role("button", name="Show all runs").click()
    page.get_by_label("Order").select_option("Lowest validation loss")
    expect_names(page, "ant", "bee", "cat", "dog")
    page.get_by_role("button", name="paper").click()
    expect_names(page, "bee")
    assert page.url.endswith("#/?tag=paper&sort=validation_loss")
    page.get_by_role("link", name="Trainboard").click()
    expect_names(page, "dog", "cat", "bee", "ant")


def test_what_others_do_is_seen_without_a_reload(page: Page, board: tuple[Server, dict[str, str]]) -> None:
    server, ids = board
    page.goto(f"{server.url}/#/?q=og")
    expect_names(page, "dog")
    expect(page.locator('.connection[data-state="live"]')).to_be_visible()
    server.client.patch(f"/api/runs/{ids['cat']}", json={"name": "frog", "tags": ["new"]})
    expect_names(page, "dog", "frog")
    expect(page.get_by_role("button", name="new 1")).to_be_visible()
    server.client.delete(f"/api/runs/{ids['dog']}")
    expect_names(page, "frog")


def test_a_run_is_described_and_all_pages_see_it(page: Page, board: tuple[Server, dict[str, str]]) -> None:
    server, ids = board
    page.goto(server.url)
    page.get_by_role("button", name="Edit cat").press("Enter")
    dialog = page.get_by_role("dialog", name="Edit run")
    dialog.get_by_label("Name").fill("tiger")
    dialog.get_by_label("Tags").fill("wild, wild,  for the paper ,")
    dialog.get_by_label("Notes").fill("two\nlines")
    dialog.get_by_label("Notes").press("Tab")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect_names(page, "dog", "tiger", "bee", "ant")
    expect(page.get_by_role("button", name="wild 1")).to_be_visible()
    run = server.run(ids["cat"])
    assert (run["name"], run["tags"], run["notes"]) == ("tiger", ["wild", "for the paper"], "two\nlines")

    page.get_by_role("button", name="Edit tiger").click()
    dialog.get_by_label("Tags").fill("x" * 41)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("must have at most 40 characters")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Edit tiger")).to_be_focused()


def test_runs_are_archived_brought_back_and_deleted_together(page: Page, board: tuple[Server, dict[str, str]]) -> None:
    server, ids = board
    page.goto(server.url)
    page.get_by_label("Select dog").check()
    page.get_by_label("Select cat").check()
    page.get_by_role("button", name="Archive", exact=True).click()
    expect_names(page, "bee", "ant")
    page.get_by_label("Archived", exact=True).check()
    expect_names(page, "dog", "cat")
    page.get_by_label("Select dog").check()
    page.get_by_role("button", name="Unarchive").click()
    expect_names(page, "cat")
    page.get_by_label("Archived", exact=True).uncheck()
    expect_names(page, "dog", "bee", "ant")

    page.get_by_label("Select all shown").check()
    expect(page.get_by_text("3 selected")).to_be_visible()
    page.get_by_label("Select ant").uncheck()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("group", name=re.compile("Delete 2 runs")).get_by_role("button", name="Delete").click()
    expect_names(page, "ant")
    assert {path.name for path in (server.data_dir / "runs").iterdir()} == {ids["ant"], ids["cat"]}


def test_two_runs_are_compared_from_the_board(page: Page, board: tuple[Server, dict[str, str]]) -> None:
    server, _ = board
    page.goto(server.url)
    page.get_by_label("Select ant").check()
    expect(page.get_by_role("button", name="Compare")).to_be_disabled()
    page.get_by_label("Select bee").check()
    page.get_by_role("link", name="Compare").click()
    said = page.get_by_role("region", name="In words")
    expect(said).to_contain_text("Only Learning rate differed: 0.001 ended 0.5 lower in best validation loss than 0.01")
    expect(said).to_contain_text("With one seed each, this may be chance.")
    outcomes = page.get_by_role("region", name="How they ended")
    expect(outcomes.get_by_role("row", name="ant")).to_contain_text("1.250lowest")
    differed = page.get_by_role("region", name="What differed")
    expect(differed.get_by_role("columnheader")).to_have_text(["Run", "Learning rate"])

    plot = page.get_by_role("img", name="Training loss of 2 runs")
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.mouse.move(box["x"] + box["width"] / 2 + 4, box["y"] + 100)
    expect(page.get_by_text(re.compile(r"^At step \d+$"))).to_be_visible()

    key = page.locator(".key", has_text="ant")
    key.press("Enter")
    expect(key).to_have_attribute("aria-pressed", "false")
    expect(key.locator(".number")).to_have_text("")
    page.get_by_label("Tokens", exact=True).check()
    page.mouse.move(box["x"] + box["width"] - 14, box["y"] + 100)
    expect(page.get_by_text(re.compile(r"^After 5\.\d+K tokens$"))).to_be_visible()
    page.get_by_label("Time", exact=True).check()
    page.get_by_label("Step", exact=True).check()
    page.get_by_label("Curve").select_option("Validation loss")
    page.get_by_label("Log scale").check()
    expect(page.get_by_role("img", name="Validation loss of 2 runs")).to_be_visible()
    assert page.url.endswith("&metric=validation_loss&log=1")


def test_a_comparison_without_its_runs_says_why(page: Page, board: tuple[Server, dict[str, str]]) -> None:
    server, ids = board
    page.goto(f"{server.url}/#/compare?runs={ids['ant']},20200101-000000-0000")
    expect(page.get_by_role("alert")).to_contain_text("There is no run 20200101-000000-0000.")


class Writer(threading.Thread):
    """Plays workers: adds steps to runs, many times a second, until it is told to end."""

    PAUSE_S = 0.03

    def __init__(self, server: Server, records: Records, run_ids: list[str], first: int, poke: str) -> None:
        super().__init__(daemon=True)
        self.server, self.records, self.run_ids, self.poke = server, records, run_ids, poke
        self.first, self.ended = first, threading.Event()

    def run(self) -> None:
        step = self.first
        while not self.ended.wait(self.PAUSE_S):
            with self.records.database.write() as connection:
                for run_id in self.run_ids:
                    (event,) = curve(1, 1.0, step)
                    event.seq = step + 10
                    connection.exec_driver_sql(
                        "INSERT INTO events (run_id, seq, type, step, data) VALUES (?, ?, 'step', ?, ?)",
                        (run_id, event.seq, step, event.model_dump_json()),
                    )
            # The server looks for new rows when it has written: any change will do.
            self.server.client.patch(f"/api/runs/{self.poke}", json={"notes": str(step)})
            step += 1


COUNT_STROKES = """
window.strokes = { still: 0, live: 0 };
const stroke = CanvasRenderingContext2D.prototype.stroke;
CanvasRenderingContext2D.prototype.stroke = function (...args) {
  strokes[this.canvas.className === "overlay-live" ? "live" : "still"] += 1;
  return stroke.apply(this, args);
};
"""

WATCH = """new Promise((done) => {
  const times = [];
  const before = { ...strokes };
  const look = (time) => {
    times.push(time);
    if (times.length < 240) return requestAnimationFrame(look);
    const gaps = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b);
    done({
      median: gaps[gaps.length >> 1],
      p95: gaps[Math.floor(gaps.length * 0.95)],
      still: strokes.still - before.still,
      live: strokes.live - before.live,
    });
  };
  requestAnimationFrame(look);
})"""


def test_fifty_runs_overlaid_draw_only_what_moves(page: Page, records: Records, start_server) -> None:
    """While three of fifty runs stream, the 47 others are not drawn again, but for the few times that the axes move."""
    ended = [add(records, f"run {number}", "completed", steps=500, floor=1 + number / 20) for number in range(47)]
    going = [add(records, f"live {number}", "stopped", steps=500, floor=1 + number / 3) for number in range(3)]
    poke = add(records, "other", "stopped", steps=1)
    server = start_server(data_dir=records.settings.data_dir)
    with records.database.write() as connection:  # now, as the server would close them if it began with them
        connection.exec_driver_sql("UPDATE runs SET status = 'running' WHERE name LIKE 'live%'")
    page.add_init_script(COUNT_STROKES)
    page.goto(f"{server.url}/#/compare?runs={','.join(ended + going)}")
    expect(page.locator(".key")).to_have_count(50)
    expect(page.locator('.connection[data-state="live"]')).to_be_visible()
    writer = Writer(server, records, going, 501, poke)
    writer.start()
    try:
        expect(page.locator(".key", has_text="live 0").locator(".number")).to_have_text("1")
        seen = page.evaluate(WATCH)
    finally:
        writer.ended.set()
        writer.join()
    print(seen)
    assert seen["live"] > 30, "three lines grew, and were drawn as they did"
    assert seen["still"] < seen["live"] / 2
    assert seen["median"] < 50, "milliseconds between frames, on a machine that does other things as well"
