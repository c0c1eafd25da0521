"""Texts that look wrong, compared with what they were before somebody read them wrong."""

from __future__ import annotations

from typing import Any

import pytest

from backend.datasets.sample_corpus import sample_lines
from worker.data.formats import Chat, Message, Row, Section
from worker.datasets.text_problems import TextProblems

CLEAN = [
    "Der Müller aß im Café über 20 Brötchen – für 3 € das Stück.",
    "L’été dernier, nous étions déjà à la plage : « Où êtes-vous ? »",
    "El niño pequeño comió piñas mañana por la mañana, ¿verdad? ¡Sí!",
    "Żółw był większy niż źrebię, a łódź płynęła w dół.",
    "Сегодня мы пошли в лес и нашли там «белый» гриб — он был большой.",
    "Η γάτα κάθισε στο χαλί και κοίταξε τον ήλιο.",
    "今天天气很好，我们去公园散步吧。",
    "昨日は雨でしたが、今日は晴れています。",
    "오늘은 날씨가 좋아서 공원에 갔습니다.",
    "הילד הלך לבית הספר בבוקר.",
    "ذهب الولد إلى المدرسة في الصباح.",
    "बच्चा सुबह स्कूल गया।",
    "เด็กไปโรงเรียนในตอนเช้า",
    "Trẻ em đi học vào buổi sáng ở thành phố.",
    "It’s 5 × 4 = 20 °C… “quoted” ™ 😀 🇩🇪 ½ ≤ ∞ µm",
    "def f(x):\n\treturn x  # naïve\r\n\x0c",
]


def found(rows: list[Row]) -> dict[str, Any]:
    problems = TextProblems()
    for place, row in enumerate(rows, 1):
        problems.add(place, row)
    return {problem["kind"]: problem for problem in problems.found()}


def test_nothing_is_told_of_text_as_it_should_be() -> None:
    assert found([*CLEAN, *sample_lines()]) == {}


@pytest.mark.parametrize(("encoding", "texts"), [("latin-1", CLEAN[:-1]), ("cp1252", CLEAN[:-1]), ("cp1251", CLEAN[4:5])])
def test_what_was_meant_is_told_of_utf8_read_in_another_encoding(encoding: str, texts: list[str]) -> None:
    misread = []
    for text in texts:
        try:
            misread.append((text, text.encode().decode(encoding)))
        except UnicodeDecodeError:  # that program would have refused it
            continue
    assert misread
    for text, wrong in misread:
        example = found([wrong])["mojibake"]["examples"][0]
        assert example["row"] == 1
        assert example["meant"] in text
        assert len(example["meant"]) > 10


def test_rows_are_counted_and_the_first_named_in_chats_too() -> None:
    wrong = "Ein schÃ¶ner Tag fÃ¼r alle."
    rows: list[Row] = [CLEAN[0], *[wrong] * 12, Chat((Message("user", "Hallo"), Message("assistant", wrong)))]
    told = found(rows)["mojibake"]
    assert told["rows"] == 13
    assert [example["row"] for example in told["examples"]] == list(range(2, 12))
    assert found(rows[-1:])["mojibake"]["examples"][0]["meant"] == "Assistant: Ein schöner Tag für alle."


def test_control_characters_and_signs_for_lost_ones_are_shown() -> None:
    told = found(["as it should be", "bell\x07 and null\x00", "caf\ufffd"])["control_characters"]
    assert [(example["row"], example["text"]) for example in told["examples"]] == [
        (2, "bell\\x07 and null\\x00"),
        (3, "caf\ufffd"),
    ]


def test_lengths_far_out_are_named_longest_first() -> None:
    rows: list[Row] = ["x" * (100 + place % 50) for place in range(1000)]
    rows[30], rows[500] = "y" * 5000, "z" * 20_000
    told = found(rows)["extreme_length"]
    assert [example["row"] for example in told["examples"]] == [501, 31]
    assert told["examples"][0]["text"].startswith("20,000 characters, 13.")
    assert found(["x" * 30_000] * 30) == {}
    assert "extreme_length" in found([*["x" * 2000] * 99, "y" * 30_000])  # 13% of the text
    assert found([Section("x" * length, ends=False) for length in [10] * 100 + [9000]]) == {}
