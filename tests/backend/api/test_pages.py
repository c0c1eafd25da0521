"""The page's files and the documentation: ours, and nothing from elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import shutil
from base64 import b64encode
from pathlib import Path

import pytest

from backend.api import pages
from worker.contract import GROUPS, RunConfig


def test_the_documentation_fetches_nothing_from_elsewhere(shared_server) -> None:
    page = shared_server.client.get("/docs")
    assert page.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert addresses
    for address in addresses:
        assert address.startswith("/")
        assert address.endswith(".svg") or shared_server.client.get(address).status_code == 200
    assert "//" not in re.sub(r"<script[^>]*>|<link[^>]*>", "", page.text)


def test_every_route_is_described(shared_server) -> None:
    paths = shared_server.client.get("/openapi.json").json()["paths"]
    assert {"/api/runs", "/api/runs/{run_id}/stream", "/api/datasets", "/api/generate", "/api/config-schema"} <= set(paths)
    assert "multipart/form-data" in paths["/api/datasets"]["post"]["requestBody"]["content"]


@pytest.fixture
def plain(monkeypatch) -> str:
    """The page as it is served once a file has been edited."""
    monkeypatch.setattr(pages, "_bundled", lambda edition: False)
    return pages.index().body.decode()


def test_index_allows_its_own_import_map_alone(plain) -> None:
    page = pages.index()
    assert page.headers["cache-control"] == "no-cache"
    (script,) = re.findall(r'<script type="importmap">(.*?)</script>', plain, re.DOTALL)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert re.findall(r"'sha256-([^']+)'", page.headers["content-security-policy"]) == [digest]


def test_a_new_tab_is_told_of_every_module_at_once(plain, shared_server) -> None:
    told = re.findall(r'<link rel="modulepreload" href="/at-[0-9a-f]+/(js/[^"]+)"', plain)
    assert len(told) == len(set(told)) > 80
    assert {"js/app.js", "js/pages/run.js", "js/charts/series.js", "js/server/api.js"} <= set(told)
    for name in told:
        code = shared_server.client.get(f"/{name}").text
        for other in re.findall(r'^(?:import|export)\b[^;]*?from\s+"(\.[^"]+)"', code, re.MULTILINE):
            assert posixpath.normpath(posixpath.join(posixpath.dirname(name), other)) in told


def test_the_page_names_an_edition_of_its_files_that_lasts(plain, shared_server) -> None:
    addresses = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))"', plain)
    own = [address for address in addresses if not address.startswith("/vendor/")]
    assert len(own) > 5
    assert len({address.split("/")[1] for address in own}) == 1, "what app.js imports is named alike, relative to it"
    for address in own:
        answer = shared_server.client.get(address)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)


def test_an_edit_gives_the_files_another_name(tmp_path, monkeypatch) -> None:
    for name in ("css/tokens.css", "js/app.js", "css/run.css"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(pages, "FRONTEND", tmp_path)
    before = pages._edition()
    assert pages._edition() == before
    (tmp_path / "js/app.js").write_text("an edit")
    assert pages._edition() != before


def test_the_bundle_is_served_until_a_file_is_edited(tmp_path, monkeypatch) -> None:
    shutil.copytree(pages.FRONTEND, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules", "page.*"))
    monkeypatch.setattr(pages, "FRONTEND", tmp_path)
    assert "/js/app.js" in pages.index().body.decode(), "none was made"

    made_from = {path.relative_to(tmp_path).as_posix(): digest_of(path) for path in pages._own_files()}
    (tmp_path / "vendor").mkdir(exist_ok=True)
    (tmp_path / "vendor/page.json").write_text(json.dumps(made_from))
    page = pages.index().body.decode()
    addresses = re.findall(r'(?:src|href)="/at-[0-9a-f]{12}/([^"]+)"', page)
    assert addresses == ["js/theme.js", "vendor/page.css", "vendor/page.js"]
    assert "importmap" not in page

    with (tmp_path / "js/format.js").open("a") as code:
        code.write("// an edit")
    assert "/js/app.js" in pages.index().body.decode()
    assert "vendor/page.js" not in pages.index().body.decode()


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_page_works_bundled_as_it_was_installed(shared_server) -> None:
    """In a checkout that was edited since, by its files; CI installs a clean one."""
    addresses = re.findall(r'(?:src|href)="(/at-[^"]+)"', shared_server.client.get("/").text)
    assert len(addresses) == 3 if os.environ.get("CI") else len(addresses) >= 3
    assert {shared_server.client.get(address).status_code for address in addresses} == {200}


def test_own_files_are_fresh_and_modules_are_cached(shared_server) -> None:
    own, fetched = shared_server.client.get("/js/app.js"), shared_server.client.get("/vendor/preact.js")
    assert own.headers["cache-control"] == "no-cache"
    assert fetched.headers["cache-control"].startswith("max-age")
    assert "javascript" in own.headers["content-type"]


@pytest.mark.parametrize(
    "path",
    [
        "/../backend/app.py", "/%2e%2e/backend/app.py", "/..%2fbackend%2fapp.py", "/%252e%252e/pyproject.toml",
        "//etc/passwd", "/%2fetc%2fpasswd", "/js/..%2f..%2fpyproject.toml", "/package.json", "/tsconfig.json",
        "/at-0123456789ab/node_modules/x.js", "/at-0123456789ab/../../pyproject.toml",
        "/node_modules/typescript/LICENSE.txt", "/js", "/js/%00app.js", "/vendor/..%5c..%5cx", "/nothing.js",
    ],
)  # fmt: skip
def test_nothing_else_is_served(shared_server, path: str) -> None:
    assert shared_server.client.get(path).status_code == 404


def test_config_schema_has_all_that_the_form_needs(shared_server) -> None:
    answer = shared_server.client.get("/api/config-schema").json()
    properties = answer["schema"]["properties"]
    assert set(properties) == set(RunConfig.model_fields)
    assert [group["id"] for group in answer["groups"]] == list(GROUPS)
    for name, field in properties.items():
        assert {"default", "description", "label", "group"} <= set(field), name
        assert field["group"] in GROUPS
        assert "type" in field or "anyOf" in field
    assert "sample" in {preset["id"] for preset in answer["presets"]}
    for preset in answer["presets"]:
        RunConfig(**preset["config"])


def test_system_tells_of_this_machine(shared_server) -> None:
    system = shared_server.client.get("/api/system").json()
    assert system["devices"][0]["id"] == "cpu"
    assert system["memory_bytes"] > system["memory_available_bytes"] > 0
    assert system["disk_free_bytes"] > 0
