"""Each page with axe-core, in both themes, on a phone and on a wide screen; and what can be done with a keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.backend.records import Records, story
from tests.browsing import serious_problems
from tests.serving import Server

pytestmark = pytest.mark.browser

PAGES = {
    "board": "#/",
    "run": "#/runs/{run}",
    "failed run": "#/runs/{failed}",
    "compare": "#/compare?runs={run},{failed}",
    "new run": "#/new",
    "playground": "#/playground",
    "evaluate": "#/evaluate",
    "datasets": "#/datasets",
    "dataset": "#/datasets/sample",
    "disk": "#/disk",
    "learn": "#/learn",
    "concept": "#/learn/gradient_clipping",
    "finding": "#/learn/small_batch",
    "lesson": "#/learn/lessons/overfitting",
    "tour": "#/runs/{run}?tour=1",
    "nowhere": "#/nowhere",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server with one run that completed and one that failed."""
    records = Records(tmp_path_factory.mktemp("site") / "data")
    ids = {name: records.add("starting", "running", name=name) for name in ("run", "failed")}
    records.append(ids["run"], *story(40))
    records.append(ids["failed"], *story(40)[:-1])
    records.database.close()
    server = Server(records.settings.data_dir)
    for run_id in ids.values():
        server.end(run_id)
    yield server, ids
    server.stop()


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(page: Page, site: tuple[Server, dict[str, str]], name: str) -> None:
    server, ids = site
    page.goto(f"{server.url}/{PAGES[name].format(**ids)}")
    expect(page.locator("h1").first).to_be_visible()
    page.evaluate("() => document.fonts.ready")
    assert serious_problems(page) == []


def test_a_run_is_started_watched_and_stopped_by_keyboard_alone(page: Page, server: Server) -> None:
    page.goto(server.url)
    focus(page, "Start the sample run")
    page.keyboard.press("Enter")
    expect(page.locator('[data-metric="loss"]')).to_have_text(re.compile(r"\d"), timeout=60_000)
    focus(page, "Stop")
    page.keyboard.press("Enter")
    focus(page, "Stop", within='[role="group"]')
    page.keyboard.press("Enter")
    expect(page.locator('[data-status="stopped"]')).to_be_visible(timeout=60_000)
    focus(page, "Try the model")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Playground")


def focus(page: Page, name: str, within: str = "body", most: int = 80) -> None:
    """Press Tab until the control of this name has the focus; it must be seen to have it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        here = page.evaluate(
            """within => {
              const element = document.activeElement;
              const style = getComputedStyle(element);
              const seen = style.outlineStyle !== "none" || style.boxShadow !== "none";
              return { name: element.closest(within) ? element.innerText.trim() : "", seen };
            }""",
            within,
        )
        if here["name"] == name:
            assert here["seen"], f"nothing shows that {name!r} has the focus"
            return
    raise AssertionError(f"{name!r} is not reached with Tab")
