"""The beam search against the sum over all alignments, and against greedy decoding."""

import itertools
import math
import time
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from models.decoding.beam import beam_decode
from models.decoding.greedy import greedy_decode
from models.decoding.language_model import CharacterLanguageModel
from models.losses import ctc_loss

ALPHABET = ("ž", "o", " ")
SECONDS = 0.04
EXACT = {"beam_width": 10**9, "prune": -math.inf, "hypotheses": 10**9}


def random_log_probabilities(seed, frames, labels=4, scale=2.0):
    logits = np.random.default_rng(seed).normal(scale=scale, size=(frames, labels))
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def read(alignment):
    return "".join(ALPHABET[label - 1] for label, _ in itertools.groupby(alignment) if label != 0)


def brute_force(log_probabilities, language_model=None, weight=0.0, bonus=0.0):
    """Scores of all texts: the definition of the score, summed over every alignment."""
    frames = range(len(log_probabilities))
    totals = {}
    for alignment in itertools.product(range(len(ALPHABET) + 1), repeat=len(frames)):
        labelling = read(alignment)
        score = log_probabilities[frames, list(alignment)].sum() + bonus * len(labelling)
        if language_model is not None:
            score += weight * language_model.text_log_probability(labelling)
        text = " ".join(labelling.split())
        totals[text] = totals.get(text, 0.0) + math.exp(score)
    return {text: math.log(total) for text, total in totals.items()}


@pytest.fixture(scope="module")
def language_model():
    return CharacterLanguageModel(order=3).fit(["žo ož", "ooo", "ž žo"], alphabet=ALPHABET)


@pytest.mark.parametrize("seed", range(4))
def test_every_score_equals_brute_force(seed):
    log_probabilities = random_log_probabilities(seed, frames=6)
    expected = brute_force(log_probabilities)
    found = beam_decode(log_probabilities, ALPHABET, SECONDS, **EXACT)
    assert {hypothesis.text for hypothesis in found} == set(expected)
    for hypothesis in found:
        assert hypothesis.score == pytest.approx(expected[hypothesis.text], abs=1e-9)
        assert hypothesis.confidence == pytest.approx(math.exp(hypothesis.score), abs=1e-9)
    scores = [hypothesis.score for hypothesis in found]
    assert scores == sorted(scores, reverse=True)
    assert sum(map(math.exp, scores)) == pytest.approx(1.0)  # some text is read


@pytest.mark.parametrize(("weight", "bonus"), [(0.5, 0.0), (1.3, 0.7), (0.0, -0.4)])
def test_every_score_with_a_language_model_equals_brute_force(language_model, weight, bonus):
    log_probabilities = random_log_probabilities(5, frames=6)
    expected = brute_force(log_probabilities, language_model, weight, bonus)
    found = beam_decode(
        log_probabilities,
        ALPHABET,
        SECONDS,
        language_model=language_model,
        language_model_weight=weight,
        insertion_bonus=bonus,
        **EXACT,
    )
    total = sum(map(math.exp, expected.values()))
    assert len(found) == len(expected)
    for hypothesis in found:
        assert hypothesis.score == pytest.approx(expected[hypothesis.text], abs=1e-9)
        assert hypothesis.confidence == pytest.approx(math.exp(expected[hypothesis.text]) / total, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_the_usual_beam_finds_the_best_of_all_texts(seed, language_model):
    log_probabilities = random_log_probabilities(100 + seed, frames=6)
    expected = brute_force(log_probabilities, language_model, 0.5)
    best = beam_decode(log_probabilities, ALPHABET, SECONDS, language_model=language_model, prune=-20.0)[0]
    assert best.text == max(expected, key=expected.get)
    # Short by the alignments with superfluous spaces that fell out of the beam, never too high.
    assert max(expected.values()) - 0.1 < best.score < max(expected.values()) + 1e-9


@pytest.mark.parametrize("width", [1, 2, 5, 16])
def test_leaving_out_hopeless_prefixes_early_changes_no_result(width, language_model):
    """The textbook search makes every prefix and then sorts."""
    log_probabilities = random_log_probabilities(width, frames=30)
    beam = {"": (1.0, 0.0)}
    for frame in np.exp(log_probabilities):
        following = {}
        for prefix, (in_blank, in_character) in beam.items():
            both = in_blank + in_character
            moves = [(prefix, both * frame[0], 0.0)]
            for label, character in enumerate(ALPHABET, start=1):
                weight = math.exp(0.5 * language_model.log_probability(prefix, character) + 0.2)
                if prefix.endswith(character):
                    moves.append((prefix, 0.0, in_character * frame[label]))
                    moves.append((prefix + character, 0.0, in_blank * frame[label] * weight))
                else:
                    moves.append((prefix + character, 0.0, both * frame[label] * weight))
            for text, more_blank, more_character in moves:
                old = following.get(text, (0.0, 0.0))
                following[text] = (old[0] + more_blank, old[1] + more_character)
        beam = dict(sorted(following.items(), key=lambda item: -sum(item[1]))[:width])
    expected = {}
    for labelling, both in beam.items():
        text = " ".join(labelling.split())
        end = math.exp(0.5 * language_model.log_probability(labelling, language_model.END))
        expected[text] = expected.get(text, 0.0) + sum(both) * end
    found = beam_decode(
        log_probabilities,
        ALPHABET,
        SECONDS,
        language_model=language_model,
        insertion_bonus=0.2,
        **EXACT | {"beam_width": width},
    )
    assert {hypothesis.text: pytest.approx(hypothesis.score) for hypothesis in found} == {
        text: math.log(total) for text, total in expected.items()
    }


@pytest.mark.parametrize("seed", range(10))
def test_never_less_probable_than_greedy(seed):
    log_probabilities = random_log_probabilities(seed, frames=12, labels=3)  # no space: text is labelling
    alphabet = ALPHABET[:2]
    greedy = greedy_decode(log_probabilities[None], [12], alphabet, SECONDS).text[0].numpy().decode()
    best = beam_decode(log_probabilities, alphabet, SECONDS)[0]

    def loss(text):
        labels = np.array([[alphabet.index(character) + 1 for character in text]], np.int32)
        return float(ctc_loss(log_probabilities[None], [12], labels, [len(text)])[0])

    assert loss(best.text) <= loss(greedy) + 1e-5
    assert best.score == pytest.approx(-loss(best.text), abs=0.05)  # short by what fell out of the beam


def test_words_of_a_clear_recording_equal_those_of_greedy():
    path = [0, 3, 1, 1, 0, 2, 0, 2, 2, 3, 3, 0, 3, 2, 1, 0, 0, 1, 0]
    generator = np.random.default_rng(3)
    logits = 9.0 * np.eye(4)[path] + generator.uniform(size=(len(path), 4))
    log_probabilities = np.asarray(tf.nn.log_softmax(logits))
    greedy = greedy_decode(logits[None], [len(path)], ALPHABET, SECONDS)
    best = beam_decode(log_probabilities, ALPHABET, SECONDS)[0]
    assert best.text == greedy.text[0].numpy().decode() == "žoo ožž"
    assert [word.text for word in best.words] == [word.decode() for word in greedy.words[0].numpy()]
    for name, values in [
        ("start", greedy.word_starts),
        ("end", greedy.word_ends),
        ("confidence", greedy.word_confidences),
    ]:
        np.testing.assert_allclose([getattr(word, name) for word in best.words], values[0], rtol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_word_times_are_those_of_the_best_alignment(seed):
    log_probabilities = random_log_probabilities(seed, frames=6, labels=3)  # no space: a text is one word
    checked = 0
    for hypothesis in beam_decode(log_probabilities, ALPHABET[:2], SECONDS, **EXACT):
        paths = [path for path in itertools.product(range(3), repeat=6) if read(path) == hypothesis.text]
        best = max(paths, key=lambda path: log_probabilities[range(6), list(path)].sum())
        runs = [(label, list(run)) for label, run in itertools.groupby(range(6), key=lambda at: best[at])]
        spoken = [log_probabilities[run, label].max() for label, run in runs if label]
        for word in hypothesis.words:
            assert word.start == pytest.approx(np.flatnonzero(best)[0] * SECONDS)
            assert word.end == pytest.approx((np.flatnonzero(best)[-1] + 1) * SECONDS)
            assert word.confidence == pytest.approx(math.exp(np.mean(spoken)))
            checked += 1
    assert checked > 20


def test_a_language_model_chooses_between_sounds_alike():
    model = CharacterLanguageModel(order=4).fit(["žo", "žo žo"], alphabet=ALPHABET)
    probabilities = np.array([[0.02, 0.94, 0.02, 0.02], [0.02, 0.5, 0.46, 0.02]])
    probabilities[1] = [0.5, 0.02, 0.46, 0.02]
    alone = beam_decode(np.log(probabilities), ALPHABET, SECONDS)[0]
    helped = beam_decode(np.log(probabilities), ALPHABET, SECONDS, language_model=model)[0]
    assert (alone.text, helped.text) == ("ž", "žo")


def test_silence_and_nothing():
    silence = np.log(np.full((5, 4), [0.9997, 1e-4, 1e-4, 1e-4]))  # all but the blank are pruned
    (best,) = beam_decode(silence, ALPHABET, SECONDS)
    assert best.text == "" and best.words == [] and best.score == pytest.approx(5 * math.log(0.9997))
    (nothing,) = beam_decode(np.zeros((0, 4)), ALPHABET, SECONDS)
    assert nothing.text == "" and nothing.score == 0.0 and nothing.confidence == 1.0


def test_impossible_labels_and_a_long_recording_stay_finite():
    certain = np.full((4, 4), -np.inf)
    certain[range(4), [1, 0, 1, 2]] = 0.0
    (best,) = beam_decode(certain, ALPHABET, SECONDS)
    assert best.text == "žžo" and best.score == 0.0 and best.words[0].confidence == 1.0
    flat = np.full((3000, 4), math.log(0.25))  # its best text is less probable than any double
    (best,) = beam_decode(flat, ALPHABET, SECONDS, beam_width=4)
    assert -4000.0 < best.score < -750.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_probabilities": np.zeros((1, 2, 4))}, "one by one"),
        ({"log_probabilities": np.zeros((2, 3))}, r"\(time, 4\)"),
        ({"log_probabilities": np.zeros((2, 4))}, "log softmax"),
        ({"log_probabilities": np.full((2, 4), np.nan)}, "log softmax"),
        ({"alphabet": ("a", "a", " ")}, "different single characters"),
        ({"alphabet": ("ab", "c", " ")}, "different single characters"),
        ({"beam_width": 0}, "beam_width"),
        ({"language_model_weight": -1.0}, "language_model_weight"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    good = {
        "log_probabilities": np.full((2, 4), math.log(0.25)),
        "alphabet": ALPHABET,
        "frame_seconds": SECONDS,
    }
    with pytest.raises(ValueError, match=message) as raised:
        beam_decode(**good | arguments)
    assert "Received: " in str(raised.value)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 15, 16, 17, 60])
def test_word_times_are_kept_over_every_length(frames):
    """Words of one character in a clear recording, each at its own frames, wherever the search keeps its scores."""
    path = np.array([0, 1, 3, 2, 2, 3] * 10)[-frames:]
    logits = 12.0 * np.eye(4)[path]
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    words = [(label, len(list(group))) for label, group in itertools.groupby(path)]
    ends = np.cumsum([length for _, length in words])
    expected = [(ALPHABET[label - 1], end - length, end) for (label, length), end in zip(words, ends, strict=True)]
    found = beam_decode(log_probabilities, ALPHABET, 1.0)[0].words
    assert [(word.text, word.start, word.end) for word in found] == [
        (character, start, end) for character, start, end in expected if character in "žo"
    ]


def test_minutes_of_speech_need_little_memory():
    """The steps of all states, time × states, would be 24 MB here, and grow a hundredfold with ten times the length."""
    frames = 6000
    path = np.where(np.arange(frames) % 3 < 2, np.arange(frames) // 3 % 3 + 1, 0)
    logits = 9.0 * np.eye(4)[path]
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    tracemalloc.start()
    try:
        text = beam_decode(log_probabilities, ALPHABET, SECONDS, beam_width=4)[0].text
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(text) >= 1999
    assert peak < 10e6, f"{peak / 1e6:.0f} MB"


def test_fast_enough_to_follow_speech():
    """At most 0.05 s of work a second of audio: 25 frames a second, 30 labels, a beam of 32."""
    generator = np.random.default_rng(0)
    alphabet = " abcdefghijklmnopqrstuvwxyz'-."
    words = ["".join(generator.choice(list(alphabet[1:27]), size=5)) for _ in range(200)]
    model = CharacterLanguageModel(order=8).fit([" ".join(generator.choice(words, 6)) for _ in range(300)])
    log_probabilities = random_log_probabilities(0, frames=250, labels=len(model.alphabet) + 1, scale=2.0)
    model.text_log_probability(words[0])
    start = time.process_time()
    beam_decode(log_probabilities, model.alphabet, SECONDS, language_model=model)
    assert time.process_time() - start < 10.0 * 0.05 * 3  # three times the target: the machine may be busy


@pytest.mark.parametrize("hot_words", [{"žo": 2.0}, {"ž": 1.0, "ž o": 3.0, "o": 0.5}, {"oo": 4.0, "o": 2.0}])
def test_hot_words_count_wherever_they_stand_as_a_whole(hot_words, language_model):
    """Every score against the definition: each end of a word adds the most of the phrases that end there."""
    log_probabilities = random_log_probabilities(3, frames=6)
    totals = {}
    for alignment in itertools.product(range(4), repeat=6):
        labelling = read(alignment)
        score = log_probabilities[range(6), list(alignment)].sum() + language_model.text_log_probability(labelling)
        for end in range(1, len(labelling) + 1):
            if (labelling + " ")[end] == " ":
                begun = f" {labelling[:end]}"
                score += max((weight for word, weight in hot_words.items() if begun.endswith(f" {word}")), default=0.0)
        text = " ".join(labelling.split())
        totals[text] = totals.get(text, 0.0) + math.exp(score)
    found = beam_decode(
        log_probabilities,
        ALPHABET,
        SECONDS,
        language_model=language_model,
        language_model_weight=1.0,
        hot_words=hot_words,
        **EXACT,
    )
    assert {hypothesis.text: pytest.approx(hypothesis.score) for hypothesis in found} == {
        text: math.log(total) for text, total in totals.items()
    }


@pytest.mark.parametrize(
    "words", [{"žo": 0.0}, {"žo": math.inf}, {"žo": math.nan}, {"žo": 1e9}, {"": 1.0}, {"ab": 1.0}]
)
def test_hot_words_that_could_do_nothing_are_refused(words):
    with pytest.raises(ValueError, match=r"hot word.*Received: "):
        beam_decode(random_log_probabilities(0, 3), ALPHABET, SECONDS, hot_words=words)


@pytest.mark.parametrize("seed", range(3))
def test_forgetting_what_has_been_settled_changes_nothing(seed, language_model, monkeypatch):
    log_probabilities = random_log_probabilities(seed, frames=60, scale=3.0)

    def found():
        return beam_decode(log_probabilities, ALPHABET, SECONDS, language_model=language_model, hypotheses=5)

    expected = found()
    monkeypatch.setattr("models.decoding.beam.SETTLED_EVERY", 3)
    assert found() == expected
    assert len(expected[0].text) > 10


def test_work_grows_with_the_length_and_not_with_its_square():
    """Counted, not timed: what the search asks a language model."""

    class Counting:
        start = None
        questions = 0

        def step(self, state, character):
            self.questions += 1
            return -1.0, state

    def work(frames):
        path = np.where(np.arange(frames) % 3 < 2, np.arange(frames) // 3 % 3 + 1, 0)
        logits = 9.0 * np.eye(4)[path]
        model = Counting()
        beam_decode(
            logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)), ALPHABET, SECONDS, 4, language_model=model
        )
        return model.questions

    assert work(1200) < 4.5 * work(300)
