"""Answers that can be asked for in parts, so that a download that broke off goes on (RFC 9110, section 14)."""

from __future__ import annotations

import re

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from backend.exports.folder_zip import FolderZip

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


def zip_answer(request: Request, content: FolderZip, name: str) -> Response:
    """The zip file, or the one range of it that ``request`` asks for. Several ranges at once are answered with the whole."""
    headers = {
        "accept-ranges": "bytes",
        "etag": content.etag,
        "content-disposition": f'attachment; filename="{name}"',
        "content-encoding": "identity",
    }
    wanted = _RANGE.fullmatch(request.headers.get("range", ""))
    if wanted is None or wanted.groups() == ("", "") or request.headers.get("if-range", content.etag) != content.etag:
        start, end, status = 0, content.length, 200
    else:
        start, end = _places(wanted, content.length)
        status = 206
        if start >= end:
            return Response(status_code=416, headers={"content-range": f"bytes */{content.length}", "etag": content.etag})
        headers["content-range"] = f"bytes {start}-{end - 1}/{content.length}"
    headers["content-length"] = str(end - start)
    return StreamingResponse(content.read(start, end), status, headers, media_type="application/zip")


def _places(wanted: re.Match[str], length: int) -> tuple[int, int]:
    """First place, and the one after the last."""
    first, last = wanted.groups()
    if not first:
        return max(0, length - int(last)), length
    return int(first), min(length, int(last) + 1 if last else length)
