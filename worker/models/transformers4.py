"""Has a folder that transformers 5 wrote mean the same to transformers 4, and to the many programs that read what it wrote.

Without this, version 4 takes 10,000 as the base of rotary positions, whatever it is, and says nothing; and it knows neither
the name of version 5's tokenizers nor its list of special tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

_OTHER_NAMES = {
    "n_positions": "n_ctx",  # as GPT-2's own config.json has it, and converters want it
    "num_local_experts": "num_experts",
}
_OTHER_ROPE_NAMES = {"gpt_neox": {"rope_theta": "rotary_emb_base", "partial_rotary_factor": "rotary_pct"}}
_GENERAL_TOKENIZER = "TokenizersBackend"


def make_readable(folder: Path) -> None:
    """Adds to config.json and tokenizer_config.json in ``folder``, as far as there are, what version 4 calls by other names.

    Version 5 reads the same from them as before. Raises OSError.
    """
    _change(folder / "config.json", _name_design)
    _change(folder / "tokenizer_config.json", _name_tokens)


def _change(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    if file.is_file():
        settings = json.loads(file.read_text(encoding="utf-8"))
        change(settings)
        file.write_text(json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _name_design(config: dict[str, Any]) -> None:
    for part in (config, config.get("text_config")):
        if part:
            part.update({old: part[new] for new, old in _OTHER_NAMES.items() if new in part and old not in part})
            _name_positions(part, part.get("rope_parameters") or {})


def _name_positions(config: dict[str, Any], rope: dict[str, Any]) -> None:
    if few := rope.get("sliding_attention"):  # of layers that look at few tokens version 4 has the base by itself
        config["rope_local_base_freq"] = few["rope_theta"]
        rope = rope.get("full_attention", {})
    names = {name: name for name in ("rope_theta", "partial_rotary_factor")}
    names = _OTHER_ROPE_NAMES.get(config.get("model_type", ""), names)
    config.update({old: rope[new] for new, old in names.items() if new in rope})
    scaling = {name: value for name, value in rope.items() if name not in names}
    if scaling and scaling != {"rope_type": "default"}:
        config["rope_scaling"] = scaling


def _name_tokens(tokenizer: dict[str, Any]) -> None:
    if tokenizer.get("tokenizer_class") == _GENERAL_TOKENIZER:
        tokenizer["tokenizer_class"] = "PreTrainedTokenizerFast"
    if isinstance(tokenizer.get("extra_special_tokens"), list):
        tokenizer["additional_special_tokens"] = tokenizer.pop("extra_special_tokens")
