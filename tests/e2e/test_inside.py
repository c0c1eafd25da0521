"""What happened inside a run, as the page shows it, and a run without the rows that stood out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.backend.records import Records, story
from tests.browsing import serious_problems
from tests.serving import Server
from worker.contract import LayersEvent, RowLoss, RowsEvent, TimingEvent, now

pytestmark = pytest.mark.browser

PARTS = ["embeddings", *(f"block {number}" for number in range(4)), "norm", "head"]
STEPS = 120


def inside() -> list[Any]:
    """The events of a run that tells of its inside too, numbered: its batch is too large, and its data come slowly."""
    events = story(STEPS)
    end = events.pop()
    for step in range(1, STEPS + 1):
        norms = [0.02 * 3**place * (1 + math.sin(step / 9 + place) / 2) for place in range(len(PARTS))]
        events.append(
            LayersEvent(
                step=step, parts=PARTS, grad_norm=norms, update_ratio=[norm / 100 for norm in norms[::-1]],
                gradient_signal=1 + math.sin(step) / 9, gradient_noise=2 + math.cos(step) / 9,
            )
        )  # fmt: skip
    seconds = {"forward": 10.0, "backward": 21.0, "optimizer": 3.0, "data": 16.0, "evaluation": 4.0, "saving": 0.5}
    events.append(TimingEvent(step=STEPS, preparing=6.0, **seconds))
    texts = ["~^%$#@!*{}[]|0123456789", *(f"Once upon a time there was fox number {number}." for number in range(40))]
    odd = [RowLoss(row=4711 - place, loss=9.5 - place / 9, tokens=24, text=text) for place, text in enumerate(texts)]
    events.append(RowsEvent(step=77, cause="spike", rows=odd[:12]))
    events.append(RowsEvent(step=STEPS, cause="training", rows=odd))
    events.append(RowsEvent(step=STEPS, cause="evaluation", rows=odd[5:9]))
    for seq, event in enumerate([*events, end], 1):
        event.seq, event.time = seq, now()
    return [*events, end]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server with one such run, and the run's id."""
    records = Records(tmp_path_factory.mktemp("inside") / "data")
    run_id = records.add("starting", "running", name="inside")
    records.append(run_id, *inside())
    records.database.close()
    server = Server(records.settings.data_dir)
    server.end(run_id)
    yield server, run_id
    server.stop()
    server.kill_workers()


def test_the_server_tells_of_layers_time_and_rows(site: tuple[Server, str]) -> None:
    server, run_id = site
    layers = server.client.get(f"/api/runs/{run_id}/layers?px=40").json()
    assert layers["parts"] == PARTS
    assert len(layers["x"]) <= 40
    assert len(layers["grad_norm"]) == len(layers["update_ratio"]) == len(PARTS)
    assert layers["noise_scale"]["verdict"].startswith("Your batch is about 8 times larger than it needs to be")
    timing = server.client.get(f"/api/runs/{run_id}/timing").json()
    assert sum(share["share"] for share in timing["shares"]) == pytest.approx(1)
    assert timing["verdict"].startswith("Waiting for data takes 29% of the time")
    rows = server.client.get(f"/api/runs/{run_id}/rows").json()["items"]
    assert [(each["step"], each["cause"]) for each in rows] == [(77, "spike"), (STEPS, "training"), (STEPS, "evaluation")]
    assert server.client.get(f"/api/runs/{run_id}/series?keys=layers/grad_norm/block 0").json()["points"] == STEPS
    for path in ("layers", "timing", "rows"):
        assert server.client.get(f"/api/runs/20200101-000000-0000/{path}").status_code == 404


def test_the_run_page_shows_them_to_eyes_keyboard_and_readers(page: Page, site: tuple[Server, str]) -> None:
    server, run_id = site
    page.goto(f"{server.url}/#/runs/{run_id}")
    section = page.get_by_role("region", name="Inside")
    expect(section.get_by_text("Waiting for data takes 29% of the time")).to_be_visible()
    expect(section.locator("dt", has_text="Backward")).to_be_visible()
    expect(section.get_by_text("Your batch is about 8 times larger than it needs to be")).to_be_visible()
    picture = section.get_by_role("img", name=re.compile("Gradient norm of each layer"))
    picture.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    said = section.locator(".layers-said")
    expect(said).to_have_text(re.compile(r"^norm, step 1: [\d.]+"))
    before = picture.screenshot()
    section.get_by_role("radio", name="Update ratio").check()
    expect(section.get_by_text("About 0.001 is usual")).to_be_visible()
    section.get_by_text("As a table").click()
    expect(section.get_by_role("rowheader", name="block 3")).to_be_visible()
    assert section.get_by_role("img", name=re.compile("Update ratio")).screenshot() != before
    first = section.get_by_role("region", name="Rows around step 77").get_by_role("row").nth(1)
    expect(first).to_contain_text("4,711")
    expect(first).to_contain_text("~^%$#")
    assert serious_problems(page) == []


def test_a_run_starts_again_without_the_rows_that_are_chosen(page: Page, site: tuple[Server, str]) -> None:
    server, run_id = site
    page.goto(f"{server.url}/#/runs/{run_id}")
    page.get_by_role("link", name="The rows that this model finds hardest").click()
    section = page.get_by_role("region", name="Hardest rows").first
    expect(section.get_by_role("row")).to_have_count(42)
    assert serious_problems(page) == []
    section.get_by_role("checkbox", name="Leave out row 4711").check()
    section.get_by_role("checkbox", name="Leave out row 4709").check()
    section.get_by_role("button", name="Start again without these 2 rows").click()
    expect(page).to_have_url(re.compile(r"#/runs/\d{8}-\d{6}-[0-9a-f]{4}$"))
    made = page.url.rpartition("/")[2]
    assert made != run_id
    assert server.client.get(f"/api/runs/{made}").json()["config"]["exclude_rows"] == [4709, 4711]
