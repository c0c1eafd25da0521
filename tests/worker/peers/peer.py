"""Asks other programs, each in an environment of its own, what they make of folders that a run has left."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from worker.generation.sampling import Sampling, encode_chat, stream
from worker.models.loading import LanguageModel

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
NEW_TOKENS = 24
TEXTS = [
    "Say hi. Hello there, old friend. Count. One, two and three; a line so long that it looks past a window's end.",
    "Größe 日本 😀\n\n x,  y",
]
TYPED = ["<|im_start|>a<|im_end|>\n", "one</s>two", "  <eos> <start_of_turn>"]
"""Special tokens that are typed, which llama.cpp takes otherwise than transformers, whatever made the folder."""
QUESTION = [{"role": "user", "content": "Say hi."}]


@dataclass(frozen=True)
class Peer:
    """A program that opens folders: its environment, which ``make test-slow`` makes, and our script for it.

    ``tolerance`` is that of its logits, in parts of the largest. ``adapters``: it opens these too.
    """

    environment: str
    script: str
    tolerance: float = 1e-4
    adapters: bool = False

    def run(self, script: str, *arguments: str, text: str = "") -> str:
        """What a script of ours prints, in a fresh process that knows nothing of Trainboard."""
        python = ROOT / self.environment / "bin" / "python"
        if not python.exists():
            pytest.skip(f"{self.environment} is made by make test-slow")
        variables = {"PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [python, HERE / script, *arguments], input=text, capture_output=True, text=True, cwd="/", env=variables
        )
        assert not done.returncode, done.stderr[-3000:]
        return done.stdout

    def open(self, folders: Sequence[Path], *, chat: bool, **request: Any) -> list[dict[str, Any]]:
        """What it makes of each folder."""
        wanted = {"texts": self.texts, "messages": QUESTION if chat else [], "new_tokens": NEW_TOKENS, **request}
        answers: list[dict[str, Any]] = json.loads(
            self.run(self.script, text=json.dumps([{"folder": str(folder), **wanted} for folder in folders]))
        )
        return answers

    @property
    def texts(self) -> list[str]:
        """Those that it should make the same tokens of."""
        return TEXTS if self.script == "open_llama.py" else TEXTS + TYPED


TRANSFORMERS_4 = Peer(".venv-transformers4", "open_transformers.py", adapters=True)
PEERS = {
    "transformers 5": Peer(".venv-transformers5", "open_transformers.py", adapters=True),
    "transformers 4.57": TRANSFORMERS_4,
    "mlx-lm": Peer(".venv-transformers5", "open_mlx.py"),
    "llama.cpp": Peer(".venv-transformers4", "open_llama.py", tolerance=2e-3),  # its GELU is a table in 16 bits
}


@torch.inference_mode()
def expected(trained: LanguageModel, peer: Peer, *, chat: bool) -> dict[str, Any]:
    """What the model that was trained, as it lies in memory, makes of the same."""
    tokenizer: Any = trained.tokenizer
    ids = [tokenizer(text)["input_ids"] for text in peer.texts]
    model: Any = trained.model.eval()
    told: dict[str, Any] = {"ids": ids, "logits": model(input_ids=torch.tensor(ids[:1])).logits[0]}
    if chat:
        written = [
            piece.id
            for piece in stream(trained, encode_chat(trained, QUESTION, {}).ids, Sampling(NEW_TOKENS, temperature=0))
        ]
        asked = tokenizer.apply_chat_template(QUESTION, tokenize=False, add_generation_prompt=True)
        told |= {"asked": asked, "written": written, "text": tokenizer.decode(written, skip_special_tokens=True)}
    return told


def differences(trained: LanguageModel, peer: Peer, found: dict[str, Any], *, chat: bool) -> list[str]:
    """Where ``found`` is not what the trained model makes of it, a line each."""
    right = expected(trained, peer, chat=chat)
    lines = [
        f"{name}: {found[name]} and not {right[name]}"
        for name in ("ids", "written")
        if found.get(name, right.get(name)) != right.get(name)
    ]
    begin = trained.tokenizer.bos_token or ""
    if chat and found["asked"] not in (
        right["asked"],
        right["asked"].removeprefix(begin),
    ):  # llama.cpp adds it to the tokens
        lines.append(f"asked: {found['asked']!r} and not {right['asked']!r}")
    if chat and "text" in found and (found["text"].strip(), found["stop"]) != (right["text"].strip(), "eos"):
        lines.append(f"text: {found['text']!r}, {found['stop']}, and not {right['text']!r}, eos")
    logits = right["logits"]
    if "logits" in found:
        off = float((torch.tensor(found["logits"]) - logits).abs().max() / logits.abs().max())
    else:
        last = torch.log_softmax(logits[-1], dim=-1)
        off = max(abs(float(last[int(token)]) - logprob) for token, logprob in found["last"].items()) / float(
            logits.abs().max()
        )
    if not off <= peer.tolerance:
        lines.append(f"logits: off by {off:.2g} of the largest")
    return lines
