"""LoRA (Hu et al., 2021): small matrices beside a model's own are trained, and the model's own stay as they are.

Weights W become W + alpha / rank · B·A. While training, both parts are there; a plain model has their sum ("merged").
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict, inject_adapter_in_model
from peft.tuners.lora import LoraLayer, ParamWrapper
from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers
from safetensors.torch import save_file
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.utils._pytree import tree_map_only
from transformers.pytorch_utils import Conv1D

from worker.contract import ADAPTER_WEIGHTS_FILE, RunConfig
from worker.devices.precision import AUTOCAST, Precision
from worker.errors import CheckpointError, ModelError
from worker.models import frozen
from worker.models.parts import context_of, words_part

_TOLERANCE = 1e-4  # of a layer's largest output; rounding stays far below in fp32


class Agreement(NamedTuple):
    """How far merged and unmerged logits are apart at most, and the largest logit to compare that with."""

    difference: float
    largest_logit: float


def add_adapters(model: Any, config: RunConfig) -> None:
    """Adds matrices to the layers and weights of ``model`` that ``config`` names, and freezes all else. It stays what it is.

    A starts random, from torch's generator, and B at zero, so that the model's logits do not change.
    Raises ModelError if there is no such layer, or if peft cannot add to one.
    """
    names = adaptable(model)
    if not names:
        raise ModelError("This model has no linear layers that LoRA could be added to.", "Set Method to full.")
    if "all-linear" not in config.lora_target_modules:
        names = _called(config.lora_target_modules, names, "linear layer", "LoRA layers")
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        use_rslora=config.use_rslora,
        use_dora=config.use_dora,
        target_modules=names,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),  # GPT-2's weights are transposed
        task_type="CAUSAL_LM",
    )
    _name_by_weight(lora, model)
    if config.lora_target_parameters:
        named = _called(config.lora_target_parameters, _in_one_tensor(model), "weight for all experts", "LoRA weights")
        lora.target_parameters = sorted({*named, *(lora.target_parameters or ())})
    try:
        inject_adapter_in_model(lora, model)
    except ValueError as error:  # peft's own advice, such as of dropout that it has not for single weights
        reason = f"LoRA cannot be added to {type(model).__name__} like this: {error}"
        raise ModelError(reason, "Set LoRA dropout to 0 and DoRA off, or Method to full.") from error


def _called(wanted: Sequence[str], names: Sequence[str], what: str, label: str) -> list[str]:
    """Those of ``names`` that are, or end in, one of ``wanted``. Raises ModelError for one that none does."""
    found = {end: [name for name in names if f".{name}".endswith(f".{end}")] for end in wanted}
    if missing := [end for end, ones in found.items() if not ones]:
        ends = sorted({".".join(name.split(".")[-(missing[0].count(".") + 1) :]) for name in names})
        has = f"It has {', '.join(ends[:20])}{' and others' if len(ends) > 20 else ''}." if ends else "It has none at all."
        raise ModelError(f"The model has no {what} called {missing[0]}. {has}", f"Change {label} to names that it has.")
    return [name for name in names if any(name in ones for ones in found.values())]


def _in_one_tensor(model: Any) -> list[str]:
    """The names of weights that stand for several layers of the same shape, one for each expert."""
    words = set(words_part(model).modules())
    return [
        f"{name}.{own}"
        for name, module in model.named_modules()
        if module in words and not isinstance(module, _ConvNd)
        for own, weight in module.named_parameters(recurse=False)
        if weight.ndim == 3
    ]


def shrink_base(model: Any, config: RunConfig, precision: Precision, device: torch.device | None) -> None:
    """Holds the weights that ``model``, with its adapters, does not train in the format that products are computed in, and
    if ``config`` says so those of linear layers in 4 bits. ``device`` as for ``frozen.shrink``."""
    if config.load_in_4bit or precision in AUTOCAST:
        frozen.shrink(
            model,
            _frozen_linear(model),
            AUTOCAST.get(precision, torch.float32),
            four_bit=config.load_in_4bit,
            device=device,
        )


def _frozen_linear(model: Any) -> list[str]:
    """The names of linear layers whose weights are not trained, and taken by nobody but their layer."""
    return [
        name
        for name in adaptable(model)
        if not (layer := model.get_submodule(name)).weight.requires_grad
        and type(layer) in (nn.Linear, Conv1D)
        and not isinstance(model.get_submodule(name.rpartition(".")[0]), ParamWrapper)
    ]


def adaptable(model: Any) -> list[str]:
    """The names of the linear layers that LoRA adds to: those that words go through, but for the head.

    The experts of a mixture are no linear layers in transformers 5, and are left alone, as are the routers to them. In a
    state space (Mamba) it is only the first layer: kernels take the weights of the others as they are, past what is added.
    """
    spaces = [(name, module) for name, module in model.named_modules() if hasattr(module, "A_log") and hasattr(module, "D")]
    inner = {f"{name}.{child}" for name, module in spaces for child, _ in module.named_children() if child != "in_proj"}
    head, words = model.get_output_embeddings(), set(words_part(model).modules())
    return [
        name
        for name, module in model.named_modules()
        if module in words and module is not head and name not in inner and _is_linear(module)
    ]


@torch.no_grad()
def _is_linear(module: nn.Module) -> bool:
    """Not all of that class are: of Llama 4 a router is, and of DeepSeek V4 a layer in groups."""
    if type(module) in (nn.Linear, Conv1D) or not isinstance(module, nn.Linear):
        return isinstance(module, (nn.Linear, Conv1D))
    try:
        output: Any = module(module.weight.new_zeros(2, 3, module.in_features))
    except RuntimeError:
        return False
    return isinstance(output, torch.Tensor) and output.shape == (2, 3, module.out_features)


def _name_by_weight(lora: LoraConfig, model: nn.Module) -> None:
    """Has ``lora`` name some dense layers by their weight: in mixtures of experts peft takes a layer's name, such as
    ``up_proj``, for the one that experts had before transformers 5, here and where the adapter is loaded."""
    renamed = copy.deepcopy(lora)
    convert_peft_config_for_transformers(renamed, model, None)
    before, after = set(lora.target_modules or ()), set(renamed.target_modules or ())
    lora.target_modules = sorted(before & after)
    lora.target_parameters = sorted(f"{name}.weight" for name in before - after) or None


def base_digest(model: nn.Module) -> str:
    """SHA-256 of the weights that are not trained, on whatever device they lie."""
    sha = hashlib.sha256()
    for weight in model.parameters():
        if not weight.requires_grad:
            sha.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def trainable_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """What is trained, by name; the tensors are the model's own."""
    return {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}


def load_trainable_state(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Gives ``model``, which has its adapters, what ``trainable_state`` told. Raises CheckpointError if it does not fit."""
    own = trainable_state(model)
    if {name: weight.shape for name, weight in own.items()} != {name: weight.shape for name, weight in state.items()}:
        raise CheckpointError(
            "The saved adapter does not fit this model.",
            "Set the model and LoRA's rank to what they were when it was saved.",
        )
    for name, weight in own.items():
        weight.copy_(state[name])


def save_adapter(model: Any, folder: Path, base: str) -> None:
    """Writes the adapter as a folder that peft loads onto ``base``, a path or an id of the hub. Raises OSError."""
    config = model.peft_config["default"]
    config.base_model_name_or_path = base
    config.save_pretrained(folder)
    state = get_peft_model_state_dict(model, save_embedding_layers=False)  # they are not trained; asking would ask the hub
    save_file(
        {f"base_model.model.{name}": weight.cpu().contiguous() for name, weight in state.items()},
        folder / ADAPTER_WEIGHTS_FILE,
    )


def merge_adapter(model: Any, folder: Path) -> Any:
    """The plain ``model`` with the adapter in ``folder``, of whatever kind peft can merge.

    Raises what peft raises for one that does not fit, and ValueError for one that cannot be merged.
    """
    adapted: Any = PeftModel.from_pretrained(model, folder)
    if not hasattr(adapted, "merge_and_unload"):
        raise ValueError(f"peft cannot merge an adapter of the kind {adapted.peft_config['default'].peft_type.value}.")
    return adapted.merge_and_unload().requires_grad_(True)  # peft has frozen it


@torch.inference_mode()
def merge(model: Any) -> Agreement:
    """Adds the adapters to the base weights of ``model``, for good, which is in fp32 on the CPU.

    Raises CheckpointError if a layer does not compute what it did. The logits are no measure of that: after training at too
    high a rate a model may make a thousand times more of each rounding.
    """
    layers: dict[str, Any] = {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    calls: dict[str, _Call] = {}

    def keep(name: str, *call: Any) -> None:
        calls[name] = _Call(*tree_map_only(torch.Tensor, torch.clone, call))  # some designs add to them in place

    hooks = [
        layer.register_forward_hook(lambda _, *call, name=name: keep(name, *call), with_kwargs=True)
        for name, layer in layers.items()
    ]
    model.eval()  # training is over
    _logits(model, texts=1, most_tokens=8)
    for hook in hooks:
        hook.remove()
    apart = _logits(model)
    for name, layer in layers.items():
        layer.merge()
        if name in calls:  # an expert may not have been asked
            _check(name, layer, calls[name])
    return Agreement(float((apart - _logits(model)).abs().max()), float(apart.abs().max()))


class _Call(NamedTuple):
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any


def _check(name: str, layer: Any, call: _Call) -> None:
    before, after = (out[0] if isinstance(out, tuple) else out for out in (call.out, layer(*call.args, **call.kwargs)))
    off, largest = float((before - after).abs().max()), float(before.abs().max())
    if not off <= _TOLERANCE * largest:
        raise CheckpointError(
            f"The merged model's layer {name} is off by {off:.2g}, where its largest output is {largest:.2g}, so it was not"
            " saved.",
            "The adapter, in adapter/ and in the latest checkpoint, is not affected.",
        )


@torch.inference_mode()
def _logits(model: Any, texts: int = 4, most_tokens: int = 32) -> torch.Tensor:
    """The model's logits on a few random token sequences, always the same: [texts, tokens or the context, vocabulary]."""
    shape = (texts, min(most_tokens, context_of(model) or most_tokens))
    tokens = torch.randint(model.get_input_embeddings().num_embeddings, shape, generator=torch.Generator().manual_seed(0))
    logits: torch.Tensor = model(input_ids=tokens.to(model.device), use_cache=False).logits
    return logits


def plain_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The base weights of ``model`` under the names they have in one without adapters."""
    return {name.replace("base_layer.", ""): weight for name, weight in model.state_dict().items() if ".lora_" not in name}
