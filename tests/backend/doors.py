"""A server that wants a token, and a small model of Qwen3's design with random weights for its clients to ask."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from tests.serving import Server
from worker.data.tokenizer import train_tokenizer

TOKEN = "right-token-of-some-length"
CONTEXT = 256
TEMPLATE = """{% for tool in tools or [] %}<|tool|>{{ tool['function']['name'] }}
{% endfor %}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}
{% for call in message['tool_calls'] or [] %}<call>{{ call['function'] | tojson }}
{% endfor %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"""
TEXTS = ["The little owl asked the fox: what is 2+2? It is 4, my friend. ", '{"name": "Ada", "age": 36}\n'] * 20


class Doors:
    """``url`` is where the server is, ``model`` and ``token`` what requests name."""

    model, token = "local:talker", TOKEN

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "models" / "talker"
        tokenizer: Any = train_tokenizer(TEXTS, 400, CONTEXT)
        tokenizer.chat_template = TEMPLATE
        end = tokenizer.eos_token_id
        config = Qwen3Config(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, head_dim=8, max_position_embeddings=CONTEXT, bos_token_id=end, eos_token_id=end,
            initializer_range=0.2,
        )  # fmt: skip
        with torch.random.fork_rng():
            torch.manual_seed(0)
            Qwen3ForCausalLM(config).save_pretrained(self.folder)
        tokenizer.save_pretrained(self.folder)
        self.server = Server(data_dir, {"TRAINBOARD_TOKEN": TOKEN})
        self.url = self.server.url.partition("/?")[0]

    @cached_property
    def _plain(self) -> tuple[Any, Any]:
        return AutoModelForCausalLM.from_pretrained(self.folder).eval(), AutoTokenizer.from_pretrained(self.folder)

    def generated(self, prompt: str, tokens: int) -> str:
        """What transformers goes on with, taking the likeliest token each time."""
        model, tokenizer = self._plain
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        whole = model.generate(**ids, max_new_tokens=tokens, do_sample=False)[0, ids["input_ids"].shape[1] :]
        text: str = tokenizer.decode(whole, skip_special_tokens=True)
        return text

    def answered(self, messages: Any, tokens: int) -> str:
        """What transformers answers to a conversation in the same way."""
        return self.generated(
            self._plain[1].apply_chat_template(messages, tokenize=False, add_generation_prompt=True), tokens
        )
