"""The models that come with Trainboard, and learning rates that suit a model. Imported through ``worker.contract``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


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
