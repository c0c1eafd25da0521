"""Print openapi.json with the events of the streams added to its schemas: what the page's types are made from."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, get_args

from pydantic.json_schema import models_json_schema

from backend.app import create_app
from backend.schemas.data import Statistics
from backend.settings import Settings
from worker.contract import Event


def document() -> dict[str, Any]:
    """The server's OpenAPI document; what streams carry stands beside its own schemas: StatusEvent, StepEvent and so on."""
    with tempfile.TemporaryDirectory() as folder:
        api = create_app(Settings(data_dir=Path(folder))).openapi()
    events = (*get_args(get_args(Event)[0]), Statistics)
    _, schema = models_json_schema(
        [(event, "serialization") for event in events], ref_template="#/components/schemas/{model}"
    )
    api["components"]["schemas"] |= schema["$defs"]
    return api


if __name__ == "__main__":
    print(json.dumps(document()))
