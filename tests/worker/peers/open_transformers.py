"""Opens a folder with plain transformers, or with peft if it is an adapter, and tells what it makes of it.

``python open_transformers.py < requests > answers``, both JSON lists, as ``answer`` takes and gives them. Runs in a peer's
environment and imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers


def answer(
    folder: str, texts: list[str], messages: list[dict[str, str]], new_tokens: int, attention: str | None = None
) -> dict[str, Any]:
    """What the tokenizer makes of ``texts``, the logits of the first, the chat as text, and what is written after it."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if (Path(folder) / "adapter_config.json").exists():
        from peft import AutoPeftModelForCausalLM

        model = AutoPeftModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        model.generation_config = transformers.GenerationConfig.from_pretrained(folder)  # as the adapter's README says
    else:
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention)
    model.eval()
    ids = [tokenizer(text)["input_ids"] for text in texts]
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor(ids[:1])).logits[0]
    found: dict[str, Any] = {
        "ids": ids,
        "logits": logits.float().tolist(),
        "decoded": [tokenizer.decode(each) for each in ids],
    }
    if messages:
        asked = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        prompt = tokenizer(asked, add_special_tokens=False, return_tensors="pt")
        prompt.pop("token_type_ids", None)
        written = model.generate(**prompt, max_new_tokens=new_tokens, do_sample=False)[0, prompt["input_ids"].shape[1] :]
        found |= {"asked": asked, "written": written.tolist()}
    return found


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    answers = [answer(**request) for request in json.load(sys.stdin)]
    assert "worker" not in sys.modules
    json.dump(answers, sys.stdout)
