"""Many clients at once, and clients that leave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.backend.doors import Doors

DIFFERENT = 20
PATH = "/v1/completions"


@pytest.fixture
def http(doors: Doors) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {doors.token}"}
    return httpx.AsyncClient(base_url=doors.url, headers=headers, timeout=120, limits=httpx.Limits(max_connections=None))


def test_a_crowd_is_answered_or_told_to_come_again(
    http: httpx.AsyncClient, doors: Doors, run_async: Callable[..., Any]
) -> None:
    """200 at once: whoever is answered reads their own text, and none is lost."""

    async def ask(number: int) -> tuple[int, str | None, str]:
        """Status, how long to wait, and the text."""
        number %= DIFFERENT
        asked = {"model": doors.model, "prompt": f"The {number}", "seed": number, "max_tokens": 12, "stream": True}
        got = await http.post(PATH, json=asked)
        if got.status_code != 200:
            return got.status_code, got.headers.get("Retry-After"), ""
        *chunks, last = [line.removeprefix("data: ") for line in got.text.splitlines() if line.startswith("data: ")]
        assert last == "[DONE]"
        texts = [httpx.Response(200, text=chunk).json()["choices"][0]["text"] for chunk in chunks]
        return 200, None, "".join(texts)

    async def all_of_them() -> tuple[list[Any], list[Any]]:
        async with http:
            alone = [await ask(number) for number in range(DIFFERENT)]
            return alone, await asyncio.gather(*map(ask, range(200)))

    alone, crowd = run_async(all_of_them())
    assert len({text for *_, text in alone}) == DIFFERENT
    assert {(status, wait) for status, wait, _ in crowd} == {(200, None), (429, "2")}
    answered = [number for number, (status, *_) in enumerate(crowd) if status == 200]
    assert len(answered) >= 16
    assert [crowd[number] for number in answered] == [alone[number % DIFFERENT] for number in answered]


@pytest.mark.parametrize("stream", [True, False])
def test_a_place_is_free_soon_after_its_client_has_left(
    http: httpx.AsyncClient, doors: Doors, run_async: Callable[..., Any], stream: bool
) -> None:
    """All places are taken by texts that take minutes; one client leaves, and another is let in."""
    much = {"model": doors.model, "prompt": ["The owl"] * 8, "n": 8, "max_tokens": 230, "temperature": 2, "stream": stream}
    little = {"model": doors.model, "prompt": "The owl", "max_tokens": 1}

    async def refused() -> bool:
        """Whether there is no place; where there is one, it takes long until an answer comes."""
        try:
            return (await http.post(PATH, json=little, timeout=0.3)).status_code == 429
        except httpx.ReadTimeout:
            return False

    async def seconds() -> tuple[float, float]:
        """Until there is a place, and until an answer comes once all have left."""
        async with http:
            there = []
            while not await refused():
                there.append(asyncio.create_task(http.post(PATH, json=much)))
            there.pop(0).cancel()
            left = asked = time.monotonic()
            while await refused():
                asked = time.monotonic()
                await asyncio.sleep(0.05)  # asking as fast as it goes would take the processor from what is asked about
            for each in there:
                each.cancel()
            await asyncio.gather(*there, return_exceptions=True)
            ended = time.monotonic()
            while (got := await http.post(PATH, json=little)).status_code == 429:
                pass
            assert got.status_code == 200
            return asked - left, time.monotonic() - ended

    place, answer = run_async(seconds())
    assert place < 3, "0.06 s where nothing else runs"
    assert answer < 10, "the texts that nobody waits for take minutes"
