"""Where recordings come from: what every source offers, and the sources that are TFDS data sets."""

import struct
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

import data
from pipelines.hints import listed
from pipelines.speech.audio_files import SILENCE, SpeechDataError
from pipelines.speech.resampling import resample, resampled_length
from pipelines.speech.transcripts import normalised

SPLITS = ("train", "validation", "test")
LOADERS = 2  # recordings decoded at the same time, ahead of what is consumed
WINDOW = 512  # recordings of a TFDS data set that are shuffled together, so that its files are read nearly in order
_HEADER = struct.Struct("<QI")  # of a record of TFRecord: its length, and a checksum; another one follows the record
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
    """Recordings in the splits train, validation and test, in an order that never changes.

    Attributes:
        window: recordings among which they are shuffled. None: all.
    """

    window: int | None = None

    def utterances(self, split: str) -> list[Utterance]:
        """Returns what a split holds, without its audio."""

    def notes(self) -> list[str]:
        """Returns what is worth knowing of how the recordings that were looked at are read, a line each."""

    def read(self, split: str, number: int) -> np.ndarray:
        """Returns the audio of the recording at a place in `utterances`, float32 (samples,), at the wanted rate."""

    def numbers(self, split: str, keys: Collection[str] | None = None) -> tf.data.Dataset:
        """Returns the places in `utterances` of all recordings, or of those of some keys, int64, in order."""
        names = [utterance.key for utterance in self.utterances(split)]
        found = range(len(names)) if keys is None else positions(names, keys)
        return tf.data.Dataset.from_tensor_slices(np.array(found, np.int64))

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

        def recording(number: tf.Tensor) -> dict[str, tf.Tensor]:
            audio = tf.numpy_function(partial(self.read, split), [number], tf.float32)
            return {
                "audio": tf.ensure_shape(audio, (None,)),
                "text": tf.gather(texts, number),
                "key": tf.gather(names, number),
            }

        return self.numbers(split, keys).map(recording, num_parallel_calls=LOADERS, deterministic=True)


class DatasetSource(Source):
    """The recordings of a prepared TFDS builder, each read by its place in a file, whichever was read before.

    Args:
        builder: with a feature `tfds.features.Audio` and a transcript.
        sample_rate: wanted samples a second; other rates are resampled.
        splits: what the builder calls train, validation and test, or parts ("train[:90%]"). None: the same.
        language: ISO 639-1 code, for numbers that are not spelled out; "": such numbers are refused.

    Raises:
        SpeechDataError: the builder has no audio, no transcript, or does not say its sample rate.
    """

    window = WINDOW

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
        if builder.info.file_format is not tfds.core.FileFormat.TFRECORD:
            raise SpeechDataError(
                f"The data set {builder.name} is stored as {builder.info.file_format.value}; expected tfrecord. "
                f"Prepare it as that: tfds build --file_format=tfrecord. Received: {builder.data_dir}"
            )
        self.audio_feature, self.text_feature = audio[0], texts[0]
        self.key_feature = next((name for name in KEY_FEATURES if name in features), None)
        self.original_rate: int = features[audio[0]].sample_rate
        self._utterances: dict[str, list[Utterance]] = {}
        self._places: dict[str, list[tuple[str, int]]] = {}
        self._parse = tf.function(
            lambda record: self._audio(features.deserialize_example(record)),
            input_signature=[tf.TensorSpec((), tf.string)],
            autograph=False,
        )

    def utterances(self, split: str) -> list[Utterance]:
        """See `Source`; reads the split once."""
        if split not in self._utterances:

            def summary(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
                audio = example["audio"]
                span, peak = tf.reduce_max(audio) - tf.reduce_min(audio), tf.reduce_max(tf.abs(audio))
                span = tf.where(tf.reduce_all(tf.math.is_finite(audio)), span, np.nan)  # maxima may pass over NaN
                return example["id"], example["key"], example["text"], tf.size(audio), span, peak

            examples = list(self._examples(split).map(summary).as_numpy_iterator())
            self._places[split] = self._places_of(split, [place for place, *_ in examples])
            self._utterances[split] = [self._utterance(*example) for _, *example in examples]
        return list(self._utterances[split])

    def notes(self) -> list[str]:
        """See `Source`."""
        return []

    def read(self, split: str, number: int) -> np.ndarray:
        """See `Source`."""
        path, start = self._places[split][number]
        with open(path, "rb") as file:
            file.seek(start)
            length, _ = _HEADER.unpack(file.read(_HEADER.size))
            record = file.read(length)
        return resample(self._parse(record).numpy(), self.original_rate, self.sample_rate)

    def _examples(self, split: str) -> tf.data.Dataset:
        """Dictionaries of `audio` at the builder's rate, float32 mono, `text` as published, `key`, and TFDS's id."""
        reading = tfds.ReadConfig(try_autocache=False, add_tfds_id=True)  # memory stays bounded
        dataset = self.builder.as_dataset(split=self._name(split), shuffle_files=False, read_config=reading)

        def example(number: tf.Tensor, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            key = (
                features[self.key_feature]
                if self.key_feature
                else tf.strings.join([split, tf.strings.as_string(number)], "/")
            )
            text, place = features[self.text_feature], features["tfds_id"]
            return {"audio": self._audio(features), "text": text, "key": key, "id": place}

        return dataset.enumerate().map(example)

    def _audio(self, features: dict[str, tf.Tensor]) -> tf.Tensor:
        with tf.device("CPU"):
            audio = features[self.audio_feature]
            # TFDS keeps 16-bit samples, whatever the type of the integer.
            audio = tf.cast(audio, tf.float32) / (2.0**15 if audio.dtype.is_integer else 1.0)
            return tf.reduce_mean(audio, axis=1) if audio.shape.rank == 2 else audio  # of (samples, channels)

    def _name(self, split: str) -> str:
        """Returns what the builder calls a split."""
        name, known = self.splits.get(split), set(self.builder.info.splits)
        parts = {part.partition("[")[0] for part in (name or split).split("+")}
        if name is None or (known and not parts <= known):
            raise SpeechDataError(
                f"The data set {self.builder.name} has no split {name or split}; expected one of "
                f"{', '.join(sorted(known) or self.splits)}. Correct `splits`. Received: {split!r}"
            )
        return name

    def _places_of(self, split: str, ids: Sequence[bytes]) -> list[tuple[str, int]]:
        """Returns file and first byte of records by TFDS's ids, such as `speech-train.tfrecord-00000-of-00002__17`."""
        paths = [str(each.filename) for each in self.builder.info.splits[self._name(split)].file_instructions]
        starts = {Path(path).name: [(path, start) for start in record_starts(path)] for path in paths}
        parted = (each.decode().rpartition("__") for each in ids)
        return [starts[Path(name).name][int(number)] for name, _, number in parted]

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


def record_starts(path: str | Path) -> list[int]:
    """Returns at which byte each record of a TFRecord file begins; only the lengths of the records are read."""
    starts, end = [], 0
    with open(path, "rb") as file:
        while header := file.read(_HEADER.size):
            starts.append(end)
            end += _HEADER.size + _HEADER.unpack(header)[0] + 4
            file.seek(end)
    return starts


def positions(names: Sequence[str], keys: Collection[str]) -> list[int]:
    """Where the keys stand among the names, in the order of the names; of equal names the first."""
    first: dict[str, int] = {}
    for position, name in enumerate(names):
        first.setdefault(name, position)
    if missing := sorted(set(keys) - first.keys()):
        raise SpeechDataError(
            f"{len(missing)} keys belong to no recording of the split; expected keys of `utterances`. "
            f"Correct them. Received: {listed([*map(repr, missing)])}"
        )
    return sorted(first[key] for key in set(keys))
