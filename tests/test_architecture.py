"""Imports point one way, and the server stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "transformers", "tokenizers", "numpy"}


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def loads(statement: str) -> set[str]:
    """The modules, of those that should not be, that a fresh interpreter has loaded after a statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_whole_backend_loads_no_torch() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in modules("backend")
        if "migrations" not in path.parts
    ]
    assert "backend.app" in names
    assert not loads("import " + ", ".join(names)) & {*HEAVY - {"numpy"}, "huggingface_hub"}


def test_the_contract_loads_pydantic_and_the_standard_library_only() -> None:
    loaded = {name.partition(".")[0] for name in loads("import worker.contract")}
    allowed = {
        "worker", "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection",
        *loads("import json, re, datetime, decimal, fractions, uuid, zoneinfo, ipaddress, importlib.metadata, dataclasses"),
    }  # fmt: skip
    assert {name for name in loaded - allowed if name not in sys.stdlib_module_names and not name.startswith("_")} == set()


@pytest.mark.parametrize("path", modules("backend"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_backend_knows_the_contract_alone(path: Path) -> None:
    from_worker = {name for name in imported(path) if name.split(".")[0] == "worker"}
    assert all(name == "worker.contract" or name.startswith("worker.contract.") for name in from_worker), from_worker


@pytest.mark.parametrize("path", modules("worker"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_worker_knows_no_server(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & {"backend", "fastapi", "sqlalchemy", "starlette", "uvicorn"}


def test_the_contract_rests_on_its_own_parts_alone() -> None:
    for path in modules("worker/contract"):
        from_worker = {name for name in imported(path) if name.split(".")[0] == "worker"}
        assert all(name.startswith("worker.contract.") for name in from_worker)


@pytest.mark.parametrize("path", modules("backend") + modules("worker"), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_ever_unpickled(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & {"pickle", "dill", "joblib", "marshal"}
