"""Sizes of the network, and how much audio one frame of its labels stands for."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

import pydantic
from pydantic import Field

from data.languages import language_code
from pipelines.configuration import Configuration
from pipelines.speech.features import FROM_DATA, FeatureConfiguration, or_from_data

AUTO = "auto"


class NetworkConfiguration(Configuration):
    """Sizes of the network."""

    recurrent: Literal["simple_rnn", "lstm", "gru"] = Field("lstm", description="recurrent layer")
    units: Annotated[int, or_from_data(1)] = Field(
        256, description=f"units of a recurrent layer, in each direction; {FROM_DATA}: from the recordings"
    )
    layers: Annotated[int, or_from_data(1, 12)] = Field(
        3, description=f"recurrent layers; {FROM_DATA}: from the recordings"
    )
    bidirectional: bool = Field(True, description="read in both directions; turn off for streaming")
    filters: int = Field(32, ge=1, description="channels of the subsampling convolutions")
    subsampling: Literal[-1, 1, 2, 4, 8] = Field(
        4, description=f"frames of features that become one frame of labels; {FROM_DATA}: from the recordings"
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout before each layer, one mask for the whole sequence")
    # A field that came later has for its default what runs without it had: their folders stay readable.
    self_conditioning: bool = Field(False, description="feed the labels read by the layers below into each layer")
    phonemes: str = Field(
        "",
        description="language, such as en-US, whose phonemes the first layer reads in place of letters; empty: "
        f"letters; {AUTO}: the language of your transcripts",
    )
    recurrent_dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout of the hidden state on its way to the next step, one mask for all steps"
    )

    @pydantic.field_validator("phonemes")
    @classmethod
    def _code(cls, language: str) -> str:
        return language if language == AUTO else language_code(language)

    @pydantic.model_validator(mode="after")
    def _phonemes_are_read_below_the_letters(self) -> Self:
        if self.phonemes not in ("", AUTO) and not self.can_read_phonemes:
            raise ValueError(
                "phonemes are what the first layer reads for those above it. Expected self_conditioning, and two "
                'layers or more. Set them, or leave phonemes empty, --network.phonemes "". Received: '
                f"self_conditioning={self.self_conditioning}, layers={self.layers}"
            )
        return self

    @property
    def can_read_phonemes(self) -> bool:
        """Whether a layer passes on what it reads to another one."""
        return self.self_conditioning and self.layers != 1


class FrameLength:
    """How much audio a frame of labels stands for, for what has `features` and `network`."""

    if TYPE_CHECKING:  # pydantic would take them for fields
        features: FeatureConfiguration
        network: NetworkConfiguration

    @property
    def frame_samples(self) -> int:
        """Samples of audio that one frame of labels stands for; a chunk must hold a multiple of it."""
        return self.features.hop * self.network.subsampling

    @property
    def frame_seconds(self) -> float:
        """Seconds of audio that one frame of labels stands for."""
        return self.frame_samples / self.features.sample_rate
