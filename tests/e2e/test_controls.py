"""What people do with a run that is going on, and with a form that is wrong."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from backend.datasets.sample_corpus import sample_lines
from tests.serving import Server, workers

pytestmark = pytest.mark.browser

LONG_RUN = {"num_epochs": 100, "sample_prompts": []}


def open_training_run(page: Page, server: Server, **config: object) -> str:
    """A run's page, once its training has begun. Returns the run's id."""
    run_id = server.create(**LONG_RUN | config)["id"]
    page.goto(f"{server.url}/#/runs/{run_id}")
    expect(page.locator('[data-metric="loss"]')).to_have_text(re.compile(r"\d"), timeout=60_000)
    return run_id


def kill_worker(server: Server, run_id: str) -> None:
    next(process for process in workers(server.data_dir) if run_id in process.cmdline()[3]).kill()


def test_reload_in_the_middle_shows_the_whole_curve_and_stop_keeps_the_model(page: Page, server: Server) -> None:
    run_id = open_training_run(page, server)
    page.reload()
    expect(page.get_by_text(re.compile(r"^Live"))).to_be_visible()
    expect(page.locator('[data-metric="loss"]')).to_have_text(re.compile(r"\d"))

    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("group").get_by_role("button", name="Stop").click()

    expect(page.locator('[data-status="stopped"]')).to_be_visible(timeout=60_000)
    expect(page.get_by_role("link", name="Try the model")).to_be_visible()
    assert (server.data_dir / "runs" / run_id / "model" / "model.safetensors").exists()


def test_pause_resume_stop_resume_and_retry_give_one_curve(page: Page, server: Server) -> None:
    """What the page shows at the end, having seen it all live, is what it shows after a reload."""
    text = "\n".join(sample_lines(seed=3)[:200])  # few lines are soon read, and each of the three workers reads them
    dataset = server.client.post("/api/datasets", files={"file": ("few.txt", text)}).json()["id"]
    run_id = open_training_run(page, server, dataset=dataset, max_steps=80, save_steps=10, eval_steps=40)
    badge = page.locator(".badge")
    page.get_by_role("button", name="Pause").click()
    expect(badge).to_have_text("Paused", timeout=30_000)
    at = server.run(run_id)["step"]
    expect(page.get_by_text(f"step {at} of 80")).to_be_visible()

    page.get_by_role("button", name="Resume").click()
    expect(badge).to_have_text("Running", timeout=30_000)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("group").get_by_role("button", name="Stop").click()
    expect(badge).to_have_text("Stopped", timeout=60_000)
    at = server.run(run_id)["step"]

    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(f"went on from update {at}", exact=True)).to_be_visible(timeout=60_000)
    server.wait(run_id, lambda event: event["type"] == "step" and event["step"] > at + 12)
    kill_worker(server, run_id)
    expect(badge).to_have_text("Failed", timeout=10_000)

    page.get_by_role("button", name="Retry").click()
    expect(badge).to_have_text("Completed", timeout=60_000)
    expect(page.get_by_text("step 80 of 80")).to_be_visible()
    assert server.run(run_id)["resumed_step"] > at
    live = drawn(page)
    page.reload()
    assert drawn(page) == live


def drawn(page: Page) -> list[bytes]:
    """The curves of what is learned, and what the page says of them."""
    page.mouse.move(0, 0)  # what is under it tells more
    charts = [page.locator(f'[data-figure="{name}"] .chart') for name in ("loss", "lr")]
    for chart in charts:
        expect(chart.locator("canvas")).to_be_visible()
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return [chart.screenshot() for chart in charts] + [page.locator(".metrics").inner_text().encode()]


def test_killed_worker_is_shown_as_failed_with_its_reason(page: Page, server: Server) -> None:
    run_id = open_training_run(page, server)
    kill_worker(server, run_id)

    expect(page.locator('[data-status="failed"]')).to_be_visible(timeout=10_000)
    expect(page.get_by_text("killed by signal 9")).to_be_visible()
    expect(page.get_by_text("The last lines of its log")).to_be_visible()


def test_error_stands_at_its_field_even_in_a_folded_group(page: Page, shared_server: Server) -> None:
    runs_before = shared_server.client.get("/api/runs").json()["items"]
    page.goto(f"{shared_server.url}/#/new")
    page.get_by_text("Batch and memory").click()
    page.get_by_label("Batch size").fill("0")
    page.get_by_text("Batch and memory").click()
    page.get_by_role("button", name="Start training").click()

    field = page.get_by_label("Batch size")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field-wrong")).to_contain_text("at least 1; you gave 0")
    assert shared_server.client.get("/api/runs").json()["items"] == runs_before


def test_upload_that_cannot_be_used_says_why(page: Page, shared_server: Server) -> None:
    before = shared_server.client.get("/api/datasets").json()["items"]
    page.goto(f"{shared_server.url}/#/datasets")
    page.locator('input[type="file"]').set_input_files(
        {"name": "zip.txt", "mimeType": "text/plain", "buffer": b"PK\3\4\0\0"}
    )

    expect(page.get_by_role("alert")).to_contain_text("a zip archive, as .xlsx and .docx are too, not text")
    assert shared_server.client.get("/api/datasets").json()["items"] == before


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_fit_both_widths_in_both_themes(page: Page, shared_server: Server, width: int, theme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    for route in ("", "#/new", "#/datasets", "#/playground", "#/runs/20260101-000000-0000", "#/nowhere"):
        page.goto(f"{shared_server.url}/{route}")
        expect(page.get_by_role("heading").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, route


def test_a_question_left_open_never_turns_into_another(page: Page, server: Server) -> None:
    """The run ends by itself while "Stop here?" waits for an answer: Enter must not delete it."""
    run_id = server.create(max_steps=60, batch_size=1, sample_prompts=[])["id"]
    page.goto(f"{server.url}/#/runs/{run_id}")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator('[data-status="completed"]')).to_be_visible(timeout=60_000)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Delete")).to_be_visible()
    assert server.client.get(f"/api/runs/{run_id}").status_code == 200
