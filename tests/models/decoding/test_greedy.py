"""Greedy decoding against a few lines of Python that walk the frames one by one."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from models.decoding.greedy import greedy_decode
from models.decoding.words import Transcript

ALPHABET = ("a", "č", " ", "ř")
SECONDS = 0.04


def walk(logits):
    """One row: text, confidence, [(word, start, end, confidence)]."""
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    best = log_probabilities.argmax(axis=-1)
    words, open_word, frame = [], None, 0
    for label, run in itertools.groupby(best):
        length = len(list(run))
        if label and ALPHABET[label - 1] == " ":
            open_word = None
        elif label:
            if open_word is None:
                open_word = {"text": "", "start": frame * SECONDS, "logs": []}
                words.append(open_word)
            open_word["text"] += ALPHABET[label - 1]
            open_word["end"] = (frame + length) * SECONDS
            open_word["logs"].append(log_probabilities[frame : frame + length, label].max())
        frame += length
    logs = [log for word in words for log in word["logs"]] or list(log_probabilities[:, 0])
    confidence = np.exp(np.mean(logs)) if logs else 1.0
    return (
        " ".join(word["text"] for word in words),
        confidence,
        [(word["text"], word["start"], word["end"], np.exp(np.mean(word["logs"]))) for word in words],
    )


def check(transcript, logits, lengths):
    for row, length in enumerate(lengths):
        text, confidence, words = walk(logits[row, :length])
        assert transcript.text[row].numpy().decode() == text
        assert float(transcript.confidence[row]) == pytest.approx(confidence, rel=1e-5)
        for at, (word, start, end, word_confidence) in enumerate(words):
            assert transcript.words[row, at].numpy().decode() == word
            assert float(transcript.word_starts[row, at]) == pytest.approx(start, abs=1e-5)
            assert float(transcript.word_ends[row, at]) == pytest.approx(end, abs=1e-5)
            assert float(transcript.word_confidences[row, at]) == pytest.approx(word_confidence, rel=1e-5)
        assert np.all(transcript.words[row, len(words) :].numpy() == b"")
        assert not np.any(transcript.word_ends[row, len(words) :])


@pytest.mark.parametrize("seed", range(5))
def test_equals_walking_the_frames(seed):
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=3.0, size=(6, 25, 5)).astype(np.float32)
    logits[..., 3] += 1.0  # many spaces: some first, some last, some double
    lengths = np.array([25, 13, 1, 0, 24, 7], np.int32)
    check(greedy_decode(logits, lengths, ALPHABET, SECONDS), logits, lengths)


def test_padding_never_matters():
    logits = np.random.default_rng(0).normal(size=(3, 9, 5)).astype(np.float32)
    lengths = [4, 9, 0]
    spoiled = logits.copy()
    spoiled[0, 4:] = np.nan
    spoiled[2] = np.inf
    check(greedy_decode(spoiled, lengths, ALPHABET, SECONDS), logits, lengths)


def test_no_words_no_frames_no_rows():
    silence = np.zeros((2, 6, 5), np.float32)
    silence[..., 0] = 2.0
    transcript = greedy_decode(silence, [6, 3], ALPHABET, SECONDS)
    check(transcript, silence, [6, 3])
    assert transcript.words.shape == (2, 0) and transcript.word_starts.shape == (2, 0)
    assert greedy_decode(np.zeros((2, 0, 5), np.float32), [0, 0], ALPHABET, SECONDS).text.shape == (2,)
    assert greedy_decode(np.zeros((0, 6, 5), np.float32), [], ALPHABET, SECONDS).words.shape[0] == 0


def test_a_word_does_not_go_on_in_the_next_row():
    logits = 5.0 * tf.one_hot([[1, 0, 1], [1, 2, 0]], 5)
    transcript = greedy_decode(logits, [3, 3], ALPHABET, SECONDS)
    assert [text.decode() for text in transcript.text.numpy()] == ["aa", "ač"]


def test_exported_graph_of_unknown_shapes_answers_the_same(tmp_path):
    module = tf.Module()
    module.decode = tf.function(
        lambda logits, lengths: greedy_decode(logits, lengths, ALPHABET, SECONDS)._asdict(),
        input_signature=[tf.TensorSpec([None, None, 5], tf.float32), tf.TensorSpec([None], tf.int32)],
    )
    tf.saved_model.save(module, tmp_path, signatures={"serving_default": module.decode})
    loaded = tf.saved_model.load(tmp_path).signatures["serving_default"]
    for shape in [(1, 30, 5), (4, 11, 5), (2, 0, 5)]:
        logits = np.random.default_rng(7).normal(scale=2.0, size=shape).astype(np.float32)
        lengths = np.full(shape[0], shape[1], np.int32)
        answer = loaded(logits=tf.constant(logits), lengths=tf.constant(lengths))
        check(Transcript(**answer), logits, lengths)


def test_an_alphabet_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"4 labels.*Received: logits with 5 labels"):
        greedy_decode(tf.zeros([1, 2, 5]), [2], ("a", "b", "c"), SECONDS)
