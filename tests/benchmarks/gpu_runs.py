"""Runs for the check of the GPU paths: models and text made up here, and the worker in this process."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # as the worker has it

import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from worker.contract import DatasetSource, Job, ModelSource, Reading, RunConfig
from worker.process.control import StopSwitch
from worker.training.preparation import prepare

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SMALL = DEVICE == "cpu"
WIDTH, LAYERS, HEADS, VOCABULARY = (64, 2, 4, 512) if SMALL else (768, 12, 12, 50304)  # the latter is GPT-2's 124M
CONTEXT = 2048
LONGEST = 100 if SMALL else 500  # letters of a line, each a token

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


class Done(NamedTuple):
    """A run that has ended: its Trainer, its events and its directory."""

    trainer: Any
    events: list[Any]
    run_dir: Path

    def steps(self, name: str) -> list[float]:
        """A number of each step event."""
        return [getattr(event, name) for event in self.events if event.type == "step"]

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == kind]

    def warnings(self) -> list[str]:
        return [event.text for event in self.of("message") if event.level != "info"]

    def tokens_per_s(self) -> float:
        """Over the second half together, when all has warmed up: a GPU's updates are read in bursts."""
        tokens, milliseconds = self.steps("tokens"), self.steps("step_ms")
        half = len(tokens) // 2
        return 1000 * (tokens[-1] - tokens[half - 1]) / sum(milliseconds[half:])


def _llama_like(**more: Any) -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY, "hidden_size": WIDTH, "intermediate_size": 3 * WIDTH, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": HEADS // 2, "max_position_embeddings": CONTEXT,
        "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0, **more,
    }  # fmt: skip


def _gpt2(**more: Any) -> Any:
    sizes = {"vocab_size": VOCABULARY, "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": CONTEXT}
    return transformers.GPT2Config(**sizes, bos_token_id=1, eos_token_id=1, **more)


_WINDOW = {"head_dim": 64, "sliding_window": 64}
DESIGNS: dict[str, Callable[[], Any]] = {
    "GPT-2": _gpt2,
    "GPT-2 without dropout": lambda: _gpt2(attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0),
    "Llama": lambda: transformers.LlamaConfig(**_llama_like()),
    "Mistral": lambda: transformers.MistralConfig(**_llama_like(**_WINDOW)),
    "Gemma 3": lambda: transformers.Gemma3TextConfig(**_llama_like(**_WINDOW)),
    "Qwen3 MoE": lambda: transformers.Qwen3MoeConfig(
        **_llama_like(num_hidden_layers=2, head_dim=32, num_experts=8, num_experts_per_tok=2, moe_intermediate_size=WIDTH)
    ),
}


class Bench:
    """Makes models and text once, in a folder that is gone in the end, and trains with them."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="trainboard-gpu-"))

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(
        self,
        design: str,
        *,
        run_id: str = "run",
        going_on: bool = False,
        change: Callable[[Any], None] | None = None,
        watch: Callable[[Any, Path], None] | None = None,
        **config: Any,
    ) -> Done:
        """Trains ``design`` for a few updates; what the worker would raise is raised.

        ``change`` is given the Trainer before it begins, ``watch`` each event and the run directory.
        """
        run_dir = self._folder / "runs" / run_id
        if not going_on:
            shutil.rmtree(run_dir, ignore_errors=True)
        run_dir.mkdir(parents=True, exist_ok=True)
        events: list[Any] = []

        def report(event: Any) -> None:
            events.append(event)
            if watch:
                watch(event, run_dir)

        job = self.job(design, **config)
        trainer, resumed_step = prepare(job, run_dir, report, StopSwitch(run_dir), going_on=going_on)
        if change:
            change(trainer)
        events.append(trainer.train(resumed_step))
        return Done(trainer, events, run_dir)

    def job(self, design: str, **config: Any) -> Job:
        usual = {
            "model_name": "local:made", "dataset": "made", "validation_split": 0.0, "sample_prompts": [], "device": DEVICE,
            "max_length": LONGEST + 12, "batch_size": 8, "gradient_accumulation_steps": 2, "max_steps": 6 if SMALL else 12,
            "learning_rate": 1e-4, "compile": "off", "keep_checkpoints": 1,
        }  # fmt: skip
        source = DatasetSource(path=str(self.text()), format="txt", reading=Reading())
        model = ModelSource(kind="folder", location=str(self.model(design)))
        return Job(run_id="gpu", config=RunConfig(**(usual | config)), model=model, dataset=source)

    def model(self, design: str) -> Path:
        """A folder with random weights, the same each time, and a tokenizer of bytes."""
        folder = self._folder / design
        if not folder.exists():
            torch.manual_seed(0)
            transformers.AutoModelForCausalLM.from_config(DESIGNS[design]()).save_pretrained(folder)
            _tokenizer().save_pretrained(folder)
        return folder

    def text(self) -> Path:
        """Lines of 10 letters and more, most of them short."""
        path = self._folder / "text.txt"
        if not path.exists():
            draw = random.Random(0)
            lengths = (min(LONGEST, 10 + int(draw.lognormvariate(4.6, 0.8))) for _ in range(100 if SMALL else 6000))
            path.write_text("\n".join("x" + "".join(draw.choices("etaoin shrdlu", k=length)) for length in lengths))
        return path


def _tokenizer() -> Any:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<pad>", "</s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>")
