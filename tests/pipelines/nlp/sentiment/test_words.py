"""Words: divided alike in every script and company, known and unknown ones."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.nlp.sentiment.words import MOST_PIECES, UNKNOWN, Words, divide, learn_vocabulary


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It isn't GOOD, it's great!", ["it", "is", "n't", "good", ",", "it", "'s", "great", "!"]),
        ("'Quoted' and the dogs' ''x''", ["quoted", "and", "the", "dogs", '"', "x", '"']),
        ("Don\u2019t\u00a0stop\tnow\n", ["do", "n't", "stop", "now"]),
        ("ÉCOLE Straße ЖУК", ["école", "straße", "жук"]),
        ("سيئ، جداً! סרט רע", ["سيئ", "،", "جداً", "!", "סרט", "רע"]),
        ("好电影 ok", ["好", "电", "影", "ok"]),
        ("😀😀 <3", ["😀", "😀", "<", "3"]),
        (" \u3000 ", []),
        ("", []),
    ],
)
def test_texts_are_divided(text: str, expected: list[str]) -> None:
    assert [word.decode() for word in divide(tf.constant([text]))[0].numpy()] == expected


def test_what_is_no_utf8_is_divided_too() -> None:
    assert divide(tf.constant([b"a \xff b"]))[0].numpy().tolist() == [b"a", "\ufffd".encode(), b"b"]


def test_numbers_of_words_and_their_lengths() -> None:
    words = Words(["good", "film"], maximum_words=3)
    encoded = words(tf.constant(["A good film, really", "", "Film"]))
    np.testing.assert_array_equal(encoded.words, [[UNKNOWN, 2, 3], [0, 0, 0], [3, 0, 0]])
    np.testing.assert_array_equal(encoded.lengths, [3, 0, 1])
    np.testing.assert_array_equal(encoded.whole_lengths, [5, 0, 1])
    assert encoded.pieces.shape == (3, 3, 0)
    for texts in ([""], []):
        encoded = words(tf.constant(texts, tf.string))
        assert encoded.words.shape == (len(texts), 0)


def test_pieces_are_the_strings_of_a_word_with_its_ends() -> None:
    encoded = Words(["x"], pieces=1000)(tf.constant(["bad", "badly", "bad bad", "incomprehensibilities"]))
    pieces = [set(row[row > 0].tolist()) for row in encoded.pieces.numpy().reshape(-1, MOST_PIECES)]
    spelled = ["<ba", "bad", "ad>", "<bad", "bad>", "<bad>"]  # independently: what 3 to 5 characters of <bad> are
    hashed = {1 + int(tf.strings.to_hash_bucket_fast(piece, 1000)) for piece in spelled}
    first, second, third = pieces[0], pieces[2], pieces[4]
    assert first == third == hashed
    assert len(first & second) >= 3  # <ba, bad, <bad
    assert np.count_nonzero(encoded.pieces[3, 0]) == MOST_PIECES


def test_the_vocabulary_is_of_the_commonest_words() -> None:
    texts = ["b a", "a c", "A d", "c"] * 600  # more than are divided at once
    assert learn_vocabulary(texts, maximum_size=3, minimum_count=2) == ["a", "c", "b"]
    assert learn_vocabulary(texts, maximum_size=9, minimum_count=1000) == ["a", "c"]
