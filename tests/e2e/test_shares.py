"""A run's page gives out links; whoever opens one reads the report or writes with the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import serious_problems
from tests.serving import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run_id(shared_server: Server) -> Iterator[str]:
    config = {"model_name": "tiny", "max_steps": 2, "max_length": 32, "sample_prompts": [], "name": "To be shared"}
    run_id = str(shared_server.create(**config)["id"])
    assert shared_server.end(run_id)["status"] == "completed"
    yield run_id
    for link in shared_server.client.get("/api/shares").json()["items"]:
        shared_server.client.delete(f"/api/shares/{link['id']}")


def test_a_model_is_shared_tried_and_taken_back(
    shared_server: Server, run_id: str, page: Page, browser: Browser, tmp_path: Path
) -> None:
    page.goto(f"{shared_server.url}/#/runs/{run_id}")
    card = page.locator("details", has=page.get_by_role("heading", name="Share by link"))
    card.locator("summary").click()
    card.get_by_role("button", name="Link to try the model").click()
    link = card.get_by_role("link", name="The model")
    expect(link).to_be_visible()
    address = shared_server.url + str(link.get_attribute("href"))

    guest = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    problems: list[str] = []
    guest.on("pageerror", lambda error: problems.append(str(error)))
    guest.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    guest.goto(address)
    expect(guest.get_by_role("heading", name="To be shared")).to_be_visible()
    guest.get_by_label("A beginning, which the model goes on with").fill("Once upon a time")
    guest.keyboard.press("Enter")
    expect(guest.locator(".turn.answer")).not_to_be_empty(timeout=60_000)  # the process that writes loads torch
    expect(guest.get_by_role("button", name="Write on")).to_be_visible(timeout=30_000)
    expect(guest.locator("#left")).not_to_have_text("20,000")
    assert problems == []
    assert serious_problems(guest) == []
    guest.screenshot(path=tmp_path / "shared.png")

    page.reload()
    card.locator("summary").click()
    expect(card).to_contain_text("of 20,000 tokens used")
    card.get_by_role("button", name="Take back").click()
    page.get_by_role("group", name="Take this link back?").get_by_role("button", name="Take back").click()
    expect(link).to_have_count(0)
    guest.get_by_role("button", name="Write on").click()
    expect(guest.get_by_role("status")).to_contain_text("This link was taken back.")
    guest.reload()
    expect(guest.get_by_role("alert")).to_contain_text("This link was taken back.")
    guest.context.close()


def test_a_report_is_shared(shared_server: Server, run_id: str, page: Page, browser: Browser) -> None:
    page.goto(f"{shared_server.url}/#/runs/{run_id}")
    card = page.locator("details", has=page.get_by_role("heading", name="Share by link"))
    card.locator("summary").click()
    card.get_by_label("Works for").select_option("1 day")
    card.get_by_role("button", name="Link to the report").click()
    link = card.get_by_role("link", name="The report")
    expect(link).to_be_visible()
    with page.expect_popup() as opened:
        link.click()
    expect(opened.value.get_by_role("heading", name="To be shared")).to_be_visible()
    opened.value.close()


def test_models_in_memory_are_seen_and_freed(shared_server: Server, run_id: str, page: Page) -> None:
    shared_server.generate(model=f"run:{run_id}", prompt="Once", max_new_tokens=1)
    page.goto(f"{shared_server.url}/#/playground?model=run:{run_id}")
    held = page.get_by_role("region", name="Models in memory")
    expect(held).to_contain_text("To be shared")
    expect(held).to_contain_text("MB on the CPU")
    held.get_by_role("button", name="Free memory").click()
    expect(held).to_have_count(0)
