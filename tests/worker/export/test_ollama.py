"""A Modelfile's template writes conversations as the model's own, or none is written and that is said."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.export.subjects import CHATML, SMOLLM, subject
from worker.data.encoding import PLAIN_CHAT_TEMPLATE
from worker.export.ollama import modelfile

LLAMA_3 = (
    "{% for message in messages %}{% set said = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    " + message['content'] | trim + '<|im_end|>' %}{{ bos_token + said if loop.first else said }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)


@pytest.fixture
def tokenizer() -> Any:
    """One whose template may be changed."""
    return subject("smollm2").tokenizer


def test_a_regular_template_is_written_in_go(tokenizer: Any) -> None:
    tokenizer.chat_template = CHATML
    text, told = modelfile("model.gguf", tokenizer, adds_bos=False)
    assert told is None
    assert text == (
        "FROM ./model.gguf\n"
        'TEMPLATE """{{ range .Messages }}{{ if eq .Role "system" }}<|im_start|>system\n{{ .Content }}<|im_end|>\n'
        '{{ else if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n'
        '{{ else if eq .Role "assistant" }}<|im_start|>assistant\n{{ .Content }}<|im_end|>\n'
        '{{ end }}{{ end }}<|im_start|>assistant\n"""\n'
        'PARAMETER stop "<|im_end|>"\n'
    )


def test_what_is_said_without_a_system_is_the_modelfiles_system(tokenizer: Any) -> None:
    tokenizer.chat_template = SMOLLM
    text, told = modelfile("model.gguf", tokenizer, adds_bos=False)
    assert told is None
    assert 'SYSTEM """You are a helpful AI assistant."""\n' in text


def test_blanks_that_the_template_takes_away_are_told_of(tokenizer: Any) -> None:
    tokenizer.chat_template = LLAMA_3
    text, told = modelfile("model.gguf", tokenizer, adds_bos=False)
    assert "TEMPLATE" in text
    assert told
    assert "blanks" in told
    assert f'"""{tokenizer.bos_token}{{{{ range' in text
    without, _ = modelfile("model.gguf", tokenizer, adds_bos=True)
    assert '"""{{ range' in without, "llama.cpp puts it there itself"


def test_the_template_of_a_model_that_brings_none_is_regular(tokenizer: Any) -> None:
    tokenizer.chat_template = PLAIN_CHAT_TEMPLATE
    text, told = modelfile("model.gguf", tokenizer, adds_bos=False)
    assert told is None
    assert "User: {{ .Content }}\n" in text


@pytest.mark.parametrize(
    "template",
    [
        "{% for message in messages %}{{ message.role }}{{ loop.index }}: {{ message.content }}\n{% endfor %}",
        "{% for message in messages %}{{ message.content | upper }}{% endfor %}",
        "{{ raise_exception('Never') }}",
        "{{ messages[9].content }}",
        '{% for message in messages %}{{ message.role }}"""{{ message.content }}\n{% endfor %}',
    ],
)
def test_an_irregular_template_is_left_out_and_told_of(tokenizer: Any, template: str) -> None:
    tokenizer.chat_template = template
    text, told = modelfile("model.gguf", tokenizer, adds_bos=False)
    assert text == "FROM ./model.gguf\n"
    assert told
    assert "cannot be written" in told


def test_a_model_without_a_template_goes_on_with_what_it_is_given(tokenizer: Any) -> None:
    tokenizer.chat_template = None
    assert modelfile("model.gguf", tokenizer, adds_bos=False) == (
        'FROM ./model.gguf\nTEMPLATE """{{ .Prompt }}"""\n',
        None,
    )
