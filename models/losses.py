"""Losses over sequences of true length."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import tensorflow as tf

# The kernel works with probabilities; below exp(-708) a double is zero and its logarithm infinite.
_LOWEST_LOG_PROBABILITY = -700.0


def ctc_frames_needed(labels: Sequence[int] | str) -> int:
    """Number of frames that connectionist temporal classification needs to spell `labels`.

    Every label takes a frame, and two equal neighbours need a blank frame between them.

    Args:
        labels: one unpadded label sequence (a text does as well: one label a character).

    Example:
        >>> from models.losses import ctc_frames_needed
        >>> ctc_frames_needed("hello")
        6
        >>> ctc_frames_needed([])
        0
    """
    repeats = sum(left == right for left, right in pairwise(labels))
    return len(labels) + repeats


def ctc_loss(logits: tf.Tensor, logit_lengths: tf.Tensor, labels: tf.Tensor, label_lengths: tf.Tensor) -> tf.Tensor:
    """Negative log likelihood of the labels under connectionist temporal classification.

    An alignment assigns a label or the blank to each frame; `collapse` merges repeats, then drops blanks:

        loss = -log sum over {alignment: collapse(alignment) = labels}
                    of product_t softmax(logits_t)[alignment_t]

    Frames and labels beyond their lengths never matter: a padded batch has exactly the losses of its
    unpadded rows, and zero gradient at the padded frames, whatever stands there.

    Rows at the edge:

    - An empty label row is spelled by blanks alone: the loss is the sum of -log softmax(logits_t)[0].
    - A logit of −inf, or any whose probability is too small for a double, counts as a probability of exp(−700), and
      gets its gradient.
    - A row whose labels do not fit its frames (`ctc_frames_needed`) has likelihood zero. An infinite loss
      would spoil every other row, so such a row has loss 0 and gradient 0: it teaches nothing.
      Refuse such rows when you load the data.

    The work is done in double precision by TensorFlow's C++ kernel, on the CPU also where there is a GPU.
    XLA has no such kernel: call this outside of `jit_compile=True`.

    Reference: Graves, Fernández, Gomez, Schmidhuber, "Connectionist temporal classification: labelling
    unsegmented sequence data with recurrent neural networks", ICML 2006.

    Args:
        logits: (batch, time, labels), any float type; label 0 is the blank.
        logit_lengths: (batch,) integers, the true number of frames of each row.
        labels: (batch, max_labels) integers in 1 … labels - 1, padded with anything, or a `tf.RaggedTensor`.
        label_lengths: (batch,) integers, the true number of labels of each row.

    Returns:
        (batch,) float32, in nats, summed over time.

    Raises:
        ValueError: when the shapes do not fit.
        tf.errors.InvalidArgumentError: when a label within its length is no label of `logits`, when a length is
            negative or exceeds its tensor, or when the batches, unknown before, are not of one size.

    Example:
        Two frames, uniform over the blank and one label: three of the four alignments spell [1].

        >>> import tensorflow as tf
        >>> from models.losses import ctc_loss
        >>> loss = ctc_loss(tf.zeros([1, 2, 2]), [2], [[1]], [1])
        >>> print(f"{float(tf.exp(-loss[0])):.2f}")
        0.75
    """
    logits = tf.cast(_padded(logits), tf.float64)  # (batch, time, labels)
    given = _padded(labels)
    labels = tf.cast(given, tf.int32)  # (batch, max_labels)
    logit_lengths = tf.cast(logit_lengths, tf.int32)
    label_lengths = tf.cast(label_lengths, tf.int32)
    _check_shapes(logits=logits, logit_lengths=logit_lengths, labels=labels, label_lengths=label_lengths)
    time, label_count = tf.shape(logits)[1], tf.shape(logits)[2]
    present = tf.sequence_mask(label_lengths, tf.shape(labels)[1])  # (batch, max_labels)
    checks = [
        *(
            tf.debugging.assert_non_negative(lengths, f"ctc_loss got a negative length in `{name}`.")
            for name, lengths in (("logit_lengths", logit_lengths), ("label_lengths", label_lengths))
        ),
        *(
            tf.debugging.assert_equal(
                tf.shape(tensor)[0], tf.shape(logits)[0], f"ctc_loss expects as many `{name}` as rows of `logits`."
            )
            for name, tensor in (("logit_lengths", logit_lengths), ("labels", labels), ("label_lengths", label_lengths))
        ),
        tf.debugging.assert_less_equal(
            logit_lengths, time, "ctc_loss got a row longer than `logits`; pass the length in frames."
        ),
        tf.debugging.assert_less_equal(
            label_lengths, tf.shape(labels)[1], "ctc_loss got a row of labels longer than `labels`."
        ),
        tf.debugging.Assert(
            tf.reduce_all(~present | ((labels > 0) & (labels < label_count) & (tf.cast(labels, given.dtype) == given))),
            [
                "ctc_loss expected whole labels from 1 (0 is the blank) to", label_count - 1,
                "within `label_lengths`; check the alphabet. Received:", given,
            ],
        ),
    ]  # fmt: skip
    with tf.control_dependencies([check for check in checks if check is not None]):  # eager checks are None
        logits, logit_lengths, labels, label_lengths = map(tf.identity, (logits, logit_lengths, labels, label_lengths))
    frames = tf.sequence_mask(logit_lengths, time)  # (batch, time)

    # A frame of padding may hold anything, even NaN: replace it before any arithmetic, so that its gradient
    # is exactly zero (zero times NaN is not).
    log_probabilities = tf.nn.log_softmax(tf.where(frames[..., None], logits, 0.0))
    blank = log_probabilities[..., 0]
    blank = tf.where(tf.math.is_inf(blank), tf.constant(_LOWEST_LOG_PROBABILITY, tf.float64), blank)
    blank_only = -tf.reduce_sum(tf.where(frames, blank, 0.0), axis=1)  # (batch,)
    log_probabilities = _raised(log_probabilities)

    repeats = (labels[:, 1:] == labels[:, :-1]) & present[:, 1:]
    needed = label_lengths + tf.reduce_sum(tf.cast(repeats, tf.int32), axis=1)
    empty = label_lengths == 0
    regular = ~empty & (needed <= logit_lengths)
    # The kernel refuses an empty row and a label that does not fit: such rows get one label and no frames.
    # It refuses a batch of no rows or no frames as well: it always gets one more of each.
    kernel_lengths = tf.pad(tf.where(regular, logit_lengths, 0), [[0, 1]])  # (batch + 1,)
    labels = tf.pad(labels, [[0, 1], [0, 1]], constant_values=1)  # (batch + 1, max_labels + 1)
    label_lengths = tf.pad(tf.where(regular, label_lengths, 1), [[0, 1]], constant_values=1)
    positions = tf.where(tf.sequence_mask(label_lengths, tf.shape(labels)[1]))  # (number of labels, 2)
    # The blank of the kernel is the last label, ours the first.
    rotated = tf.concat([log_probabilities[..., 1:], log_probabilities[..., :1]], axis=-1)
    kernel_loss, _ = tf.raw_ops.CTCLoss(
        inputs=tf.pad(tf.transpose(rotated, [1, 0, 2]), [[0, 1], [0, 1], [0, 0]]),  # (time, batch, labels)
        labels_indices=positions,
        labels_values=tf.maximum(tf.gather_nd(labels, positions) - 1, 0),
        sequence_length=kernel_lengths,
        ignore_longer_outputs_than_inputs=True,
    )
    loss = tf.where(empty, blank_only, tf.where(regular, kernel_loss[:-1], 0.0))
    return tf.cast(loss, tf.float32)


def _padded(tensor: Any) -> tf.Tensor:
    return tensor.to_tensor() if isinstance(tensor, tf.RaggedTensor) else tf.convert_to_tensor(tensor)


def _check_shapes(**tensors: tf.Tensor) -> None:
    ranks = {"logits": 3, "logit_lengths": 1, "labels": 2, "label_lengths": 1}
    batch = tf.TensorShape(tensors["logits"].shape[:1])
    for name, tensor in tensors.items():
        if tensor.shape.rank is not None and not (
            tensor.shape.rank == ranks[name] and batch.is_compatible_with(tensor.shape[:1])
        ):
            raise ValueError(
                "ctc_loss takes logits (batch, time, labels), labels (batch, max_labels), and for each row a length of "
                f"both, (batch,). A single recording needs a batch axis: `logits[None]`. Received: {name} of shape "
                f"{tuple(tensor.shape)}, logits of shape {tuple(tensors['logits'].shape)}."
            )


@tf.custom_gradient
def _raised(log_probabilities: tf.Tensor) -> Any:
    """What is too small for a double raised to the smallest, with the gradient passed on as if it were not."""
    return tf.maximum(log_probabilities, _LOWEST_LOG_PROBABILITY), lambda gradient: gradient
