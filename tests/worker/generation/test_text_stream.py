"""What is streamed, joined, is what the tokenizer makes of all tokens at once: for each kind of tokenizer and any text."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from worker.generation.text_stream import StopHolder, TextStream

CHARACTERS = [
    "a", "e", "t", " ", "  ", "\n", "\t", "The", " cat", "ing", ".", ",", "'", " n't", " do not", "'s", " !", "0",
    "é", "ß", "ﬁ", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🐢", "🇩🇪", "日本", "語", "文字", "你",
    "한국", "שלום", "مرحبا", "हिन्दी", "n̈", "a\u0301\u0323", "\u2028", "\u00a0",
    "\u200b", "\u200f", "\ufffd", "\U00013080", "𝔘", "ꦏ", "<", "|", "▁", "Ġ", "##", "<0x41>",
]  # fmt: skip
SPECIAL = ["<s>", "</s>", "<unk>"]


def random_text(random_: random.Random, most: int = 40) -> str:
    return "".join(random_.choice(CHARACTERS) for _ in range(random_.randint(1, most)))


OF_JSON = " ".join('abcdefghijklmnopqrstuvwxyzä{}[]":,.-0123456789\\')
CORPUS = [*(random_text(random.Random(number)) for number in range(400)), OF_JSON]
CORPUS_OF_FEW = [text.replace("語", "").replace("🐢", "").replace("ꦏ", "") for text in CORPUS]


def byte_level() -> Tokenizer:
    """GPT-2's, Llama 3's and Qwen's kind."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=600, special_tokens=SPECIAL, initial_alphabet=alphabet))
    return made


def byte_fallback(strip: bool) -> Tokenizer:
    """Llama 2's and Mistral's kind, or without ``strip`` Gemma's: characters that are not in the vocabulary are bytes."""
    pieces = sorted({*"".join(CORPUS_OF_FEW), "▁the", "▁cat", "ing", "▁a", "▁"} - {"語", "🐢", "ꦏ", "ç", "\ufffd", " "})
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))])}
    for piece in pieces:
        vocabulary.setdefault(piece, len(vocabulary))
    made = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    prefix = [normalizers.Prepend("▁")] if strip else []
    made.normalizer = normalizers.Sequence([*prefix, normalizers.Replace(" ", "▁")])
    stripped = [decoders.Strip(content=" ", left=1)] if strip else []
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *stripped])
    made.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return made


def sentence_piece() -> Tokenizer:
    """T5's and XGLM's kind."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=400, special_tokens=SPECIAL, unk_token="<unk>")
    made.train_from_iterator(CORPUS, trainer)
    return made


def word_piece() -> Tokenizer:
    made = Tokenizer(models.WordPiece(unk_token="<unk>"))
    made.pre_tokenizer, made.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    made.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=600, special_tokens=SPECIAL))
    return made


def with_word_ends() -> Tokenizer:
    """OpenAI-GPT's kind."""
    made = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s+"), "removed")
    made.decoder = decoders.BPEDecoder(suffix="</w>")
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=SPECIAL, end_of_word_suffix="</w>")
    made.train_from_iterator(CORPUS, trainer)
    return made


KINDS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: fast(byte_level()),
    "byte fallback, Llama 2": lambda: fast(byte_fallback(strip=True)),
    "byte fallback, Gemma": lambda: fast(byte_fallback(strip=False)),
    "SentencePiece": lambda: fast(sentence_piece()),
    "WordPiece": lambda: fast(word_piece()),
    "word ends, tidied up": lambda: fast(with_word_ends(), clean_up_tokenization_spaces=True),
    "single bytes, ByT5": ByT5Tokenizer,
}


def fast(tokenizer: Tokenizer, **settings: Any) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", bos_token="<s>", unk_token="<unk>", **settings
    )


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return KINDS[request.param]()


def streamed(tokenizer: Any, prompt: list[int], ids: list[int]) -> list[str]:
    stream = TextStream(tokenizer, prompt)
    return [*map(stream.push, ids), stream.rest()]


def whole(tokenizer: Any, ids: list[int]) -> str:
    text: str = tokenizer.decode(ids, skip_special_tokens=True)
    return text


NUMBERS = [300, pytest.param(2000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("number", NUMBERS)
def test_texts_come_out_as_they_are_decoded_at_once(tokenizer: Any, number: int) -> None:
    """Texts in every script, as a whole and after a prompt that is their beginning."""
    random_ = random.Random(number)
    told = 0
    for _ in range(number):
        ids = tokenizer(random_text(random_), add_special_tokens=False)["input_ids"]
        cut = random_.choice([0, random_.randint(0, len(ids))])
        before, text = whole(tokenizer, ids[:cut]), whole(tokenizer, ids)
        if text.startswith(before) and not before.endswith("\ufffd"):  # a prompt is whole characters
            told += 1
            assert "".join(streamed(tokenizer, ids[:cut], ids[cut:])) == text[len(before) :], ids
    assert told > number / 2


@pytest.mark.parametrize("number", NUMBERS)
def test_any_tokens_come_out_as_they_are_decoded_at_once(tokenizer: Any, number: int) -> None:
    """Rows of tokens that no text is made of: parts of characters, special tokens in between."""
    random_ = random.Random(number)
    for _ in range(number):
        ids = [random_.randrange(len(tokenizer)) for _ in range(random_.randint(1, 60))]
        assert "".join(streamed(tokenizer, [], ids)) == whole(tokenizer, ids), ids


def test_what_is_certain_is_shown_at_once(tokenizer: Any) -> None:
    ids = tokenizer("the cat sat " * 20, add_special_tokens=False)["input_ids"]
    *pieces, rest = streamed(tokenizer, [], ids)
    text = whole(tokenizer, ids)
    assert len(rest) <= 12
    assert max(len(text[: len("".join(pieces[:n]))]) for n in range(len(pieces))) > 0.9 * len(text)
    assert sum(piece == "" for piece in pieces) < 0.5 * len(pieces)


def test_a_stop_string_ends_the_text_however_it_is_cut() -> None:
    random_ = random.Random(3)
    for _ in range(2000):
        text, stop = "".join(random_.choices("abc", k=30)), "".join(random_.choices("abc", k=random_.randint(1, 4)))
        cuts = sorted(random_.sample(range(31), 5))
        holder = StopHolder([stop])
        shown = "".join(holder.push(text[a:b]) for a, b in zip([0, *cuts], [*cuts, 31], strict=True)) + holder.rest()
        assert shown == text.partition(stop)[0]
        assert holder.found == (stop if stop in text else None)


def test_a_long_text_costs_no_more_the_longer_it_is() -> None:
    """Of the text only its end is decoded again."""
    tokenizer = KINDS["bytes"]()
    ids = tokenizer("The cat sat. " * 400, add_special_tokens=False)["input_ids"]
    stream = TextStream(tokenizer, ids)
    longest = 0
    decode = stream._decode

    def watched(ids: Any) -> str:
        nonlocal longest
        longest = max(longest, len(ids))
        return decode(ids)

    stream._decode = watched  # type: ignore[method-assign]
    assert "".join(map(stream.push, ids)) + stream.rest() == "The cat sat. " * 400
    assert longest < 40
