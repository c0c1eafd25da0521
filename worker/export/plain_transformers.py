"""Opens a folder with transformers or peft, in a process that knows nothing of ours.

    python -m worker.export.plain_transformers KIND MODEL FOLDER    KIND is model or adapter

FOLDER/asked.json and what is written beside it are those of ``llama_cpp.py``, as is how it fails.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

LIKELIEST = 1000


def read(kind: str, path: str, folder: Path) -> None:
    """Tells what transformers makes of the folder."""
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    if kind == "adapter":
        from peft import AutoPeftModelForCausalLM

        model: Any = AutoPeftModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    else:
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    model.eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(path)

    def chat(messages: Any) -> str | None:
        try:
            return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        except Exception:  # noqa: BLE001 - a template may refuse by any error, and so it is told
            return None

    config = model.config
    told = {
        "tokens": [tokenizer(text, split_special_tokens=True)["input_ids"] for text in asked["texts"]],
        "tokens_with_special": [tokenizer(text)["input_ids"] for text in asked["texts"]],
        "chats": [chat(messages) for messages in asked["chats"]],
        "eos": tokenizer.eos_token or "",
        "ends": model.generation_config.eos_token_id,
        "chat_template": tokenizer.chat_template,
        "context": getattr(config, "max_position_embeddings", None),
        "vocabulary": config.vocab_size,
    }
    (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")
    ids, logprobs = [], []
    with torch.inference_mode():
        for row in asked["rows"]:
            logits = model(input_ids=torch.tensor([row]), use_cache=False).logits[0].float().log_softmax(-1)
            best = logits.topk(min(LIKELIEST, logits.shape[-1]), -1)
            ids.append(best.indices.numpy().astype(np.int32))
            logprobs.append(best.values.numpy())
    np.save(folder / "ids.npy", np.concatenate(ids))
    np.save(folder / "logprobs.npy", np.concatenate(logprobs))


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


def main(kind: str, path: str, folder: str) -> int:
    """0, or 1 with what went wrong in FOLDER/failure."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        read(kind, path, Path(folder))
    except Exception as error:  # noqa: BLE001 - whatever these libraries raise is what is to be told
        first = (str(error).strip() or "it does not say why").splitlines()[0]
        (Path(folder) / "failure").write_text(f"{type(error).__name__}: {first}", encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
