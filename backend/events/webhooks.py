"""Tells another server by HTTP that a run has ended, or that the coach warns of one: signed, and tried until it is taken.

What is to be told is in the outbox; here one task sends it, one delivery at a time, the one that is due first. One that
fails is put off, so that it holds up no other.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from anyio import move_on_after
from sqlalchemy import Row
from sqlalchemy.exc import OperationalError, TimeoutError

from backend.db.database import Database
from backend.events import outbox
from backend.schemas.system import Webhook
from backend.settings import Settings
from backend.version import VERSION
from worker.contract import now

log = logging.getLogger(__name__)

MOST_TRIES = 12
MOST_DELAY_S = 600
TRY_S = 10


FOR_RECEIVERS = """\
When a run has ended, or the coach finds something wrong with it, `TRAINBOARD_WEBHOOK_URL` is sent a POST. Its body is JSON:
`event` (`run.completed`, `run.stopped`, `run.failed`, `run.interrupted` or `run.finding`), `id` of the delivery, `time` of
the event, `sent` (the time of this try), and `run`: `id`, `name`, `tags`, `status`, `reason`, `step`, `total_steps`,
`epoch`, `loss`, `validation_loss`, `best_validation_loss`, `started_at`, `url`. With `run.finding` comes `finding`, a
warning or an error: `rule`, `title`, `level`, `step`, `from_step`, `evidence`, `text`, `advice`, `fix`; each comes once, and
again if it gets worse or comes back. The headers `X-Trainboard-Event` and `X-Trainboard-Delivery` repeat `event`
and `id`.

With `TRAINBOARD_WEBHOOK_SECRET` set, `X-Trainboard-Signature` is `sha256=` and the HMAC-SHA256 of the raw body with
that key, in hexadecimal: compare it in constant time, and refuse a body whose `sent` is old.

Any 2xx answer within 10 seconds takes the delivery. Otherwise it is tried again after 1 second, 2, 4 and so on up to 10
minutes, 12 times in all, also by a restarted server; redirects are not followed. Should the server be killed between an
answer and its note of it, the same `id` comes twice. `GET /api/system` tells how it stands.
"""
"""For docs/reference.md."""


class Webhooks:
    """``news`` is set whenever there may be something to tell. ``page`` is the address of our page."""

    def __init__(
        self, database: Database, news: asyncio.Event, url: str, secret: str | None, page: str, first_delay_s: float = 1
    ) -> None:
        self._database = database
        self._news = news
        self._url = url
        self._secret = secret
        self._page = page
        self._first_delay_s = first_delay_s
        self._last_status: int | None = None
        self._last_error: str | None = None

    async def start(self) -> None:
        """From now on no end of a run is missed; nor was one since the last start."""
        await asyncio.to_thread(self._begin)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """What has not been delivered waits for the next start."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def state(self) -> Webhook:
        with self._database.read() as connection:
            pending = outbox.pending(connection)
        return Webhook(
            url=without_secrets(self._url), last_status=self._last_status, last_error=self._last_error, pending=pending
        )

    async def _run(self) -> None:
        while True:
            try:
                await self._work()
            except (OperationalError, TimeoutError) as error:
                log.warning("The webhook will be seen to in a second: %s", error)
                await self._wait(1)

    async def _work(self) -> None:
        """Send all that is due, then wait for the next time that something is, or for news."""
        self._news.clear()  # before looking, so that what comes while we look is not slept through
        await asyncio.to_thread(self._collect)
        while (delivery := await asyncio.to_thread(self._earliest)) and delivery.due <= time.time():
            await self._send(delivery)
        await self._wait(delivery.due - time.time() if delivery else None)

    async def _wait(self, seconds: float | None) -> None:
        # Not asyncio.wait_for: before Python 3.12 it loses a cancellation that meets the end of the wait, and stop() hangs.
        with move_on_after(seconds):
            await self._news.wait()

    async def _send(self, delivery: Row[Any]) -> None:
        error: str | None = f"It did not answer within {TRY_S} s."
        with move_on_after(TRY_S):
            error = await self._try(delivery)
        self._last_error = error
        tries = delivery.tries + 1
        if error is None:
            await asyncio.to_thread(self._remove, delivery.number)
        elif tries == MOST_TRIES:
            log.warning("Webhook: %s was given up after %d tries: %s", delivery.event, tries, error)
            await asyncio.to_thread(self._remove, delivery.number)
        else:
            delay = min(self._first_delay_s * 2**delivery.tries, MOST_DELAY_S)
            log.info("Webhook: %s will be tried again in %.0f s: %s", delivery.event, delay, error)
            await asyncio.to_thread(self._postpone, delivery.number, tries, time.time() + delay)

    async def _try(self, delivery: Row[Any]) -> str | None:
        """Why it failed; None if it was taken."""
        import httpx2  # here, as most servers have no webhook and need not hold it in memory

        self._last_status = None
        body = json.dumps(json.loads(delivery.body) | {"sent": now()}).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Trainboard/{VERSION}",
            "X-Trainboard-Event": delivery.event,
            "X-Trainboard-Delivery": delivery.id,
        }
        if self._secret:
            headers["X-Trainboard-Signature"] = signature(body, self._secret)
        client = httpx2.AsyncClient(follow_redirects=False, timeout=None)  # the limit is on the whole, not on each read
        try:
            async with client, client.stream("POST", self._url, content=body, headers=headers) as response:
                self._last_status = response.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return f"It could not be reached: {type(error).__name__}."  # the error's own words may hold the whole address
        return None if response.is_success else f"It answered {response.status_code}."

    def _begin(self) -> None:
        with self._database.write() as connection:
            outbox.begin(connection)

    def _collect(self) -> None:
        with self._database.write() as connection:
            outbox.collect(connection, self._page, time.time())

    def _earliest(self) -> Row[Any] | None:
        with self._database.read() as connection:
            return outbox.earliest(connection)

    def _remove(self, number: int) -> None:
        with self._database.write() as connection:
            outbox.take_out(connection, number)

    def _postpone(self, number: int, tries: int, due: float) -> None:
        with self._database.write() as connection:
            outbox.postpone(connection, number, tries, due)


def signature(body: bytes, secret: str) -> str:
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def without_secrets(url: str) -> str:
    """Scheme, host, port and path: user, password and query may be secret."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def page_url(settings: Settings) -> str:
    """Where the page of this server is, as seen from another program on this machine, or on another if it listens there."""
    host = socket.gethostname() if settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
