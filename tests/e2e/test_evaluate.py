"""A model is evaluated from its run's page: on a text, on datasets, and by somebody who reads its answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browsing import serious_problems
from tests.serving import Server

pytestmark = pytest.mark.browser

STORY = "The little fox went home.\nThe old owl saw a 🐢."


@pytest.fixture(scope="module")
def run(shared_server: Server) -> Iterator[dict[str, Any]]:
    """One that completed, with a checkpoint on the way."""
    animals = ("fox", "owl", "cat", "dog", "hen", "cow", "pig", "bee", "ant", "elk")
    lines = "".join(f"The {how} {animal} went home.\n" for animal in animals for how in ("little", "old", "young"))
    dataset = shared_server.client.post("/api/datasets", files={"file": ("animals.txt", lines)}).json()["id"]
    settings: dict[str, Any] = {"max_steps": 4, "batch_size": 2, "validation_split": 0.3, "sample_prompts": []}
    made = shared_server.create(dataset=dataset, name="Read", save_steps=2, keep_checkpoints=5, **settings)
    ended = shared_server.end(made["id"])
    assert ended["status"] == "completed"
    yield ended
    for path in (f"/api/runs/{made['id']}", f"/api/datasets/{dataset}"):
        shared_server.client.delete(path)


def models_of(run: dict[str, Any]) -> str:
    return f"run:{run['id']},run:{run['id']}@step-000002"


def test_a_text_is_shown_as_two_models_find_it(page: Page, shared_server: Server, run: dict[str, Any]) -> None:
    page.goto(f"{shared_server.url}/#/evaluate?models={models_of(run)}")
    page.get_by_role("textbox", name="Text").fill(STORY)
    page.get_by_role("button", name="Score the text").click()
    expect(
        page.get_by_text(re.compile(r"^Read(, step-000002)? finds the text likelier: [\d.]+ bits per byte"))
    ).to_be_visible(timeout=60_000)
    heat = page.get_by_role("listbox", name="The text as Read finds it")
    assert "".join(heat.locator(".token").all_text_contents()).replace("⏎", "\n") == STORY
    heat.focus()
    expect(detail(page)).to_contain_text("not scored")
    page.keyboard.press("ArrowRight")
    expect(detail(page)).to_contain_text(re.compile(r"[\d.]+ nats.*chance .*%.*Likeliest here:"))
    page.keyboard.press("End")
    expect(heat.locator('[aria-selected="true"]')).to_have_text(".")
    heat.locator(".token", has_text="🐢").click()
    expect(detail(page)).to_contain_text("tokens make it up")
    levels = {int(level) for level in heat.locator(".token").evaluate_all("all => all.map(each => each.dataset.heat ?? 0)")}
    assert len(levels) > 1, "one colour for all says nothing"

    page.get_by_label("Difference", exact=True).check()
    both = page.get_by_role("listbox", name="The text: where Read and Read, step-000002 differ")
    both.focus()
    page.keyboard.press("ArrowRight")
    expect(detail(page)).to_contain_text(re.compile(r"Read: [\d.]+ nats.*Read, step-000002: [\d.]+ nats"))
    assert serious_problems(page) == []


def detail(page: Page) -> Locator:
    return page.locator(".token-detail")


def test_a_runs_page_leads_to_its_evaluation(page: Page, shared_server: Server, run: dict[str, Any]) -> None:
    page.goto(f"{shared_server.url}/#/runs/{run['id']}")
    page.locator(".run-head").get_by_role("link", name="Evaluate", exact=True).click()
    expect(page.get_by_role("button", name="Take out Validation split of Read")).to_be_visible()
    page.get_by_label("Add a model…").select_option(f"run:{run['id']}@step-000002")
    page.get_by_label("Rows of each dataset, at most").fill("none")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("must be a whole number")
    page.get_by_label("Rows of each dataset, at most").fill("")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    newest = page.locator("[data-evaluation]").first
    expect(newest.get_by_role("progressbar", name="Progress of the evaluation")).to_be_visible(timeout=30_000)
    # Other tests' evaluations stand on the page too, as the server is shared.
    card = page.locator(f'[data-evaluation="{newest.get_attribute("data-evaluation")}"]')
    page.reload()  # nobody needs to watch it
    expect(card.get_by_text("Done", exact=True)).to_be_visible(timeout=60_000)
    card.get_by_label("Loss").check()
    best = card.locator("td", has_text="best")
    expect(best).to_have_count(1)
    expect(best).to_contain_text(f"{run['validation_loss']:.3f}")
    assert serious_problems(page) == []
    card.get_by_role("button", name="Delete").click()
    card.get_by_role("group").get_by_role("button", name="Delete").click()
    expect(card).to_have_count(0)


def test_answers_are_rated_without_knowing_who_wrote_them(page: Page, shared_server: Server, run: dict[str, Any]) -> None:
    before = shared_server.client.get("/api/votes").json()["total"]
    page.goto(f"{shared_server.url}/#/evaluate?part=prompts&models={models_of(run)}")
    page.get_by_role("textbox", name="Prompts, one per line").fill("The little fox\n\nThe old owl went")
    page.get_by_role("textbox", name="Tokens of each answer").fill("30")
    page.get_by_role("button", name="Write the answers").click()
    expect(page.get_by_text("2 of 2 prompts answered, 0 rated")).to_be_visible(timeout=60_000)
    row = page.locator(".grid-row").first
    expect(row.get_by_role("heading", level=3)).to_have_text(["Answer A", "Answer B"])
    assert serious_problems(page) == []
    written = row.locator(".grid-text").all_inner_texts()
    row.get_by_role("button", name="Answer B").click()
    expect(row.get_by_role("heading", level=3, name="best")).to_have_count(1)
    assert {name.removesuffix(" best") for name in row.get_by_role("heading", level=3).all_inner_texts()} == {
        "Read",
        "Read, step-000002",
    }
    expect(page.get_by_text("was best")).to_have_count(0)  # it would tell who wrote the others
    page.locator(".grid-row").last.get_by_role("button", name="None good").click()
    expect(page.get_by_text(re.compile(r"was best 1 of 2 times"))).to_be_visible()
    votes = shared_server.client.get("/api/votes").json()
    assert votes["total"] == before + 2
    last, first = votes["items"][:2]
    assert (first["blind"], first["verdict"], first["prompt"]) == (True, "better", "The little fox")
    assert [first[side]["text"].lstrip() for side in ("rejected", "chosen")] == written
    assert last["verdict"] == "both_bad"
    for vote in (first, last):
        shared_server.client.delete(f"/api/votes/{vote['id']}")
