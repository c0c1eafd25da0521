"""Small models of the designs that .gguf files are made of, and proofs of files that may have been damaged."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers.pre_tokenizers import ByteLevel, Digits
from transformers import GemmaTokenizer, LlamaTokenizer, PreTrainedTokenizerFast
from transformers.models.qwen2.tokenization_qwen2 import Qwen2Tokenizer

from backend.datasets.sample_corpus import sample_lines
from tests.worker import architectures
from worker.contract import Job, ModelSource, Proof, RunConfig
from worker.contract.dataset import DatasetSource
from worker.data.tokenizer import train_tokenizer
from worker.export import gguf_export, proof
from worker.export.tried_texts import Tried
from worker.models.loading import LanguageModel

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SMOLLM = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
INSTRUCTIONS = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('No such role') }}{% endif %}{% endfor %}"
)
NAMED = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
TURNS = (
    "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + message['role'] + '\n' + message['content'] | trim"
    " + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
    "\n"  # as Gemma 3's has it
)
NUMBERS = ["1 22 333 4444 12345 you're I'm"] * 50
MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CORPUS = sample_lines(seed=1)[:200]
JOB = Job(
    run_id="run",
    config=RunConfig(),
    model=ModelSource(kind="built_in", location="tiny"),
    dataset=DatasetSource(path="none"),
)


def _trained(pre_tokenizer: Any) -> Tokenizer:
    """A byte-level BPE that splits text by ``pre_tokenizer``."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizer
    alphabet = ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=MARKS, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator([*CORPUS, *NUMBERS], trainer)
    return bpe


def _smollm() -> Any:
    bpe = _trained(pre_tokenizers.Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=MARKS[1], eos_token=MARKS[2], pad_token=MARKS[2], additional_special_tokens=MARKS
    )
    tokenizer.chat_template = SMOLLM
    return tokenizer


def _qwen() -> Any:
    import json

    learned = json.loads(_trained(Qwen2Tokenizer().backend_tokenizer.pre_tokenizer).to_str())["model"]
    tokenizer = Qwen2Tokenizer(vocab=learned["vocab"], merges=[tuple(pair) for pair in learned["merges"]])
    tokenizer.add_special_tokens({"eos_token": MARKS[2], "additional_special_tokens": MARKS})
    tokenizer.chat_template = CHATML
    return tokenizer


def _pieces(special: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A vocabulary that falls back to bytes, with its merges: each way to make a piece, the most frequent piece first, as
    transformers derives them of a SentencePiece model."""
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.Metaspace()
    learned.train_from_iterator([*CORPUS, *NUMBERS], trainers.BpeTrainer(vocab_size=250, show_progress=False))
    pieces = sorted(learned.get_vocab(), key=learned.token_to_id)
    tokens = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    ways = [(piece[:end], piece[end:]) for piece in pieces for end in range(1, len(piece))]
    return {token: number for number, token in enumerate(tokens)}, [pair for pair in ways if set(pair) <= {*pieces}]


def _llama2() -> Any:
    """As transformers 5 makes it: a blank before the text alone, unless it begins with one."""
    vocabulary, merges = _pieces(["<unk>", "<s>", "</s>"])
    tokenizer = LlamaTokenizer(vocab=vocabulary, merges=merges, add_bos_token=True)
    tokenizer.chat_template = INSTRUCTIONS
    return tokenizer


def _tinyllama() -> Any:
    """As its tokenizer.json has it: a blank before all that stands between special tokens."""
    vocabulary, merges = _pieces(["<unk>", "<s>", "</s>"])
    made = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1)]
    )
    made.post_processor = processors.TemplateProcessing("<s> $A", None, [("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    tokenizer.chat_template = NAMED
    return tokenizer


def _gemma() -> Any:
    marks = ["<start_of_turn>", "<end_of_turn>"]
    vocabulary, merges = _pieces(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *marks])
    tokenizer = GemmaTokenizer(vocab=vocabulary, merges=merges, add_bos_token=True)
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.chat_template = TURNS
    return tokenizer


SHAPES: dict[str, tuple[str, Callable[[], Any], dict[str, Any]]] = {
    "gpt2": ("gpt2", lambda: train_tokenizer([*CORPUS, *NUMBERS], 400, 64), {}),
    "llama": ("llama", _smollm, {"rope_theta": 10000.0}),
    "qwen3": ("qwen3", _qwen, {"rope_theta": 1000000.0, "tie_word_embeddings": True}),
    # As SmolLM2 of 135 million has it: three heads share keys and values, the head is the embeddings, the base is larger.
    "smollm2": (
        "llama", _smollm,
        {"rope_theta": 100000.0, "tie_word_embeddings": True, "num_attention_heads": 9, "num_key_value_heads": 3,
         "hidden_size": 72, "intermediate_size": 96, "rms_norm_eps": 1e-5},
    ),
    "llama3": (
        "llama", _smollm,
        {"rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
                             "high_freq_factor": 4.0, "original_max_position_embeddings": 16}},
    ),
    # Wide enough for Q4_K's blocks, and deep enough for some layers to have fewer bits than others.
    "wide": (
        "llama", _smollm,
        {"hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 8, "tie_word_embeddings": True},
    ),
    "llama2": ("llama", _llama2, {}),
    "linear": ("llama", _tinyllama, {"rope_parameters": {"rope_type": "linear", "rope_theta": 20000.0, "factor": 4.0}}),
    "mistral": ("mistral", _tinyllama, {"sliding_window": 32}),
    "gemma": ("gemma", _gemma, {}),
    "gemma2": ("gemma2", _gemma, {"final_logit_softcapping": 5.0}),
    "gemma3": (
        "gemma3_text", _gemma,
        {"num_hidden_layers": 6, "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 20000.0},
            "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0}}},
    ),
}  # fmt: skip


@cache
def _made(shape: str) -> LanguageModel:
    kind, make_tokenizer, changes = SHAPES[shape]
    tokenizer = make_tokenizer()
    model = architectures.make(kind, len(tokenizer), **changes)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for weight in model.parameters():
            if weight.ndim == 1:  # norms and biases, which would all be ones and zeros
                weight.data += 0.1 * torch.randn_like(weight)
            elif weight.shape[-1] > 100:  # what a wide one says would be made of roundings alone
                weight.data *= 0.3
    for config in (model.config, model.generation_config):
        config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    return LanguageModel(model.eval(), tokenizer, architectures.CONTEXT)


def subject(shape: str) -> LanguageModel:
    """A model of this shape, the same each time, which may be changed."""
    made = _made(shape)
    return LanguageModel(copy.deepcopy(made.model), made.tokenizer, made.context)


def tried(tokenizer: Any) -> Tried:
    """A few tokens, for the sake of time."""
    rows = [tokenizer(text)["input_ids"][:16] for text in sample_lines(seed=2)[:3]]
    texts = ["I'm 1 22 4444 you're", " two  three\n\n\tfour", "naïve — 日本語 👩‍👩‍👧!?", "", "a<|im_start|>b<|im_end|>c"]
    return Tried(rows, [*texts, f"a{tokenizer.bos_token}b"], "tests")


class Seen(NamedTuple):
    """What was seen in the file, and what llama.cpp made of it by itself."""

    faults: list[str]
    alone: Proof
    together: Proof


def prove(shape: str, folder: Path, number_format: str = "fp16", damage: Callable[[Path], None] | None = None) -> Seen:
    """Exports the small model of that shape, has the file damaged, and proves it."""
    return prove_model(subject(shape), folder, number_format, damage)


def prove_model(
    model: LanguageModel, folder: Path, number_format: str, damage: Callable[[Path], None] | None = None
) -> Seen:
    """The same with any model."""
    file = folder / "model.gguf"
    made = gguf_export.export_gguf(model, JOB, number_format, file, lambda _: None)
    if damage:
        damage(file)
    faults = made.faults(file)
    expected = made.expected(model, tried(model.tokenizer), number_format)
    answers = proof.ask_program("llama_cpp", [str(file)], expected, folder, lambda _: None)
    judged = [proof.judge(expected, answers, seen, None, None, "llama.cpp") for seen in ([], faults)]
    return Seen(faults, *judged)
