"""A model of words, spelled, against the products and sums of its definition, written with dictionaries."""

import json
import math
from collections import defaultdict

import numpy as np
import pytest
import tensorflow as tf

from models.decoding import BackOffModel, CharacterLanguageModel, spelled, word_model

ALPHABET = (" ", *"acehstxy")
TEXTS = ["the cat sat", "a cat", "the hat that sat", "cat", "", "a a cat the"]
WEIGHTS = [1.0, 2.0, 0.5, 1.0, 1.0, 3.0]
VOCABULARY = sorted(set(" ".join(TEXTS).split()))


def definition(order: int) -> dict[str, float]:
    """The probability of each text of up to two words of up to five letters that begins with a or t, by the formula."""
    counts: dict[tuple[str, ...], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for text, weight in zip(TEXTS, WEIGHTS, strict=True):
        words = ["<s>", *text.split(), ""]
        for at in range(1, len(words)):
            for length in range(min(order - 1, at) + 1):
                counts[tuple(words[at - length : at])][words[at]] += weight
    spelling = CharacterLanguageModel(4).fit(VOCABULARY, alphabet=ALPHABET[1:])

    def known(context: tuple[str, ...], word: str) -> float:
        """Witten-Bell, with the uniform distribution below."""
        seen = counts[context]
        shorter = known(context[1:], word) if context else 1 / (len(VOCABULARY) + 1)
        return (seen.get(word, 0.0) + len(seen) * shorter) / (sum(seen.values()) + len(seen)) if seen else shorter

    unknown = len(counts[()]) / (sum(counts[()].values()) + len(counts[()]))
    total = sum(known((), word) for word in VOCABULARY)

    def spoken(context: tuple[str, ...], word: str) -> float:
        """The same, with the spelling below."""
        seen = counts[context]
        if not context:
            mine = (1 - unknown) * known((), word) / total if word in VOCABULARY else 0.0
            return mine + unknown * math.exp(spelling.text_log_probability(word))
        if not seen:
            return spoken(context[1:], word)
        share = len(seen) / (sum(seen.values()) + len(seen))
        listed = known(context, word) - share * known(context[1:], word) if word in seen else 0.0
        return listed + share * spoken(context[1:], word)

    def begun(context: tuple[str, ...]) -> tuple[str, ...]:
        return context[len(context) - order + 1 :] if order > 1 else ()

    def text(words: list[str]) -> float:
        """A context has 1 − P(end) for words, and that is what they are divided by where their sum is another."""
        result, context = 1.0, begun(("<s>",))
        for number, word in enumerate(words):
            leaves = 1 - known(context, "")
            result *= spoken(context, word) / whole(context) * (leaves if number == 0 and order > 1 else 1.0)
            context = begun((*context, word))
            end = known(context, "")
            result *= end if number == len(words) - 1 else 1 - end
        return result

    def whole(context: tuple[str, ...]) -> float:
        """What all words have after a context."""
        seen = counts[context]
        if not context:
            return 1.0
        if not seen:
            return whole(context[1:])
        share = len(seen) / (sum(seen.values()) + len(seen))
        listed = sum(known(context, word) - share * known(context[1:], word) for word in seen if word)
        return listed + share * whole(context[1:])

    texts = [["cat"], ["the", "cat"], ["xy"], ["xy", "cat"], ["a", "a", "hat"], ["that", "tha"], ["the", "xy", "a"]]
    return {" ".join(words): text(words) for words in texts}


@pytest.mark.parametrize("order", [1, 2, 3])
def test_equals_the_definition(order: int) -> None:
    model = spelled(word_model(TEXTS, WEIGHTS, order), ALPHABET, 4)
    for text, probability in definition(order).items():
        assert math.exp(model.text_log_probability(text)) == pytest.approx(probability, rel=1e-6), text


@pytest.mark.parametrize("order", [1, 3])
def test_is_a_probability_after_any_text(order: int) -> None:
    model, random = spelled(word_model(TEXTS, WEIGHTS, order), ALPHABET, 4), np.random.default_rng(0)
    assert (model.shorter[1:] < np.arange(1, len(model.shorter))).all() and (np.diff(model.keys) > 0).all()
    for length in [*range(1, 14)] * 6:
        state = model.start
        for character in random.choice(ALPHABET, length):
            _, state = model.step(state, str(character))
        probabilities = [math.exp(model.step(state, character)[0]) for character in (*ALPHABET, model.END)]
        assert sum(probabilities) == pytest.approx(1, abs=1e-9) and min(probabilities) > 0


def test_a_table_and_a_copy_know_the_same() -> None:
    model = spelled(word_model(TEXTS, WEIGHTS, 3), ALPHABET, 4)
    copy = BackOffModel.from_dict(json.loads(json.dumps(model.to_dict())))
    table, symbols = model.back_off_table(), [*ALPHABET, model.END]
    for text in ("the cat sat", "xyxy a", "that hat", " a  cat"):
        state, at = tf.constant([table.start]), model.start
        for character in [*text, model.END]:
            places = table.look_up(state, tf.range(len(symbols))[tf.newaxis])
            expected = [model.step(at, symbol)[0] for symbol in symbols]
            np.testing.assert_allclose(table.log_probability(state, places)[0], expected, atol=1e-4)
            np.testing.assert_allclose(model.find(np.full(10, at), np.arange(10))[1], expected, atol=1e-9)
            state = tf.gather(table.following, places)[:, symbols.index(character)]
            _, at = model.step(at, character)
        assert copy.text_log_probability(text) == pytest.approx(model.text_log_probability(text), abs=1e-4)


def test_knows_the_words_of_held_out_texts_better_than_characters_do() -> None:
    """The words come in every order, and their letters follow from what words there are."""
    random = np.random.default_rng(0)
    words = ["".join(random.choice([*"abcdefgh"], 5)) for _ in range(60)]
    said = [" ".join(random.choice(words, 6)) for _ in range(240)]
    alphabet = (" ", *"abcdefgh")
    by_characters = CharacterLanguageModel(8).fit(said[:200], alphabet=alphabet)
    by_words = spelled(word_model(said[:200]), alphabet)
    first, second = (sum(map(model.text_log_probability, said[200:])) for model in (by_characters, by_words))
    assert second > first + 40
    assert by_words.text_log_probability("hgfedcba") > -40  # a word that nobody has said
