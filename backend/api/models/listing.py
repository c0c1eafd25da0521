"""Models to train from or to prompt."""

from __future__ import annotations

from fastapi import APIRouter

from backend.api.deps import ServicesDep
from backend.runs import queries
from backend.schemas.system import Model, ModelList
from backend.services import Services

router = APIRouter(prefix="/api/models", tags=["models"])

RUNS_LISTED = 200


@router.get("")
def list_models(services: ServicesDep) -> ModelList:
    """Built-in models, added ones, those of the newest runs, and those in this machine's cache of the hub."""
    return ModelList(items=listed(services))


def listed(services: Services) -> list[Model]:
    with services.database.read() as connection:
        newest = queries.page(connection, queries.Filter(), "created", "desc", RUNS_LISTED)
    return services.catalog.all({run.id: run.name for run in newest.items})
