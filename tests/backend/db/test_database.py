"""The index: its tables, its lock."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psutil
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from backend.db import tables
from backend.db.database import Database
from backend.runs import history, lifecycle
from backend.series import curves
from backend.settings import ROOT
from tests.backend.records import Records
from worker.contract import RunConfig


def test_migrations_lead_to_the_tables_of_the_code(records: Records) -> None:
    with records.database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    assert ScriptDirectory(str(ROOT / "backend" / "db" / "migrations")).get_current_head() == tables.REVISION


def test_runs_of_an_earlier_version_are_kept_and_keep_their_place_in_the_queue(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(ROOT / "backend" / "db" / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for run_id in ("second", "first"):
            values = (run_id, "a run", "queued", RunConfig().model_dump_json(), f"2026-01-01T00:00:0{len(run_id)}Z")
            connection.exec_driver_sql(
                "INSERT INTO runs (id, name, status, config, created_at) VALUES (?, ?, ?, ?, ?)", values
            )
        connection.exec_driver_sql(
            "INSERT INTO events (run_id, seq, type, step, data) VALUES ('first', 1, 'step', 1, '{\"loss\": 2}')"
        )
    engine.dispose()
    database = Database(f"sqlite:///{tmp_path}/old.db")
    database.migrate(curves.catch_up)
    with database.read() as connection:
        assert [row.id for row in lifecycle.with_status(connection, "queued")] == ["first", "second"]
        assert history.series(connection, lifecycle.row(connection, "first"), ["loss"], None, None, 10).x == [1]
    database.close()


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
