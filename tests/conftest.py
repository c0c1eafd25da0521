"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serving import Server

FIXTURES_OF_PROCESSES = {
    "start_server", "shared_server", "browser", "finished_run", "smollm2_gguf", "prepare", "runs", "server", "doors",
}  # fmt: skip
"""Each stands at the beginning of a process, or of a training in this one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is no unit test: what uses such a fixture, or stands in a module that starts processes itself."""
    for item in items:
        if isinstance(item, pytest.Function):
            module = vars(item.module)
            starts = {
                "subprocess",
                "runs",
                "multiprocessing",
                "Server",
                "gpu",
            } & module.keys() and item.path.name != "test_architecture.py"
            if starts or FIXTURES_OF_PROCESSES & set(item.fixturenames):
                item.add_marker("process")
    items.sort(key=lambda item: "process" not in item.keywords)  # the long ones first, or one would be left over at the end


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers, by default on one data directory; all are ended, with their workers, when the test is."""
    servers: list[Server] = []

    def start(environment: dict[str, str] | None = None, *flags: str, data_dir: Path | None = None) -> Server:
        servers.append(Server(data_dir or tmp_path / "data", environment, *flags))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.stop()
        server.kill_workers()


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    """A server with a fresh data directory."""
    return start_server()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that leave nothing behind which another could trip over."""
    server = Server(tmp_path_factory.mktemp("shared") / "data")
    yield server
    server.stop()
    server.kill_workers()
