"""Which recordings are learned from: their source, splits and alphabet, and the batches of an epoch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import pydantic
import tensorflow as tf
from pydantic import Field

import data
from data.game_dialogue import GameDialogue
from data.languages import language_code
from data.synthetic_speech import SyntheticSpeech
from data.telephone_prompts import TelephonePrompts
from pipelines import hints
from pipelines.configuration import Configuration, ConfigurationError
from pipelines.speech import checks, sources, user_recordings
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.augmentation import AudioAugmentationConfiguration
from pipelines.speech.batching import Stream, bucketed, encoder, phoneme_encoder
from pipelines.speech.features import FROM_DATA, or_from_data
from pipelines.speech.phonemes import pronounced
from pipelines.speech.recording_splits import SplitBy
from pipelines.speech.transcripts import Normalisation, Transcripts

OWN_SOURCES = ("ljspeech", "librispeech", "manifest")


class DataConfiguration(Configuration):
    """Which recordings to learn from, and how they are batched."""

    RENAMED: ClassVar = {"longest_seconds": "maximum_seconds"}

    source: Literal[
        "telephone_prompts", "game_dialogue", "librispeech_dataset", "ljspeech", "librispeech", "manifest"
    ] = Field(
        "telephone_prompts",
        description="built-in data set, public TFDS set, or manifest: your own data, in any format that it recognises",
    )
    path: str = Field("", description="list or folder of your own data")
    root: str = Field("", description="folder of the recordings in your lists, if they are elsewhere")
    validation: str = Field("", description="your list or folder for validation; default: a part of path")
    test: str = Field("", description="your list or folder for the test; default: a part of path")
    split_by: SplitBy = Field(
        "auto",
        description="what stays within one split, if your lists define no splits. auto: speakers if there are many, "
        "otherwise texts",
    )
    language: str = Field(
        "", description="language of your own transcripts, such as en or en-US, for numbers and signs"
    )
    normalisation: Normalisation = Field(
        "spoken",
        description="transcripts of your own data. spoken: numbers and signs in words, lower case, no punctuation; "
        "punctuated: in words, with case and punctuation; off: as they are",
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
    batch_seconds: Annotated[float, or_from_data(0.1)] = Field(
        64.0, description=f"seconds of audio in a batch, padding included; {FROM_DATA}: from the recordings"
    )
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
        if self.normalisation != "spoken" and self.source not in OWN_SOURCES:
            raise ValueError(
                f"normalisation is of your own recordings, and the built-in transcripts of {self.source} are as they "
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
    own = [name for name in ("path", "root", "validation", "test") if getattr(configuration, name)]
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
        configuration.root,
    )


class Opened(NamedTuple):
    """Recordings that nobody has looked at yet, and what normalises their transcripts."""

    source: sources.Source
    transcripts: Transcripts


def opened(configuration: DataConfiguration, sample_rate: int) -> Opened:
    """Returns the configured recordings; see `open_source`."""
    transcripts = transcripts_of(configuration)
    return Opened(open_source(configuration, sample_rate, transcripts), transcripts)


def load(
    configuration: DataConfiguration,
    sample_rate: int,
    label_frames: Callable[[int], int],
    recordings: Opened | None = None,
) -> Speech:
    """Opens the recordings and refuses what cannot be learned, by name, before training starts.

    Args:
        configuration: which recordings.
        sample_rate: samples a second that the network wants.
        label_frames: how many frames of labels so many samples give.
        recordings: those of the configuration, where they are open.
    """
    source, transcripts = recordings or opened(configuration, sample_rate)
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


def identities(utterances: Sequence[sources.Utterance]) -> list[str]:
    """Returns what tells each recording from others, of any version of a list."""
    return [f"{utterance.key}: {utterance.text}" for utterance in utterances]


def training_batches(
    speech: Speech,
    configuration: DataConfiguration,
    augmentation: AudioAugmentationConfiguration,
    sample_rate: int,
    seed: int,
    epoch: int,
    epochs: int,
    pronunciations: Mapping[str, str] | None = None,
) -> tf.data.Dataset:
    """Endless batches of an epoch, the same each time they are asked for; see `batching.batches` for their parts.

    With pronunciations they have `phonemes` (batch, symbols) and `phoneme_lengths` (batch,) as well.
    """
    utterances = speech.utterances["train"]
    sources, keys, shares = [speech.source], [keys_of(utterances)], [1.0]
    if speech.pretraining is not None:
        share = pretraining_share(configuration, epoch, epochs)
        sources, keys = [*sources, speech.pretraining], [*keys, speech.pretraining_keys]
        shares = [1 - share, share]
    stream = Stream(sources, keys, augmentation, sample_rate, (seed, epoch))
    mixed = tf.data.Dataset.sample_from_datasets(
        [stream.drawn(kind) for kind in range(len(sources))], shares, seed=seed * 1000 + epoch
    )
    if epoch == 0:
        limit = round(configuration.first_epoch_seconds * sample_rate)
        # A quarter at least, or the search for a short recording would take long, or for ever.
        limit = max(limit, sorted(utterance.samples for utterance in utterances)[len(utterances) // 4])
        mixed = mixed.filter(lambda recording: recording["length"] <= limit)
    encoders = [encoder(speech.alphabet), *([phoneme_encoder(pronunciations)] if pronunciations else [])]

    def encode(texts: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: labels for each in encoders for name, labels in each(texts).items()}

    return bucketed(mixed, stream, encode, configuration.batch_seconds, configuration.maximum_seconds)


def pronunciations_of(speech: Speech, language: str) -> dict[str, str]:
    """Returns the phonemes of each text that is learned from; none without a language."""
    utterances = list(speech.utterances["train"])
    if speech.pretraining is not None:
        utterances += [each for each in speech.pretraining.utterances("train") if each.key in speech.pretraining_keys]
    return pronounced((utterance.text for utterance in utterances), language) if language else {}


def pretraining_share(configuration: DataConfiguration, epoch: int, epochs: int) -> float:
    """The share of synthetic recordings in an epoch: none in the first, then linear from the first share to the last.

    One voice is enough to learn to align, and several only make it slower.
    """
    if epoch == 0:
        return 0.0
    progress = (epoch - 1) / max(epochs - 2, 1)
    first, last = configuration.pretraining_first_share, configuration.pretraining_last_share
    return first + (last - first) * progress
