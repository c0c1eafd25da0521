"""``/v1/models``: what can be asked, by the ids that all doors take."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from backend.api.deps import ServicesDep
from backend.api.models.listing import listed
from backend.api.v1.jobs import name_of, resolve

router = APIRouter(prefix="/v1/models", tags=["openai"])


@router.get("")
def list_openai_models(services: ServicesDep) -> dict[str, Any]:
    """The models that can be prompted, by the ids that requests take."""
    return {"object": "list", "data": [_model(each.id) for each in listed(services) if each.promptable]}


@router.get("/{model:path}")
def get_openai_model(model: str, services: ServicesDep) -> dict[str, Any]:
    """One of them."""
    resolve(services, name_of(services, model))
    return _model(model)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "trainboard"}
