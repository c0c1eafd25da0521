"""What the coach's runs learn from: six kinds of data, made of the built-in stories and of this Python's own library."""

from __future__ import annotations

import ast
import random
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from backend.datasets.sample_corpus import sample_lines

Row = dict[str, Any]

_THINGS = [
    *("apple", "brick", "candle", "drum", "eagle", "feather", "glove", "hammer"),
    *("island", "jacket", "kettle", "lemon", "mirror", "needle", "onion", "pencil"),
]
_PLACES = [
    *("attic", "barn", "cellar", "desert", "field", "garden", "harbour", "igloo"),
    *("jungle", "kitchen", "lake", "market", "office", "park", "quarry", "river"),
]
_TASTES = ["sour", "sweet", "salty", "bitter"]
_NAMES = [
    *("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo"),
    *("Ida", "Jonas", "Karl", "Lena", "Mara", "Nils", "Olga", "Paul"),
]
_ASKED = ["please find the {thing}", "tell me about the {thing}", "what is this {thing}", "look for a {thing}"]
_BEGUN = ["Well, {name} asks:", "{name} says:", "Now {name} wonders:", "Then {name} wants to know:"]


def stories(draw: random.Random, count: int) -> list[Row]:
    """Of the built-in sample."""
    return [{"text": line} for line in draw.sample(_stories(), count)]


def prose(draw: random.Random, count: int) -> list[Row]:
    """Sentences of the standard library's docstrings."""
    return [{"text": line} for line in draw.sample(_library()[0], count)]


def code(draw: random.Random, count: int) -> list[Row]:
    """Neighbouring lines of the standard library."""
    return [{"text": text} for text in draw.sample(_library()[1], count)]


def sums(draw: random.Random, count: int) -> list[Row]:
    """Sums of two numbers, digit by digit, none twice."""
    pairs = draw.sample(range(999 * 999), count)
    return [{"text": " ".join(f"{a} + {b} = {a + b}")} for a, b in (divmod(pair, 999) for pair in pairs)]


def completions(draw: random.Random, count: int) -> list[Row]:
    """How a story begins, and how it goes on."""
    parts = [line.partition(". ") for line in draw.sample(_stories(), count)]
    return [{"prompt": first + ".", "completion": rest} for first, _, rest in parts]


def chats(draw: random.Random, count: int) -> list[Row]:
    """Somebody asks for a story."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"Tell me a story about {line.partition(' named ')[2].split()[0].strip('.,')}."},
                {"role": "assistant", "content": line},
            ]
        }
        for line in draw.sample([line for line in _stories() if " named " in line], count)
    ]


def answers(draw: random.Random, count: int) -> list[Row]:
    """Questions of which the last word tells the whole answer."""
    facts = {
        thing: f"{_PLACES[place]} and {_TASTES[place % 4]}, with {_NAMES[place]}" for place, thing in enumerate(_THINGS)
    }
    rows = []
    for _ in range(count):
        thing = draw.choice(_THINGS)
        asked = " ".join((draw.choice(_BEGUN).format(name=draw.choice(_NAMES)), draw.choice(_ASKED).format(thing=thing)))
        rows.append({"prompt": f"{draw.randint(1, 9999)}. {asked}", "completion": facts[thing]})
    return rows


KINDS: dict[str, Callable[[random.Random, int], list[Row]]] = {
    kind.__name__: kind for kind in (stories, prose, code, sums, completions, chats, answers)
}


@cache
def _stories() -> list[str]:
    """The beginnings of the sample's stories, three sentences each, none twice."""
    lines = (line.split(". ") for seed in (1, 2) for line in sample_lines(seed))
    return sorted({". ".join(line[:3]).rstrip(".") + "." for line in lines if len(line) > 3})


@cache
def _library() -> tuple[list[str], list[str]]:
    """Sentences, and pieces of code, each once, in an order of their own."""
    sentences: dict[str, None] = {}
    pieces: dict[str, None] = {}
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(encoding="utf-8")
        sentences |= dict.fromkeys(_sentences(text))
        lines = [line for line in text.splitlines() if 20 <= len(line) <= 100]
        pieces |= dict.fromkeys("\n".join(lines[start : start + 3]) for start in range(0, len(lines), 3))
    return sorted(sentences), sorted(pieces)


def _sentences(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            for sentence in " ".join((ast.get_docstring(node) or "").split()).split(". "):
                if 40 <= len(sentence) <= 300:
                    yield sentence.rstrip(".") + "."
