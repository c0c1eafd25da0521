"""Where models come from: built in, the hub, a folder, a .gguf file. Nothing is unpickled, no remote code is run."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from worker.checkpoints.folder import verify
from worker.contract import (
    ADAPTER_CONFIG_FILE,
    ADAPTER_WEIGHTS_FILE,
    BUILT_IN_MODELS,
    DEFAULT_MAX_LENGTH,
    MANIFEST_FILE,
    BuiltInModel,
    ModelSource,
    base_of,
    is_adapter,
    weight_files,
)
from worker.errors import ModelError
from worker.models import hub
from worker.models.adjustments import adjust
from worker.models.parts import context_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


# What transformers raises for a model that is missing, broken, of an unknown kind or not in safetensors.
_LOADING_ERRORS = (
    OSError, ValueError, LookupError, ImportError, TypeError, AttributeError, RuntimeError, SafetensorError,
)  # fmt: skip


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model in fp32 on the CPU, and its tokenizer. ``context`` is the longest text it can read.

    ``dtype`` is the number format that its author keeps it in.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    context: int | None
    dtype: torch.dtype = torch.float32


def quiet_libraries() -> None:
    """Silences the libraries' advice for programmers, and their progress bars."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def build(name: str, texts: Iterable[str]) -> LanguageModel:
    """The built-in model ``name`` with random weights and a tokenizer made from ``texts``."""
    from worker.data.tokenizer import train_tokenizer

    spec = BUILT_IN_MODELS[name]
    tokenizer = train_tokenizer(texts, spec.vocab_size, spec.context)
    return LanguageModel(_gpt2(spec, len(tokenizer), tokenizer.eos_token_id), tokenizer, spec.context)


def _gpt2(spec: BuiltInModel, vocab_size: int, end_id: int) -> PreTrainedModel:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=vocab_size,
        n_positions=spec.context,
        n_embd=spec.width,
        n_layer=spec.layers,
        n_head=spec.heads,
        bos_token_id=end_id,
        eos_token_id=end_id,
        pad_token_id=end_id,
        activation_function="gelu_pytorch_tanh",  # GPT-2's own, in one operation where "gelu_new" takes seven
        # A model this small forgets nothing it could have memorised in a few passes: dropout only slows it down.
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    return GPT2LMHeadModel(config)


def load_model(
    source: ModelSource,
    *,
    from_scratch: bool = False,
    watch: hub.Watch | None = None,
    turn: AbstractContextManager[None] | None = None,
) -> LanguageModel:
    """The model at ``source``, which is not a built-in one; ``from_scratch`` keeps its design and drops its weights.

    ``watch`` is told of a download, as by ``hub.fetch_model``. ``turn`` is taken once that is over, and held while
    transformers loads, which sets what holds for all threads.

    Raises ModelError if it is missing, damaged, not a text model, or only to be had as a pickle or with its own code, or if
    its weights are not finite.
    """
    if source.kind == "folder" and is_adapter(Path(source.location)):
        return _load_adapted(source, from_scratch=from_scratch, watch=watch, turn=turn)
    folder, options = _place(source, weights=not from_scratch, watch=watch)
    with turn or nullcontext():
        return _load_placed(source, folder, options, from_scratch=from_scratch)


def _load_placed(source: ModelSource, folder: str, options: dict[str, Any], *, from_scratch: bool) -> LanguageModel:
    """The model whose files lie in ``folder``; see ``_place``."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig

    options["trust_remote_code"] = False
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        config = AutoConfig.from_pretrained(folder, **options)
        dtype = kept_dtype(config, Path(folder))  # now, for loading changes the configuration
        if from_scratch:
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        else:
            if source.kind == "gguf":
                options["quantization_config"] = GgufConfig(dequantize=True)  # packed ones cannot be trained or saved
            options |= {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
            model, loading = AutoModelForCausalLM.from_pretrained(folder, **options)
            _require_whole(source, loading["missing_keys"])
            require_finite(source, model.named_parameters())
    except torch.OutOfMemoryError:
        raise
    except _LOADING_ERRORS as error:
        raise _not_loaded(source, error) from error
    adjust(model)
    loaded = LanguageModel(model, tokenizer, context_of(model), dtype)
    _require_text_model(source, loaded)
    return loaded


def load_tokenizer(source: ModelSource) -> PreTrainedTokenizerBase:
    """The tokenizer alone of the model at ``source``, which is not a built-in one. Raises ModelError."""
    from transformers import AutoTokenizer

    if source.kind == "folder" and is_adapter(folder := Path(source.location)) and not _has_tokenizer(folder):
        return load_tokenizer(base_source(folder))
    place, options = _place(source, weights=False)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(place, trust_remote_code=False, **options)
    except _LOADING_ERRORS as error:
        raise _not_loaded(source, error) from error
    return tokenizer


def _load_adapted(
    source: ModelSource, *, from_scratch: bool, watch: hub.Watch | None, turn: AbstractContextManager[None] | None
) -> LanguageModel:
    """The base of the adapter in ``source``, with the adapter merged in unless it is to forget what it learned."""
    folder = Path(source.location)
    _place(source, weights=not from_scratch)
    loaded = load_model(base_source(folder), from_scratch=from_scratch, watch=watch, turn=turn)
    require_adapter_weights(folder)
    model: Any = loaded.model
    with adapter_fits(folder):
        if not from_scratch:
            from worker.models.lora import merge_adapter  # takes long to import

            model = merge_adapter(model, folder)
            require_finite(source, model.named_parameters())
        model.generation_config = adapter_settings(folder, model.generation_config)
    return replace(loaded, model=model, tokenizer=load_tokenizer(source))


def require_adapter_weights(folder: Path) -> None:
    """Raises ModelError if the adapter in ``folder`` has no weights that can be read without unpickling."""
    if not (folder / ADAPTER_WEIGHTS_FILE).is_file():
        raise ModelError(f"{folder} has no {ADAPTER_WEIGHTS_FILE}.", "Save the adapter again as safetensors.")


def adapter_settings(folder: Path, usual: Any) -> Any:
    """How the adapter in ``folder`` wants to write, such as where to end; as ``usual`` if it does not say."""
    from transformers import GenerationConfig

    return GenerationConfig.from_pretrained(folder) if (folder / "generation_config.json").is_file() else usual


@contextmanager
def adapter_fits(folder: Path) -> Iterator[None]:
    """What libraries raise within for an adapter that does not fit its base becomes a ModelError."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except _LOADING_ERRORS as error:
        raise ModelError(
            f"The adapter {folder} does not fit its base: {_first_sentence(error)}",
            f"It was made for {base_source(folder).location}, which may have changed since.",
        ) from error


def _has_tokenizer(folder: Path) -> bool:
    return (folder / "tokenizer_config.json").is_file()


def base_source(folder: Path) -> ModelSource:
    """Where the base of the adapter in ``folder`` is. Raises ModelError if that is not told, or if it is gone."""
    try:
        base = base_of(folder)
    except ValueError as error:
        reason = f"The adapter {folder} cannot be used: {error}."
        raise ModelError(reason, "Write there which model it was made for.") from error
    if base.kind != "hub" and not Path(base.location).exists():
        raise ModelError(
            f"The adapter {folder} was trained beside {base.location}, which is gone.",
            f"Put that model back, or write into {ADAPTER_CONFIG_FILE} where it is.",
        )
    return base


def kept_dtype(config: Any, folder: Path) -> torch.dtype:
    """The number format of the model in ``folder``: the one that its config.json names, else that of its first weight; fp32
    where that is none to train in. Raises OSError, ValueError or SafetensorError for files that are damaged."""
    dtype = config.dtype or config.get_text_config().dtype
    if dtype is None and (files := weight_files(folder)) and (folder / files[0]).is_file():
        with safe_open(folder / files[0], "pt") as weights:
            dtype = weights.get_tensor(next(iter(weights.keys()))).dtype
    return dtype if dtype in (torch.bfloat16, torch.float16) else torch.float32


def _not_loaded(source: ModelSource, error: Exception) -> ModelError:
    return ModelError(f"Could not load the model {source.location}: {_first_sentence(error)}", _HINTS[source.kind])


def _require_whole(source: ModelSource, missing: Collection[str]) -> None:
    """Raises ModelError if weights are missing, for transformers fills such gaps with random numbers and says nothing."""
    if missing:
        raise ModelError(
            f"{source.location} lacks {len(missing)} of its weights, such as {min(missing)}.",
            "Its config.json and its weights do not belong together; get the model again.",
        )


def require_finite(source: ModelSource, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Raises ModelError if weights are NaN or infinite, for every loss would be so, whatever the learning rate."""
    for name, weight in weights:
        # The sum first: it takes a twentieth of the time, and is finite unless a weight is not, or they are huge.
        if not torch.isfinite(weight.sum()) and not torch.isfinite(weight).all():
            broken = int((~torch.isfinite(weight)).sum())
            raise ModelError(
                f"{source.location} is broken: {broken} of {weight.numel()} numbers in its {name} are NaN or infinite.",
                "Get the model again, or start from an earlier checkpoint of it.",
            )


def _require_text_model(source: ModelSource, loaded: LanguageModel) -> None:
    """Raises ModelError if the tokenizer knows no words, or if the model cannot read a text or sees the words it should
    predict."""
    if not loaded.tokenizer.encode("the story", add_special_tokens=False):
        raise ModelError(f"{source.location} has no usable tokenizer.", "Its folder needs the tokenizer's files too.")
    model: Any = loaded.model
    texts = torch.arange(8).repeat(2, 1)
    texts[1, -1] = 8
    try:
        with torch.inference_mode():
            first, second = model.eval()(input_ids=texts, use_cache=False).logits[:, :-1]
    except torch.OutOfMemoryError:
        raise
    except _LOADING_ERRORS as error:
        raise ModelError(
            f"{source.location} cannot read a text: {_first_sentence(error)}", "Choose a model made for text generation."
        ) from error
    if (first - second).abs().max() > 1e-4 * first.abs().max():  # rounding stays far below
        raise ModelError(
            f"{source.location} reads text in both directions, so it cannot write any.",
            "Choose a model made for text generation, such as gpt2.",
        )


_HINTS = {
    "hub": "It must be a text model with weights in safetensors.",
    "folder": "It needs config.json, model.safetensors and the tokenizer's files.",
    "gguf": "Check that the file is complete and of a kind that transformers can read.",
}


_GGUF_READERS = ("gguf", "accelerate")


def _place(source: ModelSource, *, weights: bool = True, watch: hub.Watch | None = None) -> tuple[str, dict[str, Any]]:
    """The folder that holds ``source``, and what else transformers needs to know to load it."""
    if source.kind == "hub":
        return hub.fetch_model(source.location, weights=weights, watch=watch), {}
    path = Path(source.location)
    if not path.exists():
        raise ModelError(f"The model {path} is gone.", "Pick another model.")
    if source.kind == "folder":
        if weights and (path / MANIFEST_FILE).exists():
            verify(path)
        return str(path), {}
    if missing := [name for name in _GGUF_READERS if importlib.util.find_spec(name) is None]:
        raise ModelError(f"Reading a .gguf file needs {' and '.join(missing)}.", f"Install: pip install {' '.join(missing)}")
    return str(path.parent), {"gguf_file": path.name}


def _first_sentence(error: Exception) -> str:
    """The first line of what a library says; the rest is for programmers and stands in the log."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def choose_max_length(wanted: int | None, context: int | None) -> int:
    """Tokens at which examples are cut. Raises ModelError if more are wanted than the model can read."""
    if wanted is None:
        return min(DEFAULT_MAX_LENGTH, context or DEFAULT_MAX_LENGTH)
    if context and wanted > context:
        raise ModelError(
            f"Max length is set to {wanted} tokens, but this model reads at most {context}.",
            f"Set Max length to {context} or less.",
        )
    return wanted
