"""Presets of the task speech."""

from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field

from pipelines.commands import TrainingCommand
from pipelines.configuration import Configuration
from pipelines.speech.augmentation import AudioAugmentationConfiguration, SpecAugmentConfiguration
from pipelines.speech.data import DataConfiguration
from pipelines.speech.features import FROM_DATA, FeatureConfiguration, or_from_data
from pipelines.speech.network import AUTO, FrameLength, NetworkConfiguration
from pipelines.training import TrainingConfiguration

TextFiles = tuple[Annotated[str, Field(min_length=1)], ...]


class DecodingConfiguration(Configuration):
    """How the labels of the frames become text."""

    beam_width: int = Field(32, ge=1, description="hypotheses kept after each frame")
    language_model_order: int = Field(8, ge=1, le=20, description="longest n-gram of characters in the language model")
    transcript_weight: float = Field(
        4.0, gt=0, description="weight of a training transcript, relative to a sentence of other texts"
    )
    word_order: int = Field(3, ge=0, le=6, description="longest n-gram of words; 0: characters only")
    texts: TextFiles = Field(
        (), description="your own text files or folders of them, from which the language model also learns"
    )
    arpa: str = Field("", description="ARPA file of words or characters that replaces the language model")

    @pydantic.model_validator(mode="after")
    def _refuse_two_models(self) -> Self:
        if self.arpa and self.texts:
            raise ValueError(
                "An ARPA file is a language model as it stands, and learns from no texts. Give `arpa` or `texts`; or "
                "let the program that wrote the file learn from the texts too"
            )
        return self


class SpeechConfiguration(FrameLength, TrainingCommand):
    """Everything that a training of a recogniser depends on."""

    task: Literal["speech"] = Field("speech", description="name of the task")
    data: DataConfiguration = DataConfiguration()
    augmentation: AudioAugmentationConfiguration = AudioAugmentationConfiguration()
    spec_augment: SpecAugmentConfiguration = SpecAugmentConfiguration()
    features: FeatureConfiguration = FeatureConfiguration()
    network: NetworkConfiguration = NetworkConfiguration()
    training: TrainingConfiguration = TrainingConfiguration()
    decoding: DecodingConfiguration = DecodingConfiguration()
    consistency: Annotated[float, or_from_data(0)] = Field(
        0.0,
        description="weight of the agreement between two readings of a recording under different masks; 0: one "
        f"reading; {FROM_DATA}: from the recordings",
    )
    steps_per_epoch: Annotated[int, or_from_data(1)] = Field(
        100, description=f"batches between two validations; {FROM_DATA}: from the recordings"
    )


_SMALL = SpeechConfiguration(
    data=DataConfiguration(
        batch_seconds=16.0, pretraining="one_hour", pretraining_first_share=0.3, pretraining_last_share=0.1
    ),
    augmentation=AudioAugmentationConfiguration(speed=0.1, gain_decibels=3.0, noise_share=0.1),
    spec_augment=SpecAugmentConfiguration(frequency_width=6, time_masks_a_second=0.5),
    features=FeatureConfiguration(mel_bands=40),
    network=NetworkConfiguration(
        recurrent="gru", units=160, layers=2, filters=16, dropout=0.15, self_conditioning=True, phonemes="en-US"
    ),
    training=TrainingConfiguration(epochs=20, learning_rate=2.5e-3, weight_decay=1e-4, weight_average_decay=0.995),
    steps_per_epoch=250,
    consistency=0.2,
)
_BASE = _SMALL.replace(
    data={"pretraining": "six_hours", "pretraining_first_share": 0.6},
    augmentation={"speed": 0.12},
    spec_augment={"frequency_width": 8, "time_masks_a_second": 0.7},
    network={"units": 256, "layers": 3, "dropout": 0.25},
    training={"epochs": 16, "learning_rate": 2e-3, "weight_average_decay": 0.999},
    steps_per_epoch=600,
)
_STREAMING = _SMALL.replace(network={"bidirectional": False, "units": 256})
_OWN = _SMALL.replace(  # what is open follows from the recordings: `pipelines.speech.rules`
    data={"source": "manifest", "pretraining": "none", "batch_seconds": float(FROM_DATA)},
    features={"sample_rate": FROM_DATA, "mel_bands": FROM_DATA},
    network={"units": FROM_DATA, "layers": FROM_DATA, "subsampling": FROM_DATA, "phonemes": AUTO},
    training={"epochs": 24, "learning_rate": 3e-3},
    steps_per_epoch=FROM_DATA,
    consistency=float(FROM_DATA),
)
# Measured with one reading of each recording.
_CZECH = _SMALL.replace(
    data={"source": "game_dialogue", "pretraining": "none", "batch_seconds": 24.0},
    features={"sample_rate": 16000, "mel_bands": 64},
    network={"units": 224, "phonemes": "cs"},
    training={"epochs": 24, "learning_rate": 3e-3},
    steps_per_epoch=220,
    consistency=0.0,
)
_LIBRISPEECH = _BASE.replace(
    data={"source": "librispeech_dataset", "pretraining": "none", "batch_seconds": 320.0, "maximum_seconds": 17.0},
    features={"sample_rate": 16000, "mel_bands": 80},
    network={"units": 512, "layers": 5, "filters": 32, "phonemes": ""},
    training={"epochs": 60, "learning_rate": 1e-3, "mixed_precision": True},
    steps_per_epoch=1200,
    consistency=0.0,
)

PRESETS = {
    "small": _SMALL,
    "base": _BASE,
    "streaming": _STREAMING,
    "own": _OWN,
    "czech": _CZECH,
    "librispeech": _LIBRISPEECH,
}
"""Named configurations, the default first.

- `small`: the telephone prompts and an hour of synthetic speech; 8 to 14 minutes on two CPU cores, by their age.
- `base`: wider and deeper, with six hours of synthetic speech; under 60 minutes on two CPU cores.
- `streaming`: as `small`, in one direction: a chunk of 40 ms is transcribed when it has been heard.
- `own`: recordings of your own in any language; sizes and steps follow from them and are printed.
- `czech`: the Czech game dialogue; about 10 minutes on two CPU cores.
- `librispeech`: the public TFDS data set, 100 hours; for a GPU, and untested on one.
"""
