"""No request's body is larger than a configuration ever is, but an upload's: read into JSON, it would block everybody.

A plain ASGI middleware. A body that says how long it is is refused before any of it is read; one that does not is read here
up to the limit. Uploads are read as streams and have a limit of their own.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import ErrorDetail, answer_to

MOST_BYTES = 1_000_000
UPLOADS = {("POST", "/api/datasets")}
DRAIN_BYTES, DRAIN_SECONDS = 16 << 20, 5  # read on after a refusal, so that a client that is still sending gets to see it


class BodyLimit:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) in UPLOADS:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "transfer-encoding" in headers:
            messages, size = await _read(receive)
            if size > MOST_BYTES:
                await _refuse(scope["path"], "more", messages[-1]["more_body"], receive, send)
            else:
                await self._app(scope, _again(messages, receive), send)
        elif int(headers.get("content-length", 0)) > MOST_BYTES:  # the server has refused what is no number
            waits = headers.get("expect", "").lower() == "100-continue"  # and sends nothing until it is asked to
            await _refuse(scope["path"], f"{int(headers['content-length']):,}", not waits, receive, send)
        else:
            await self._app(scope, receive, send)


async def _read(receive: Receive) -> tuple[list[Message], int]:
    """The messages of a body whose length nobody said, up to the limit, and their bytes."""
    messages: list[Message] = []
    size = 0
    while size <= MOST_BYTES:
        messages.append(await receive())
        size += len(messages[-1].get("body", b""))
        if not messages[-1].get("more_body", False):
            break
    return messages, size


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Gives the messages once more, and then what comes after them."""
    waiting = iter(messages)

    async def again() -> Message:
        return next(waiting, None) or await receive()

    return again


async def _refuse(path: str, size: str, sending: bool, receive: Receive, send: Send) -> None:
    """Answers at once, and reads on for a while: a connection closed with bytes unread may take the answer with it."""
    message = f"The request's body may have {MOST_BYTES:,} bytes, and this one has {size}."
    detail = ErrorDetail(code="too_large", message=message, field="body", hint="Upload data to POST /api/datasets.")
    response = answer_to(path, 413, detail)
    await send({"type": "http.response.start", "status": 413, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    if sending:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(_drain(receive), DRAIN_SECONDS)
    await send({"type": "http.response.body"})


async def _drain(receive: Receive) -> None:
    size, more = 0, True
    while more and size < DRAIN_BYTES:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
