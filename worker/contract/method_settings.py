"""Which weights are trained. Imported through ``worker.contract``, as a part of RunConfig."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from worker.contract.built_in import BUILT_IN_MODELS
from worker.contract.data_settings import DataSettings
from worker.contract.setting import setting

LayerName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w.-]+$")]


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
        "Width of LoRA's added matrices: how much they can learn.",
        label="LoRA rank",
        group="method",
        only_with=("method", "lora"),
        ge=1,
        le=512,
    )
    lora_alpha: int = setting(
        32,
        "How strongly LoRA's part counts: it is multiplied by alpha / rank.",
        label="LoRA alpha",
        group="method",
        only_with=("method", "lora"),
        advice="Twice the rank is a good start.",
        ge=1,
        le=4096,
    )
    lora_dropout: float = setting(
        0.0,
        "Share of LoRA's inputs dropped at random at each update, against memorising.",
        label="LoRA dropout",
        group="method",
        only_with=("method", "lora"),
        ge=0,
        le=0.9,
    )

    lora_target_modules: list[LayerName] = setting(
        ["all-linear"],
        "The layers that LoRA adds to, by how their names end, such as q_proj. all-linear: every one but the head.",
        label="LoRA layers",
        group="method",
        only_with=("method", "lora"),
        advice="A name that the model has not is answered with those that it has.",
        min_length=1,
        max_length=100,
    )
    lora_target_parameters: list[LayerName] = setting(
        [],
        "Weights that LoRA adds to besides, such as a mixture's experts, by how their names end: experts.down_proj.",
        label="LoRA weights",
        group="method",
        only_with=("method", "lora"),
        advice="Each expert gets matrices of its own, so this takes far more memory. LoRA dropout and DoRA must be off.",
        max_length=100,
    )
    use_rslora: bool = setting(
        False,
        "Multiply LoRA's part by alpha / √rank instead of alpha / rank, which suits ranks above 64.",
        label="rsLoRA",
        group="method",
        only_with=("method", "lora"),
    )
    use_dora: bool = setting(
        False,
        "Learn how long each weight vector is apart from where it points: nearer to full at low ranks, and slower.",
        label="DoRA",
        group="method",
        only_with=("method", "lora"),
    )

    load_in_4bit: bool = setting(
        False,
        "QLoRA: hold the weights that LoRA leaves alone in 4 bits each (NF4): an eighth of the memory, and slower updates.",
        label="4-bit base",
        group="method",
        only_with=("method", "lora"),
        advice="Without DoRA. Needs the extra bitsandbytes.",
    )

    @field_validator("load_in_4bit")
    @classmethod
    def _four_bits_are_not_trained(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("method") == "full":
            raise ValueError("is for weights that are not trained: choose the method lora, or switch it off")
        if value and info.data.get("use_dora"):
            raise ValueError("cannot be had with DoRA, which goes by the lengths of whole weights: switch one of them off")
        return value

    @field_validator("method")
    @classmethod
    def _lora_needs_a_trained_model(cls, value: str, info: ValidationInfo) -> str:
        if value == "lora" and (info.data.get("from_scratch") or info.data.get("model_name") in BUILT_IN_MODELS):
            raise ValueError("lora adds to what a model has learned, and this one starts from nothing: choose full")
        return value
