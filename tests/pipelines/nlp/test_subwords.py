"""Subwords: what is encoded can be read again, whatever it is, and equals what the library makes of it."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tokenizers import Tokenizer, models

from pipelines.nlp.subwords import BYTES, END, PADDING, RESERVED, START, SubwordConfiguration, Subwords, split_words

TEXTS = [
    "In the beginning God created the heavens and the earth.",
    "Dijo Dios: «Sea la luz»; y fue la luz. ¿Por qué? ¡Porque sí!",
    "וַיֹּאמֶר אֱלֹהִים יְהִי אוֹר",
    "في البدء خلق الله السموات والأرض",
    "太初有道，道與神同在。",  # noqa: RUF001
    "Смешанный text, 1,234.5 × 10⁻³ and don’t stop",
]
STRANGE = [
    "",
    " ",
    "  two  spaces, a\ttab,\r\na line and a no-break\u00a0space \u2028 ",
    "never seen: 😀👍🏽🏳️‍🌈 ಕನ್ನಡ 𐍈 \u202eright to left\u202c",
    "e\u0301 is not é; <end> <unknown> [UNK] ## ##ing is no special sign",
    "\x00\x01\x7f control",
    "-" * 300,
    "inthebeginning" * 20,
]


@pytest.fixture(scope="module")
def subwords() -> Subwords:
    return Subwords.learn(TEXTS * 3, SubwordConfiguration(size=420))


@pytest.mark.parametrize("text", TEXTS + STRANGE)
def test_a_text_is_read_again_as_it_was(subwords: Subwords, text: str) -> None:
    numbers = subwords.encode(tf.constant([text]))
    assert subwords.decode(numbers).numpy()[0].decode() == text
    assert subwords.decode(numbers.to_tensor()).numpy()[0].decode() == text
    assert np.all(numbers.flat_values >= RESERVED)
    assert sum(len(subwords.pieces[number]) for number in numbers.flat_values.numpy()) == len(text.encode())


def test_encoding_equals_that_of_the_library(subwords: Subwords) -> None:
    vocabulary = {piece: number + RESERVED for number, piece in enumerate(subwords.to_json())}
    library = Tokenizer(
        models.WordPiece(vocabulary, unk_token="", continuing_subword_prefix="", max_input_chars_per_word=10_000)
    )
    texts = TEXTS + STRANGE
    for text, words, ours in zip(texts, split_words(texts).to_list(), subwords.encode(texts).to_list(), strict=True):
        theirs = [number for word in words for number in library.encode(word.decode("latin-1")).ids]
        assert ours == theirs, text


def test_neither_batch_nor_order_changes_an_encoding(subwords: Subwords) -> None:
    together = subwords.encode(tf.constant(STRANGE + TEXTS)).to_list()
    for text, numbers in zip(STRANGE + TEXTS, together, strict=True):
        assert subwords.encode(tf.constant([text])).to_list() == [numbers]
    assert subwords.encode(tf.constant([], tf.string)).to_list() == []


def test_words_joined_are_the_text_and_have_one_kind_of_sign() -> None:
    for text, words in zip(TEXTS + STRANGE, split_words(TEXTS + STRANGE).to_list(), strict=True):
        assert b"".join(words).decode() == text
        for word in words:
            kinds = {"letter" if sign.isalpha() else "digit" if sign.isdigit() else "other" for sign in word.decode()}
            assert "letter" not in kinds or "digit" not in kinds


def test_bytes_that_are_no_text_are_replaced(subwords: Subwords) -> None:
    assert subwords.decode(subwords.encode(tf.constant([b"caf\xe9 \xff!"]))).numpy()[0].decode() == "caf\ufffd \ufffd!"
    half_an_emoji = subwords.encode(tf.constant(["😀"]))[:, :2]
    assert subwords.decode(half_an_emoji).numpy()[0].decode() == "\ufffd"


def test_frequent_strings_become_subwords(subwords: Subwords) -> None:
    assert subwords.size == 420
    numbers = subwords.encode(tf.constant([" the"]))
    assert numbers.shape[0] == 1 and len(numbers.flat_values) == 1
    assert len(subwords.encode(tf.constant(["Dios"])).flat_values) < 4


def test_reserved_numbers_say_nothing(subwords: Subwords) -> None:
    numbers = subwords.encode(tf.constant(["the light"])).to_list()[0]
    padded = tf.constant([[START, *numbers, END, PADDING, PADDING]])
    assert subwords.decode(padded).numpy()[0] == b"the light"


def test_a_vocabulary_comes_back_from_json_and_is_the_same_each_time(subwords: Subwords) -> None:
    again = Subwords(json.loads(json.dumps(subwords.to_json(), ensure_ascii=False)))
    assert again.to_json() == subwords.to_json()
    assert again.encode(TEXTS).to_list() == subwords.encode(TEXTS).to_list()
    assert Subwords.learn(TEXTS * 3, SubwordConfiguration(size=420)).to_json() == subwords.to_json()


def test_without_texts_there_are_bytes() -> None:
    bare = Subwords.learn([], SubwordConfiguration())
    assert bare.size == RESERVED + BYTES
    assert bare.decode(bare.encode(["señal"])).numpy()[0].decode() == "señal"


def test_a_vocabulary_without_all_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"holds every byte.*Received: 2 subwords, 254 bytes missing"):
        Subwords(["a", "b"])


def test_the_graph_has_stock_operations_and_serves(subwords: Subwords, tmp_path: object) -> None:
    module = tf.Module()
    module.subwords = subwords
    module.echo = tf.function(
        lambda text: subwords.decode(subwords.encode(text)), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    assert [text.decode() for text in loaded.echo(tf.constant(TEXTS + STRANGE)).numpy()] == TEXTS + STRANGE
    assert "PyFunc" not in {node.op for node in module.echo.get_concrete_function().graph.as_graph_def().node}
