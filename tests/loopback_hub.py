"""A server on the loopback that speaks the hub's file API, for tests of loading by id without a network.

with LoopbackHub({"someone/tiny": folder}, {"someone/texts": folder}) as hub:
    subprocess.run(..., env={**os.environ, **hub.environment(tmp_path)})
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = hashlib.sha1(b"the only commit").hexdigest()


class LoopbackHub:
    """Serves folders as repositories of models and datasets. ``requests`` lists "METHOD path" of all that was asked for."""

    def __init__(self, models: dict[str, Path], datasets: dict[str, Path] | None = None) -> None:
        self.repositories = models | {f"datasets/{name}": folder for name, folder in (datasets or {}).items()}
        self.requests: list[str] = []
        self.break_off = False  # whether files end after half of them, as with a lost connection
        self.hangs = ""  # files whose names end in this come by half, and then no more for as long as the hub is there
        self.left = threading.Event()
        self.writes_with: str | None = None  # the token that may write; with it, repositories are made under ``made``
        self.made: dict[str, dict[str, bytes]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.hub = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self, home: Path) -> dict[str, str]:
        """Variables that make the Hugging Face libraries use this hub, with an empty cache under ``home``."""
        return {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "0"}

    def __enter__(self) -> LoopbackHub:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.left.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def do_POST(self) -> None:
        """Makes repositories, and takes files that come within a commit."""
        hub: LoopbackHub = self.server.hub  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        hub.requests.append(f"POST {self.path}")
        path = unquote(urlsplit(self.path).path).removeprefix("/api/")
        repository = path.removeprefix("models/").partition("/preupload/")[0].partition("/commit/")[0]
        if hub.writes_with is None or self.headers["Authorization"] != f"Bearer {hub.writes_with}":
            self._send(401, b'{"error": "Invalid credentials"}', "application/json", True)
        elif path == "repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            hub.made.setdefault(name, {})
            self._send_json({"url": f"{hub.url}/{name}", "name": name, "id": name}, True)
        elif path == "validate-yaml":
            self._send_json({"warnings": [], "errors": []}, True)
        elif "/preupload/" in path:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in json.loads(body)["files"]
            ]
            self._send_json({"files": files}, True)
        else:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    hub.made[repository][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self._send_json(
                {"success": True, "commitOid": COMMIT, "commitUrl": f"{hub.url}/{repository}/commit/{COMMIT}"}, True
            )

    def _answer(self, send_body: bool) -> None:
        hub: LoopbackHub = self.server.hub  # type: ignore[attr-defined]
        hub.requests.append(f"{self.command} {self.path}")
        path = unquote(urlsplit(self.path).path).strip("/")
        if path.startswith("api/"):
            self._answer_api(hub, path.removeprefix("api/").removeprefix("models/"), send_body)
            return
        repository, _, rest = path.partition("/resolve/")
        _, _, name = rest.partition("/")
        folder = hub.repositories.get(repository)
        if folder is None:
            self._refuse("RepoNotFound", f"There is no repository {repository}.")
        elif not (folder / name).is_file():
            self._refuse("EntryNotFound", f"{repository} has no file {name}.")
        else:
            hangs = bool(hub.hangs) and name.endswith(hub.hangs)
            self._send(200, (folder / name).read_bytes(), "application/octet-stream", send_body, hub.break_off, hangs)

    def _answer_api(self, hub: LoopbackHub, path: str, send_body: bool) -> None:
        """``REPOSITORY``, ``REPOSITORY/revision/NAME`` and ``REPOSITORY/tree/NAME``."""
        repository, _, rest = path.partition("/revision/")[0].partition("/tree/")
        folder = hub.repositories.get(repository)
        if folder is None:
            self._refuse("RepoNotFound", f"There is no repository {repository}.")
            return
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        if not rest:
            siblings = [{"rfilename": file.relative_to(folder).as_posix(), "size": file.stat().st_size} for file in files]
            name = repository.removeprefix("datasets/")
            self._send_json({"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings}, send_body)
        elif "/" in rest:
            self._refuse("EntryNotFound", f"{repository} has no folder {rest.partition('/')[2]}.")
        else:
            tree = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _etag(file.read_bytes())}
                for file in files
                if file.parent == folder
            ]
            self._send_json(tree, send_body)

    def _send_json(self, value: Any, send_body: bool) -> None:
        self._send(200, json.dumps(value).encode(), "application/json", send_body)

    def _refuse(self, code: str, message: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(
        self, status: int, body: bytes, kind: str, send_body: bool, break_off: bool = False, hangs: bool = False
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{_etag(body)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if send_body:
            self.wfile.write(body[: len(body) // 2] if break_off or hangs else body)
            self.close_connection = break_off or hangs
        if send_body and hangs:
            self.wfile.flush()
            self.server.hub.left.wait()  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: object) -> None:
        """Silent: ``requests`` holds what a test may want to know."""


def _etag(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()
