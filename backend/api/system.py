"""The server itself, and what can be configured."""

from __future__ import annotations

import platform

import psutil
from fastapi import APIRouter

from backend.api.deps import ServicesDep
from backend.api.models.generate import held
from backend.runs.presets import PRESETS
from backend.schemas.system import ConfigSchema, Group, Health, System
from backend.version import VERSION
from worker.contract import GROUPS, RunConfig

router = APIRouter(prefix="/api", tags=["system"])


@router.get("/health")
def get_health() -> Health:
    return Health(status="ok", version=VERSION)


@router.get("/system")
def get_system(services: ServicesDep) -> System:
    """Versions, devices, memory and disk, what the machine is doing now, and which models are in memory."""
    now = services.sampler.now()
    return System(
        version=VERSION,
        python=platform.python_version(),
        platform=platform.platform(),
        data_dir=str(services.settings.data_dir),
        devices=services.devices,
        cpu_count=psutil.cpu_count() or 1,
        memory_bytes=now.memory_bytes,
        memory_available_bytes=now.memory_bytes - now.memory_used_bytes,
        now=now,
        disk_free_bytes=now.disk_free_bytes,
        webhook=services.webhooks.state() if services.webhooks else None,
        generation=held(services),
    )


@router.get("/config-schema")
def get_config_schema(services: ServicesDep) -> ConfigSchema:
    """All that a run's configuration can hold, with the words the form shows."""
    schema = RunConfig.model_json_schema()
    schema["properties"]["model_name"]["default"] = services.catalog.default()
    groups = [Group(id=name, title=title) for name, title in GROUPS.items()]
    return ConfigSchema(json_schema=schema, groups=groups, presets=PRESETS)
