"""``trainboard serve``: one server for one data directory."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import socket
from typing import IO

import uvicorn
from pydantic import SecretStr

from backend.app import create_app
from backend.errors import ConflictError
from backend.security import is_loopback
from backend.settings import Settings

SHUTDOWN_S = 3


def serve(settings: Settings) -> int:
    """Serve until interrupted. Raises ConflictError if the data directory or the port is taken."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("alembic", "httpx", "httpx2", "watchfiles"):  # their news is not ours, and httpx2 would log whole addresses
        logging.getLogger(name).setLevel(logging.WARNING)
    if settings.token is None and not is_loopback(settings.host):
        settings = settings.model_copy(update={"token": SecretStr(secrets.token_urlsafe(32))})
    with _lock(settings), _listen(settings) as listener:
        listening = settings.model_copy(update={"port": listener.getsockname()[1]})  # the one that was picked, if it was 0
        config = uvicorn.Config(
            create_app(listening),
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
        print(f"Trainboard: {_address(settings, listener)}\nData: {settings.data_dir}\nStop with Ctrl-C.", flush=True)
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def _lock(settings: Settings) -> IO[str]:
    """Own the data directory for as long as the returned file is open."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    file = (settings.data_dir / "server.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise ConflictError(
            f"Another Trainboard server, process {owner or 'unknown'}, is using {settings.data_dir}.",
            hint="Use that one, stop it first, or give this one another folder with --data-dir.",
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
        # Connections have it from here. asyncio sets it only where a socket names its protocol, and this one does not: the
        # second part of an answer would wait until the client has acknowledged the first, which takes it 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise ConflictError(
            f"Cannot listen on {settings.host} port {settings.port}: {error.strerror or error}.",
            hint="If another program has the port, choose one with --port.",
        ) from error


def _address(settings: Settings, listener: socket.socket) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    token = f"/?token={settings.token.get_secret_value()}" if settings.token else ""
    return f"http://{host}:{listener.getsockname()[1]}{token}"
