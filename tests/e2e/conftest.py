"""A real Chromium against a real server. Where no Chromium is installed the tests are skipped; in CI that is a failure."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browsing import chromium, find_chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = find_chromium()
    if executable is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("The browser tests need Chromium. On Debian and Ubuntu: apt install chromium")
    with chromium(executable) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails its test on any script error or any request that leaves this machine."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
    page.on("console", lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None)
    page.on("request", lambda request: problems.append(f"left the machine: {request.url}") if leaves(request.url) else None)
    yield page
    context.close()
    assert problems == []


def leaves(url: str) -> bool:
    """Whether a request goes further than the loopback address; blob: and data: URLs go nowhere."""
    return url.startswith(("http:", "https:", "ws:", "wss:")) and "//127.0.0.1:" not in url
