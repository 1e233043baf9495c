"""What is made up: choices by definition, the same seed the same text, the beam against brute force."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from pipelines.nlp.language_model import generation
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.generation import begin, generate, go_on, search, stream
from pipelines.nlp.language_model.model import LanguageModel
from pipelines.nlp.language_model.sampling import Options, SamplingConfiguration, choose, narrowed
from pipelines.nlp.language_model.scoring import score
from pipelines.nlp.language_model.text_statistics import Copies, distinct
from pipelines.nlp.language_model.trained import build
from pipelines.nlp.subwords import PADDING, RESERVED, Subwords

Trained = tuple[LanguageModel, Subwords]
NOTHING = tf.zeros((1, 0), tf.int32)


def options(**changes: object) -> Options:
    return Options.of(SamplingConfiguration(**({"temperature": 1.0, "top_p": 1.0} | changes)))


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


def test_draws_are_as_frequent_as_they_are_probable():
    logits = tf.repeat(tf.constant([LOGITS]), 20_000, axis=0)
    drawn = choose(logits, tf.zeros((20_000, 0), tf.int32), options(), tf.constant(0)).numpy()
    np.testing.assert_allclose(np.bincount(drawn) / 20_000, [0.4, 0.3, 0.2, 0.1], atol=0.02)
    most_probable = choose(logits[:3], tf.zeros((3, 0), tf.int32), options(temperature=0.0), tf.constant(0))
    assert most_probable.numpy().tolist() == [0, 0, 0]


@pytest.mark.parametrize("changes", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_k": -1}, {"repetition_penalty": 0.5}])
def test_choices_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match="Received: "):
        SamplingConfiguration(**changes)


@pytest.mark.parametrize("prompt", ["", "The house", "🙂 שלום"])
def test_stream_and_graph_draw_the_same_and_a_seed_decides(language_model: Trained, prompt: str) -> None:
    model, subwords = language_model
    configuration = SamplingConfiguration(length=30, seed=7)
    streamed = "".join(stream(model, subwords, prompt, configuration))
    encoded = subwords.encode(tf.constant([prompt])).to_tensor()
    begun = begin(model, encoded, tf.shape(encoded)[1:])
    drawn = tf.function(generate)(model, begun, Options.of(configuration), tf.constant(30))
    assert subwords.decode(drawn).numpy()[0].decode() == streamed
    assert "".join(stream(model, subwords, prompt, configuration)) == streamed
    other = "".join(stream(model, subwords, prompt, configuration.replace(seed=8)))
    assert other != streamed


def test_prompts_of_different_lengths_do_not_meet(language_model: Trained) -> None:
    model, subwords = language_model
    prompts = ["", "A", "Errors say what happened, what was expected, how to fix it"]
    numbers = subwords.encode(tf.constant(prompts))
    together = begin(model, numbers.to_tensor(), tf.cast(numbers.row_lengths(), tf.int32))
    for row in range(len(prompts)):
        encoded = numbers[row][tf.newaxis]
        alone = begin(model, encoded, tf.shape(encoded)[1:])
        np.testing.assert_allclose(together.logits[row], alone.logits[0], atol=1e-4)
        np.testing.assert_array_equal(together.written[row], alone.written[0])
        after, apart = (go_on(model, each, tf.fill((rows,), 42)) for each, rows in ((together, 3), (alone, 1)))
        np.testing.assert_allclose(after.logits[row], apart.logits[0], atol=1e-4)


def test_ended_texts_stay_ended(language_model: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = language_model
    rows = tf.constant([[20, BOUNDARY, 21, 22], [30, 31, 32, 33]])
    monkeypatch.setattr(generation, "choose", lambda logits, written, options, step: tf.gather(rows, step, axis=1))
    begun = begin(model, tf.zeros((2, 0), tf.int32), tf.zeros(2, tf.int32))
    drawn = generate(model, begun, options(), tf.constant(4)).numpy()
    assert drawn.tolist() == [[20, PADDING, PADDING, PADDING], [30, 31, 32, 33]]


def test_wide_beam_finds_the_most_probable_text(experiment: Callable[..., LanguageModelConfiguration]) -> None:
    """Against all texts of three bytes of a tiny alphabet."""
    subwords = Subwords([chr(byte) for byte in range(256)])
    model = build(experiment(), subwords.size)
    for weight in model.trainable_variables:
        weight.assign(tf.random.stateless_normal(weight.shape, (3, 4)))
    letters = [RESERVED + ord(letter) for letter in "abcd"]
    bias = np.full(subwords.size, -1e9, np.float32)
    bias[[*letters, BOUNDARY]] = 0, 0.5, 1, 1.5, -2
    model.bias.assign(bias)
    documents = [np.array(word, np.int32) for length in range(4) for word in itertools.product(letters, repeat=length)]
    scores = {}
    for document, scored in zip(documents, score(model, documents), strict=True):
        kept = scored.nats if len(document) < 3 else scored.nats[:3]  # cut off, not ended
        scores["".join(chr(number - RESERVED) for number in document)] = -kept.sum()
    found = [each for each in search(model, subwords, "", 3, beam_width=200) if each[1] > -1e6]
    assert len(found) == len(scores)
    for text, probability in found:
        assert probability == pytest.approx(scores[text], abs=1e-4)
    assert found[0][0] == max(scores, key=scores.__getitem__)
    narrow = search(model, subwords, "", 3, beam_width=2)
    assert narrow[0][1] <= found[0][1] + 1e-4 and len(narrow) == 2


def test_shares_of_distinct_and_copied_stretches():
    assert distinct(["a b a b"], 2) == pytest.approx(2 / 3)
    assert distinct([""], 2) == 1
    copies = Copies(["one two three four", "five"], words=2)
    assert copies.share(["two three five six"]) == pytest.approx(1 / 3)
    assert copies.share([]) == 0
