"""SQLite through SQLAlchemy: one connection that writes, others that read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from backend.db.tables import REVISION
from backend.settings import ROOT

BUSY_SECONDS = 5


class Database:
    """``write()`` and ``read()`` are transactions, for use in a worker thread and never on the event loop.

    Both raise sqlalchemy's OperationalError or TimeoutError if the database stays locked for some seconds.
    ``on_commit`` is called, on the writing thread, after each transaction that wrote.
    """

    def __init__(self, url: str) -> None:
        # SQLite has one writer at a time. A pool of one makes our threads take turns here, in order, instead of
        # competing for the file's lock, where a waiter sleeps and tries again.
        self._writer = _engine(url, "BEGIN IMMEDIATE", pool_size=1, max_overflow=0, pool_timeout=2 * BUSY_SECONDS)
        self._readers = _engine(url, "BEGIN", pool_size=4, max_overflow=-1)
        self.on_commit: Callable[[], None] = lambda: None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; it rolls back if the block raises."""
        with self._writer.begin() as connection:
            yield connection
        self.on_commit()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction whose queries all see the same state of the database."""
        with self._readers.begin() as connection:
            yield connection

    def migrate(self, catch_up: Callable[[Connection], None]) -> None:
        """Bring the tables up to date; ``catch_up`` then brings to date what is worked out from them."""
        with self._writer.begin() as connection:
            if _revision(connection) != REVISION:
                # Alembic is loaded only when there is something to migrate; tables.REVISION says why.
                from alembic import command
                from alembic.config import Config

                config = Config()
                config.set_main_option("script_location", str(ROOT / "backend" / "db" / "migrations"))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                catch_up(connection)

    def close(self) -> None:
        self._writer.dispose()
        self._readers.dispose()


def _engine(url: str, begin: str, **pool: Any) -> Engine:
    # isolation_level None: the driver starts no transactions of its own, so that BEGIN is ours to choose.
    arguments = {"isolation_level": None, "check_same_thread": False, "timeout": BUSY_SECONDS}
    engine = create_engine(url, connect_args=arguments, **pool)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")  # readers never wait for the writer
        connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is read again from the run directories
        connection.execute("PRAGMA foreign_keys = ON")  # SQLite checks references only if asked, per connection

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        # A writer takes the lock at once: taken later, in the middle, it could fail without a wait.
        connection.exec_driver_sql(begin)

    return engine


def _revision(connection: Connection) -> str | None:
    """The migration that the database is at; None for a new one."""
    try:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except OperationalError:  # no such table
        return None
