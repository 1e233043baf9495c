"""Division of texts: no character is lost, each word is where it is said to be, and what is known stays whole."""

import random

import numpy as np
import tensorflow as tf

from pipelines.nlp.unicode_forms import folded_strings
from pipelines.nlp.words import Words, learn_vocabulary, places_of

SIGNS = [*"abcÄßÉ  ..,'’`\"-–—/:;&@_()$%0129", "\t", "\u3000", "日", "本", "ก", "ำ", "ش", "א", "😀", "\u200d"]
SIGNS += ["e\u0301", "...", "--"]


def test_words_are_where_they_are_said_to_be() -> None:
    chance = random.Random(0)
    texts = ["".join(chance.choice(SIGNS) for _ in range(chance.randrange(40))) for _ in range(300)]
    division = Words(["a.", "n't", "'s", "."], 10).divide(texts)
    words, starts, ends = (part.to_list() for part in division)
    for number, text in enumerate(texts):
        found = [word.decode() for word in words[number]]
        assert all(folded_strings(found))  # none of invisible characters alone
        between = zip([0, *ends[number]], [*starts[number], len(text)], strict=True)
        assert not any(folded_strings("".join(text[start:end] for start, end in between).split()))
        assert [text[start:end] for start, end in zip(starts[number], ends[number], strict=True)] == found


def test_words_and_signs_are_divided_by_what_is_known() -> None:
    def divided(text: str, *known: str) -> list[str]:
        return [word.decode() for word in Words(known, 10).divide([text]).words.to_list()[0]]

    assert divided("He (Mr. X) isn't in the U.S.!", "mr.", "u.s.") == [
        *("He", "(", "Mr.", "X", ")", "isn't", "in", "the", "U.S.", "!")
    ]
    emoji = "I ❤\ufe0f 👩🏽\u200d💻 🇪🇸🇫🇷 👍🏽 :)"
    assert divided(emoji) == ["I", "❤\ufe0f", "👩🏽\u200d💻", "🇪🇸", "🇫🇷", "👍🏽", ":", ")"]
    assert divided("ꦲꦏ᭄ᬓ") == [*("ꦲ", "ꦏ᭄", "ᬓ")]  # Javanese, Balinese
    assert divided("Mr. isn't", "n't", "is") == ["Mr", ".", "is", "n't"]
    assert divided("3.50, 1,000... over-all -- 'so'") == ["3.50", ",", "1,000", "...", "over-all", "--", "'", "so", "'"]


def test_places_in_words_joined_by_spaces() -> None:
    sentences = [["Ädä", "x"], [], ["日本", "😀", "z"]]
    division = places_of(tf.ragged.constant(sentences, tf.string))
    for words, starts, ends in zip(sentences, division.starts.to_list(), division.ends.to_list(), strict=True):
        assert [" ".join(words)[start:end] for start, end in zip(starts, ends, strict=True)] == words


def test_a_vocabulary_is_of_one_spelling() -> None:
    assert learn_vocabulary(["The", "the", "19", "45", "“", "``", "once"], 10, 2) == ['"', "00", "the"]
    words = Words(["the", "00"], 50)
    numbers = words.encode(tf.constant(["THE", "67", "unknown", "a"])).numpy()
    assert numbers[:, 0].tolist() == [1, 2, 0, 0] and numbers.shape == (4, 10)
    assert (numbers[:, 1:] > 2).all() and (numbers < words.size).all()


def test_drawings_and_invisible_characters_change_no_number() -> None:
    words = Words(["film", "café"], pieces=100)
    alike = [
        ("film", "ﬁlm"),
        ("film", "fi\u00adlm"),
        ("café", "cafe\u0301"),
        ("FILM", "\uff26\uff29\uff2c\uff2d"),
        ("neu", "n\u200beu"),
    ]
    for plain, other in alike:
        np.testing.assert_array_equal(*words.encode(tf.constant([plain, other])).numpy(), err_msg=plain)
