"""From recordings to batches: splits, alphabet, augmentation, buckets of similar length."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import pydantic
import tensorflow as tf
from pydantic import Field

import data
from data.game_dialogue import GameDialogue
from data.languages import language_code
from data.synthetic_speech import SyntheticSpeech, all_sentences
from data.telephone_prompts import TelephonePrompts
from pipelines import hints
from pipelines.configuration import Configuration, ConfigurationError
from pipelines.speech import checks, sources, user_recordings
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.augmentation import AudioAugmentationConfiguration, augment_audio
from pipelines.speech.recording_splits import SplitBy
from pipelines.speech.transcripts import Normalisation, Transcripts

OWN_SOURCES = ("ljspeech", "librispeech", "manifest")
SHUFFLE_BUFFER = 512  # recordings held in memory while they are shuffled; bounds memory however long the data
BUCKET_GROWTH = 1.3  # each bucket's longest recording over the one's before
SHORTEST_BUCKET_SECONDS = 0.8


class DataConfiguration(Configuration):
    """Which recordings to learn from, and how they are batched."""

    RENAMED: ClassVar = {"longest_seconds": "maximum_seconds"}

    source: Literal[
        "telephone_prompts", "game_dialogue", "librispeech_dataset", "ljspeech", "librispeech", "manifest"
    ] = Field(
        "telephone_prompts",
        description="embedded data set, public TFDS set, or your own data, whose format manifest recognises",
    )
    path: str = Field("", description="list or folder of your own data")
    validation: str = Field("", description="list or folder of your own to validate on; by default a part of path")
    test: str = Field("", description="list or folder of your own to test on; by default a part of path")
    split_by: SplitBy = Field(
        "auto",
        description="what never spans two splits, where your lists have none. auto: speakers if there are many, "
        "otherwise texts",
    )
    language: str = Field(
        "", description="language of your own transcripts, such as en or en-US, for numbers and signs"
    )
    normalisation: Normalisation = Field(
        "spoken",
        description="transcripts of your own data. spoken: numbers and signs in words, lower case, no punctuation; "
        "off: as they are, with case and punctuation",
    )
    pretraining: Literal["none", "one_hour", "six_hours"] = Field(
        "none", description="synthetic speech mixed into training; never into validation or test"
    )
    pretraining_first_share: float = Field(
        0.8, ge=0, le=1, description="synthetic share of the second epoch; the first has none"
    )
    pretraining_last_share: float = Field(0.2, ge=0, le=1, description="synthetic share of the last epoch")
    maximum_seconds: float = Field(20.0, gt=0, description="longer recordings are left out of training and listed")
    first_epoch_seconds: float = Field(
        3.0, gt=0, description="maximum length of recordings in the first epoch, from which CTC learns to align sooner"
    )
    batch_seconds: float = Field(64.0, gt=0, description="seconds of audio in a batch, padding included")
    skip_unlearnable: bool = Field(False, description="leave out unusable recordings instead of stopping with an error")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _split_of_the_version_before(cls, values: Any, information: pydantic.ValidationInfo) -> Any:
        """A run of 0.1 keeps its split: one by text, or recordings that it learned from would be tested on."""
        from_a_file = information.mode == "json" and isinstance(values, dict)
        return {"split_by": "text", **values} if from_a_file else values

    @pydantic.field_validator("language")
    @classmethod
    def _code(cls, language: str) -> str:
        return language_code(language)

    @pydantic.model_validator(mode="after")
    def _refuse_unused(self) -> Self:
        if self.normalisation == "off" and self.source not in OWN_SOURCES:
            raise ValueError(
                f"normalisation is of your own recordings, and the embedded transcripts of {self.source} are as they "
                "are learned. Leave it out"
            )
        return self


class Speech(NamedTuple):
    """The recordings of a configuration, checked: where they come from, what is in each split, and the alphabet."""

    source: sources.Source
    pretraining: sources.Source | None
    utterances: dict[str, list[sources.Utterance]]
    pretraining_keys: frozenset[str]
    alphabet: tuple[str, ...]
    skipped: list[tuple[str, str]]
    transcripts: Transcripts | None = None


def open_source(
    configuration: DataConfiguration, sample_rate: int, transcripts: Transcripts | None = None
) -> sources.Source:
    """Returns the configured recordings, downloaded and prepared if that has not been done.

    Args:
        configuration: which recordings.
        sample_rate: samples a second that the network wants.
        transcripts: normalises those of the user's own recordings. None: as the configuration says.
    """
    path, transcripts = configuration.path, transcripts or transcripts_of(configuration)
    is_own = configuration.source in OWN_SOURCES
    own = [name for name in ("path", "validation", "test") if getattr(configuration, name)]
    if own and not is_own:
        raise ConfigurationError(
            f"data.{own[0]}: the source {configuration.source} has recordings of its own. Expected none of yours. "
            "Set --data.source manifest, as the preset `own` does, or leave it out. "
            f"Received: {getattr(configuration, own[0])!r}"
        )
    if is_own and not path:
        raise ConfigurationError(
            f"data.path: the source {configuration.source} reads recordings of yours, and none are named. Give their "
            f"folder, or the file of a manifest: {hints.option('--data.path recordings.jsonl')}. Received: no path"
        )
    match configuration.source:
        case "telephone_prompts":
            return sources.DatasetSource(data.prepare(TelephonePrompts()), sample_rate)
        case "game_dialogue":
            return sources.DatasetSource(data.prepare(GameDialogue()), sample_rate)
        case "librispeech_dataset":
            return sources.librispeech_dataset(sample_rate)
    return user_recordings.manifest(
        path,
        sample_rate,
        configuration.validation,
        configuration.test,
        transcripts,
        configuration.split_by,
        user_recordings.READERS[configuration.source],
    )


def load(configuration: DataConfiguration, sample_rate: int, label_frames: Callable[[int], int]) -> Speech:
    """Opens the recordings and refuses what cannot be learned, by name, before training starts.

    Args:
        configuration: which recordings.
        sample_rate: samples a second that the network wants.
        label_frames: how many frames of labels so many samples give.
    """
    transcripts = transcripts_of(configuration)
    source = open_source(configuration, sample_rate, transcripts)
    transcripts.refuse_problems(configuration.skip_unlearnable)
    learnable, skipped = checks.check_learnable(
        source.utterances("train"), label_frames, "train", configuration.skip_unlearnable
    )
    limit = round(configuration.maximum_seconds * sample_rate)
    too_long = [utterance for utterance in learnable if utterance.samples > limit]
    skipped += [(utterance.key, f"longer than {configuration.maximum_seconds:g} s") for utterance in too_long]
    utterances = {"train": [utterance for utterance in learnable if utterance.samples <= limit]}
    if not utterances["train"]:
        raise SpeechDataError(
            f"All {len(learnable)} recordings of train are longer than {configuration.maximum_seconds:g} s; expected "
            "recordings of a sentence or a few. Cut them, or raise --data.maximum_seconds. Received: the shortest has "
            f"{min(utterance.samples for utterance in too_long) / sample_rate:.1f} s"
        )
    alphabet = checks.alphabet_of(utterances["train"])
    for split in ("validation", "test"):
        utterances[split], unusable = usable(source, split, configuration)
        skipped += unusable
        checks.unknown_characters(utterances[split], alphabet)

    pretraining, keys = None, frozenset[str]()
    if configuration.pretraining != "none":
        pretraining = sources.DatasetSource(
            data.prepare(SyntheticSpeech(config=configuration.pretraining)), sample_rate
        )
        held_out = held_out_texts(utterances)
        keys = frozenset(
            utterance.key
            for utterance in checks.check_learnable(pretraining.utterances("train"), label_frames, skip=True)[0]
            if utterance.text not in held_out and utterance.samples <= limit and set(utterance.text) <= set(alphabet)
        )
    own = transcripts if configuration.source in OWN_SOURCES else None
    return Speech(source, pretraining, utterances, keys, alphabet, skipped, own)


def transcripts_of(configuration: DataConfiguration) -> Transcripts:
    """Returns what normalises the transcripts of the user's own recordings."""
    return Transcripts(configuration.language, configuration.normalisation)


def usable(
    source: sources.Source, split: str, configuration: DataConfiguration
) -> tuple[list[sources.Utterance], list[tuple[str, str]]]:
    """Returns the recordings of a split that can be evaluated, and key and reason of each that is left out."""
    return checks.check_learnable(source.utterances(split), origin=split, skip=configuration.skip_unlearnable)


def held_out_texts(utterances: dict[str, list[sources.Utterance]]) -> set[str]:
    """Returns the texts of validation and test, which nothing may learn from."""
    return {utterance.text for split in ("validation", "test") for utterance in utterances[split]}


def keys_of(utterances: Sequence[sources.Utterance]) -> frozenset[str]:
    """Returns the keys of recordings."""
    return frozenset(utterance.key for utterance in utterances)


def training_batches(
    speech: Speech,
    configuration: DataConfiguration,
    augmentation: AudioAugmentationConfiguration,
    sample_rate: int,
    seed: int,
    epoch: int,
    epochs: int,
) -> tf.data.Dataset:
    """Endless batches of an epoch, the same each time they are asked for; see `batches` for their parts."""
    utterances = speech.utterances["train"]
    streams = [_stream(speech.source, keys_of(utterances), augmentation, sample_rate, (seed, epoch, 0))]
    shares = [1.0]
    if speech.pretraining is not None:
        share = pretraining_share(configuration, epoch, epochs)
        streams.append(
            _stream(speech.pretraining, speech.pretraining_keys, augmentation, sample_rate, (seed, epoch, 1))
        )
        shares = [1 - share, share]
    mixed = tf.data.Dataset.sample_from_datasets(streams, shares, seed=seed * 1000 + epoch)
    if epoch == 0:
        limit = round(configuration.first_epoch_seconds * sample_rate)
        # A quarter at least, or the search for a short recording would take long, or for ever.
        limit = max(limit, sorted(utterance.samples for utterance in utterances)[len(utterances) // 4])
        mixed = mixed.filter(lambda recording: tf.size(recording["audio"]) <= limit)
    return _bucketed(mixed.map(_encoder(speech.alphabet)), configuration, sample_rate)


def pretraining_share(configuration: DataConfiguration, epoch: int, epochs: int) -> float:
    """The share of synthetic recordings in an epoch: none in the first, then linear from the first share to the last.

    One voice is enough to learn to align, and several only make it slower.
    """
    if epoch == 0:
        return 0.0
    progress = (epoch - 1) / max(epochs - 2, 1)
    first, last = configuration.pretraining_first_share, configuration.pretraining_last_share
    return first + (last - first) * progress


def batches(
    source: sources.Source, split: str, alphabet: tuple[str, ...], keys: Collection[str] | None = None
) -> tf.data.Dataset:
    """Recordings of a split, all or those of some keys, in stable order, whole and unaugmented, in padded batches.

    Returns:
        Dictionaries of `audio` (batch, samples), `audio_lengths` (batch,), `labels` (batch, characters),
        `label_lengths` (batch,), `text` and `key` (batch,).
    """
    encoded = source.recordings(split, keys).map(_encoder(alphabet))
    return encoded.padded_batch(8).prefetch(2)


def _stream(
    source: sources.Source,
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


def _encoder(alphabet: tuple[str, ...]) -> Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]:
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


def _bucketed(recordings: tf.data.Dataset, configuration: DataConfiguration, sample_rate: int) -> tf.data.Dataset:
    """Batches of similar length, padded to few fixed shapes, so that few programs are compiled and little is padded."""
    seconds = [SHORTEST_BUCKET_SECONDS]
    while seconds[-1] < configuration.maximum_seconds * 1.2:  # slower speech is longer
        seconds.append(seconds[-1] * BUCKET_GROWTH)
    boundaries = [round(second * sample_rate) + 1 for second in seconds]
    sizes = [max(1, round(configuration.batch_seconds / second)) for second in seconds] + [1]
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


def language_model_texts(speech: Speech, transcript_weight: float) -> tuple[list[str], list[float]]:
    """Returns what a language model may learn from, with weights: training transcripts and synthetic sentences.

    Those are the sentences of six hours, also where only one hour of them is spoken.
    """
    transcripts = [utterance.text for utterance in speech.utterances["train"]]
    sentences: list[str] = []
    if speech.pretraining is not None:
        held_out, alphabet = held_out_texts(speech.utterances), set(speech.alphabet)
        sentences = [text for text in all_sentences() if text not in held_out and set(text) <= alphabet]
    return transcripts + sentences, [transcript_weight] * len(transcripts) + [1.0] * len(sentences)
