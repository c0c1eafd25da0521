"""The whole way a newcomer goes: start the sample run from the empty board, watch it, talk to the result."""

from __future__ import annotations

import re
import statistics
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import LISTEN_FOR_DRAWING
from tests.serving import Server


@pytest.mark.browser
@pytest.mark.parametrize("to_its_end", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_newcomer_starts_watches_and_prompts(
    page: Page, server: Server, capsys: pytest.CaptureFixture[str], to_its_end: bool
) -> None:
    page.add_init_script(LISTEN_FOR_DRAWING)
    page.goto(server.url)
    began = time.monotonic()
    page.get_by_role("button", name="Start the sample run").click()
    expect(page).to_have_url(re.compile(r"#/runs/\d{8}-\d{6}-[0-9a-f]{4}$"))

    expect(page.locator('[data-metric="loss"]')).to_have_text(re.compile(r"\d"), timeout=60_000)
    curve = page.locator(".chart canvas").first
    early = curve.screenshot()
    expect(page.get_by_text(re.compile("epoch 0.[5-9]"))).to_be_visible(timeout=120_000)
    assert curve.screenshot() != early, "the curve did not move"

    if not to_its_end:
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_role("group").get_by_role("button", name="Stop").click()
    badge = page.locator(f'[data-status="{"completed" if to_its_end else "stopped"}"]')
    expect(badge).to_be_visible(timeout=240_000)
    seconds = time.monotonic() - began
    lags = page.evaluate("window.lags")
    p95 = statistics.quantiles(lags, n=20)[-1]
    with capsys.disabled():
        print(f"\nsample run {seconds:.0f} s; append to chart p50 {statistics.median(lags):.0f} ms, p95 {p95:.0f} ms")
    assert len(lags) > (100 if to_its_end else 50)
    assert p95 < 250

    page.get_by_role("link", name="Try the model").click()
    page.get_by_role("textbox", name="Prompt").fill("Once upon a time")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text(re.compile(r"tokens, [\d.,]+ per second"))).to_be_visible(timeout=60_000)
    words = page.locator("[data-generated]").inner_text().split()
    assert len(words) > 5
