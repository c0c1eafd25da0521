"""The house's floors: imports point down, one room for each subject, and the server stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "transformers", "tokenizers", "numpy"}

FLOORS = {
    "worker": [
        "__main__ rank inspection",
        "preflight microscope",
        "training",
        "datasets generation evaluations export",
        "models distributed",
        "data process",
        "checkpoints devices",
        "protocol",
        "contract errors startup",
    ],
    "backend": [
        "__main__",
        "cli serve lint",
        "app",
        "api",
        "services",
        "metrics events evaluations exports retention",
        "runs",
        "datasets models series votes shares coach",
        "processes system db",
        "security body_limit files schemas",
        "errors",
        "disk_space settings version",
    ],
}
"""Rooms from the top down: each imports from those on floors below its own only, and not from its neighbours."""

ROOMS = {
    (package, room): number
    for package, floors in FLOORS.items()
    for number, floor in enumerate(floors)
    for room in floor.split()
}
PARALLEL = {"api", "schemas"}  # have a file for each subject that has a room
IN_SEVERAL_ROOMS = {
    "main",  # of a process
    "module __main__", "module __init__", "module hub",  # each room's way to the hub
}  # fmt: skip
MOST_LINES = 400


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


PRODUCT = modules("backend") + modules("worker")
each_file = pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))


def dotted(path: Path) -> str:
    """The name by which a file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(path: Path) -> tuple[str, str]:
    """Package and room of a file: a folder of the package, or a file beside them."""
    package, name, *_ = path.relative_to(ROOT).with_suffix("").parts
    return package, name


def loads(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@each_file
def test_it_is_in_a_room_and_imports_from_below(path: Path) -> None:
    own = room(path)
    if path.name == "__init__.py" and own[1] == "__init__":
        return
    assert own in ROOMS, f"{path.relative_to(ROOT)} is in no room: put it into one, or put its room on a floor"
    for name in imported(path):
        package, *parts = name.split(".")
        other = (package, parts[0] if parts else "")
        if package == own[0] and other in ROOMS and other != own:
            assert ROOMS[other] > ROOMS[own], f"{path.relative_to(ROOT)} imports {name}, which is not below it"


def test_there_is_no_circle() -> None:
    known = {dotted(path): path for path in PRODUCT}
    arrows = {name: {found for found in imported(path) if found in known} - {name} for name, path in known.items()}
    while leaves := {name for name, below in arrows.items() if not below}:
        arrows = {name: below - leaves for name, below in arrows.items() if name not in leaves}
    assert not arrows, f"these import each other, or what does: {arrows}"


def test_no_public_name_stands_for_two_things_in_two_rooms() -> None:
    places = defaultdict(set)
    for path in PRODUCT:
        package, own = room(path)
        for node in tree(path).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
                places[package, node.name].add(own)
        if own not in PARALLEL:  # singular or plural, as in verdict and verdicts
            places[package, f"module {path.stem.removesuffix('s')}"].add(own)
    shared = {name: rooms for (_, name), rooms in places.items() if len(rooms) > 1 and name not in IN_SEVERAL_ROOMS}
    assert not shared, "each room needs a name of its own for what it means by these"


def test_every_room_says_what_lives_there() -> None:
    for init in (path for path in PRODUCT if path.name == "__init__.py" and "migrations" not in path.parts):
        assert len(ast.get_docstring(tree(init)) or "") > 40, f"{init.relative_to(ROOT)} says nothing of its room"


def test_tests_mirror_the_rooms() -> None:
    for package in FLOORS:
        folders = {path.parent.name for path in (ROOT / "tests" / package).rglob("test_*.py")} - {package}
        assert folders <= {name for owner, name in ROOMS if owner == package}


def test_no_file_is_too_long_to_read_at_once() -> None:
    files = [path for package in ("backend", "worker", "tests", "docs") for path in (ROOT / package).rglob("*.py")]
    files += (ROOT / "frontend" / "js").rglob("*.js")
    assert {str(path) for path in files if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES} == set()


def test_the_whole_backend_loads_no_torch() -> None:
    names = [dotted(path) for path in modules("backend") if "migrations" not in path.parts]
    assert "backend.app" in names
    assert not loads("import " + ", ".join(names)) & {*HEAVY - {"numpy"}, "huggingface_hub"}


def test_the_contract_loads_pydantic_and_the_standard_library_only() -> None:
    loaded = {name.partition(".")[0] for name in loads("import worker.contract")}
    allowed = {
        "worker", "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection",
        *loads("import json, re, datetime, decimal, fractions, uuid, zoneinfo, ipaddress, importlib.metadata, dataclasses"),
    }  # fmt: skip
    assert {name for name in loaded - allowed if name not in sys.stdlib_module_names and not name.startswith("_")} == set()


@each_file
def test_server_and_worker_share_the_contract_alone(path: Path) -> None:
    names = set(imported(path))
    if room(path)[0] == "backend":
        assert {name for name in names if name.split(".")[0] == "worker" and name.split(".")[1:2] != ["contract"]} <= {
            "worker"
        }
    else:
        assert not {name.split(".")[0] for name in names} & {"backend", "fastapi", "sqlalchemy", "starlette", "uvicorn"}
        if room(path) == ("worker", "contract"):
            assert all(name.startswith("worker.contract.") for name in names if name.split(".")[0] == "worker")


@each_file
def test_nothing_is_ever_unpickled(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & {"pickle", "dill", "joblib", "marshal"}
