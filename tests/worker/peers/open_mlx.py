"""Opens a folder with mlx-lm, and tells what it makes of it: as open_transformers.py does, with the same requests."""

from __future__ import annotations

import json
import sys
from typing import Any

import mlx.core as mx
from mlx_lm import load, stream_generate


def answer(folder: str, texts: list[str], messages: list[dict[str, str]], new_tokens: int) -> dict[str, Any]:
    """What the tokenizer makes of ``texts``, the logits of the first, the chat as text, and what is written after it."""
    model, tokenizer = load(folder)
    model.set_dtype(mx.float32)
    ids = [tokenizer.encode(text) for text in texts]
    logits = model(mx.array(ids[:1]))[0].astype(mx.float32)
    found: dict[str, Any] = {"ids": ids, "logits": logits.tolist(), "decoded": [tokenizer.decode(each) for each in ids]}
    if messages:
        asked = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        prompt = tokenizer.encode(asked, add_special_tokens=False)
        written = [each.token for each in stream_generate(model, tokenizer, prompt, max_tokens=new_tokens)]
        found |= {"asked": asked, "written": written}
    return found


if __name__ == "__main__":
    mx.set_default_device(mx.cpu)
    json.dump([answer(**request) for request in json.load(sys.stdin)], sys.stdout)
