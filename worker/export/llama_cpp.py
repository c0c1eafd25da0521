"""Opens .gguf files with llama.cpp, in a process that knows nothing of ours.

    python -m worker.export.llama_cpp FILE FOLDER    FOLDER/asked.json → told.json, ids.npy, logprobs.npy

asked.json: {"texts": [text], "rows": [[token id]], "chats": [[message]]}. told.json: what llama.cpp makes of the texts and
the chats. ids.npy, logprobs.npy: [tokens of all rows, most likely tokens], of each place what may come next. FOLDER/failure
says why there is none of these. The process ends with its standard input.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import xllamacpp

LIKELIEST = 1000
"""Tokens whose probability is asked for at each place; what the others have together follows from it."""


class _Server:
    """llama.cpp's own server for one file, on a free port of the loopback. Raises RuntimeError if it does not open it."""

    def __init__(self, path: Path, context: int) -> None:
        self._key = secrets.token_hex(16)
        settings = xllamacpp.CommonParams()
        settings.model.path, settings.n_ctx, settings.n_parallel, settings.n_gpu_layers = str(path), context, 1, 0
        settings.port, settings.api_keys, settings.ui, settings.warmup, settings.use_jinja = (
            0,
            [self._key],
            False,
            False,
            True,
        )
        # Its threads spin while they wait for each other: where others are at work too, as many as processors are very slow.
        threads = max(1, min(8, (os.cpu_count() or 2) // 2))
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
        # Nothing but the file's own rounding is to show.
        settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        settings.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._server = xllamacpp.Server(settings)
        # Which token it goes on with is left to a bias, which probabilities are told without: of one that ends the text, or
        # that is a part of a letter, it would not tell any.
        self._letter = self.tokens("a", special=False)[-1]

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Its answer to a POST, or to a GET without ``body``. Raises RuntimeError with what it says."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        request = urllib.request.Request(self._server.listening_address + path, data, headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode(errors="replace")[:500]) from error

    def tokens(self, text: str, *, special: bool) -> list[int]:
        """Of a whole text. ``special``: what is written like a special token is one."""
        body = {"content": text, "add_special": True, "parse_special": special}
        return [int(token) for token in self.ask("/tokenize", body)["tokens"]]

    def chat(self, messages: Any) -> str | None:
        """The prompt that its template makes of ``messages``; None if it makes none."""
        try:
            return str(self.ask("/apply-template", {"messages": messages})["prompt"])
        except RuntimeError:
            return None

    def next_tokens(self, ids: list[int], count: int) -> list[tuple[int, float]]:
        """What may follow ``ids``, the likeliest first: token, and the natural logarithm of its probability."""
        body = {"prompt": ids, "n_predict": 1, "n_probs": count, "cache_prompt": True, "logit_bias": [[self._letter, 1e9]]}
        found = self.ask("/completion", body)["completion_probabilities"][0]["top_logprobs"]
        # JSON has no NaN: null stands for it.
        return [(int(one["id"]), float("nan") if one["logprob"] is None else one["logprob"]) for one in found]


def read(path: Path, folder: Path) -> None:
    """Tells what llama.cpp makes of the file. Raises RuntimeError if it does not open it, or not run it."""
    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    server = _Server(path, max(map(len, asked["rows"])) + 8)
    about, known = server.ask("/props"), server.ask("/v1/models")["data"][0]["meta"]
    told = {
        "tokens": [server.tokens(text, special=False) for text in asked["texts"]],
        "tokens_with_special": [server.tokens(text, special=True) for text in asked["texts"]],
        "chats": [server.chat(messages) for messages in asked["chats"]],
        "eos": about["eos_token"],
        "chat_template": about.get("chat_template"),
        "context": known["n_ctx_train"],
        "vocabulary": known["n_vocab"],
    }
    (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")
    count = min(LIKELIEST, known["n_vocab"])
    places = [row[: end + 1] for row in asked["rows"] for end in range(len(row))]
    ids, logprobs = np.zeros((len(places), count), np.int32), np.full((len(places), count), np.nan, np.float32)
    for number, place in enumerate(places):
        for rank, (token, logprob) in enumerate(server.next_tokens(place, count)[:count]):
            ids[number, rank], logprobs[number, rank] = token, logprob
        print(number + 1, len(places), flush=True)
    np.save(folder / "ids.npy", ids)
    np.save(folder / "logprobs.npy", logprobs)


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


def main(path: str, folder: str) -> int:
    """0, or 1 with what went wrong in FOLDER/failure."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        read(Path(path), Path(folder))
    except RuntimeError as error:
        (Path(folder) / "failure").write_text(str(error), encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # the server's threads are not waited for
