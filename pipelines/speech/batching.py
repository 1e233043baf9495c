"""From recordings to batches: augmentation, labels, buckets of similar length."""

from collections.abc import Callable, Collection

import numpy as np
import tensorflow as tf

from pipelines.speech.augmentation import AudioAugmentationConfiguration, augment_audio
from pipelines.speech.sources import Source

SHUFFLE_BUFFER = 512  # recordings held in memory while they are shuffled; bounds memory however long the data
BUCKET_GROWTH = 1.3  # each bucket's longest recording over the one's before
SHORTEST_BUCKET_SECONDS = 0.8


def batches(
    source: Source, split: str, alphabet: tuple[str, ...], keys: Collection[str] | None = None
) -> tf.data.Dataset:
    """Recordings of a split, all or those of some keys, in stable order, whole and unaugmented, in padded batches.

    Returns:
        Dictionaries of `audio` (batch, samples), `audio_lengths` (batch,), `labels` (batch, characters),
        `label_lengths` (batch,), `text` and `key` (batch,).
    """
    encoded = source.recordings(split, keys).map(encoder(alphabet))
    return encoded.padded_batch(8).prefetch(2)


def augmented(
    source: Source,
    keys: frozenset[str],
    augmentation: AudioAugmentationConfiguration,
    sample_rate: int,
    seed: tuple[int, int, int],
) -> tf.data.Dataset:
    """Recordings without end, each pass in its own order, each differently augmented; a function of `seed`."""

    def augment(number: tf.Tensor, recording: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        def change(number: np.int64, audio: np.ndarray) -> np.ndarray:
            return augment_audio(audio, sample_rate, augmentation, np.random.default_rng((*seed, int(number))))

        audio = tf.ensure_shape(tf.numpy_function(change, [number, recording["audio"]], tf.float32), (None,))
        return recording | {"audio": audio}

    # Each pass is shuffled anew, in an order that follows from the seed: the data set is made anew for each epoch.
    passes = source.recordings("train", keys).shuffle(SHUFFLE_BUFFER, seed=hash_of(seed)).repeat()
    return passes.enumerate().map(augment, num_parallel_calls=2, deterministic=True)


def hash_of(seed: tuple[int, ...]) -> int:
    """A seed of one number from several, far apart for neighbours."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


def encoder(alphabet: tuple[str, ...]) -> Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]:
    """Adds `labels` to a recording: the numbers of its characters, from 1; those outside the alphabet have none."""
    numbers = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(alphabet), tf.range(1, len(alphabet) + 1)), default_value=0
    )

    def encode(recording: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        labels = numbers.lookup(tf.strings.unicode_split(recording["text"], "UTF-8"))
        labels = tf.boolean_mask(labels, labels > 0)
        lengths = {"audio_lengths": tf.size(recording["audio"]), "label_lengths": tf.size(labels)}
        return recording | {"labels": labels} | lengths

    return encode


def bucketed(
    recordings: tf.data.Dataset, batch_seconds: float, maximum_seconds: float, sample_rate: int
) -> tf.data.Dataset:
    """Batches of similar length, padded to few fixed shapes, so that few programs are compiled and little is padded."""
    seconds = [SHORTEST_BUCKET_SECONDS]
    while seconds[-1] < maximum_seconds * 1.2:  # slower speech is longer
        seconds.append(seconds[-1] * BUCKET_GROWTH)
    boundaries = [round(second * sample_rate) + 1 for second in seconds]
    sizes = [max(1, round(batch_seconds / second)) for second in seconds] + [1]
    recordings = recordings.filter(lambda recording: recording["audio_lengths"] < boundaries[-1])
    keep = ("audio", "audio_lengths", "labels", "label_lengths")
    return (
        recordings.map(lambda recording: {name: recording[name] for name in keep})
        .bucket_by_sequence_length(
            lambda recording: recording["audio_lengths"],
            boundaries,
            sizes,
            padded_shapes={"audio": [None], "audio_lengths": [], "labels": [None], "label_lengths": []},
            drop_remainder=True,
        )
        .map(lambda batch: _pad_to_bucket(batch, boundaries))
        .prefetch(16)
    )


def _pad_to_bucket(batch: dict[str, tf.Tensor], boundaries: list[int]) -> dict[str, tf.Tensor]:
    """Pads the audio to its bucket's longest, so that a bucket has one shape."""
    audio = batch["audio"]
    limits = tf.constant(boundaries, tf.int32) - 1
    target = limits[tf.searchsorted(limits, tf.shape(audio)[1:])[0]]
    return batch | {"audio": tf.pad(audio, [[0, 0], [0, target - tf.shape(audio)[1]]])}
