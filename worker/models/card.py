"""The README.md of a finished model: what it was made from, how, and how well it did; and that of an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worker.contract import EvaluationEvent, Job, is_adapter

_LOAD = """```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
model = AutoModelForCausalLM.from_pretrained("path/to/this/folder")
prompt = tokenizer("Once upon a time", return_tensors="pt")
text = model.generate(**prompt, max_new_tokens=60, do_sample=True, temperature=0.8)
print(tokenizer.decode(text[0], skip_special_tokens=True))
```"""

_GGUF = """Export, on the run's page in Trainboard, makes a .gguf file for llama.cpp and Ollama, and has llama.cpp prove that
it answers as this model does. llama.cpp's own `convert_hf_to_gguf.py` does not convert this folder: it tells tokenizers by
their vocabulary, and this one was made from the run's own text."""

_IN_4_BITS = """It was trained beside its base in 4 bits, and does best beside the same:
`from_pretrained(..., quantization_config=BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4",
bnb_4bit_use_double_quant=True))`, with `BitsAndBytesConfig` of transformers."""

_LOAD_ADAPTER = """```python
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer, GenerationConfig

tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
model = AutoPeftModelForCausalLM.from_pretrained("path/to/this/folder")
model.generation_config = GenerationConfig.from_pretrained("path/to/this/folder")
```

The last line has answers end where they did in training; peft takes that from the base."""


def model_card(job: Job, facts: dict[str, Any], step: int, evaluations: Sequence[EvaluationEvent], saved_as: str) -> str:
    """Markdown. Names files but no folders of the machine it was made on, as a model is made to be passed on.

    ``saved_as`` is the weights' number format, as torch calls it.
    """
    start = "random weights" if job.config.from_scratch or job.model.kind == "built_in" else "its trained weights"
    settings = job.config.model_dump(exclude={"name", "model_name", "dataset", "sample_prompts"})
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-generation",
        "tags: [trainboard]",
        "---",
        f"# {job.config.name or job.run_id}",
        "",
        f"Made by Trainboard from `{job.config.model_name}`, starting from {start}.",
        "",
        f"- Data: {', '.join(f'`{name}`' for name in (job.config.dataset, *job.config.mixture))},"
        f" {facts['train_examples']} examples to learn from,"
        f" {facts['validation_examples']} kept aside for validation, at most {facts['max_length']} tokens each",
        f"- Weights: {facts['parameters']:,}, saved as {saved_as}",
        f"- Updates: {step} of {facts['total_steps']}, in {facts['precision']} on {facts['device']}",
        "",
        "## Losses",
        "",
        "| step | epoch | train loss | validation loss | perplexity |",
        "|---:|---:|---:|---:|---:|",
        *(
            f"| {e.step} | {e.epoch:.2f} | {_cell(e.train_loss)} | {_cell(e.loss)} | {_cell(e.perplexity)} |"
            for e in evaluations
        ),
        "",
        *_further(evaluations),
        "## Settings",
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| {name} | {'' if value is None else value} |" for name, value in settings.items()),
        "",
        "## Use",
        "",
        _LOAD,
        "",
        *(["## GGUF", "", _GGUF, ""] if job.model.kind == "built_in" else []),
    ]
    return "\n".join(lines)


def _further(evaluations: Sequence[EvaluationEvent]) -> list[str]:
    """The losses on further datasets, a column each."""
    names = list(dict.fromkeys(name for event in evaluations for name in event.losses))
    if not names:
        return []
    rows = (" | ".join(_cell(event.losses.get(name)) for name in names) for event in evaluations)
    return [
        f"| step | {' | '.join(name.replace('|', ' ') for name in names)} |",
        "|---:" * (len(names) + 1) + "|",
        *(f"| {event.step} | {row} |" for event, row in zip(evaluations, rows, strict=True)),
        "",
    ]


def adapter_card(job: Job) -> str:
    """Markdown, of an adapter alone."""
    name = job.config.model_name
    if job.model.kind == "hub":
        where = "which transformers fetches from the Hugging Face hub."
    elif is_adapter(Path(job.model.location)):
        where = "an adapter itself, which peft would leave out without a word. Use the merged model in `model/` instead."
    elif job.model.kind == "folder":
        where = "a folder whose place `adapter_config.json` names. On another machine, write there where it is."
    else:
        where = "a .gguf file, which peft cannot load: load it with transformers, and give the model to `PeftModel`."
    lines = [
        "---",
        "library_name: peft",
        "pipeline_tag: text-generation",
        *([f"base_model: {name}"] if job.model.kind == "hub" else []),
        "tags: [trainboard, lora]",
        "---",
        f"# {job.config.name or job.run_id}",
        "",
        "An adapter made by Trainboard: what LoRA trained, without the model that it was trained beside.",
        "",
        f"Its base is `{name}`, {where}",
        "",
        "## Use",
        "",
        _LOAD_ADAPTER,
        "",
        *([_IN_4_BITS, ""] if job.config.load_in_4bit else []),
    ]
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
