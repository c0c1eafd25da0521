"""Has a folder that transformers 5 wrote mean the same to transformers 4, and to the many programs that read what it wrote.

Without this, version 4 takes 10,000 as the base of rotary positions, whatever it is, and says nothing; and it knows neither
the name of version 5's tokenizers nor its list of special tokens. Programs of that time look for the chat template in
tokenizer_config.json, where version 5 has a file of its own, and llama.cpp's converter takes the ranks of pieces from the
SentencePiece model that version 5 leaves out: without it, texts become other tokens.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

_OTHER_NAMES = {
    "n_positions": "n_ctx",  # as GPT-2's own config.json has it, and converters want it
    "num_local_experts": "num_experts",
}
_OTHER_ROPE_NAMES = {"gpt_neox": {"rope_theta": "rotary_emb_base", "partial_rotary_factor": "rotary_pct"}}
_GENERAL_TOKENIZER = "TokenizersBackend"
_SENTENCEPIECE_MODEL = "tokenizer.model"
_OF_A_TOKEN = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
_TEMPLATE, _FURTHER_TEMPLATES = "chat_template.jinja", "additional_chat_templates"


def make_readable(folder: Path, tokenizer: Any) -> None:
    """Adds to config.json and tokenizer_config.json in ``folder``, as far as there are, what version 4 calls by other names,
    and the SentencePiece model that ``tokenizer`` was loaded beside.

    Version 5 reads the same from them as before. Raises OSError.
    """
    _change(folder / "config.json", _name_design)
    _change(folder / "tokenizer_config.json", partial(_name_tokens, tokenizer))
    _change(folder / "tokenizer_config.json", partial(_show_template, folder))
    source = Path(tokenizer.name_or_path)
    if (source / "tokenizer_config.json").is_file() and (source / _SENTENCEPIECE_MODEL).is_file():
        shutil.copyfile(source / _SENTENCEPIECE_MODEL, folder / _SENTENCEPIECE_MODEL)


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


def _name_tokens(tokenizer: Any, told: dict[str, Any]) -> None:
    if told.get("tokenizer_class") == _GENERAL_TOKENIZER:
        told["tokenizer_class"] = "PreTrainedTokenizerFast"
    if isinstance(told.get("extra_special_tokens"), list):
        told["additional_special_tokens"] = told.pop("extra_special_tokens")
    told["added_tokens_decoder"] = {
        str(number): {name: getattr(token, name) for name in _OF_A_TOKEN}
        for number, token in sorted(tokenizer.added_tokens_decoder.items())
    }


def _show_template(folder: Path, told: dict[str, Any]) -> None:
    if not (folder / _TEMPLATE).is_file():
        return
    default = (folder / _TEMPLATE).read_text(encoding="utf-8")
    further = {file.stem: file.read_text(encoding="utf-8") for file in sorted((folder / _FURTHER_TEMPLATES).glob("*.jinja"))}
    named = [{"name": name, "template": text} for name, text in {"default": default, **further}.items()]
    told["chat_template"] = named if further else default
