"""The index: its tables, its lock."""

from __future__ import annotations

import sqlite3

import psutil
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from backend import models
from backend.settings import ROOT
from tests.backend.records import Records


def test_migrations_lead_to_the_tables_of_the_code(records: Records) -> None:
    with records.database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), models.metadata) == []
    assert ScriptDirectory(str(ROOT / "backend" / "migrations")).get_current_head() == models.REVISION


def test_a_locked_database_is_503_after_a_bounded_wait(server) -> None:
    other = sqlite3.connect(server.data_dir / "trainboard.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    response = server.client.post("/api/runs", json={})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
    assert list((server.data_dir / "runs").iterdir()) == []
    assert server.client.get("/api/runs").status_code == 200, "reading goes on"
    other.execute("ROLLBACK")
    assert server.client.post("/api/runs", json={"max_steps": 1}).status_code == 201


def test_the_server_is_small(server) -> None:
    for path in ("/", "/api/runs", "/api/models", "/api/system", "/openapi.json"):
        assert server.client.get(path).status_code == 200
    assert psutil.Process(server.process.pid).memory_info().rss < 120_000_000
