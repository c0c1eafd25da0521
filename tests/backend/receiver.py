"""A webhook's receiver: a real HTTP server on the loopback address."""

from __future__ import annotations

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)


class Receiver:
    """Answers with ``statuses`` in turn, then with 200. A status of 0: it says nothing for as long as it lives."""

    def __init__(self, *statuses: int, port: int = 0) -> None:
        self._statuses = list(statuses)
        self._received: queue.Queue[Received] = queue.Queue()
        self._closed = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                receiver._received.put(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, raw))
                status = receiver._statuses.pop(0) if receiver._statuses else 200
                if status == 0:
                    receiver._closed.wait(60)
                    return
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    def next(self, seconds: float = 30) -> Received:
        """The next request, in the order they came. Raises queue.Empty."""
        return self._received.get(timeout=seconds)

    def none_left(self) -> bool:
        return self._received.empty()

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
