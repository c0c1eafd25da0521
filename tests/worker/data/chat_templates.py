"""Chat templates of the most used families, from packages that carry them, and what is to be learned in each.

Nothing of them is copied here: ``make test-slow`` downloads the packages once and reads the templates in them.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from worker.data.formats import Chat

PACKAGES = {  # the start of a place below → the package, and the folder or file in it
    "trl": ("trl==1.16.0", "trl/chat_templates/"),
    "axolotl": ("axolotl==0.19.0", "axolotl/utils/chat_templates/templates/"),
    "llama.cpp": ("llama-cpp-python==0.3.36", "vendor/llama.cpp/models/templates/"),
    "unsloth": ("unsloth==2026.10.9", "unsloth/chat_templates.py"),
}

CHATML = r"<\|im_start\|>assistant\n"
CHATML_END = r"<\|im_end\|>\n"
HEADER = r"<\|start_header_id\|>assistant<\|end_header_id\|>\n\n"
GEMMA = r"<start_of_turn>model\n"
DEEPSEEK = r"<｜Assistant｜>(?:<think>\n)?|<｜tool▁outputs▁end｜>|(?<!<｜tool▁call▁end｜>)(?=\n<｜tool▁call▁begin｜>)"


class Family(NamedTuple):
    """``opening`` is what an answer's turn begins with and is not learned, ``ending`` its end, which is; both as regular
    expressions. ``eos`` is the token with which the family's models stop."""

    place: str
    opening: str
    ending: str
    eos: str


def thinks(opening: str, thought: str = r"<think>\n\n</think>\n\n", asked: str = "") -> str:
    """An opening after which an empty ``thought``, and ``asked``, with which the model is told to think, are not learned."""
    return rf"{opening}(?:{thought}{'|' + asked if asked else ''})?"


FAMILIES = {
    "Llama 2": Family("unsloth/llama_template", r"\[/INST\]|^(?!<s>)", " </s>", "</s>"),
    "Llama 3": Family("trl/llama3", HEADER, r"<\|eot_id\|>", "<|eot_id|>"),
    "Llama 3.1": Family("trl/llama3_1", HEADER, r"<\|eot_id\|>", "<|eot_id|>"),
    "Llama 3.2": Family("trl/llama3_2", HEADER, r"<\|eot_id\|>", "<|eot_id|>"),
    "Llama 3.3": Family("llama.cpp/meta-llama-Llama-3.3-70B-Instruct", HEADER, r"<\|eot_id\|>", "<|eot_id|>"),
    "Llama 4": Family("axolotl/llama4", r"<\|header_start\|>assistant<\|header_end\|>\n\n", r"<\|eot\|>", "<|eot|>"),
    "Hermes 3": Family("llama.cpp/NousResearch-Hermes-3-Llama-3.1-8B-tool_use", CHATML, CHATML_END, "<|im_end|>"),
    "Qwen2.5": Family("trl/qwen2_5", CHATML, CHATML_END, "<|im_end|>"),
    "QwQ": Family("llama.cpp/Qwen-QwQ-32B", CHATML, CHATML_END, "<|im_end|>"),
    "Qwen3": Family("trl/qwen3", thinks(CHATML), CHATML_END, "<|im_end|>"),
    "Qwen3 Instruct": Family("trl/qwen3_instruct_2507", CHATML, CHATML_END, "<|im_end|>"),
    "Qwen3 Coder": Family("llama.cpp/Qwen3-Coder", CHATML, CHATML_END, "<|im_end|>"),
    "Qwen3 VL": Family("trl/qwen3_vl", CHATML, CHATML_END, "<|im_end|>"),
    "Qwen3.5": Family("trl/qwen3_5_think", thinks(CHATML, asked=r"<think>\n"), CHATML_END, "<|im_end|>"),
    "Qwen3.5, silent": Family("trl/qwen3_5_nothink", thinks(CHATML), CHATML_END, "<|im_end|>"),
    "Qwen3.6": Family("trl/qwen3_6", thinks(CHATML, asked=r"<think>\n"), CHATML_END, "<|im_end|>"),
    "Gemma": Family("trl/gemma", GEMMA, r"<end_of_turn>\n", "<eos>"),
    "Gemma 2": Family("llama.cpp/google-gemma-2-2b-it", GEMMA, r"<end_of_turn>\n", "<eos>"),
    "Gemma 3": Family("trl/gemma3", GEMMA, r"<end_of_turn>\n", "<end_of_turn>"),
    "Gemma 3n": Family("axolotl/gemma3n", GEMMA, r"<end_of_turn>\n", "<end_of_turn>"),
    "Mistral 7B": Family("axolotl/mistral_v1", r"\[/INST\]", "</s>", "</s>"),
    "Mistral 7B v0.3": Family("axolotl/mistral_v2v3", r"\[/INST\]|\[/TOOL_RESULTS\]", "</s>", "</s>"),
    "Mistral Nemo": Family(
        "llama.cpp/mistralai-Mistral-Nemo-Instruct-2407", r"\[/INST\]|\[/TOOL_RESULTS\]", "</s>", "</s>"
    ),
    "Mistral Small 3": Family("axolotl/mistral_v7_tekken", r"\[/INST\]|\[/SYSTEM_PROMPT\](?!\[INST\])", "</s>", "</s>"),
    "Mistral Small 3.2": Family(
        "llama.cpp/Mistral-Small-3.2-24B-Instruct-2506", r"\[/INST\]|\[/TOOL_RESULTS\]", "</s>", "</s>"
    ),
    "Phi-3": Family("trl/phi3", r"<\|assistant\|>\n", r"<\|end\|>\n(?:<\|endoftext\|>)?", "<|endoftext|>"),
    "Phi-3.5": Family("trl/phi3_5", r"<\|assistant\|>\n", r"<\|end\|>\n(?:<\|endoftext\|>)?", "<|endoftext|>"),
    "Phi-4": Family("axolotl/phi_4", r"<\|im_start\|>assistant<\|im_sep\|>", r"<\|im_end\|>", "<|im_end|>"),
    "DeepSeek-V3": Family("trl/deepseekv3", DEEPSEEK, "<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "DeepSeek-V3.1": Family(
        "llama.cpp/deepseek-ai-DeepSeek-V3.1",
        r"<｜Assistant｜>(?:<think></think>)?|<｜tool▁output▁end｜>(?!<｜tool)",
        "<｜end▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
    ),
    "DeepSeek-R1 distilled": Family("trl/deepseek_r1_distill", DEEPSEEK, "<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "DeepSeek-R1 distilled, Qwen": Family(
        "llama.cpp/deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
        DEEPSEEK,
        "<｜end▁of▁sentence｜>(?!<｜Assistant｜>)",
        "<｜end▁of▁sentence｜>",
    ),
    "gpt-oss": Family(
        "trl/gptoss", r"<\|start\|>assistant", r"<\|(?:end|return|call)\|>(?!<\|start\|>assistant)", "<|return|>"
    ),
    "SmolLM3": Family(
        "llama.cpp/HuggingFaceTB-SmolLM3-3B", thinks(CHATML, r"<think>\n\n</think>\n"), CHATML_END, "<|im_end|>"
    ),
    "Cohere": Family(
        "trl/cohere", r"<\|CHATBOT_TOKEN\|>", r"<\|END_OF_TURN_TOKEN\|>", "<|END_OF_TURN_TOKEN|>"
    ),
    "Cohere 2": Family(
        "trl/cohere2", r"<\|CHATBOT_TOKEN\|><\|START_RESPONSE\|>", r"<\|END_OF_TURN_TOKEN\|>", "<|END_OF_TURN_TOKEN|>"
    ),
    "Granite 3.3": Family(
        "llama.cpp/ibm-granite-granite-3.3-2B-Instruct",
        r"<\|start_of_role\|>assistant<\|end_of_role\|>",
        r"<\|end_of_text\|>\n",
        "<|end_of_text|>",
    ),
    "Granite 4": Family(
        "llama.cpp/ibm-granite-granite-4.0",
        r"<\|start_of_role\|>assistant<\|end_of_role\|>",
        r"<\|end_of_text\|>\n",
        "<|end_of_text|>",
    ),
    "LFM2": Family("trl/lfm2", CHATML, CHATML_END, "<|im_end|>"),
    "LFM2.5": Family("trl/lfm2_2_5", CHATML, CHATML_END, "<|im_end|>"),
    "Nemotron 3": Family("trl/nemotron_3_nano", thinks(CHATML, "<think></think>", r"<think>\n"), CHATML_END, "<|im_end|>"),
    "Kimi K2": Family(
        "llama.cpp/Kimi-K2-Instruct",
        r"<\|im_assistant\|>assistant<\|im_middle\|>",
        r"<\|im_end\|>",
        "<|im_end|>",
    ),
    "EXAONE 4": Family("axolotl/exaone4", thinks(r"\[\|assistant\|\]\n"), r"\[\|endofturn\|\]\n", "[|endofturn|]"),
    "Falcon H1": Family("axolotl/falcon_h1", CHATML, CHATML_END, "<|im_end|>"),
    "OpenChat": Family("unsloth/starling_template", "GPT4 Correct Assistant:", r"<\|end_of_turn\|>", "<|end_of_turn|>"),
    "ChatML": Family("axolotl/chatml", CHATML, CHATML_END, "<|im_end|>"),
    "Zephyr": Family("unsloth/zephyr_template", r"<\|assistant\|>\n", r"</s>\n", "</s>"),
}  # fmt: skip


STOPS = {
    "Gemma": ["<end_of_turn>"],
    "Gemma 2": ["<end_of_turn>"],
    "Phi-3": ["<|end|>"],
    "Phi-3.5": ["<|end|>"],
    "gpt-oss": ["<|return|>", "<|call|>"],
}
"""Where a family's models stop by their authors' generation_config.json, where that is not ``eos`` alone."""


class Fault(NamedTuple):
    """What a template itself does wrong, and to which conversations."""

    reason: str
    concerns: Callable[[Chat], bool]


def _begins_with_an_answer(row: Chat) -> bool:
    return next(message.role for message in row.messages if message.role != "system") == "assistant"


_AS_USER = Fault(
    "With tools, the first message is shown as the user's, whoever's it is.",
    lambda row: bool(row.tools) and _begins_with_an_answer(row),
)

FAULTS = {
    "Llama 3.1": _AS_USER,
    "Llama 3.2": _AS_USER,
    "Llama 3.3": _AS_USER,
    "Llama 4": _AS_USER,
    "DeepSeek-V3.1": Fault(
        "An answer that begins a conversation is shown without a mark before it.", _begins_with_an_answer
    ),
}
"""Conversations of these are not compared."""

_ASKED = "It takes what the model is asked with for what it writes"
_TAUGHT_TO_STOP = "It teaches an empty thought, and the thought's mark with which the model is asked"

TRAINING_VARIANTS = {
    "cohere": None,
    "cohere2": None,
    "deepseek_r1_distill": (r"<｜Assistant｜>(?:<think>\n)?", _ASKED),
    "deepseekv3": (r"<｜Assistant｜>(?:<think>\n)?|<｜tool▁outputs▁end｜>", _ASKED),
    "gemma": None,
    "gemma3": None,
    "glm4moe": (r"\n<think></think>\n", "It teaches an empty thought"),
    "gptoss": (r"<\|start\|>assistant", _ASKED),
    "lfm2": (r"<\|im_end\|>\n", "It teaches an empty answer where it does not show a call"),
    "lfm2_v2": None,
    "llama3": None,
    "nemotron_3_nano": (r"<think></think>|<think>\n", _TAUGHT_TO_STOP),
    "phi3": None,
    "phi3_5": None,
    "qwen2_5": (r"\n", _ASKED),
    "qwen2_5_vl": None,
    "qwen3": (r"<think>\n\n</think>\n\n", "It teaches an empty thought"),
    "qwen3_5_nothink": (r"<think>\n\n</think>\n\n", "It teaches an empty thought"),
    "qwen3_5_think": (r"<think>\n(?:\n</think>\n\n)?", _TAUGHT_TO_STOP),
    "qwen3_6": (r"<think>\n(?:\n</think>\n\n)?", _TAUGHT_TO_STOP),
    "qwen3_instruct_2507": None,
    "qwen3_vl": None,
}
"""trl's variants of templates that say themselves what is generated, and what they say beyond what is to be learned: a
regular expression that each such part matches, and the reason."""


def read_template(folder: Path, place: str) -> str:
    """The template at ``place``, such as trl/llama3; its package is downloaded into ``folder`` if it is not there."""
    package, name = place.split("/")
    requirement, inside = PACKAGES[package]
    archive = _download(folder, requirement)
    if inside.endswith(".py"):
        return _assigned(_member(archive, inside), name)
    return _member(archive, f"{inside}{name}.jinja")


def _download(folder: Path, requirement: str) -> Path:
    name = requirement.replace("==", "-").replace("-python-", "_python-").replace("llama-cpp", "llama_cpp")
    if not (found := list(folder.glob(f"{name}*"))):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
        only = ["--no-binary", "llama-cpp-python"]  # its wheels carry no templates
        subprocess.run([*command, *only, "--dest", str(folder), requirement], check=True)
        found = list(folder.glob(f"{name}*"))
    return found[0]


def _member(archive: Path, name: str) -> str:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name).decode()
    with tarfile.open(archive) as source:
        found = source.extractfile(f"{archive.name.removesuffix('.tar.gz')}/{name}")
        assert found is not None
        return found.read().decode()


def _assigned(module: str, name: str) -> str:
    """The text that a module gives to ``name``, without running it."""
    for node in ast.parse(module).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return str(ast.literal_eval(node.value))
    raise KeyError(name)


def marks_of(template: str) -> list[str]:
    """What in a template looks like a special token."""
    found = re.findall(r"<[|｜][^|｜<>\s]{1,40}[|｜]>|\[/?[A-Z_]{3,20}\]|\[\|[a-z]+\|\]|</?[a-z_]{1,16}>", template)
    return sorted(set(found))
