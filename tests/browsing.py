"""Chromium for tests and benchmarks, and a script that measures how soon events are drawn."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]

LISTEN_FOR_DRAWING = """
window.lags = [];
let newest = 0;
document.addEventListener("trainboard:drawn", (event) => {
  const { cursor, time } = event.detail;
  if (cursor <= newest) return; // each chart of the page tells of its own drawing
  newest = cursor;
  window.lags.push(performance.timeOrigin + performance.now() - Date.parse(time));
});
"""
"""Collects in ``window.lags``, in milliseconds, the time from the worker's stamp on an event to its being drawn."""


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


@contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()
