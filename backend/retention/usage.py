"""What takes the disk: each run, dataset and model, read from the data directory itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from backend.datasets.store import Datasets
from backend.db import tables
from backend.retention import freeing
from backend.retention.sizes import Sizes
from backend.schemas.disk import DiskItem, DiskUsage, Retention
from backend.settings import Settings
from worker.contract import CHECKPOINTS_DIR


def usage_of(connection: Connection, settings: Settings, datasets: Datasets, retention: Retention) -> DiskUsage:
    """Reads the whole tree: a second for some ten thousand files."""
    sizes, names = Sizes(), {one.id: one.name for one in datasets.all()}
    items = [_run(sizes, connection, settings.runs_dir / row.id, row) for row in connection.execute(select(tables.runs))]
    items += [
        DiskItem(kind="dataset", id=path.name, name=names.get(path.name, path.name), bytes=sizes.of(path))
        for path in _within(settings.datasets_dir)
    ]
    items += [
        DiskItem(kind="model", id=path.name, name=path.name, bytes=sizes.of(path)) for path in _within(settings.models_dir)
    ]
    downloads = settings.data_dir / "huggingface"
    items.append(DiskItem(kind="download", id="", name="Downloads of the hub", bytes=sizes.of(downloads)))
    rest = sizes.of(settings.data_dir)  # of which all above has been counted, but folders themselves
    items.append(DiskItem(kind="other", id="", name="Database, logs and all else", bytes=rest))
    disk = shutil.disk_usage(settings.data_dir)
    return DiskUsage(
        disk_bytes=disk.total,
        free_bytes=disk.free,
        data_bytes=sum(item.bytes for item in items),
        items=sorted((item for item in items if item.bytes), key=lambda item: -item.bytes),
        retention=retention,
    )


def _within(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _run(sizes: Sizes, connection: Connection, directory: Path, row: Row[Any]) -> DiskItem:
    of_each = {path: sizes.of(path) for path in _within(directory / CHECKPOINTS_DIR)}
    checkpoints = sum(of_each.values())
    return DiskItem(
        kind="run",
        id=row.id,
        name=row.name,
        bytes=checkpoints + sizes.of(directory),
        status=row.status,
        ended_at=row.ended_at,
        archived=bool(row.archived),
        checkpoints_bytes=checkpoints,
        freeable_bytes=sum(of_each.get(path, 0) for path in freeing.unneeded(connection, directory, row)),
    )
