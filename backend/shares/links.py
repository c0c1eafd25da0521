"""The links that were given out, a file for each in ``shares/``. Deleting one takes its link back.

A link's token is ``ID.EXPIRES.SIGNATURE``: HMAC-SHA256 (RFC 2104) over the first two by a key that is made once and stands
beside the links. So nobody can make one up or lengthen its time, and no token needs to be kept.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from backend import files
from backend.errors import BusyError, ForbiddenError, GoneError, NotFoundError
from backend.schemas.shares import Share
from worker.contract import now

_TOKEN = re.compile(r"([0-9a-f]{16})\.(\d{1,12})\.([\w-]{43})", re.ASCII)
_KEY_BYTES = 32
_TEXTS_AT_ONCE = 2  # for each link, so that those who have it leave room for others


class _Record(BaseModel):
    id: str
    kind: Literal["run", "model"]
    target: str
    created_at: str
    expires: int  # seconds since 1970
    max_tokens: int
    used_tokens: int = 0


class Shares:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changing = threading.Lock()
        self._writing: dict[str, list[int]] = {}  # by id: what each text that is being written may still take

    def add(self, kind: Literal["run", "model"], target: str, expires_in_s: int, max_tokens: int) -> Share:
        """Raises OSError, such as for a full disk."""
        expires = int(time.time()) + expires_in_s
        record = _Record(
            id=secrets.token_hex(8), kind=kind, target=target, created_at=now(), expires=expires, max_tokens=max_tokens
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write(record)
        return self._share(record)

    def all(self) -> list[Share]:
        """The newest first."""
        found = [record for path in self._folder.glob("*.json") if (record := _read(path))]
        return [self._share(record) for record in sorted(found, key=lambda record: record.created_at, reverse=True)]

    def remove(self, share_id: str) -> None:
        """Takes a link back. Raises NotFoundError."""
        with self._changing:
            if not re.fullmatch("[0-9a-f]{16}", share_id) or not (path := self._path(share_id)).exists():
                raise NotFoundError(f"There is no link {share_id[:60]!r}.", hint="GET /api/shares lists those there are.")
            path.unlink()

    def find(self, token: str) -> Share:
        """What a link shows. Raises NotFoundError for one that was never given out, GoneError for one that is over."""
        match = _TOKEN.fullmatch(token)
        if not match or not hmac.compare_digest(self._signature(match[1], int(match[2])), match[3]):
            raise NotFoundError("This link is not one of ours.", hint="Copy it whole.")
        if int(match[2]) <= time.time():
            raise GoneError("This link has expired.", hint="Ask for a new one.")
        if (record := _read(self._path(match[1]))) is None:
            raise GoneError("This link was taken back.", hint="Ask for a new one.")
        return self._share(record)

    def begin(self, share: Share, wanted: int) -> int:
        """How many tokens, at most ``wanted``, a text for this link may have; they are kept for it until ``end``.

        Raises ForbiddenError if none are left, and BusyError while others are being written.
        """
        with self._changing:
            writing = self._writing.setdefault(share.id, [])
            if len(writing) >= _TEXTS_AT_ONCE:
                raise BusyError("This link's model is writing for others.", hint="Try again in a moment.")
            left = share.max_tokens - self._used(share.id) - sum(writing)
            if left <= 0:
                raise ForbiddenError(f"The {share.max_tokens:,} tokens of this link are used up.", hint="Ask for a new one.")
            writing.append(min(wanted, left))
            return writing[-1]

    def end(self, share: Share, granted: int, used: int) -> None:
        """Counts the ``used`` of the tokens that ``begin`` ``granted``."""
        with self._changing:
            self._writing[share.id].remove(granted)
            if record := _read(self._path(share.id)):  # else it was taken back meanwhile
                self._write(record.model_copy(update={"used_tokens": record.used_tokens + used}))

    def _used(self, share_id: str) -> int:
        record = _read(self._path(share_id))
        return record.used_tokens if record else 0

    def _share(self, record: _Record) -> Share:
        token = f"{record.id}.{record.expires}.{self._signature(record.id, record.expires)}"
        return Share(
            **record.model_dump(exclude={"expires"}),
            expires_at=datetime.fromtimestamp(record.expires, timezone.utc).isoformat().replace("+00:00", "Z"),
            expired=record.expires <= time.time(),
            path=f"/share/{token}",
        )

    def _signature(self, share_id: str, expires: int) -> str:
        digest = hmac.new(self._key(), f"{share_id}.{expires}".encode(), hashlib.sha256).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _key(self) -> bytes:
        path = self._folder / "key"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            files.write_whole(path, secrets.token_hex(_KEY_BYTES), mode=0o600)
        return bytes.fromhex(path.read_text(encoding="utf-8"))

    def _path(self, share_id: str) -> Path:
        return self._folder / f"{share_id}.json"

    def _write(self, record: _Record) -> None:
        files.write_whole(self._path(record.id), record.model_dump_json())


def _read(path: Path) -> _Record | None:
    try:
        return _Record.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
