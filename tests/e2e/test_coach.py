"""The coach on the page: what it finds, why, where in the chart; a fork with the fix, and the family it makes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.coach.finding import Finding
from backend.runs import lifecycle
from backend.runs.judging import health
from backend.runs.tailer import Tailer
from tests.backend.records import Records, story
from tests.browsing import serious_problems
from tests.serving import Server

pytestmark = pytest.mark.browser

TEXT = (
    "".join(f"The little {animal} went home.\n" for animal in ("fox", "owl", "cat", "dog", "hen", "cow", "pig", "bee")) * 5
)
SMALL: dict[str, Any] = {
    "model_name": "tiny", "max_steps": 8, "save_steps": 4, "eval_steps": 4, "batch_size": 2, "learning_rate": 1e-2,
    "gradient_accumulation_steps": 1, "max_length": 16, "sample_prompts": [], "keep_checkpoints": 9,
}  # fmt: skip
RISING = Finding(
    rule="rising", level="warning", step=8, from_step=5,
    evidence={"loss at step 4 (nats)": 2.512, "loss at step 8 (nats)": 3.75, "updates": 4},
    text="The loss rose from 2.51 to 3.75: the updates do more harm than good.", advice="Lower the rate to a tenth.",
    fix={"learning_rate": 1e-3},
)  # fmt: skip
LEARNING = Finding(
    rule="learning", level="good", step=40, from_step=1, evidence={}, text="The loss fell from 6.90 to 3.00.",
    advice="Keep going.",
)  # fmt: skip


class Site:
    """A server with a real run of which the coach is said to have found something, and a healthy one."""

    def __init__(self, data_dir: Path) -> None:
        self.records = Records(data_dir)
        self.healthy = self.records.add("starting", "running", name="Healthy hen")
        self.records.append(self.healthy, *story(40))
        Tailer(self.records.database, self.records.settings.runs_dir).ingest(self.healthy)
        with self.records.database.write() as connection:
            lifecycle.transition(connection, self.healthy, "completed")
        self.server = Server(data_dir)
        dataset = self.server.client.post("/api/datasets", files={"file": ("short.txt", TEXT)}).json()["id"]
        self.ill = self.server.create(name="Grey fox", dataset=dataset, **SMALL)["id"]
        assert self.server.end(self.ill)["status"] == "completed"
        for run_id, found in ((self.healthy, [LEARNING]), (self.ill, [LEARNING, RISING])):
            self.find(run_id, found)

    def find(self, run_id: str, found: list[Finding]) -> None:
        with self.records.database.write() as connection:
            news = health.changes(connection, run_id, found, 8, ended=True)
            health.note(connection, run_id, news, found)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("coach") / "data")
    yield site
    site.records.database.close()
    site.server.stop()
    site.server.kill_workers()


def test_the_board_names_the_worst_and_leaves_the_healthy_alone(page: Page, site: Site) -> None:
    page.goto(f"{site.server.url}/#/")
    row = page.locator(".board-row", has_text="Grey fox")
    expect(row.locator(".finding-badge")).to_have_text(re.compile("Warning: Loss is rising"))
    expect(page.locator(".board-row", has_text="Healthy hen").locator(".finding-badge")).to_have_count(0)


def test_a_healthy_run_is_told_so_in_one_quiet_line(page: Page, site: Site) -> None:
    page.goto(f"{site.server.url}/#/runs/{site.healthy}")
    line = page.locator(".coach-quiet")
    expect(line).to_contain_text("The loss fell from 6.90 to 3.00.")
    expect(line.get_by_role("link")).to_have_attribute("href", "#/learn/learning")
    expect(page.get_by_role("region", name="Coach")).to_have_count(0)


def test_a_finding_shows_its_evidence_and_its_place_and_is_forked_away(page: Page, site: Site) -> None:
    page.goto(f"{site.server.url}/#/runs/{site.ill}")
    coach = page.get_by_role("region", name="Coach")
    expect(coach.get_by_role("listitem")).to_have_count(1)
    expect(coach).to_contain_text("The loss rose from 2.51 to 3.75")
    expect(coach.get_by_role("link", name="Learn about: Loss is rising")).to_have_attribute("href", "#/learn/rising")
    coach.get_by_text("Evidence").click()
    expect(coach.get_by_role("row", name="loss at step 8 (nats) 3.75")).to_be_visible()
    assert serious_problems(page) == []

    page.set_viewport_size({"width": 1440, "height": 900})
    coach.get_by_role("button", name="Show in the chart").click()
    loss = page.locator('[data-figure="loss"]')
    expect(loss.locator(".chart-band")).to_be_visible()
    expect(page.get_by_text("Shaded: Loss is rising, steps 5 to 8")).to_be_visible()
    expect(loss.locator('.chart-mark[data-kind="finding"]')).to_have_attribute("data-title", "Loss is rising, steps 5 to 8")
    page.get_by_role("button", name="Take the shading away").click()
    expect(loss.locator(".chart-band")).to_be_hidden()

    coach.get_by_role("button", name="Fork with the fix").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Learning rate")).to_have_value("0.001")
    expect(dialog.get_by_role("combobox", name="Go on from")).to_have_value("4")
    expect(dialog.locator(".fork-carried")).to_contain_text("Goes on exactly from step 4")
    assert serious_problems(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})
    dialog.get_by_role("combobox", name="Change another setting").select_option("batch_size")
    dialog.get_by_label("Batch size").fill("4")
    expect(dialog.locator(".fork-carried")).to_contain_text(
        "Begins anew from the weights of step 4: Batch size leaves no more"
    )
    dialog.get_by_label("Batch size").fill("none")
    expect(dialog.locator(".field-error")).to_contain_text("Batch size")
    expect(dialog.get_by_role("button", name="Start the fork")).to_be_disabled()
    dialog.get_by_label("Batch size").fill("2")
    expect(dialog.locator(".fork-carried")).to_contain_text("Goes on exactly")
    dialog.get_by_role("button", name="Start the fork").click()

    expect(page.get_by_text("Forked from Grey fox at step 4: learning rate 0.01 → 0.001.")).to_be_visible()
    fork = page.url.rpartition("/")[2].partition("?")[0]
    ended = site.server.end(fork)
    assert (ended["status"], ended["origin"]["state"]) == ("completed", "exact")
    events = (site.server.data_dir / "runs" / fork / "events.jsonl").read_text().splitlines()
    assert [event["step"] for event in map(json.loads, events) if event["type"] == "step"] == [5, 6, 7, 8]
    family = page.get_by_role("region", name="Family")
    expect(family.get_by_role("link", name="Grey fox", exact=True)).to_be_visible()
    assert serious_problems(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("link", name="Compare the two").click()
    expect(page.get_by_role("heading", name="Compare 2 runs")).to_be_visible()


def test_one_goes_on_from_a_point_of_the_chart(page: Page, site: Site) -> None:
    page.goto(f"{site.server.url}/#/runs/{site.ill}")
    chart = page.locator('[data-figure="loss"] .chart')
    chart.focus()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".chart-note")).to_contain_text(re.compile("Step [5-7]"))
    page.get_by_role("button", name="Go on from here with").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("combobox", name="Go on from")).to_have_value("4")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Take the pin away").click()
    expect(page.get_by_role("button", name="Go on from here with")).to_have_count(0)
    chart.locator(".u-over").click(position={"x": 300, "y": 50})
    expect(page.get_by_role("button", name="Go on from here with")).to_be_visible()
    page.get_by_role("button", name="Take the pin away").click()
    over = chart.locator(".u-over").bounding_box()
    assert over
    page.mouse.move(over["x"] + 100, over["y"] + 50)
    page.mouse.down()
    page.mouse.move(over["x"] + 400, over["y"] + 50, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Reset zoom")).to_be_enabled()
    expect(page.get_by_role("button", name="Go on from here with")).to_have_count(0)


def test_what_is_found_while_the_page_is_open_appears(page: Page, site: Site) -> None:
    """On the board, as the stream of a run that has ended is over. The server reads on when it has written itself."""
    page.goto(f"{site.server.url}/#/")
    row = page.locator(".board-row", has_text="Healthy hen")
    expect(row).to_be_visible()
    site.find(site.healthy, [LEARNING, RISING.model_copy(update={"level": "error"})])
    site.server.client.patch(f"/api/runs/{site.healthy}", json={"notes": "so that the server looks"})
    expect(row.locator(".finding-badge")).to_have_text(re.compile("Error: Loss is rising"))
    site.find(site.healthy, [LEARNING])
    site.server.client.patch(f"/api/runs/{site.healthy}", json={"notes": ""})
    expect(row.locator(".finding-badge")).to_have_count(0)
