"""Generation: choices by definition, rows that do not meet, the beam against brute force."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from pipelines.nlp.language_model import generation
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.generation import Options, advance, beam_search, generate, narrowed, prefill, sample
from pipelines.nlp.language_model.model import LanguageModel, build
from pipelines.nlp.language_model.network import SamplingConfiguration
from pipelines.nlp.language_model.predictor import until
from pipelines.nlp.language_model.report import Copies, distinct
from pipelines.nlp.language_model.scoring import score
from pipelines.nlp.language_model.serving import signatures
from pipelines.nlp.subwords import PADDING, RESERVED, Subwords
from pipelines.served import Served

Trained = tuple[LanguageModel, Subwords]
NOTHING = tf.zeros((1, 0), tf.int32)


def options(**changes: object) -> Options:
    sampling = SamplingConfiguration(**({"temperature": 1.0, "top_p": 1.0} | changes))
    return Options(**{name: tf.constant(getattr(sampling, name)) for name in Options._fields})


def shares(logits: list[float], recent: tf.Tensor = NOTHING, **changes: object) -> np.ndarray:
    return tf.nn.softmax(narrowed(tf.constant([logits]), recent, options(**changes)))[0].numpy()


LOGITS = np.log([0.4, 0.3, 0.2, 0.1]).tolist()


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, [0.4, 0.3, 0.2, 0.1]),
        ({"temperature": 0.5}, np.array([0.16, 0.09, 0.04, 0.01]) / 0.3),
        ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_k": 10}, [0.4, 0.3, 0.2, 0.1]),
        ({"top_p": 0.65}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 0.75}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"top_p": 1e-6}, [1, 0, 0, 0]),
        *(({"temperature": temperature}, [1, 0, 0, 0]) for temperature in (1e-8, 1e-10, 1e-30, 1e-37)),
        ({"top_k": 3, "top_p": 0.7}, [4 / 7, 3 / 7, 0, 0]),
    ],
)
def test_what_may_be_chosen(changes, expected):
    np.testing.assert_allclose(shares(LOGITS, **changes), expected, atol=1e-6)


def test_no_share_at_all_leaves_the_most_probable():
    """A served model may be asked for it."""
    nothing = options()._replace(top_p=tf.constant(0.0))
    np.testing.assert_allclose(tf.nn.softmax(narrowed(tf.constant([LOGITS]), NOTHING, nothing))[0], [1, 0, 0, 0])


def test_what_was_written_becomes_less_probable():
    found = shares(LOGITS, tf.constant([[0, 0, 2]]), repetition_penalty=2.0)
    weights = np.array([0.4**2, 0.3, 0.2**2, 0.1])
    np.testing.assert_allclose(found, weights / weights.sum(), atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_no_stretch_is_written_twice(size):
    """Against all stretches of what was written; padding and ends are no part of one."""
    random, top = np.random.default_rng(size), RESERVED + 3
    for _ in range(20):
        text = random.integers(RESERVED, top, random.integers(0, 30)).tolist()
        written = tf.constant([[BOUNDARY] * (32 - len(text)) + text])
        stretches = {tuple(text[place : place + size]) for place in range(len(text) - size + 1)}
        end = text[max(0, len(text) - size + 1) :] if size > 1 else []
        ruled_out = [(*end, each) in stretches for each in range(top)]
        np.testing.assert_array_equal(shares([0.0] * top, written, no_repeat_ngram=size) < 1e-6, ruled_out)


def test_each_row_has_a_length_of_stretches_of_its_own():
    one, other = RESERVED, RESERVED + 1
    written = tf.constant([[one, other, one]] * 3)
    how = options()._replace(no_repeat_ngram=tf.constant([0, 2, 1]))
    how = how._replace(**{name: tf.fill((3,), getattr(how, name)) for name in how._fields[:4]})
    ruled_out = tf.nn.softmax(narrowed(tf.zeros((3, RESERVED + 3)), written, how)).numpy() < 1e-6
    assert [np.flatnonzero(row).tolist() for row in ruled_out] == [[], [other], [one, other]]


def test_a_text_ends_before_what_it_stops_at():
    text = "one two. Three\n\nfour. Three"
    for stop in (
        ["Three"],
        ["\n\n"],
        ["x"],
        ["o two", "two"],
        ["four. Three!", "four"],
        [text, "Three\n"],
        ["ne", "one"],
    ):
        read = next((text[:size] for size in range(len(text) + 1) if any(each in text[:size] for each in stop)), text)
        expected = text[: min([read.find(each) for each in stop if each in read], default=len(text))]
        for size in (1, 2, 3, 7, 100):
            pieces = [text[start : start + size] for start in range(0, len(text), size)]
            assert "".join(until(pieces, stop)) == expected


@pytest.mark.slow
def test_draws_are_as_frequent_as_they_are_probable():
    """Over many steps of many seeds."""

    @tf.function
    def draws(how: Options) -> tf.Tensor:
        def draw(place: tf.Tensor) -> tf.Tensor:
            return sample(tf.constant([LOGITS]), NOTHING, how._replace(seed=place % 100), place // 100)[0]

        return tf.map_fn(draw, tf.range(20_000))

    drawn = draws(options()).numpy()
    np.testing.assert_allclose(np.bincount(drawn) / 20_000, [0.4, 0.3, 0.2, 0.1], atol=0.02)


def test_draws_of_equal_rows_are_equal_and_at_temperature_zero_the_most_probable():
    rows, written = tf.repeat(tf.constant([LOGITS]), 3, axis=0), tf.zeros((3, 0), tf.int32)
    alone = sample(rows[:1], written[:1], options(seed=4), tf.constant(5)).numpy()
    assert sample(rows, written, options(seed=4), tf.constant(5)).numpy().tolist() == [alone[0]] * 3
    assert sample(rows, written, options(temperature=0.0), tf.constant(0)).numpy().tolist() == [0, 0, 0]


@pytest.mark.parametrize("changes", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_k": -1}, {"no_repeat_ngram": 17}])
def test_choices_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match="Received: "):
        SamplingConfiguration(**changes)


def test_prompts_of_different_lengths_do_not_meet(language_model: Trained) -> None:
    model, subwords = language_model
    prompts = ["", "A", "Errors say what happened, what was expected, how to fix it"]
    numbers = subwords.encode(tf.constant(prompts))
    together = prefill(model, numbers.to_tensor(), tf.cast(numbers.row_lengths(), tf.int32))
    for row in range(len(prompts)):
        encoded = numbers[row][tf.newaxis]
        alone = prefill(model, encoded, tf.shape(encoded)[1:])
        np.testing.assert_allclose(together.logits[row], alone.logits[0], atol=1e-4)
        np.testing.assert_array_equal(together.written[row], alone.written[0])
        after, apart = (
            advance(model, each.state, each.written, tf.fill((rows,), 42)) for each, rows in ((together, 3), (alone, 1))
        )
        np.testing.assert_allclose(after.logits[row], apart.logits[0], atol=1e-4)


def test_ended_texts_stay_ended(language_model: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = language_model
    rows = tf.constant([[20, BOUNDARY, 21, 22], [30, 31, 32, 33]])
    monkeypatch.setattr(generation, "sample", lambda logits, written, options, step: tf.gather(rows, step, axis=1))
    begun = prefill(model, tf.zeros((2, 0), tf.int32), tf.zeros(2, tf.int32))
    drawn = generate(model, begun, options(), tf.constant(4)).numpy()
    assert drawn.tolist() == [[20, PADDING, PADDING, PADDING], [30, 31, 32, 33]]


@pytest.mark.slow
def test_wide_beam_finds_the_most_probable_text(experiment: Callable[..., LanguageModelConfiguration]) -> None:
    """Against all texts of three bytes of a tiny alphabet."""
    model = build(experiment(), [chr(byte) for byte in range(256)])
    for weight in model.trainable_variables:
        weight.assign(tf.random.stateless_normal(weight.shape, (3, 4)))
    letters = [RESERVED + ord(letter) for letter in "abcd"]
    bias = np.full(model.size, -1e9, np.float32)
    bias[[*letters, BOUNDARY]] = 0, 0.5, 1, 1.5, -2
    model.bias.assign(bias)
    documents = [np.array(word, np.int32) for length in range(4) for word in itertools.product(letters, repeat=length)]
    scores = {}
    for document, scored in zip(documents, score(model, documents), strict=True):
        kept = scored.nats if len(document) < 3 else scored.nats[:3]  # cut off, not ended
        scores["".join(chr(number - RESERVED) for number in document)] = -kept.sum()
    served = Served(signatures(model))
    found = [each for each in beam_search(served, "", 3, beam_width=200) if each.log_probability > -1e6]
    assert len(found) == len(scores)
    for text, probability in found:
        assert probability == pytest.approx(scores[text], abs=1e-4)
    assert found[0][0] == max(scores, key=scores.__getitem__)
    narrow = beam_search(served, "", 3, beam_width=2)
    assert narrow[0][1] <= found[0][1] + 1e-4 and len(narrow) == 2


def test_shares_of_distinct_and_copied_stretches():
    assert distinct(["a b a b"], 2) == pytest.approx(2 / 3)
    assert distinct([""], 2) == 1
    copies = Copies(["one two three four", "five"], words=2)
    assert copies.share(["two three five six"]) == pytest.approx(1 / 3)
    assert copies.share([]) == 0
