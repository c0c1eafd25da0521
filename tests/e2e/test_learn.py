"""Learn in a browser: its pages and figures, explanations by pointer, keyboard and tap; the way to a run; the tour."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.backend.records import Records, story
from tests.serving import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a server with one run that has completed, and the run's id."""
    records = Records(tmp_path_factory.mktemp("learn") / "data")
    run = records.add("starting", "running", name="my run")
    records.append(run, *story(40))
    records.database.close()
    server = Server(records.settings.data_dir)
    server.end(run)
    yield server.url, run
    server.stop()


def test_a_concept_is_found_tried_and_opened_on_the_newest_run(page: Page, site: tuple[str, str]) -> None:
    url, run = site
    page.goto(url)
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Learn").click()
    page.get_by_role("link", name="Learning rate", exact=True).click()
    expect(page.locator("h1")).to_have_text("Learning rate")
    says = page.get_by_role("status")
    expect(says).to_contain_text("It reaches the bottom.")
    page.get_by_role("slider", name="Learning rate").fill("1.05")
    expect(says).to_contain_text("too high")
    expect(page.locator("math")).to_be_visible()

    page.get_by_role("link", name="See it in its charts").click()
    expect(page).to_have_url(re.compile(f"#/runs/{run}"))
    expect(page.locator('[data-figure="lr"]')).to_be_focused()
    expect(page.locator('[data-figure="lr"]')).to_be_in_viewport()


def test_a_number_explains_itself_to_pointer_and_keyboard_and_goes_with_escape(page: Page, site: tuple[str, str]) -> None:
    url, run = site
    page.goto(f"{url}/#/runs/{run}")
    explanation = page.get_by_role("tooltip")
    page.locator('[data-metric="loss"]').hover()
    expect(explanation).to_contain_text("nats per token")
    explanation.hover()  # WCAG 1.4.13: it may be pointed at
    page.wait_for_timeout(600)  # longer than it takes to go away
    expect(explanation).to_be_visible()
    page.keyboard.press("Escape")
    expect(explanation).not_to_be_visible()

    label = page.get_by_role("link", name="Learning rate", exact=True)
    label.focus()
    expect(explanation).to_contain_text("How far the weights move")
    expect(label).to_have_accessible_description(re.compile("How far the weights move"))
    page.keyboard.press("Escape")
    expect(explanation).not_to_be_visible()
    expect(label).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Learning rate")


def test_the_board_explains_its_numbers_and_they_still_open_the_run(page: Page, site: tuple[str, str]) -> None:
    url, run = site
    page.goto(url)
    number = page.locator(".board-numbers dd").nth(2)
    number.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("tokens per second")
    number.click()
    expect(page).to_have_url(re.compile(f"#/runs/{run}$"))
    expect(page.get_by_role("tooltip")).not_to_be_visible()


def test_on_a_phone_the_first_tap_explains_and_the_second_one_follows(browser: Browser, site: tuple[str, str]) -> None:
    url, run = site
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{url}/#/runs/{run}")
    label = page.get_by_role("link", name="Validation loss", exact=True)
    label.tap()
    expect(page.get_by_role("tooltip")).to_contain_text("never learns from")
    box = page.get_by_role("tooltip").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    label.tap()
    expect(page.locator("h1")).to_have_text("Validation")
    context.close()


def test_a_setting_leads_to_its_page_and_what_was_typed_stays(page: Page, site: tuple[str, str]) -> None:
    page.goto(f"{site[0]}/#/new")
    page.get_by_label("Epochs").fill("7")
    page.get_by_role("link", name="What is Epochs?").click()
    expect(page.locator("h1")).to_have_text("Epoch")
    page.go_back()
    expect(page.get_by_label("Epochs")).to_have_value("7")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_tour_is_walked_by_keyboard_and_not_shown_again(page: Page, site: tuple[str, str], width: int) -> None:
    url, run = site
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{url}/#/runs/{run}?tour=1")
    note = page.get_by_role("dialog")
    for place in range(1, 6):
        expect(note).to_contain_text(f"{place} of 5")
        expect(note).to_be_in_viewport(ratio=1)
        expect(note).to_be_focused()
        if place < 5:
            page.get_by_role("button", name="Next").focus()
            page.keyboard.press("Enter")
    page.get_by_role("button", name="Done").click()
    expect(note).not_to_be_visible()
    page.reload()
    expect(page.locator("h1")).to_be_visible()
    expect(note).not_to_be_visible()
    assert page.evaluate("JSON.parse(localStorage.learn).toured") is True

    page.goto(f"{url}/#/learn")
    page.get_by_role("link", name="Take the tour of a run").click()
    expect(note).to_contain_text("1 of 5")
    page.keyboard.press("Escape")
    expect(note).not_to_be_visible()


def test_a_lesson_asks_first_and_its_link_is_its_address(page: Page, site: tuple[str, str]) -> None:
    page.goto(f"{site[0]}/#/learn")
    page.get_by_role("link", name=re.compile("A learning rate that is too high")).click()
    expect(page).to_have_url(re.compile("#/learn/lessons/learning_rate_too_high$"))
    start = page.get_by_role("button", name="Watch it happen")
    expect(start).to_be_disabled()
    page.get_by_label("It learns worse, so its loss ends higher.").check()
    expect(start).to_be_enabled()
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_lesson_runs_and_is_read_beside_the_guess(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#/learn/lessons/learning_rate_too_high")
    page.get_by_label("It learns faster").check()
    page.get_by_role("button", name="Watch it happen").click()
    expect(page.get_by_role("heading", name="It came out differently.")).to_be_visible(timeout=600_000)
    expect(page.locator(".choice[data-true]")).to_contain_text("It learns worse")
    page.reload()
    expect(page.get_by_role("heading", name="It came out differently.")).to_be_visible(timeout=60_000)
    page.goto(f"{server.url}/#/learn")
    expect(page.get_by_role("link", name=re.compile("A learning rate that is too high"))).to_contain_text("done")
