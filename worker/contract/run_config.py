"""What a person chooses about a run: RunConfig. Imported through ``worker.contract``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

GROUPS = {
    "essentials": "Model and data",
    "method": "What is trained",
    "length": "How long to train",
    "batch": "Batch and memory",
    "rate": "Learning rate",
    "evaluation": "Evaluation and checkpoints",
    "system": "Machine",
}


class BuiltInModel(BaseModel):
    """A GPT-2 architecture small enough for a CPU, trained from scratch with a tokenizer made from the run's data."""

    model_config = ConfigDict(frozen=True)

    width: int
    layers: int
    heads: int
    context: int
    vocab_size: int
    learning_rate: float
    description: str


BUILT_IN_MODELS = {
    "tiny": BuiltInModel(
        width=96,
        layers=4,
        heads=4,
        context=256,
        vocab_size=1024,
        learning_rate=3e-3,
        description="About half a million weights, trained from nothing. Learns simple text in a minute on a laptop.",
    ),
    "mini": BuiltInModel(
        width=256,
        layers=6,
        heads=8,
        context=512,
        vocab_size=4096,
        learning_rate=1e-3,
        description="About 6 million weights, trained from nothing. Several times slower than tiny, and better.",
    ),
}

FINE_TUNING_LEARNING_RATE = 5e-5
LORA_LEARNING_RATE = 2e-4
FROM_SCRATCH_LEARNING_RATE = 5e-4  # for designs that are not built in, whose size we do not know
DEFAULT_MAX_LENGTH = 512


def setting(
    default: Any, help: str, *, label: str, group: str, unit: str | None = None, advice: str | None = None, **bounds: Any
) -> Any:
    """A RunConfig field whose schema carries what the form, the documentation and the command line show."""
    extra = {"label": label, "group": group, "unit": unit, "advice": advice}
    return Field(
        default,
        description=help,
        json_schema_extra={k: v for k, v in extra.items() if v is not None},
        **bounds,
    )


class RunConfig(BaseModel):
    """What a person chooses about a run. Every field is optional; the schema is the form, the docs and the CLI."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())

    name: str | None = setting(
        None,
        "What this run is called on the board. Made from the model and the data if left empty.",
        label="Name",
        group="essentials",
        max_length=120,
    )
    model_name: str = setting(
        "tiny",
        "The model to start from: tiny or mini (built in), a Hugging Face id, local:NAME, or run:ID.",
        label="Model",
        group="essentials",
        advice="Starting from a trained model is easier than starting from nothing, but needs that model on this machine.",
        min_length=1,
        max_length=200,
    )
    from_scratch: bool = setting(
        False,
        "Keep the model's design but throw its learned weights away and start from random ones.",
        label="Start from random weights",
        group="essentials",
    )
    dataset: str = setting(
        "sample",
        "The text to learn from: the built-in sample, or a file you uploaded.",
        label="Dataset",
        group="essentials",
        advice="A thousand examples or more make the result worth having.",
        min_length=1,
        max_length=200,
    )
    validation_split: float = setting(
        0.1,
        "Share of the examples kept aside as a practice test: the model is measured on them and never learns from them.",
        label="Validation split",
        group="essentials",
        advice="0 switches the test off, and with it the best way to notice overfitting.",
        ge=0,
        le=0.5,
    )
    validation_dataset: str | None = setting(
        None,
        "A dataset to test on, instead of a part of the one that is learned. Empty: Validation split decides.",
        label="Validation dataset",
        group="essentials",
        min_length=1,
        max_length=200,
    )
    split_by_group: bool = setting(
        False,
        "Keep examples that are nearly the same on one side of the split, so that the test holds nothing that was learned.",
        label="Keep near-duplicates together",
        group="essentials",
        advice="The dataset's page tells whether there are any. Off, an added line never moves another one across.",
    )
    skip_refused_rows: bool = setting(
        False,
        "Leave out conversations that the model's chat format does not take, instead of stopping at the first.",
        label="Skip refused rows",
        group="essentials",
        advice="Some formats want user and assistant in turn. How many rows were left out is said when the run begins.",
    )
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
    num_epochs: int = setting(
        3,
        "How many times the model goes through all the examples.",
        label="Epochs",
        group="length",
        unit="passes",
        advice="More passes help until validation loss turns up again: from there the model memorises.",
        ge=1,
        le=1000,
    )
    max_steps: int | None = setting(
        None,
        "Stop after this many weight updates, whatever the number of epochs says.",
        label="Max steps",
        group="length",
        unit="updates",
        ge=1,
        le=10_000_000,
    )
    early_stopping_patience: int | None = setting(
        None,
        "Stop when this many evaluations in a row brought no better validation loss. Empty: never stop early.",
        label="Early stopping",
        group="length",
        unit="evaluations",
        ge=1,
        le=1000,
    )
    batch_size: int = setting(
        4,
        "Examples the model reads at once. More is faster and takes more memory.",
        label="Batch size",
        group="batch",
        unit="examples",
        advice="Out of memory? Halve this and double the accumulation: the result stays the same.",
        ge=1,
        le=1024,
    )
    gradient_accumulation_steps: int = setting(
        4,
        "Batches that are read before the weights change once. Acts like a larger batch without its memory.",
        label="Gradient accumulation",
        group="batch",
        unit="batches",
        ge=1,
        le=1024,
    )
    max_length: int | None = setting(
        None,
        "Most tokens (pieces of words) of an example; what is beyond is cut off. Empty: 512, or the model's limit if less.",
        label="Max length",
        group="batch",
        unit="tokens",
        advice="Memory and time grow with it. If your lines are short, a lower number costs nothing.",
        ge=8,
        le=131_072,
    )
    packing: bool = setting(
        True,
        "Share one pass between short examples instead of filling each up with padding. Faster; the result is the same.",
        label="Pack short examples",
        group="batch",
    )
    gradient_checkpointing: bool = setting(
        False,
        "Compute parts of the forward pass twice instead of remembering them: less memory, about a third slower.",
        label="Gradient checkpointing",
        group="batch",
    )
    on_oom: Literal["retry", "fail"] = setting(
        "retry",
        "When the memory runs out: retry the update with smaller batches and more accumulation, or fail with advice.",
        label="Out of memory",
        group="batch",
        advice="A retry learns from the same examples at the same update, in smaller parts.",
    )
    learning_rate: float | None = setting(
        None,
        "How big each change of the weights is. Empty: 5e-5 for a trained model (2e-4 with LoRA), more when from nothing.",
        label="Learning rate",
        group="rate",
        advice="Too high and the loss jumps or becomes NaN; too low and it hardly moves.",
        gt=0,
        le=1,
    )
    lr_scheduler: Literal["linear", "cosine", "constant"] = setting(
        "linear",
        "How the learning rate moves after warmup: straight down, down along a curve, or not at all.",
        label="Schedule",
        group="rate",
    )
    warmup_ratio: float = setting(
        0.1,
        "Share of the run in which the learning rate climbs from zero, so that the first updates break nothing.",
        label="Warmup ratio",
        group="rate",
        ge=0,
        le=1,
    )
    weight_decay: float = setting(
        0.01,
        "Pulls weights gently towards zero, which works against memorising. Not applied to biases and norms.",
        label="Weight decay",
        group="rate",
        ge=0,
        le=1,
    )
    max_grad_norm: float = setting(
        1.0,
        "Gradient clipping: an update larger than this is scaled down, so that one odd batch cannot wreck the model.",
        label="Gradient clipping",
        group="rate",
        gt=0,
        le=1000,
    )
    eval_steps: int | None = setting(
        None,
        "Measure validation loss every so many updates. Empty: after each epoch.",
        label="Evaluate every",
        group="evaluation",
        unit="updates",
        ge=1,
        le=10_000_000,
    )
    save_steps: int | None = setting(
        None,
        "Save a checkpoint every so many updates. Empty: after each epoch.",
        label="Save every",
        group="evaluation",
        unit="updates",
        ge=1,
        le=10_000_000,
    )
    keep_checkpoints: int = setting(
        2,
        "Latest checkpoints kept on disk. The best one is always kept besides.",
        label="Checkpoints kept",
        group="evaluation",
        unit="checkpoints",
        ge=1,
        le=100,
    )
    log_steps: int = setting(
        1,
        "Report loss and learning rate every so many updates.",
        label="Report every",
        group="evaluation",
        unit="updates",
        ge=1,
        le=10_000,
    )
    sample_prompts: list[Annotated[str, Field(max_length=1000)]] = setting(
        ["Once upon a time"],
        "At every evaluation the model continues each of these texts, so that you can read what it has learned.",
        label="Sample prompts",
        group="evaluation",
        max_length=8,
    )
    precision: Literal["auto", "fp32", "fp16", "bf16"] = setting(
        "auto",
        "Bits per number. 16-bit (mixed precision) is 2 to 3 times faster on a GPU; auto picks what the device does well.",
        label="Precision",
        group="system",
    )
    device: str = setting(
        "auto",
        "Where to train: auto, cpu, mps, cuda, or one GPU such as cuda:0.",
        label="Device",
        group="system",
        pattern=r"^(auto|cpu|mps|cuda(:\d{1,2})?)$",
    )
    devices: int = setting(
        1,
        "GPUs that train one model together. Each reads its own batches, so an update learns from that many times more.",
        label="GPUs",
        group="system",
        unit="GPUs",
        advice="With 2, halve the gradient accumulation to keep the result as it was.",
        ge=1,
        le=64,
    )
    compile: Literal["auto", "on", "off"] = setting(
        "auto",
        "Translate the model for this machine before training (torch.compile): a minute of waiting, then faster updates.",
        label="Compile",
        group="system",
        advice="auto does it on a CUDA GPU where the run is long enough to win the minute back.",
    )
    num_workers: int = setting(
        0,
        "Threads that lay out the next batches while the model computes. 0: it is done in between.",
        label="Loading threads",
        group="system",
        unit="threads",
        advice="Helps a fast GPU with long batches; on a CPU leave it at 0.",
        ge=0,
        le=64,
    )
    seed: int = setting(
        42,
        "Starting point of everything random. The same seed on the same machine gives the same run.",
        label="Seed",
        group="system",
        ge=0,
        le=2**31 - 1,
    )

    @field_validator("method")
    @classmethod
    def _lora_needs_a_trained_model(cls, value: str, info: ValidationInfo) -> str:
        if value == "lora" and (info.data.get("from_scratch") or info.data.get("model_name") in BUILT_IN_MODELS):
            raise ValueError("lora adds to what a model has learned, and this one starts from nothing: choose full")
        return value

    @field_validator("name", "model_name", "dataset", "validation_dataset")
    @classmethod
    def _one_line(cls, value: str | None) -> str | None:
        """Names are shown and logged on one line; surrounding blanks are never meant."""
        if value is None:
            return None
        value = value.strip()
        if not value.isprintable():
            raise ValueError("must be one line of printable characters")
        return value
