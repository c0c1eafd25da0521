"""One training step of a run, walked through from the first token to the loss after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import serious_problems
from tests.serving import Server

pytestmark = pytest.mark.browser

SLOW = 120_000
ANIMALS = ("fox", "owl", "cat", "dog", "hen", "cow", "pig", "bee", "ant", "elk")


@pytest.fixture(scope="module")
def run(shared_server: Server) -> Iterator[dict[str, Any]]:
    """One that completed, with checkpoints on the way."""
    lines = "".join(f"The {how} {animal} went home.\n" for animal in ANIMALS for how in ("little", "old", "young"))
    dataset = shared_server.client.post("/api/datasets", files={"file": ("walked.txt", lines)}).json()["id"]
    settings: dict[str, Any] = {"max_steps": 4, "batch_size": 2, "validation_split": 0.3, "sample_prompts": []}
    made = shared_server.create(dataset=dataset, name="Walked", save_steps=2, keep_checkpoints=5, **settings)
    ended = shared_server.end(made["id"])
    assert ended["status"] == "completed"
    yield ended
    for path in (f"/api/runs/{made['id']}", f"/api/datasets/{dataset}"):
        shared_server.client.delete(path)


def test_four_stages_are_walked(page: Page, shared_server: Server, run: dict[str, Any]) -> None:
    page.goto(f"{shared_server.url}/#/runs/{run['id']}")
    inside = page.get_by_role("link", name=re.compile("checkpoint of step 2 under the microscope"))
    expect(inside).to_have_attribute("href", f"#/runs/{run['id']}/microscope?checkpoint=step-000002")
    page.locator(".run-head").get_by_role("link", name="Microscope").click()
    stage = page.locator(".stage")

    expect(stage.get_by_role("heading", level=2)).to_have_text("Forward", timeout=SLOW)
    expect(page.get_by_text("Checkpoint: After update 4")).to_be_visible()
    tokens = page.get_by_role("listbox", name="The tokens of the row")
    shown = "".join(tokens.locator(".token").all_text_contents())
    assert shown.replace("·", " ").startswith("The little fox went home.")
    tokens.focus()
    page.keyboard.press("Home")
    expect(stage.get_by_text("The first token is given")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(stage.get_by_text(re.compile(r"the model gave it .*%, number [\d,]+ of its guesses"))).to_be_visible()
    expect(stage.locator("tr[data-target]")).to_have_count(1)
    expect(stage.get_by_role("heading", level=2)).to_have_text("Forward")  # the arrow moved within the tokens
    square = page.get_by_role("application", name="Attention of layer 0, head 0.")
    square.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    expect(stage.locator(".attention-readout")).to_contain_text(re.compile(r"looks at.*with weight [01]\.\d{3}"))
    assert serious_problems(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})

    page.get_by_role("button", name="Next").click()
    expect(stage.get_by_role("heading", level=2)).to_have_text("Loss")
    expect(stage.get_by_role("link", name="More about the loss")).to_have_attribute("href", "#/learn/loss")
    expect(stage.locator(".stage-figure")).to_contain_text(re.compile(r"\d\.\d{4} nats, the mean over \d+ learned tokens"))
    expect(stage.locator(".token-detail")).to_contain_text(re.compile(r"[\d.]+ nats = −ln"))
    assert serious_problems(page) == []

    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    expect(stage.get_by_role("heading", level=2)).to_have_text("Backward")
    expect(stage.locator(".stage-figure")).to_contain_text("All together the gradient has length")
    names = stage.locator(".part-bars tbody th").all_text_contents()
    assert names[0] == "embeddings"
    assert "block 0" in names
    assert serious_problems(page) == []

    page.keyboard.press("ArrowRight")
    expect(stage.get_by_role("heading", level=2)).to_have_text("Update")
    expect(stage.locator(".stage-figure")).to_contain_text("The loss on this row")
    expect(stage.get_by_text(re.compile(r"Made by AdamW with what it remembered at this checkpoint"))).to_be_visible()
    assert serious_problems(page) == []
    page.keyboard.press("ArrowRight")
    expect(stage.get_by_role("heading", level=2)).to_have_text("Update")
    page.get_by_role("button", name="Back", exact=True).click()
    expect(stage.get_by_role("heading", level=2)).to_have_text("Backward")


def test_the_link_holds_what_was_chosen(page: Page, shared_server: Server, run: dict[str, Any]) -> None:
    page.goto(f"{shared_server.url}/#/runs/{run['id']}/microscope?checkpoint=start&row=2&layer=1&head=1&stage=loss")
    figure = page.locator(".stage-figure strong")
    expect(figure).to_have_text(re.compile(r"\d\.\d{4}"), timeout=SLOW)
    expect(page.get_by_text("Checkpoint: Before the first update")).to_be_visible()
    expect(page.get_by_role("textbox", name="Row")).to_have_value("2")
    untrained = float(figure.inner_text())
    page.get_by_label("Checkpoint", exact=True).focus()
    page.keyboard.press("End")
    expect(page.get_by_text("Checkpoint: Finished model, after update 4")).to_be_visible()
    expect(figure).not_to_have_text(f"{untrained:.4f}", timeout=SLOW)
    assert float(figure.inner_text()) < untrained
    assert "checkpoint=final" in page.url
    assert "layer=1&head=1&stage=loss" in page.url

    page.get_by_label("A text of your own").check()
    page.get_by_role("textbox", name="Text").fill("The old owl.")
    page.get_by_role("button", name="Look at this text").click()
    box = page.get_by_role("listbox", name="The row, by the loss of each token")
    expect(box).to_contain_text("The old owl.", timeout=SLOW)
    assert "text=The+old+owl." in page.url
    page.get_by_label("A row of the dataset").check()
    page.get_by_role("textbox", name="Row").fill("999")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no row 999", timeout=SLOW)
