"""Where recordings come from: what every source offers, and the sources that are TFDS data sets."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

import data
from pipelines.speech.audio_files import SILENCE, SpeechDataError
from pipelines.speech.resampling import resample, resampled_length
from pipelines.speech.transcripts import normalised

SPLITS = ("train", "validation", "test")
LOADERS = 2  # recordings decoded at the same time, ahead of what is consumed
MAXIMUM_LISTED = 10  # recordings that a message names; it counts the others
TEXT_FEATURES = ("text", "transcript", "transcription", "sentence")
KEY_FEATURES = ("key", "id")


class Utterance(NamedTuple):
    """What is known about a recording without its audio.

    Attributes:
        key: its unique name.
        text: what is said, normalised.
        samples: its length at the wanted sample rate; 0 if it cannot be read.
        problem: why it cannot be read; "" if it can.
    """

    key: str
    text: str
    samples: int
    problem: str = ""


class Source(Protocol):
    """Recordings in the splits train, validation and test, in an order that never changes."""

    def utterances(self, split: str) -> list[Utterance]:
        """Returns what a split holds, without its audio."""

    def notes(self) -> list[str]:
        """Returns what is worth knowing of how the recordings that were looked at are read, a line each."""

    def stored(self, split: str, keys: Collection[str] | None = None) -> tf.data.Dataset:
        """Returns the recordings of a split as they are found, before the work of reading them; see `recordings`.

        Returns:
            Dictionaries of `number` int64, the place in `utterances`, and `stored` float32 (samples,), the audio where
            it can only be had one after another, or nothing.
        """

    def read(self, split: str, number: int, stored: np.ndarray) -> np.ndarray:
        """Returns the audio of what `stored` gave, float32 (samples,), at the wanted sample rate."""

    def recordings(self, split: str, keys: Collection[str] | None = None) -> tf.data.Dataset:
        """Returns the recordings of a split, read as they are consumed.

        Args:
            split: train, validation or test.
            keys: of the recordings wanted. None: all.

        Returns:
            Dictionaries of `audio` float32 (samples,), `text` and `key`, in the order of `utterances`.
        """
        utterances = self.utterances(split)
        texts, names = (tf.constant([getattr(each, name) for each in utterances]) for name in ("text", "key"))

        def recording(each: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            number = each["number"]
            audio = tf.numpy_function(partial(self.read, split), [number, each["stored"]], tf.float32)
            return {
                "audio": tf.ensure_shape(audio, (None,)),
                "text": tf.gather(texts, number),
                "key": tf.gather(names, number),
            }

        return self.stored(split, keys).map(recording, num_parallel_calls=LOADERS, deterministic=True)


class DatasetSource(Source):
    """The recordings of a prepared TFDS builder.

    Args:
        builder: with a feature `tfds.features.Audio` and a transcript.
        sample_rate: wanted samples a second; other rates are resampled.
        splits: what the builder calls train, validation and test, or parts ("train[:90%]"). None: the same.
        language: ISO 639-1 code, for numbers that are not spelled out; "": such numbers are refused.

    Raises:
        SpeechDataError: the builder has no audio, no transcript, or does not say its sample rate.
    """

    def __init__(
        self,
        builder: tfds.core.DatasetBuilder,
        sample_rate: int,
        splits: Mapping[str, str] | None = None,
        language: str = "",
    ) -> None:
        self.builder, self.sample_rate, self.language = builder, sample_rate, language
        self.splits = dict(splits or {split: split for split in SPLITS})
        features = builder.info.features
        audio = [name for name, feature in features.items() if isinstance(feature, tfds.features.Audio)]
        texts = [name for name in TEXT_FEATURES if name in features]
        if not audio or not texts or not features[audio[0]].sample_rate:
            raise SpeechDataError(
                f"The data set {builder.name} is not transcribed speech; expected an audio feature with a "
                f"sample rate, and one of {', '.join(TEXT_FEATURES)}. Choose another. Received: {features}"
            )
        self.audio_feature, self.text_feature = audio[0], texts[0]
        self.key_feature = next((name for name in KEY_FEATURES if name in features), None)
        self.original_rate: int = features[audio[0]].sample_rate
        self._utterances: dict[str, list[Utterance]] = {}

    def utterances(self, split: str) -> list[Utterance]:
        """See `Source`; reads the split once."""
        if split not in self._utterances:

            def summary(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
                audio = example["audio"]
                span, peak = tf.reduce_max(audio) - tf.reduce_min(audio), tf.reduce_max(tf.abs(audio))
                span = tf.where(tf.reduce_all(tf.math.is_finite(audio)), span, np.nan)  # maxima may pass over NaN
                return example["key"], example["text"], tf.size(audio), span, peak

            examples = self._examples(split).map(summary).as_numpy_iterator()
            self._utterances[split] = [self._utterance(*example) for example in examples]
        return list(self._utterances[split])

    def notes(self) -> list[str]:
        """See `Source`."""
        return []

    def stored(self, split: str, keys: Collection[str] | None = None) -> tf.data.Dataset:
        """See `Source`."""
        examples = self._examples(split).enumerate()
        if keys is not None:
            names = [utterance.key for utterance in self.utterances(split)]
            wanted = np.zeros(len(names), bool)
            wanted[positions(names, keys)] = True
            examples = examples.filter(lambda number, _: tf.gather(wanted, number))
        return examples.map(lambda number, example: {"number": number, "stored": example["audio"]})

    def read(self, split: str, number: int, stored: np.ndarray) -> np.ndarray:
        """See `Source`."""
        return resample(stored, self.original_rate, self.sample_rate)

    def _examples(self, split: str) -> tf.data.Dataset:
        """Dictionaries of `audio` at the builder's rate, float32 mono, `text` as published, and `key`."""
        name, known = self.splits.get(split), set(self.builder.info.splits)
        if name is None or (known and name.partition("[")[0] not in known):
            raise SpeechDataError(
                f"The data set {self.builder.name} has no split {name or split}; expected one of "
                f"{', '.join(sorted(known) or self.splits)}. Correct `splits`. Received: {split!r}"
            )
        reading = tfds.ReadConfig(try_autocache=False)  # memory stays bounded
        dataset = self.builder.as_dataset(split=name, shuffle_files=False, read_config=reading)

        def example(number: tf.Tensor, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            audio = features[self.audio_feature]
            # TFDS keeps 16-bit samples, whatever the type of the integer.
            audio = tf.cast(audio, tf.float32) / (2.0**15 if audio.dtype.is_integer else 1.0)
            audio = tf.reduce_mean(audio, axis=1) if audio.shape.rank == 2 else audio  # of (samples, channels)
            key = (
                features[self.key_feature]
                if self.key_feature
                else tf.strings.join([split, tf.strings.as_string(number)], "/")
            )
            return {"audio": audio, "text": features[self.text_feature], "key": key}

        return dataset.enumerate().map(example)

    def _utterance(self, key: bytes, text: bytes, samples: int, span: float, peak: float) -> Utterance:
        problem = "the recording is empty" if not samples else ""
        if samples and not np.isfinite(span):
            problem = "the recording holds NaN or infinity"
        elif samples and span < SILENCE:
            problem = "the recording is silent"
        elif samples and peak > 2:  # a little above 1 is only clipped speech
            problem = f"the recording has more than 16 bits a sample, or its floats leave −1 … 1 (peak {peak:g})"
        length = resampled_length(int(samples), self.original_rate, self.sample_rate)
        return Utterance(key.decode(), self._text(text, key), length, problem)

    def _text(self, text: bytes, key: bytes) -> str:
        return normalised(text.decode(), self.language, f"{self.builder.name}, {key.decode()}")


def librispeech_dataset(
    sample_rate: int, train: str = "train_clean100", data_dir: str | Path | None = None
) -> DatasetSource:
    """Returns the clean speech of the public TFDS data set `librispeech`, prepared if it has not been.

    Args:
        sample_rate: wanted samples a second.
        train: the split to learn from; TFDS can join several: "train_clean100+train_clean360".
        data_dir: where TFDS keeps it. None: where TFDS keeps everything.
    """
    builder = data.prepare(tfds.builder("librispeech", data_dir=data_dir))
    splits = {"train": train, "validation": "dev_clean", "test": "test_clean"}
    return DatasetSource(builder, sample_rate, splits, language="en")


def positions(names: Sequence[str], keys: Collection[str]) -> list[int]:
    """Where the keys stand among the names, in the order of the names; of equal names the first."""
    first: dict[str, int] = {}
    for position, name in enumerate(names):
        first.setdefault(name, position)
    if missing := sorted(set(keys) - first.keys()):
        raise SpeechDataError(
            f"{len(missing)} keys belong to no recording of the split; expected keys of `utterances`. "
            f"Correct them. Received: {missing[:MAXIMUM_LISTED]}"
        )
    return sorted(first[key] for key in set(keys))
