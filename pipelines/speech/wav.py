"""WAV files read in a TensorFlow graph: what `tf.audio.decode_wav` takes for damage is what people have."""

import tensorflow as tf

from pipelines.served import required

PCM, EXTENSIBLE = 1, 0xFFFE  # formats; that of an extensible file is in its last 16 bytes
HEADER = 64  # bytes behind the end that may be looked at


def decode_wav(file: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Returns the samples (samples,) of a file of 16-bit PCM, of which the channels are averaged.

    The header may be extensible, the chunks in any order, and the size of the samples unknown (0, or more than there
    are), as programs leave it that write to a pipe or are killed: then all that follows are samples.

    Args:
        file: the bytes, a scalar string.
        sample_rate: samples a second that the file must have.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs: it is another file.

    Example:
        >>> header = b"RIFF\\xff\\xff\\xff\\xffWAVEfmt \\x10\\0\\0\\0\\1\\0\\1\\0\\x40\\x1f\\0\\0"
        >>> header += b"\\x80\\x3e\\0\\0\\2\\0\\x10\\0"
        >>> decode_wav(tf.constant(header + b"data\\0\\0\\0\\0\\0\\x40\\0\\xc0"), 8000).numpy()
        array([ 0.5, -0.5], dtype=float32)
    """
    size = tf.strings.length(file)
    content = tf.concat([tf.io.decode_raw(file, tf.uint8), tf.zeros((HEADER,), tf.uint8)], axis=0)

    def number(place: tf.Tensor, width: int) -> tf.Tensor:
        digits = tf.cast(content[place : place + width], tf.int64)
        return tf.reduce_sum(digits * tf.constant([256**power for power in range(width)], tf.int64))

    def named(place: tf.Tensor, name: bytes) -> tf.Tensor:
        return tf.reduce_all(content[place : place + len(name)] == tf.constant(list(name), tf.uint8))

    def next_chunk(place: tf.Tensor, form: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        length = number(place + 4, 4)
        after = tf.cast(place, tf.int64) + 8 + length + length % 2  # chunks begin at even bytes
        form = tf.where(named(place, b"fmt "), place + 8, form)
        return tf.cast(tf.minimum(after, tf.cast(size, tf.int64)), tf.int32), form

    is_wav = (size > 12) & named(tf.constant(0), b"RIFF") & named(tf.constant(8), b"WAVE")
    place, form = tf.while_loop(
        lambda place, form: (place < size) & ~named(place, b"data"), next_chunk, (tf.where(is_wav, 12, size), 0)
    )
    begin = place + 8
    is_wav &= (begin <= size) & (form > 0)
    code, channels, rate, bits = (number(form + at, width) for at, width in ((0, 2), (2, 2), (4, 4), (14, 2)))
    code = tf.where(code == EXTENSIBLE, number(form + 24, 2), code)
    block = 2 * tf.cast(tf.maximum(channels, 1), tf.int32)
    promised, there = number(place + 4, 4), size - begin
    known = (promised > 0) & (promised <= tf.cast(there, tf.int64))
    length = tf.where(known, tf.cast(promised, tf.int32), tf.maximum(there, 0)) // block * block
    content = required(content, is_wav, "wav: expected the bytes of a WAV file. Received bytes", size)
    content = required(
        content,
        (code == PCM) & (bits == 16) & (channels > 0),
        "wav: expected PCM (format 1) of 16 bits. Convert it: ffmpeg -i FILE -c:a pcm_s16le OUT.wav. "
        "Received format, bits and channels:",
        tf.stack([code, bits, channels]),
    )
    content = required(
        content,
        rate == sample_rate,
        f"wav: Expected {sample_rate} samples a second. Resample the recording before it is sent. Received:",
        rate,
    )
    samples = tf.bitcast(tf.reshape(content[begin : begin + length], (-1, 2)), tf.int16)
    return tf.reduce_mean(tf.cast(tf.reshape(samples, (-1, block // 2)), tf.float32), axis=1) / 32768
