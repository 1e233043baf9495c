"""Greedy decoding of connectionist temporal classification, in TensorFlow operations only."""

from collections.abc import Sequence

import tensorflow as tf

from models.decoding.words import Transcript, words_of_characters


def greedy_decode(logits: tf.Tensor, lengths: tf.Tensor, alphabet: Sequence[str], frame_seconds: float) -> Transcript:
    """Reads the best label of every frame: merges repeats, drops blanks, splits at spaces.

    This is the text of the single best alignment, not always the most probable text (see `beam_decode`).
    The confidence of a text without a word is the geometric mean of the probabilities of the blank, 1 if there is no
    frame. Stock operations without XLA and without Keras, so that it runs inside an exported model.

    Reference: Graves et al., "Connectionist temporal classification", ICML 2006, section 3.2 (best path).

    Args:
        logits: (batch, time, labels), any float type; label 0 is the blank.
        lengths: (batch,) integers, the true number of frames; later frames never matter.
        alphabet: the characters; label i + 1 is `alphabet[i]`. " ", if there, separates words.
        frame_seconds: the duration of a frame.

    Raises:
        ValueError: when the alphabet does not have one character for each label but the blank.

    Example:
        >>> import tensorflow as tf
        >>> from models.decoding import greedy_decode
        >>> best = [[1, 1, 0, 2, 3, 2, 0, 2]]
        >>> transcript = greedy_decode(9.0 * tf.one_hot(best, 4), [8], ["a", "b", " "], frame_seconds=0.5)
        >>> transcript.text[0].numpy().decode(), transcript.words[0].numpy().tolist()
        ('ab bb', [b'ab', b'bb'])
        >>> transcript.word_starts[0].numpy().tolist(), transcript.word_ends[0].numpy().tolist()
        ([0.0, 2.5], [2.0, 4.0])
    """
    logits = tf.cast(tf.convert_to_tensor(logits), tf.float32)  # (batch, time, labels)
    if logits.shape[-1] not in (None, len(alphabet) + 1):
        raise ValueError(
            "greedy_decode expected one label for the blank and one for each character of the alphabet, "
            f"{len(alphabet) + 1} labels; pass the alphabet the network was trained with. "
            f"Received: logits with {logits.shape[-1]} labels"
        )
    batch, time = tf.shape(logits)[0], tf.shape(logits)[1]
    valid = tf.sequence_mask(lengths, time)  # (batch, time)
    log_probabilities = tf.nn.log_softmax(logits)
    best = tf.where(valid, tf.argmax(logits, axis=-1, output_type=tf.int32), 0)  # (batch, time)
    best_log_probability = tf.reduce_max(log_probabilities, axis=-1)

    # Characters: runs of one label. Those of the whole batch form one list, `characters` long.
    previous = tf.pad(best, [[0, 0], [1, 0]])[:, :-1]  # a blank stands before every row
    begins = (best != 0) & (best != previous)
    begin_positions = tf.where(begins)  # (characters, 2): row, frame
    rows = begin_positions[:, 0]
    labels = tf.gather_nd(best, begin_positions)  # (characters,)
    count = tf.size(labels)
    run_of_frame = tf.reshape(tf.cumsum(tf.cast(tf.reshape(begins, [-1]), tf.int32)) - 1, [batch, time])
    run_of_frame = tf.where(best != 0, run_of_frame, -1)  # negative: the segment operations leave it out
    frame_ends = tf.broadcast_to(tf.range(1, time + 1), [batch, time])
    ends = tf.math.unsorted_segment_max(frame_ends, run_of_frame, count)
    certainty = tf.math.unsorted_segment_max(best_log_probability, run_of_frame, count)
    words = words_of_characters(rows, labels, begin_positions[:, 1], ends, certainty, batch, alphabet, frame_seconds)

    spaces = tf.gather(tf.constant([False, *(character == " " for character in alphabet)]), labels)
    character_rows = tf.where(spaces, -1, tf.cast(rows, tf.int32))
    character_mean = tf.math.unsorted_segment_mean(certainty, character_rows, batch)  # (batch,)
    blank = tf.reduce_sum(tf.where(valid, log_probabilities[..., 0], 0.0), axis=1)
    blank_mean = tf.math.divide_no_nan(blank, tf.reduce_sum(tf.cast(valid, tf.float32), axis=1))
    return Transcript(
        tf.strings.strip(tf.strings.reduce_join(words.words, axis=1, separator=" ")),
        tf.exp(tf.where(tf.reduce_any(words.words != "", axis=1), character_mean, blank_mean)),
        *words,
    )
