"""How soon a server is up, and how long the sample run lasts."""

from __future__ import annotations

import re
import time
from pathlib import Path

import psutil
from playwright.sync_api import Browser, expect

from tests.serving import Server

Rows = list[tuple[str, str]]
"""What was measured, and the figure."""


def starts(folder: Path) -> Rows:
    rows = []
    for name in ("server up, new data directory", "server up, existing data directory"):
        began = time.perf_counter()
        server = Server(folder / "data")
        rows.append((name, f"{time.perf_counter() - began:.1f} s"))
        server.stop()
    return rows


def sample_run(folder: Path, browser: Browser) -> Rows:
    """From the click on the page's button to the word Completed, the browser watching all along."""
    server = Server(folder / "data", {"OMP_NUM_THREADS": str(psutil.cpu_count(logical=True))})
    page = browser.new_page()
    page.goto(server.url)
    began = time.perf_counter()
    page.get_by_role("button", name="Start the sample run").click()
    expect(page.locator('[data-status="completed"]')).to_be_visible(timeout=600_000)
    seconds = time.perf_counter() - began
    expect(page.get_by_text(re.compile("Validation loss fell"))).to_be_visible()
    page.close()
    run = server.client.get("/api/runs").json()["items"][0]
    events = server.client.get(f"/api/runs/{run['id']}/events?type=evaluation").json()["items"]
    memory = psutil.Process(server.process.pid).memory_info().rss
    server.stop()
    return [
        ("sample run, click to Completed", f"{seconds:.0f} s"),
        ("validation loss, before → after", f"{events[0]['loss']:.2f} → {run['validation_loss']:.2f}"),
        ("server's memory after the run", f"{memory / 1e6:.0f} MB"),
    ]
