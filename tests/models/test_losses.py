"""The CTC loss against the sum over all alignments, written from the definition."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from models.losses import ctc_frames_needed, ctc_loss


def collapse(alignment):
    """Merge repeats, then drop blanks."""
    return [label for label, _ in itertools.groupby(alignment) if label != 0]


def brute_force_loss(logits, labels):
    """Negative logarithm of the summed probability of every alignment that spells the labels."""
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)  # (time, labels)
    frames = range(len(logits))
    total = sum(
        np.prod(probabilities[frames, list(alignment)])
        for alignment in itertools.product(range(logits.shape[1]), repeat=len(logits))
        if collapse(alignment) == list(labels)
    )
    return -np.log(total)


def loss_and_gradient(logits, logit_lengths, labels, label_lengths, function=ctc_loss):
    logits = tf.convert_to_tensor(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = function(logits, tf.constant(logit_lengths), tf.constant(labels), tf.constant(label_lengths))
    return loss.numpy(), tape.gradient(loss, logits).numpy()


ROWS = [[1, 2], [1, 1], [2], [], [3, 1, 3], [2, 2, 2], [1, 2, 3, 1, 2]]


@pytest.fixture
def batch():
    """Logits of seven rows, each with padding of its own, and the labels of `ROWS` padded with 9."""
    generator = np.random.default_rng(1)
    logits = generator.normal(scale=2.0, size=(len(ROWS), 7, 4)).astype(np.float32)
    logit_lengths = np.array([5, 4, 1, 3, 6, 5, 5], np.int32)
    labels = np.full((len(ROWS), 6), 9, np.int32)
    for row, values in zip(labels, ROWS, strict=True):
        row[: len(values)] = values
    return logits, logit_lengths, labels, np.array([len(row) for row in ROWS], np.int32)


def test_values_equal_the_sum_over_all_alignments(batch):
    logits, logit_lengths, _, _ = batch
    expected = [
        brute_force_loss(row[:length], labels) for row, length, labels in zip(logits, logit_lengths, ROWS, strict=True)
    ]
    np.testing.assert_allclose(ctc_loss(*batch), expected, rtol=1e-6)


def test_gradient_equals_finite_differences(batch):
    logits, logit_lengths, _, _ = batch
    _, gradient = loss_and_gradient(*batch)
    step = 1e-5
    for row, labels in enumerate(ROWS):
        exact = logits[row, : logit_lengths[row]].astype(np.float64)
        for frame, label in np.ndindex(*exact.shape):
            moved = [exact.copy(), exact.copy()]
            moved[0][frame, label] += step
            moved[1][frame, label] -= step
            expected = (brute_force_loss(moved[0], labels) - brute_force_loss(moved[1], labels)) / (2 * step)
            if len(exact) <= 5:  # the row of six frames would take most of the time
                assert gradient[row, frame, label] == pytest.approx(expected, abs=1e-5)


def test_padding_never_matters(batch):
    logits, logit_lengths, labels, label_lengths = batch
    padded = logits.copy()
    for row, length in zip(padded, logit_lengths, strict=True):
        row[length:] = np.nan
    losses, gradients = loss_and_gradient(padded, logit_lengths, labels, label_lengths)
    for row in range(len(ROWS)):
        time, count = logit_lengths[row], label_lengths[row]
        loss, gradient = loss_and_gradient(logits[row : row + 1, :time], [time], labels[row : row + 1, :count], [count])
        assert losses[row] == loss[0]
        np.testing.assert_array_equal(gradients[row, :time], gradient[0])
        np.testing.assert_array_equal(gradients[row, time:], 0.0)


def test_labels_that_do_not_fit_teach_nothing_and_spoil_no_other_row():
    logits = np.random.default_rng(2).normal(size=(3, 3, 4)).astype(np.float32)
    losses, gradients = loss_and_gradient(
        logits, [3, 3, 2], [[1, 2, 3], [1, 1, 2], [1, 2, 3]], [3, 3, 3]
    )  # three labels in 3 frames; with a repeat in 3; in 2
    assert losses[0] == pytest.approx(brute_force_loss(logits[0], [1, 2, 3]), rel=1e-6)
    np.testing.assert_array_equal(losses[1:], 0.0)
    np.testing.assert_array_equal(gradients[1:], 0.0)
    assert np.all(np.isfinite(gradients)) and np.any(gradients[0])


def test_frames_needed_is_the_shortest_alignment():
    for labels in itertools.chain.from_iterable(itertools.product([1, 2], repeat=n) for n in range(5)):
        shortest = next(
            time
            for time in itertools.count()
            if any(collapse(path) == list(labels) for path in itertools.product(range(3), repeat=time))
        )
        assert ctc_frames_needed(labels) == shortest


def test_extreme_logits_have_finite_loss_and_gradient():
    logits = np.zeros((1, 3, 3), np.float32)
    logits[0, :, 0] = 3000.0  # the blank for certain: the label is less probable than any double
    loss, gradient = loss_and_gradient(logits, [3], [[1]], [1])
    assert np.isfinite(loss[0]) and loss[0] > 600.0
    assert np.all(np.isfinite(gradient)) and gradient[0, :, 1].min() < 0.0 < gradient[0, :, 0].max()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 1e-2), ("bfloat16", 5e-2), ("float64", 1e-6)])
def test_any_float_type_gives_float32_and_a_gradient_of_its_own_type(batch, dtype, tolerance):
    logits, *rest = batch
    loss, gradient = loss_and_gradient(tf.cast(logits, dtype), *rest)
    assert loss.dtype == np.float32 and gradient.dtype == tf.as_dtype(dtype).as_numpy_dtype
    np.testing.assert_allclose(loss, ctc_loss(*batch), rtol=tolerance)


def test_in_a_graph_of_unknown_shapes(batch):
    function = tf.function(
        ctc_loss,
        input_signature=[
            tf.TensorSpec([None, None, None], tf.float32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None], tf.int32),
        ],
    )
    loss, gradient = loss_and_gradient(*batch, function=function)
    expected_loss, expected_gradient = loss_and_gradient(*batch)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 5, 4, 2), (2, 0, 4, 0), (2, 0, 4, 2), (2, 3, 4, 0)])
def test_nothing_at_all(shape):
    batch, time, labels, count = shape
    loss, gradient = loss_and_gradient(
        np.zeros((batch, time, labels), np.float32),
        [time] * batch,
        np.ones((batch, count), np.int32),
        [count] * batch,
    )
    blanks_only = time * np.log(labels) if count == 0 else 0.0
    np.testing.assert_allclose(loss, np.full(batch, blanks_only), rtol=1e-6)
    assert gradient.shape == (batch, time, labels)


@pytest.mark.parametrize("label", [-1, 0, 4, 1.5, np.nan])
def test_a_label_that_is_none_is_refused(label):
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected whole labels from 1"):
        ctc_loss(tf.zeros([1, 3, 4]), [3], [[1, label]], [2])


def test_labels_in_rows_of_their_own_length_and_as_whole_floats_are_what_padded_ones_are():
    logits, lengths, rows = tf.random.stateless_normal([2, 6, 4], (0, 0)), [6, 5], [[1, 2, 3], [2]]
    expected = ctc_loss(logits, lengths, [[1, 2, 3], [2, 0, 0]], [3, 1])
    np.testing.assert_array_equal(ctc_loss(logits, lengths, tf.ragged.constant(rows), [3, 1]), expected)
    as_floats = [[1.0, 2.0, 3.0], [2.0, np.nan, 0.5]]  # Keras passes targets as floats; padding may hold anything
    np.testing.assert_array_equal(ctc_loss(logits, lengths, as_floats, [3, 1]), expected)


def test_lengths_beyond_the_tensor_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="longer than `logits`"):
        ctc_loss(tf.zeros([1, 3, 4]), [4], [[1]], [1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="longer than `labels`"):
        ctc_loss(tf.zeros([1, 3, 4]), [3], [[1]], [2])


@pytest.mark.parametrize("low", [-np.inf, -3.4e38, -1e30])
def test_a_label_masked_out_is_as_if_it_did_not_exist(low):
    logits = np.random.default_rng(5).normal(size=(3, 6, 4)).astype(np.float32)
    arguments = [6, 4, 5], [[1, 2], [2, 0], [0, 0]], [2, 1, 0]
    expected = ctc_loss(tf.constant(logits), *arguments)
    masked = tf.constant(np.insert(logits, 3, low, axis=-1))
    with tf.GradientTape() as tape:
        tape.watch(masked)
        loss = ctc_loss(masked, *arguments)
    gradient = tape.gradient(loss, masked).numpy()
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[..., 3], 0)


@pytest.mark.parametrize("needed", [0, 1], ids=["the blank", "the label"])
def test_a_masked_label_that_is_needed_leaves_loss_and_gradient_finite(needed):
    logits = np.zeros((2, 3, 2), np.float32)
    logits[..., needed] = -np.inf
    labels, lengths = ([[1]], [1]) if needed else ([[1]], [0])
    logits = tf.constant(logits[:1])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = ctc_loss(logits, [3], labels, lengths)
    assert loss[0] > 600
    assert np.isfinite(loss).all() and np.isfinite(tape.gradient(loss, logits)).all()


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, r"Received: logits of shape \(2, 3\)", (tf.zeros((2, 3)), [2], [[1]], [1])),
        (ValueError, r"Received: logit_lengths of shape \(2,\)", (tf.zeros((1, 2, 3)), [2, 2], [[1]], [1])),
        (ValueError, r"Received: labels of shape \(1,\)", (tf.zeros((1, 2, 3)), [2], [1], [1])),
        (ValueError, r"Received: label_lengths of shape \(\)", (tf.zeros((1, 2, 3)), [2], [[1]], 1)),
        (tf.errors.InvalidArgumentError, "negative length in `logit_lengths`", (tf.zeros((1, 2, 3)), [-2], [[1]], [1])),
        (tf.errors.InvalidArgumentError, "negative length in `label_lengths`", (tf.zeros((1, 2, 3)), [2], [[1]], [-1])),
    ],
)
def test_what_does_not_fit_is_refused(error, message, arguments):
    with pytest.raises(error, match=message):
        ctc_loss(*arguments)


def test_batches_that_differ_are_refused_in_a_graph():
    signature = [
        tf.TensorSpec((None, None, 3)),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None, None), tf.int32),
        tf.TensorSpec((None,), tf.int32),
    ]
    call = tf.function(ctc_loss, input_signature=signature)
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many `logit_lengths` as rows"):
        call(tf.zeros((1, 2, 3)), [2, 2], [[1]], [1])
