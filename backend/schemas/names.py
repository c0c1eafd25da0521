"""What a run, and a model or dataset of the hub, may be called."""

from __future__ import annotations

import re

RUN_ID_PATTERN = r"^\d{8}-\d{6}-[0-9a-f]{4}$"
_HUB_ID = re.compile(r"(?=.{1,96}$)[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)


def is_hub_id(name: str) -> bool:
    """Whether a name can be one of the hub's; a URL, a host with a port, or a path cannot."""
    return bool(_HUB_ID.fullmatch(name)) and ".." not in name and "--" not in name and not name.endswith(".")
