"""From recordings to batches: augmentation, labels, buckets of similar length."""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import tensorflow as tf

from pipelines.rows import make_batches
from pipelines.speech.augmentation import AudioAugmentationConfiguration, augment_audio, augmented_length
from pipelines.speech.phonemes import symbols_of
from pipelines.speech.sources import Source

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
    encode = encoder(alphabet)
    recordings = source.recordings(split, keys).map(lambda each: each | {"audio_lengths": tf.size(each["audio"])})
    return recordings.padded_batch(8).map(lambda batch: batch | encode(batch["text"])).prefetch(2)


class Stream:
    """The training recordings of several sources without end, which are read and augmented batch by batch.

    Args:
        sources: where they come from.
        keys: of those of each source that are learned from.
        augmentation: how each is changed.
        sample_rate: samples a second.
        seed: of the order and the changes, beside the number of the source.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        keys: Sequence[frozenset[str]],
        augmentation: AudioAugmentationConfiguration,
        sample_rate: int,
        seed: tuple[int, int],
    ) -> None:
        self.sources, self.keys, self.seed = sources, keys, seed
        self.augmentation, self.sample_rate = augmentation, sample_rate
        self.utterances = [source.utterances("train") for source in sources]

    def drawn(self, kind: int) -> tf.data.Dataset:
        """Returns the recordings of a source, each pass in its own order, before they are read.

        Returns:
            Dictionaries of `kind`, the number of the source; `turn`, which tells its recordings apart; `number`, the
            place in `utterances`; and `length`, that of the audio once it is augmented.
        """
        samples = np.array([utterance.samples for utterance in self.utterances[kind]])

        def length(turn: np.int64, number: np.int64) -> np.int32:
            found = augmented_length(
                samples[number], self.sample_rate, self.augmentation, self._random(kind, int(turn))
            )
            return np.int32(found)

        def describe(turn: tf.Tensor, number: tf.Tensor) -> dict[str, tf.Tensor]:
            after = tf.ensure_shape(tf.numpy_function(length, [turn, number], tf.int32), ())
            return {"kind": tf.constant(kind), "turn": turn, "number": number, "length": after}

        # Each pass is shuffled anew, in an order that follows from the seed: the data set is made anew for each epoch.
        order = hash_of((*self.seed, kind))
        numbers = self.sources[kind].numbers("train", self.keys[kind])
        passes = numbers.shuffle(self.sources[kind].window or len(samples), seed=order).repeat()
        return passes.enumerate().map(describe, num_parallel_calls=2, deterministic=True)

    def read(
        self, kinds: np.ndarray, turns: np.ndarray, numbers: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the audio (recordings, samples) of what was drawn, padded, its lengths, and the texts."""
        audio, texts = [], []
        for kind, turn, number in zip(kinds, turns, numbers, strict=True):
            read = self.sources[kind].read("train", number)
            audio.append(augment_audio(read, self.sample_rate, self.augmentation, self._random(kind, turn)))
            texts.append(self.utterances[kind][number].text.encode())
        sizes = np.array([len(each) for each in audio], np.int32)
        padded = np.stack([np.pad(each, (0, sizes.max() - len(each))) for each in audio])
        return padded, sizes, np.array(texts, object)

    def _random(self, kind: int, turn: int) -> np.random.Generator:
        return np.random.default_rng((*self.seed, int(kind), int(turn)))


def hash_of(seed: tuple[int, ...]) -> int:
    """A seed of one number from several, far apart for neighbours."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


def encoder(alphabet: tuple[str, ...]) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Returns what makes `labels` (texts, characters) and `label_lengths` (texts,) of texts.

    A label is the number of a character, from 1; characters outside the alphabet have none.

    >>> {name: values.numpy().tolist() for name, values in encoder(("a", "b"))(tf.constant(["ba", "b!"])).items()}
    {'labels': [[2, 1], [2, 0]], 'label_lengths': [2, 1]}
    """
    numbered = _numbered(alphabet)

    def encode(texts: tf.Tensor) -> dict[str, tf.Tensor]:
        labels, lengths = numbered(tf.strings.unicode_split(texts, "UTF-8"))
        return {"labels": labels, "label_lengths": lengths}

    return encode


def phoneme_encoder(pronunciations: Mapping[str, str]) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Returns what makes `phonemes` (texts, symbols) and `phoneme_lengths` (texts,) of texts that have a pronunciation.

    >>> encode = phoneme_encoder({"a": "ɐ", "a number": "ɐ | n ʌ m b ɚ"})
    >>> {name: values.numpy().tolist() for name, values in encode(tf.constant(["a number", "a"])).items()}
    {'phonemes': [[5, 4, 3, 7, 2, 1, 6], [5, 0, 0, 0, 0, 0, 0]], 'phoneme_lengths': [7, 1]}
    """
    texts = tf.constant(list(pronunciations)), tf.constant(list(pronunciations.values()))
    spoken = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(*texts), default_value="")
    numbered = _numbered(symbols_of(pronunciations))

    def encode(texts: tf.Tensor) -> dict[str, tf.Tensor]:
        labels, lengths = numbered(tf.strings.split(spoken.lookup(texts)))
        return {"phonemes": labels, "phoneme_lengths": lengths}

    return encode


def _numbered(symbols: tuple[str, ...]) -> Callable[[tf.RaggedTensor], tuple[tf.Tensor, tf.Tensor]]:
    """Returns what makes padded numbers (rows, most), from 1, and lengths (rows,) of rows of symbols."""
    numbers = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(symbols), tf.range(1, len(symbols) + 1)), default_value=0
    )

    def number(rows: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        labels = rows.with_flat_values(numbers.lookup(rows.flat_values))
        labels = tf.ragged.boolean_mask(labels, labels > 0)
        return labels.to_tensor(), tf.cast(labels.row_lengths(), tf.int32)

    return number


def bucketed(
    drawn: tf.data.Dataset,
    stream: Stream,
    encode: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    batch_seconds: float,
    maximum_seconds: float,
) -> tf.data.Dataset:
    """Batches of similar length, padded to few fixed shapes, so that few programs are compiled and little is padded.

    Args:
        drawn: of the stream.
        stream: which reads and augments what was drawn.
        encode: makes labels of texts.
        batch_seconds: audio in a batch, padding included.
        maximum_seconds: of the longest recording.
    """
    seconds = [SHORTEST_BUCKET_SECONDS]
    while seconds[-1] < maximum_seconds * 1.2:  # slower speech is longer
        seconds.append(seconds[-1] * BUCKET_GROWTH)
    boundaries = [round(second * stream.sample_rate) + 1 for second in seconds]
    sizes = [max(1, round(batch_seconds / second)) for second in seconds] + [1]
    limits = tf.constant(boundaries, tf.int32) - 1

    def read(rows: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        values = [rows[name] for name in ("kind", "turn", "number")]
        audio, lengths, texts = tf.numpy_function(stream.read, values, (tf.float32, tf.int32, tf.string))
        target = limits[tf.searchsorted(limits, tf.reduce_max(rows["length"], keepdims=True))[0]]  # a bucket's longest
        more = tf.maximum(0, target - tf.shape(audio)[1])
        return {
            "audio": tf.ensure_shape(tf.pad(tf.ensure_shape(audio, (None, None)), [[0, 0], [0, more]]), (None, None)),
            "audio_lengths": tf.ensure_shape(lengths, (None,)),
            **encode(tf.ensure_shape(texts, (None,))),
        }

    buckets = drawn.filter(lambda each: each["length"] < boundaries[-1]).bucket_by_sequence_length(
        lambda each: each["length"], boundaries, sizes, drop_remainder=True
    )
    return make_batches(buckets, read, ahead=16)
