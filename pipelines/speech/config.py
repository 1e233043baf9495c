"""Presets of the speech pipeline."""

from pydantic import Field

from pipelines.commands import TrainingCommand
from pipelines.configuration import Configuration
from pipelines.speech.augmentation import AudioAugmentationConfiguration, SpecAugmentConfiguration
from pipelines.speech.data import DataConfiguration
from pipelines.speech.features import FeatureConfiguration
from pipelines.speech.model import NetworkConfiguration
from pipelines.training import TrainingConfiguration


class DecodingConfiguration(Configuration):
    """How the labels of the frames become text."""

    beam_width: int = Field(32, ge=1, description="readings that stay in the search after each frame")
    language_model_order: int = Field(8, ge=1, le=20, description="longest run of characters that is counted")
    transcript_weight: float = Field(
        4.0, gt=0, description="how often a training transcript counts beside a sentence of the pre-training text"
    )


class SpeechConfiguration(TrainingCommand):
    """Everything that a training of the speech pipeline depends on."""

    data: DataConfiguration = DataConfiguration()
    augmentation: AudioAugmentationConfiguration = AudioAugmentationConfiguration()
    spec_augment: SpecAugmentConfiguration = SpecAugmentConfiguration()
    features: FeatureConfiguration = FeatureConfiguration()
    network: NetworkConfiguration = NetworkConfiguration()
    training: TrainingConfiguration = TrainingConfiguration()
    decoding: DecodingConfiguration = DecodingConfiguration()
    steps_per_epoch: int = Field(100, ge=1, description="batches between two validations")


PRESETS = {
    "small": SpeechConfiguration(),
    "base": SpeechConfiguration(),
}
