"""Unicode forms in the graph: what Python's `unicodedata` makes of them, for every character and for random strings."""

# ruff: noqa: RUF001

import unicodedata

import numpy as np
import pytest
import tensorflow as tf

from pipelines.nlp.unicode_forms import canonical, folded, folded_strings

INVISIBLE = "\u00ad\u200b\u200e\u202a\u2060\ufeff"


def _canonical(texts: list[str]) -> list[str]:
    return [text.decode() for text in canonical(tf.constant(texts)).numpy()]


def _visible() -> list[str]:
    codes = (*range(1, 0xD800), *range(0xE000, 0x30000))
    return [chr(code) for code in codes if unicodedata.category(chr(code)) not in ("Cn", "Co", "Cf")]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_every_character_gets_the_form_c_of_python(form: str) -> None:
    characters = [each for each in _visible() if each not in "\u034f"]
    found = _canonical([unicodedata.normalize(form, each) for each in characters])
    assert found == [unicodedata.normalize("NFC", each) for each in characters]


def test_random_strings_of_marks_and_letters_get_the_form_c_of_python() -> None:
    random = np.random.default_rng(0)
    marks = [each for each in _visible() if unicodedata.combining(each) and each != "\u034f"]
    letters = [
        "a",
        "o",
        "q",
        "ế",
        "ạ",
        "Å",
        "각",
        "가",
        "\u1100",
        "\u1161",
        "\u11a8",
        "ক",
        "\u09c7",
        "\u09be",
        " ",
        "é",
    ]
    common = ["\u0301", "\u0323", "\u0302", "\u0327", "\u0338", "\u3099", "か", "क", "\u093c", "\u0308"]
    texts = [
        "".join(
            str(random.choice(pool))
            for pool in (letters if draw < 0.4 else common if draw < 0.9 else marks for draw in random.random(12))
        )
        for _ in range(3000)
    ]
    assert _canonical(texts) == [unicodedata.normalize("NFC", text) for text in texts]


def test_very_many_marks_of_one_letter_are_not_compared_with_every_other() -> None:
    text = "e\u0301 " * 3000 + "a" + "\u0316\u0301" * 2000  # minutes, where each pair had so many places
    found = _canonical([text])[0]
    assert found.startswith("é " * 3000) and unicodedata.normalize("NFC", found) == unicodedata.normalize("NFC", text)


def test_a_text_is_the_same_alone_and_in_a_batch() -> None:
    texts = ["\u0301a", "", "plain", "e\u0301", "\u0323\u0301", "x"]
    assert _canonical(texts) == [_canonical([text])[0] for text in texts]
    assert canonical(tf.constant([], tf.string)).shape == (0,)


def test_invisible_characters_are_left_out() -> None:
    text = "won" + INVISIBLE + "derful"
    assert _canonical([text]) == ["wonderful"] == folded_strings([text])
    joined = "می\u200cخواهم 👩\u200d💻 ❤\ufe0f"
    assert _canonical([joined]) == [joined]
    assert folded_strings([joined]) == ["میخواهم 👩💻 ❤"]


def test_drawings_of_letters_become_the_letters() -> None:
    drawn = ["ＧＯＯＤ ９", "ﬁne ﬂight", "𝐠𝐨𝐨𝐝 𝟗", "ｶﾞﾝﾊﾞﾙ", "ﻣﺮﺣﺒﺎ", "well\u2011made"]
    assert folded_strings(drawn) == ["GOOD 9", "fine flight", "good 9", "ガンバル", "مرحبا", "well-made"]
    signs = ["好！，。", "½ ™ … ²"]  # as they are written
    assert folded_strings(signs) == signs
    assert folded_strings(["가", "가", "Å"]) == ["가", "가", "Å"]


def test_what_is_no_utf8_stays_a_text() -> None:
    assert folded(tf.constant([b"caf\xe9 e\xcc\x81"])).numpy()[0].decode() == "caf\ufffd é"
