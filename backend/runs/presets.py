"""Ready-made configurations: where a form starts that one need not fill in."""

from __future__ import annotations

from backend.schemas.system import Preset

PRESETS = [
    Preset(
        id="sample",
        title="Sample run",
        description="A tiny model learns short stories from nothing, in about a minute on two CPU cores. No download.",
        config={"model_name": "tiny", "dataset": "sample", "num_epochs": 2, "eval_steps": 50},
    ),
    Preset(
        id="quick",
        title="Quick look",
        description="A few dozen updates, to see that your own file is read as you meant it.",
        config={"model_name": "tiny", "max_steps": 30},
    ),
    Preset(
        id="thorough",
        title="Better stories",
        description="The larger built-in model, given more passes. Several times slower, and worth it on a fast machine.",
        config={"model_name": "mini", "num_epochs": 5, "lr_scheduler": "cosine"},
    ),
    Preset(
        id="fine-tune",
        title="Fine-tune GPT-2",
        description="Start from a model that already knows English. Wants a GPU, and a download the first time.",
        config={"model_name": "gpt2", "num_epochs": 3, "learning_rate": 5e-5},
    ),
    # What a common training guide advises for a GPU's size; the accumulation keeps 16 examples in an update.
    *(
        Preset(
            id=f"gpu-{gigabytes}",
            title=f"{gigabytes} GB",
            description=f"{model}, {batch_size} examples at a time.",
            config={"model_name": model, "batch_size": batch_size, "gradient_accumulation_steps": 16 // batch_size},
            gpu_memory_bytes=gigabytes << 30,
        )
        for gigabytes, model, batch_size in (
            (6, "gpt2", 2),
            (8, "gpt2", 4),
            (12, "gpt2-medium", 8),
            (24, "gpt2-large", 16),
        )
    ),
]
