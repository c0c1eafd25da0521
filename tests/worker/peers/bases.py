"""``python bases.py FOLDER TEXTS NAME...``: small bases as people find them, written by transformers 4.57.

Runs in the peers' environment, so nothing of ours is imported. Each has the tokenizer of its family's kind: byte-level BPE
as GPT-2, Llama 3, Qwen and SmolLM2 have it, SentencePiece with single bytes as Llama 2 and Gemma.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import sentencepiece
import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
HEADERS = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + m['content'] + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
TURNS = (
    "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role'])"
    " + '\\n' + m['content'] + '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
INSTRUCTIONS = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GROUPED: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}  # fmt: skip
WIDE: dict[str, Any] = {**GROUPED, "head_dim": 32}
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
LINEAR = {"rope_type": "linear", "factor": 2.0}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 48, "norm_topk_prob": True}

DESIGNS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gpt2": ("gpt2", "gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256, "resid_pdrop": 0.0,
                              "embd_pdrop": 0.0, "attn_pdrop": 0.0}),
    "llama2": ("llama", "llama2", {**GROUPED, "rope_theta": 1e4}),
    "llama": ("llama", "llama3", {**GROUPED, "rope_theta": 5e5, "rope_scaling": LLAMA3, "tie_word_embeddings": True}),
    "qwen3": ("qwen3", "qwen", {**WIDE, "rope_theta": 1e6, "tie_word_embeddings": True}),
    "smollm2": ("llama", "smollm2", {**GROUPED, "rope_theta": 1e5, "tie_word_embeddings": True}),
    "gemma": ("gemma", "gemma", {**WIDE}),
    "gemma2": ("gemma2", "gemma", {**WIDE, "sliding_window": 16, "query_pre_attn_scalar": 32}),
    "gemma3": ("gemma3_text", "gemma", {**WIDE, "sliding_window": 16, "query_pre_attn_scalar": 32,
                                        "rope_theta": 1e6, "rope_local_base_freq": 2e4, "num_hidden_layers": 6}),
    "mistral": ("mistral", "llama2", {**GROUPED, "sliding_window": 16, "rope_theta": 1e6}),
    "qwen2_yarn": ("qwen2", "qwen", {**GROUPED, "rope_theta": 1e6, "rope_scaling": YARN}),
    "llama_linear": ("llama", "llama2", {**GROUPED, "rope_theta": 2e4, "rope_scaling": LINEAR}),
    "qwen3_moe": ("qwen3_moe", "qwen", {**WIDE, **EXPERTS, "rope_theta": 1e6}),
    "mixtral": ("mixtral", "llama2", {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2, "rope_theta": 1e6}),
    "phi": ("phi", "gpt2", {**GROUPED, "num_key_value_heads": 4, "rope_theta": 2e4, "partial_rotary_factor": 0.5}),
}  # fmt: skip
"""By name: the design, the kind of tokenizer, the sizes. Windows are shorter than the texts, so that they show."""


def byte_level(texts: list[str], tokens: list[str], pattern: str | None, **model: Any) -> Tokenizer:
    """A byte-level BPE in which the special ``tokens`` come last, as Llama 3's and Qwen's do."""
    made = Tokenizer(models.BPE(**model))
    own = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    split = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    made.pre_tokenizer = pre_tokenizers.Sequence([*split, own])
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False))
    made.add_special_tokens(tokens)
    return made


def sentences(folder: Path, texts: list[str], **special: Any) -> str:
    """A SentencePiece model that falls back to bytes; the file is the family's tokenizer.model."""
    file = folder / "trained"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix=str(file), vocab_size=420, model_type="bpe", byte_fallback=True,
        character_coverage=1.0, normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2, **special,
    )  # fmt: skip
    return str(file.with_suffix(".model"))


def tokenizer_of(kind: str, folder: Path, texts: list[str]) -> Any:
    """The tokenizer of a family: as its own folder on the hub has it."""
    if kind == "gpt2":
        made = byte_level(texts, ["<|endoftext|>"], None)
        return transformers.GPT2TokenizerFast(tokenizer_object=made)
    if kind == "smollm2":
        marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        made = byte_level(texts, marks, None)
        return transformers.GPT2TokenizerFast(
            tokenizer_object=made, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>",
            unk_token="<|endoftext|>", additional_special_tokens=["<|im_start|>", "<|im_end|>"], chat_template=CHATML,
        )  # fmt: skip
    if kind == "qwen":
        marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        made = byte_level(texts, marks, SPLIT)
        return transformers.Qwen2TokenizerFast(
            tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>",
            additional_special_tokens=["<|im_start|>", "<|im_end|>"], chat_template=CHATML,
        )  # fmt: skip
    if kind == "llama3":
        marks = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
        made = byte_level(texts, marks, SPLIT, ignore_merges=True)
        begin = made.token_to_id("<|begin_of_text|>")
        made.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing("<|begin_of_text|> $A", "$A $B", [("<|begin_of_text|>", begin)]),
        ])  # fmt: skip
        return transformers.PreTrainedTokenizerFast(
            tokenizer_object=made, bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>", chat_template=HEADERS,
            model_input_names=["input_ids", "attention_mask"], clean_up_tokenization_spaces=True,
        )  # fmt: skip
    if kind == "llama2":
        file = sentences(folder, texts, unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
        return transformers.LlamaTokenizerFast(vocab_file=file, chat_template=INSTRUCTIONS, legacy=False)
    marks = ["<start_of_turn>", "<end_of_turn>"]
    file = sentences(
        folder, texts, pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>",
        add_dummy_prefix=False, user_defined_symbols=",".join(["<mask>", *marks]),
    )  # fmt: skip
    return transformers.GemmaTokenizerFast(vocab_file=file, additional_special_tokens=marks, chat_template=TURNS)


def make(name: str, folder: Path, texts: list[str]) -> None:
    """The base called ``name``, the same each time."""
    design, kind, sizes = DESIGNS[name]
    folder.mkdir()
    tokenizer = tokenizer_of(kind, folder, texts)
    tokenizer.save_pretrained(folder)
    marks = {mark: getattr(tokenizer, mark) for mark in ("bos_token_id", "eos_token_id", "pad_token_id")}
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(design, vocab_size=len(tokenizer), **sizes, **marks)
    model = transformers.AutoModelForCausalLM.from_config(config)
    for weight in model.parameters():
        if weight.ndim >= 2:  # large enough that every part has a say
            torch.nn.init.normal_(weight, std=0.1)
    model.save_pretrained(folder)
    for left in folder.glob("trained.*"):
        left.unlink()


if __name__ == "__main__":
    where, words, *names = sys.argv[1:]
    for each in names or DESIGNS:
        make(each, Path(where) / each, Path(words).read_text(encoding="utf-8").splitlines())
