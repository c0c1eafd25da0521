"""A page that is open while a run goes on from a checkpoint. The log is written by hand: nothing is a matter of luck."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.backend.records import Records, going_on, story
from tests.serving import Server
from worker.contract import LOCK_FILE, MessageEvent


@pytest.mark.browser
def test_what_is_made_again_leaves_the_page_as_the_worker_says_so(
    page: Page, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    records = Records(tmp_path / "data")
    run_id = records.add("starting", "running")
    lock = (records.directory(run_id) / LOCK_FILE).open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)  # as a living worker does
    first = story(20)[:-1]
    records.append(run_id, *first)
    server = start_server()
    page.goto(f"{server.url}/#/runs/{run_id}")
    steps = page.locator(".legend").first
    expect(steps).to_contain_text("Step20")
    expect(page.locator('[data-metric="best"]')).to_have_text("5.000")

    second = going_on(len(first) + 1, after=12, steps=15)
    second[1].batch_size, second[1].gradient_accumulation_steps = 2, 8
    records.append(run_id, *second[:2])
    expect(steps).to_contain_text("Step12")
    expect(page.get_by_text("went on from update 12", exact=True)).to_be_visible()
    expect(page.get_by_text("step 12 of 20")).to_be_visible()
    expect(page.locator('[data-metric="best"]')).to_have_text("6.000")
    expect(page.get_by_text("2 × 8 examples per update, for 4 × 4 did not fit the memory")).to_be_visible()

    warning = MessageEvent(seq=second[-1].seq + 1, time=second[-1].time, level="warning", text="The memory was full.")
    records.append(run_id, *second[2:], warning)
    expect(steps).to_contain_text("Step15")
    expect(page.get_by_text("The memory was full.")).to_be_visible()
    live = page.locator(".metrics").inner_text()
    page.reload()
    expect(steps).to_contain_text("Step15")
    expect(page.get_by_text("The memory was full.")).to_be_visible()
    assert page.locator(".metrics").inner_text() == live
    records.database.close()
    lock.close()
