"""``make bench-generation``: a model asked by one client and by eight at once, beside transformers.

The server and ``transformers serve``, with and without its continuous batching, are asked by OpenAI's client;
``model.generate`` is called in a warm process. They take turns, round after round. Prints the figures and writes their
section of docs/benchmarks.md. With ``--gguf FILE`` that model is among them.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import httpx
import openai
import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GgufConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from backend.datasets.sample_corpus import sample_lines
from tests.benchmarks.document import origin, write_section
from tests.serving import Server
from worker.data.tokenizer import train_tokenizer

ROUNDS, USERS, TOKENS = 3, 8, 48
FIRSTS = 7  # how often the first token is waited for in each round, as it is told within a few milliseconds
PROMPTS = [text[:120] for text in sample_lines(seed=5)[:USERS]]
GENERATE, OURS, SERVE, CONTINUOUS = "model.generate", "Trainboard", "transformers serve", "… with continuous batching"


class Figures(NamedTuple):
    """``first_s``: until the first token has come; tokens a second of one client, and of all eight at once."""

    first_s: float
    alone: float
    together: float


class Ask:
    """A server of OpenAI's API with one model."""

    def __init__(self, url: str, model: str) -> None:
        self._client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=300)
        self._model = model

    def __call__(self, prompt: str, tokens: int = TOKENS) -> tuple[float, float]:
        """Seconds until the first token, and until the last one."""
        started, first = time.perf_counter(), 0.0
        wanted: dict[str, Any] = {"model": self._model, "max_tokens": tokens, "temperature": 0}
        for _ in self._client.completions.create(prompt=prompt, stream=True, **wanted):
            first = first or time.perf_counter() - started
        return first, time.perf_counter() - started

    def figures(self) -> Figures:
        first = statistics.median(self(PROMPTS[0], 2)[0] for _ in range(FIRSTS))
        _, whole = self(PROMPTS[0])
        started = time.perf_counter()
        with ThreadPoolExecutor(USERS) as pool:
            list(pool.map(self, PROMPTS))
        return Figures(first, TOKENS / whole, USERS * TOKENS / (time.perf_counter() - started))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, help="a model to ask besides")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models(Path(folder), arguments.gguf):
            found = compare(model, Path(folder) / f"data-{len(rows)}")
            rows += [row(name, arm, each, found) for arm, each in found.items()]
            print(*rows[-len(found) :], sep="\n", flush=True)
    text = report(rows)
    write_section("generation", text)
    print(text)


def models(folder: Path, gguf: Path | None) -> Iterator[tuple[str, Path]]:
    """Folders of models whose texts never end, as nothing in them means an end."""
    tokenizer: Any = train_tokenizer(sample_lines(seed=1), 8192, 1024)
    ends = {"vocab_size": len(tokenizer), "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    gpt2 = GPT2Config(**ends)
    llama = LlamaConfig(
        hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
        tie_word_embeddings=True, max_position_embeddings=1024, **ends,
    )  # fmt: skip
    tokenizer.eos_token = tokenizer.bos_token = None
    for name, model in (("GPT-2, 12 × 768", GPT2LMHeadModel(gpt2)), ("Llama, 30 × 576", LlamaForCausalLM(llama))):
        place = folder / name.split(",")[0]
        model.save_pretrained(place)
        tokenizer.save_pretrained(place)
        yield name, place
    if gguf:
        place = folder / "gguf"
        whole = {"quantization_config": GgufConfig(dequantize=True), "dtype": torch.float32}  # packed ones cannot be saved
        AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, **whole).save_pretrained(place)
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(place)
        yield gguf.name, place


def compare(model: Path, data_dir: Path) -> dict[str, list[Figures]]:
    with ExitStack() as open_:
        arms: dict[str, Callable[[], Figures]] = {
            GENERATE: _generate(model),
            OURS: open_.enter_context(_ours(model, data_dir)).figures,
            SERVE: open_.enter_context(_serve(model)).figures,
            CONTINUOUS: open_.enter_context(_serve(model, "--continuous-batching")).figures,
        }
        for figures in arms.values():
            figures()  # to be warm
        found: dict[str, list[Figures]] = {arm: [] for arm in arms}
        for _ in range(ROUNDS):
            for arm, figures in arms.items():
                found[arm].append(figures())
                print(model.name, arm, *found[arm][-1], flush=True)
    return found


def _generate(folder: Path) -> Callable[[], Figures]:
    """In this process; eight prompts one after another."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    wanted = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0}

    def seconds(prompt: str, tokens: int) -> float:
        inputs = tokenizer(prompt, return_tensors="pt")["input_ids"]
        started = time.perf_counter()
        model.generate(inputs, attention_mask=torch.ones_like(inputs), max_new_tokens=tokens, **wanted)
        return time.perf_counter() - started

    def figures() -> Figures:
        first = statistics.median(seconds(PROMPTS[0], 1) for _ in range(FIRSTS))
        whole = seconds(PROMPTS[0], TOKENS)
        return Figures(first, TOKENS / whole, USERS * TOKENS / sum(seconds(prompt, TOKENS) for prompt in PROMPTS))

    return figures


@contextmanager
def _ours(model: Path, data_dir: Path) -> Iterator[Ask]:
    (data_dir / "models").mkdir(parents=True)
    (data_dir / "models" / "asked").symlink_to(model)
    server = Server(data_dir, {"OMP_NUM_THREADS": str(os.cpu_count())})
    try:
        yield Ask(server.url, "local:asked")
    finally:
        server.stop()


@contextmanager
def _serve(model: Path, *flags: str) -> Iterator[Ask]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(model), "--port", str(port), *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    said: list[str] = []
    while "running on" not in "".join(said).lower():
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("transformers serve ended: " + "".join(said))
        said.append(line)
    Thread(target=said.extend, args=(process.stdout,), daemon=True).start()
    url = f"http://127.0.0.1:{port}"
    try:
        assert httpx.get(f"{url}/health").status_code == 200
        yield Ask(url, str(model))
    finally:
        process.terminate()
        process.wait(timeout=30)


def row(model: str, arm: str, figures: list[Figures], all_: dict[str, list[Figures]]) -> str:
    first, alone, together = (statistics.median(each) for each in zip(*figures, strict=True))
    base = statistics.median(each.together for each in all_[GENERATE])
    return f"| {model} | {arm} | {first * 1000:,.0f} ms | {alone:,.0f} | {together:,.0f} | {together / base:.1f}× |"


def report(rows: list[str]) -> str:
    made = origin("make bench-generation", f"torch {torch.__version__}", f"transformers {transformers.__version__}")
    return "\n".join(
        [
            f"{made}.",
            "",
            f"{TOKENS} tokens, greedily, after a prompt of 120 characters, by one client and by {USERS} at once; medians of"
            f" {ROUNDS} rounds, in which the arms take turns, and of {FIRSTS} first tokens in each."
            f" `model.generate` is called in a warm process and writes the {USERS} texts one after another; the others are"
            " asked by OpenAI's client, streamed.",
            "",
            f"| model | arm | first token | tokens/s, one client | tokens/s, {USERS} at once | of generate's |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )


if __name__ == "__main__":
    main()
