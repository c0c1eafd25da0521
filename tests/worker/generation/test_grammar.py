"""Texts that must be JSON of a schema: of models that have learned nothing, which is the hard case."""

from __future__ import annotations

import gc
import json
import random
import sys
import weakref
from typing import Any

import jsonschema
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from tests.worker.generation.test_text_stream import KINDS
from worker.errors import UnsupportedError
from worker.generation import grammar
from worker.generation.sampling import Piece, Sampling, stream
from worker.models.loading import LanguageModel

BOOLEAN = json.dumps(
    {"type": "object", "properties": {"good": {"type": "boolean"}}, "required": ["good"], "additionalProperties": False}
)


def untrained(kind: str) -> LanguageModel:
    """More logits than tokens, as many models have."""
    tokenizer = KINDS[kind]()
    config = GPT2Config(
        vocab_size=len(tokenizer) + 5, n_embd=32, n_layer=1, n_head=2, n_positions=1024,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LanguageModel(GPT2LMHeadModel(config).eval(), tokenizer, 1024)


WRITING = ["bytes", "byte fallback, Llama 2", "byte fallback, Gemma", "SentencePiece", "single bytes, ByT5"]
"""The kinds that can write JSON."""


@pytest.fixture(scope="module", params=WRITING)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return untrained(request.param)


def random_schema(random_: random.Random, depth: int = 3) -> dict[str, Any]:
    """Of values that do not go on for ever."""
    kinds = ["boolean", "integer", "string", "null", "enum", "const", *(["object", "array", "anyOf"] if depth else [])]
    match random_.choice(kinds):
        case "integer":
            low = random_.randint(-50, 50)
            return {"type": "integer", "minimum": low, "maximum": low + random_.randint(0, 200)}
        case "string":
            return random_.choice([{"type": "string", "maxLength": 6}, {"type": "string", "pattern": "^[a-f]{2,5}$"}])
        case "enum":
            return {"enum": random_.sample(["a", "b", 'say "é"', "🐢", 1, 2.5, None, True, [1], {"x": "y"}], 3)}
        case "const":
            return {"const": random_.choice(["ä\n", 0, False])}
        case "anyOf":
            return {"anyOf": [random_schema(random_, depth - 1) for _ in range(2)]}
        case "array":
            items = random_schema(random_, depth - 1)
            return {"type": "array", "items": items, "minItems": random_.randint(0, 2), "maxItems": 3}
        case "object":
            names = random_.sample(["name", "é", "a b", 'q"', "日本"], random_.randint(1, 4))
            properties = {name: random_schema(random_, depth - 1) for name in names}
            required = random_.sample(names, random_.randint(0, len(names)))
            return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        case plain:
            return {"type": plain}


def written(model: LanguageModel, schema: str, **sampling: Any) -> list[Piece]:
    settings = Sampling(**{"max_new_tokens": 500, "temperature": 1.0, "top_p": 1.0, "json_schema": schema, **sampling})
    return list(stream(model, [5, 6, 7], settings))


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def test_what_is_written_fits_its_schema(model: LanguageModel) -> None:
    """60 schemas, sampled and greedily."""
    random_ = random.Random(7)
    for number in range(60):
        schema = random_schema(random_)
        pieces = written(model, json.dumps(schema), seed=number, temperature=random_.choice([0.0, 0.7, 1.0, 3.0]))
        assert pieces[-1].finish == "stop", (schema, text_of(pieces))
        jsonschema.validate(json.loads(text_of(pieces)), schema)


def test_a_text_that_is_cut_says_so(model: LanguageModel) -> None:
    pieces = written(model, json.dumps({"type": "array", "items": {"type": "string"}, "minItems": 50}), max_new_tokens=20)
    assert (len(pieces), pieces[-1].finish) == (20, "length")
    assert text_of(pieces).startswith("[")


def test_chances_are_those_of_the_model(model: LanguageModel) -> None:
    """What is barred takes nothing from them."""
    pieces = written(model, BOOLEAN, seed=1, top_logprobs=3)
    ids = [5, 6, 7, *(piece.id for piece in pieces)]
    with torch.no_grad():
        logits = model.model(torch.tensor([ids])).logits[0, 2:-1]
    plain = torch.log_softmax(logits, dim=-1)
    for place, piece in enumerate(pieces):
        assert piece.logprob == pytest.approx(float(plain[place, piece.id]), abs=1e-4)
        assert piece.top[0][1] == pytest.approx(float(plain[place].max()), abs=1e-4)


def test_a_schema_is_compiled_once(model: LanguageModel) -> None:
    written(model, BOOLEAN)
    compiled = grammar._COMPILERS[model.tokenizer].compiled
    before = compiled.cache_info()
    assert len({text_of(written(model, BOOLEAN, seed=seed)) for seed in range(20)}) > 1
    after = compiled.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 20)


@pytest.mark.parametrize("kind", ["bytes", "SentencePiece"])
def test_what_was_compiled_goes_with_its_model(kind: str) -> None:
    model = untrained(kind)
    written(model, BOOLEAN)
    tokenizer = weakref.ref(model.tokenizer)
    assert tokenizer() in grammar._COMPILERS
    del model
    gc.collect()
    assert tokenizer() is None


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "odd"}, "odd"),
        ({"$ref": "#/nowhere"}, "nowhere"),
        ({"type": "string", "pattern": "("}, "regex"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "minimum"),
        ({"not": {"type": "string"}}, "not"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(model: LanguageModel, schema: dict[str, Any], told: str) -> None:
    with pytest.raises(UnsupportedError, match=f"The schema cannot be used: .*{told}") as refused:
        written(model, json.dumps(schema))
    assert refused.value.field == "response_format"


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - set(WRITING)))
def test_a_tokenizer_that_cannot_write_it_is_refused(kind: str) -> None:
    with pytest.raises(UnsupportedError, match="cannot be had with this model's tokenizer"):
        written(untrained(kind), BOOLEAN)


def test_where_the_library_is_missing_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    monkeypatch.setitem(sys.modules, "llguidance.hf", None)
    with pytest.raises(UnsupportedError) as refused:
        written(untrained("bytes"), BOOLEAN)
    assert refused.value.hint == "Install: pip install llguidance"
