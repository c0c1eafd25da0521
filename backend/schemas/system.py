"""The server and its machine, the models, and what a form needs to know."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from backend.schemas.base import Schema


class Model(Schema):
    """Something to train from or to prompt. ``context`` is in tokens. ``chat``: it learned from chats, in this run;
    ``chat_template``: it has a form for them."""

    id: str
    name: str
    kind: Literal["built_in", "hub", "folder", "gguf", "run", "checkpoint"]
    description: str
    trainable: bool
    promptable: bool
    bytes: int | None = None
    context: int | None = None
    chat: bool = False
    chat_template: bool = False
    run: str | None = None
    step: int | None = None


class ModelList(Schema):
    items: list[Model]


class Device(Schema):
    id: str
    name: str
    memory_bytes: int


class Gpu(Schema):
    """``percent``: how busy it is; degrees Celsius and watts; null what its driver does not tell."""

    number: int
    name: str
    memory_used_bytes: int
    memory_bytes: int
    percent: float | None = None
    temperature: float | None = None
    power: float | None = None


class Machine(Schema):
    """What the machine is doing now. ``cpu_percent`` is of all processors together, since it was asked before."""

    cpu_percent: float
    memory_used_bytes: int
    memory_bytes: int
    disk_free_bytes: int
    disk_bytes: int
    gpus: list[Gpu]


class HeldModel(Schema):
    """A model in memory. ``texts``: how many it is writing now."""

    name: str
    device: str
    bytes: int
    texts: int


class LoadingModel(Schema):
    """A model on its way into memory; of one that is downloaded, ``bytes`` of ``total`` have come."""

    name: str
    bytes: int
    total: int


class Generation(Schema):
    """What the process that generates text holds. The first prompt starts it; it ends when nobody asks for a while."""

    running: bool
    models: list[HeldModel] = []
    loading: list[LoadingModel] = []


class Webhook(Schema):
    """Who is told of a run's end. ``last_status`` is what it answered last, ``last_error`` why the last try failed, both of
    this server's lifetime; ``pending`` counts what it has not taken yet. Credentials and query are left out of ``url``."""

    url: str
    last_status: int | None
    last_error: str | None
    pending: int


class System(Schema):
    """``webhook`` is null if none is set."""

    version: str
    python: str
    platform: str
    data_dir: str
    devices: list[Device]
    cpu_count: int
    memory_bytes: int
    memory_available_bytes: int
    disk_free_bytes: int
    now: Machine
    webhook: Webhook | None
    generation: Generation


class Health(Schema):
    status: Literal["ok"]
    version: str


class Group(Schema):
    id: str
    title: str


class Preset(Schema):
    """``gpu_memory_bytes`` is set for those that suit a GPU of about that size."""

    id: str
    title: str
    description: str
    config: dict[str, Any]
    gpu_memory_bytes: int | None = None


class ConfigSchema(Schema):
    """``json_schema`` describes RunConfig; ``groups`` are the form's sections in order; ``presets`` fill the form."""

    json_schema: dict[str, Any] = Field(alias="schema")
    groups: list[Group]
    presets: list[Preset]
