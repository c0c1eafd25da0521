"""A run's page exports its model, shows how far that is and what became of it elsewhere, and deletes it again."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.serving import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run_id(shared_server: Server) -> str:
    config = {"model_name": "tiny", "max_steps": 2, "max_length": 32, "sample_prompts": []}
    run_id = str(shared_server.create(**config)["id"])
    assert shared_server.end(run_id)["status"] == "completed"
    return run_id


def test_a_model_is_exported_and_proven(shared_server: Server, run_id: str, page: Page, tmp_path: Path) -> None:
    page.goto(f"{shared_server.url}/#/runs/{run_id}")
    card = page.locator(".exports")
    card.get_by_role("radio", name="Safetensors").check()
    card.get_by_label("Number format").select_option("bf16")
    card.get_by_role("button", name="Export").click()
    expect(card.get_by_role("progressbar")).to_be_visible()
    card.get_by_role("button", name="Stop").click()
    expect(card.get_by_role("progressbar")).to_have_count(0)
    expect(card.get_by_role("listitem")).to_have_count(0)

    card.get_by_role("radio", name="GGUF").check()
    card.get_by_label("Number format").select_option("fp16")
    card.get_by_role("button", name="Export").focus()
    page.keyboard.press("Enter")
    expect(card.get_by_text("It answers as your model does.")).to_be_visible(timeout=120_000)
    expect(card.get_by_text("nats per token (KL divergence)")).to_be_visible()
    with page.expect_download() as download:
        card.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "tiny-on-sample-model-gguf-fp16.zip"
    assert Path(download.value.path()).stat().st_size > 100_000
    page.reload()
    expect(card.get_by_text("It answers as your model does.")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_it_reads_well_everywhere(
    shared_server: Server, run_id: str, browser: Browser, width: int, scheme: str, tmp_path: Path
) -> None:
    client = shared_server.client
    client.post(f"/api/runs/{run_id}/exports", json={"format": "gguf", "number_format": "fp16"})
    context = browser.new_context(viewport={"width": width, "height": 1600}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{shared_server.url}/#/runs/{run_id}")
    card = page.locator(".exports")
    expect(card.get_by_role("heading", level=3).first).to_be_visible()
    card.screenshot(path=tmp_path / f"exports-{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page, context=".exports")
    assert found.violations_count == 0, found.generate_report()
    context.close()
    for export in client.get(f"/api/runs/{run_id}/exports").json()["items"]:
        client.delete(f"/api/runs/{run_id}/exports/{export['name']}")
