"""The page, its files, and the documentation of the API; nothing is fetched from elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from backend.errors import NotFoundError
from backend.security import content_policy
from backend.settings import ROOT

router = APIRouter(include_in_schema=False)

FRONTEND = ROOT / "frontend"
SERVED = {".js", ".css", ".svg", ".png", ".ico", ".woff2", ".txt"}
PRIVATE = {"node_modules"}
IMPORT = re.compile(r'^(?:import|export)\b[^;]*?from\s+"(\.[^"]+)"', re.MULTILINE)
EDITION = re.compile(r"at-[0-9a-f]{12}")

FILES = re.compile(r"<!-- files -->.*<!-- end of files -->", re.DOTALL)
BUNDLE = '<link rel="stylesheet" href="/vendor/page.css" /><script type="module" src="/vendor/page.js"></script>'
"""What stands in place of the files if the bundle was made of them as they are."""

DOCS_SCRIPT = 'SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true });'
DOCS = f"""<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Trainboard API</title>
  <link rel="icon" href="/favicon.svg">
  <link rel="stylesheet" href="/vendor/swagger-ui.css">
  <div id="docs"></div>
  <script src="/vendor/swagger-ui-bundle.js"></script>
  <script>{DOCS_SCRIPT}</script>
</html>
"""


@router.get("/docs")
def docs() -> HTMLResponse:
    # Swagger UI writes style attributes.
    return HTMLResponse(DOCS, headers={"content-security-policy": content_policy(DOCS_SCRIPT, inline_styles=True)})


@router.get("/")
def index() -> HTMLResponse:
    html = (FRONTEND / "index.html").read_text(encoding="utf-8")
    # Read and hashed anew each time: whoever edits the page need not restart the server.
    edition = _edition()
    html = FILES.sub(BUNDLE, html) if _bundled(edition) else html.replace("<!-- modules -->", _preloads(edition))
    maps = re.findall(r'<script type="importmap">(.*?)</script>', html, re.DOTALL)
    html = re.sub(r'"/(js/|css/|vendor/page\.)', rf'"/{edition}/\1', html)
    return HTMLResponse(html, headers={"content-security-policy": content_policy(*maps), "cache-control": "no-cache"})


@router.get("/{path:path}")
def file(path: str) -> FileResponse:
    """A file of the frontend, and no other.

    The page asks for its own files under the name of their edition, and so a browser need not ask again: a hundred modules
    would take it a second. Whoever asks without is told to check each time.
    """
    if "\0" in path:  # no file system takes it
        raise NotFoundError("There is nothing at this address.")
    edition, _, rest = path.partition("/")
    lasting = EDITION.fullmatch(edition) is not None
    found = _own_file(rest if lasting else path)
    if found is None:
        raise NotFoundError("There is nothing at this address.")
    fleeting = "max-age=3600" if path.startswith("vendor/") else "no-cache"  # fetched modules rarely change
    return FileResponse(found, headers={"cache-control": "max-age=31536000, immutable" if lasting else fleeting})


def _edition() -> str:
    """A name for the page's own files as they are now: an edit or an upgrade gives them another."""
    files = [*_own_files(), *(FRONTEND / "vendor").glob("page.*")]
    facts = sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    return f"at-{hashlib.sha256(repr(facts).encode()).hexdigest()[:12]}"


def _own_files() -> list[Path]:
    return [*(FRONTEND / "js").rglob("*.js"), *(FRONTEND / "css").glob("*.css")]


@lru_cache(maxsize=1)
def _bundled(edition: str) -> bool:
    """Whether vendor/page.js and page.css were made of the page's files as they are now (hatch_build.py makes them)."""
    try:
        made_from = json.loads((FRONTEND / "vendor" / "page.json").read_bytes())
    except (OSError, ValueError):
        return False
    files = {path.relative_to(FRONTEND).as_posix(): path.read_bytes() for path in _own_files()}
    return bool(made_from == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()})


@lru_cache(maxsize=1)
def _preloads(edition: str) -> str:
    """Links to all modules that app.js imports, and those import: a browser would else learn of them level by level."""
    found: list[Path] = []
    waiting = [FRONTEND / "js" / "app.js", FRONTEND / "js" / "stores" / "run-answers.js"]  # the last one first
    while waiting:
        path = waiting.pop().resolve()
        if path not in found and path.is_file():
            found.append(path)
            waiting += [path.parent / name for name in IMPORT.findall(path.read_text(encoding="utf-8"))]
    names = (path.relative_to(FRONTEND.resolve()).as_posix() for path in found)
    return "".join(f'<link rel="modulepreload" href="/{name}" />' for name in names)


def _own_file(path: str) -> Path | None:
    try:
        found = (FRONTEND / path).resolve()
        inside = found.is_relative_to(FRONTEND) and not PRIVATE & set(Path(path).parts)
        return found if inside and found.suffix in SERVED and found.is_file() else None
    except (OSError, ValueError):  # a name too long for any file system, or with a NUL in it
        return None
