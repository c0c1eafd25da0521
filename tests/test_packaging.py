"""What a person who never opens the source relies on: the compose file, the wheel, the pinned versions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_compose_publishes_on_loopback_only(compose: dict) -> None:
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_compose_starts_one_service_with_volume_and_health_check(compose: dict) -> None:
    started = [service for service in compose["services"].values() if not service.get("profiles")]
    assert len(started) == 1
    assert started[0]["volumes"] == ["data:/data"]
    assert "data" in compose["volumes"]
    assert "/api/health" in " ".join(started[0]["healthcheck"]["test"])


def test_compose_has_a_gpu_profile(compose: dict) -> None:
    service = next(service for service in compose["services"].values() if service.get("profiles") == ["gpu"])
    device = service["deploy"]["resources"]["reservations"]["devices"][0]
    assert device["driver"] == "nvidia"


def test_every_file_the_image_copies_is_there() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert copied
    for line in copied:
        for name in line.split():
            assert (ROOT / name).exists(), name


def test_torch_is_pinned() -> None:
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text().splitlines()


@pytest.mark.slow
def test_wheel_carries_page_modules_and_migrations(tmp_path: Path) -> None:
    """Built anew, as by a person whose virtual environment is activated: the node in it does not run then."""
    (ROOT / "frontend" / "vendor" / "page.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    activated = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(command, env={**os.environ, "PATH": activated}, check=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    for name in (
        "frontend/index.html",
        "frontend/vendor/uplot.js",
        "frontend/vendor/licenses/uplot.txt",
        "backend/metrics/report.html",
        "worker/contract/events.py",
    ):
        assert name in names
    assert any(name.startswith("backend/db/migrations/versions/") for name in names)
    assert not any("node_modules" in name or name.startswith(("tests/", "data/")) for name in names)
