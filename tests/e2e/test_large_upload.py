"""A text of one gigabyte goes in through the page: the server stays small, the page live, and the text is there at once."""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import Page, expect

from backend.datasets.sample_corpus import sample_lines
from tests.serving import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

GIGABYTE = 1 << 30

WATCH = """
window.frames = [];
window.seen = {};
window.previewed = new Promise((resolve) => { window.seen.resolve = resolve; });
let before = performance.now();
requestAnimationFrame(function frame(now) { window.frames.push(now - before); before = now; requestAnimationFrame(frame); });
const open = XMLHttpRequest.prototype.open;
XMLHttpRequest.prototype.open = function (...rest) {
  this.upload.addEventListener("load", () => { window.seen.sent = performance.now(); });
  this.addEventListener("load", async () => {
    const { id } = JSON.parse(this.responseText);
    await (await fetch(`/api/datasets/${id}/preview?limit=20`)).json();
    window.seen.previewed = performance.now();
    window.seen.resolve();
  });
  return open.apply(this, rest);
};
"""
"""Notes when the last byte was sent, when the first preview had come, and how long each frame took, in milliseconds."""


@pytest.fixture
def large_file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "large.txt"
    block = "\n".join(sample_lines(seed=2)) + "\n"
    with path.open("w") as file:
        while file.tell() < GIGABYTE:
            file.write(block.replace("Once", f"Once {file.tell()}"))
    yield path
    path.unlink()


class Watcher(threading.Thread):
    """Asks the server something small all the while; notes how long that takes and how much memory the server has."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._process = psutil.Process(server.process.pid)
        self._done = threading.Event()
        self.before = self.peak = self._process.memory_info().rss
        self.seconds: list[float] = []

    def run(self) -> None:
        client = httpx.Client(base_url=self._server.url, timeout=60)
        while not self._done.wait(0.05):
            began = time.monotonic()
            client.get("/api/runs").raise_for_status()
            self.seconds.append(time.monotonic() - began)
            self.peak = max(self.peak, self._process.memory_info().rss)

    def finish(self) -> None:
        self._done.set()
        self.join()


@pytest.mark.timeout(600)
def test_a_gigabyte_goes_in_and_is_there_at_once(
    page: Page, server: Server, large_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page.add_init_script(WATCH)
    page.goto(f"{server.url}/#/datasets")
    server.client.get("/api/datasets/sample/preview").raise_for_status()
    watcher = Watcher(server)
    watcher.start()
    page.evaluate("window.frames.length = 0")
    began = time.monotonic()
    page.locator('input[type="file"]').first.set_input_files(large_file)
    bar = page.get_by_role("progressbar").first
    expect(bar).to_have_attribute("aria-valuenow", re.compile("[1-9]"), timeout=60_000)
    page.evaluate("window.previewed")
    seconds = time.monotonic() - began
    watcher.finish()

    frames = sorted(page.evaluate("window.frames"))
    wait = page.evaluate("window.seen.previewed - window.seen.sent") / 1000
    grown = (watcher.peak - watcher.before) / 1e6
    with capsys.disabled():
        print(
            f"\n1 GB in {seconds:.1f} s; last byte to first preview {wait:.2f} s; server's memory {grown:+.0f} MB; answers"
            f" meanwhile p50 {statistics.median(watcher.seconds) * 1000:.0f} ms, worst {max(watcher.seconds) * 1000:.0f} ms;"
            f" frames p99 {frames[int(len(frames) * 0.99)]:.0f} ms"
        )
    assert grown < 50
    assert wait < 1
    assert max(watcher.seconds) < 2
    assert frames[int(len(frames) * 0.99)] < 500
    dataset = server.client.get("/api/datasets").json()["items"][1]
    assert dataset["bytes"] == large_file.stat().st_size
    assert dataset["rows"] == sum(1 for _ in large_file.open())
