"""Which weights are trained. Imported through ``worker.contract``, as a part of RunConfig."""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationInfo, field_validator

from worker.contract.built_in import BUILT_IN_MODELS
from worker.contract.data_settings import DataSettings
from worker.contract.setting import setting


class MethodSettings(DataSettings):
    """What of the model is trained. The settings before it are inherited, so that the schema keeps the form's order."""

    method: Literal["full", "lora"] = setting(
        "full",
        "full changes every weight. lora adds small matrices beside the model's own and trains only those: far less memory.",
        label="Method",
        group="method",
        advice="LoRA suits a trained model that should learn a style or a task; for learning from nothing use full.",
    )
    lora_rank: int = setting(
        16,
        "Width of LoRA's added matrices: how much they can learn. Used with method lora only.",
        label="LoRA rank",
        group="method",
        ge=1,
        le=512,
    )
    lora_alpha: int = setting(
        32,
        "How strongly LoRA's part counts: it is multiplied by alpha / rank. Used with method lora only.",
        label="LoRA alpha",
        group="method",
        advice="Twice the rank is a good start.",
        ge=1,
        le=4096,
    )
    lora_dropout: float = setting(
        0.0,
        "Share of LoRA's inputs dropped at random at each update, against memorising. Used with method lora only.",
        label="LoRA dropout",
        group="method",
        ge=0,
        le=0.9,
    )

    @field_validator("method")
    @classmethod
    def _lora_needs_a_trained_model(cls, value: str, info: ValidationInfo) -> str:
        if value == "lora" and (info.data.get("from_scratch") or info.data.get("model_name") in BUILT_IN_MODELS):
            raise ValueError("lora adds to what a model has learned, and this one starts from nothing: choose full")
        return value
