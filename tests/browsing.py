"""Chromium for tests and benchmarks, and a script that measures how soon events are drawn."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

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


TOLD_TO_ANSWER = """
const real = window.fetch;
window.fetch = (input, init) => {
  if (!String(input?.url ?? input).endsWith("/api/generate")) return real(input, init);
  const body = new ReadableStream({
    start: (stream) => {
      window.say = (text) => {
        const data = JSON.stringify({ text, token: text, id: 1, logprob: -1, top_logprobs: [] });
        stream.enqueue(new TextEncoder().encode(`event: token\\ndata: ${data}\\n\\n`));
        return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
      };
    },
  });
  return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
};
"""
"""Answers of the playground that come when a test calls ``say``, and never end."""


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


@contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


def serious_problems(page: Page) -> list[tuple[int, str, str, list[str]]]:
    """What axe-core finds serious in a page as it stands, on a wide screen and on a phone, in both themes; and how far it
    scrolls sideways, which no page should."""
    found = []
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for theme in ("light", "dark"):
            page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
            for violation in Axe().run(page).response["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    places = [node["html"][:160] for node in violation["nodes"]]
                    found.append((width, theme, violation["id"], places))
        wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            found.append((width, "", f"scrolls sideways by {wide} px", []))
    return found
