"""The character language model against Witten-Bell written from its formula, with dictionaries."""

import json
import math
import time
from collections import defaultdict

import numpy as np
import pytest

from models.decoding.language_model import CharacterLanguageModel

TEXTS = ["the cat sat on the mat", "a cat", "", "the hat that sat", "žluťoučký kůň", "aa"]
WEIGHTS = [1.0, 3.0, 0.5, 2.0, 1.5, 0.25]


def witten_bell(texts, weights, alphabet, order):
    """P(character | history) by recursion over dictionaries of dictionaries."""
    counts = defaultdict(lambda: defaultdict(float))
    for text, weight in zip(texts, weights, strict=True):
        symbols = ["<s>", *text, "</s>"]
        for at in range(1, len(symbols)):
            for length in range(min(order - 1, at) + 1):
                counts[tuple(symbols[at - length : at])][symbols[at]] += weight

    def probability(history, character):
        seen = counts[history]
        shorter = probability(history[1:], character) if history else 1.0 / (len(alphabet) + 1)
        if not seen:
            return shorter
        return (seen.get(character, 0.0) + len(seen) * shorter) / (sum(seen.values()) + len(seen))

    def from_text(context, character):
        symbols = ("<s>", *context)
        return probability(symbols[max(0, len(symbols) - order + 1) :], character or "</s>")

    return from_text


@pytest.mark.parametrize("order", [1, 2, 3, 8])
def test_equals_the_formula(order):
    model = CharacterLanguageModel(order).fit(TEXTS, WEIGHTS)
    oracle = witten_bell(TEXTS, WEIGHTS, model.alphabet, order)
    for context in [
        "",
        "t",
        "th",
        "the cat",
        "the cat sat on",
        "ůň",
        "ttt",
        "aaaaaaaaaaaa",
    ]:
        for character in [*model.alphabet, model.END]:
            assert model.log_probability(context, character) == pytest.approx(
                math.log(oracle(context, character)), abs=1e-12
            )


def test_a_case_computed_by_hand():
    """One text "ab", order 2. After nothing: a, b and the end, once each; T = 3, C = 3, uniform 1/3: all 1/3.

    After "a": "b" once, so (1 + 1 * 1/3) / (1 + 1) = 2/3 for b, and (0 + 1/3) / 2 = 1/6 for the others.
    """
    model = CharacterLanguageModel(order=2).fit(["ab"])
    assert math.exp(model.log_probability("a", "b")) == pytest.approx(2 / 3)
    assert math.exp(model.log_probability("a", "a")) == pytest.approx(1 / 6)
    assert math.exp(model.log_probability("a", model.END)) == pytest.approx(1 / 6)
    assert math.exp(model.text_log_probability("ab")) == pytest.approx((2 / 3) ** 3)


def test_probabilities_sum_to_one_after_any_context():
    generator = np.random.default_rng(0)
    model = CharacterLanguageModel(5).fit(TEXTS, WEIGHTS, alphabet=[*sorted(set("".join(TEXTS))), "#", "🙂"])
    contexts = ["".join(generator.choice(model.alphabet, size=length)) for length in range(12) for _ in range(10)]
    contexts += [text[:length] for text in TEXTS for length in range(len(text) + 1)]
    for context in contexts:
        probabilities = [math.exp(model.log_probability(context, c)) for c in [*model.alphabet, model.END]]
        assert sum(probabilities) == pytest.approx(1.0, abs=1e-12)
        assert min(probabilities) > 0.0


def test_a_weight_counts_as_that_many_copies():
    weighted = CharacterLanguageModel(4).fit(TEXTS, [1, 2, 1, 3, 1, 1])
    copied = CharacterLanguageModel(4).fit([*TEXTS, TEXTS[1], TEXTS[3], TEXTS[3]])
    for text in TEXTS:
        assert weighted.text_log_probability(text) == pytest.approx(copied.text_log_probability(text), abs=1e-12)


def sentences(seed, count):
    generator = np.random.default_rng(seed)
    people, acts, things = (
        ["the man", "a dog", "my sister"],
        ["sees", "wants", "brings"],
        ["bread", "two cats", "it"],
    )
    return [" ".join(generator.choice(list(part)) for part in (people, acts, things)) for _ in range(count)]


def test_context_lowers_the_perplexity_of_held_out_text():
    alphabet = sorted(set("".join(sentences(0, 500))))
    held_out = sentences(1, 50)
    unseen = [text[::-1] for text in held_out]
    perplexity = {}
    for order in (1, 2, 4, 8):
        model = CharacterLanguageModel(order).fit(sentences(0, 200), alphabet=alphabet)
        characters = sum(len(text) + 1 for text in held_out)
        perplexity[order] = math.exp(-sum(map(model.text_log_probability, held_out)) / characters)
        if order == 8:
            assert sum(map(model.text_log_probability, unseen)) < sum(map(model.text_log_probability, held_out))
    assert perplexity[8] < perplexity[4] < perplexity[2] < perplexity[1]
    assert perplexity[8] < 2.0 < perplexity[1]


def test_survives_json():
    model = CharacterLanguageModel(6).fit(TEXTS, WEIGHTS)
    copy = CharacterLanguageModel.from_dict(json.loads(json.dumps(model.to_dict())))
    assert copy.alphabet == model.alphabet and copy.order == model.order
    for text in [*TEXTS, "that cat", "tttt"]:
        assert copy.text_log_probability(text) == model.text_log_probability(text)


def test_forgetting_the_cache_changes_nothing(monkeypatch):
    expected = [CharacterLanguageModel(6).fit(TEXTS).text_log_probability(text) for text in TEXTS]
    model = CharacterLanguageModel(6).fit(TEXTS)
    monkeypatch.setattr("models.decoding.language_model._CACHED_PROBABILITIES", 3 * len(model._symbols))
    assert [model.text_log_probability(text) for text in TEXTS] == expected
    assert len(model._distributions) <= 3 + 6  # one question adds at most `order`


def test_quick():
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list("abcdefghijklmnop"), size=6)) for _ in range(500)]
    texts = [" ".join(generator.choice(words, 10)) for _ in range(2000)]  # 140 000 characters
    start = time.process_time()
    model = CharacterLanguageModel(8).fit(texts)
    fitted = time.process_time()
    for _ in range(2000):
        model.log_probability(texts[0], "a")
    answered = time.process_time()
    assert fitted - start < 3.0  # 2 MB in 20 s would be 1.4 s
    assert (answered - fitted) / 2000 < 50e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": []}, "at least one text"),
        ({"texts": ["a"], "weights": [1.0, 2.0]}, "one weight above 0"),
        ({"texts": ["a"], "weights": [0.0]}, "one weight above 0"),
        ({"texts": ["a", "ab"], "alphabet": ["a"]}, r"Received: 'b' in 'ab'"),
        ({"texts": ["a"], "alphabet": ["a", "a"]}, "different single characters"),
        ({"texts": ["a"], "alphabet": ["a", "bc"]}, "different single characters"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message) as raised:
        CharacterLanguageModel(3).fit(**arguments)
    assert "Received: " in str(raised.value)


def test_more_bad_input_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        CharacterLanguageModel(0)
    with pytest.raises(ValueError, match="Received: kind None"):
        CharacterLanguageModel.from_dict({})
    with pytest.raises(KeyError):
        CharacterLanguageModel(3).fit(["ab"]).log_probability("a", "x")
