"""Sizes of the translation network, and how it searches."""

from typing import ClassVar, Literal

from pydantic import Field

from pipelines.configuration import Configuration


class NetworkConfiguration(Configuration):
    """Encoder, attention and decoder."""

    recurrent: Literal["gru", "lstm"] = Field("gru", description="kind of the recurrent layers")
    units: int = Field(
        256,
        ge=2,
        multiple_of=2,
        description="width of embeddings and layers; half of it for each direction of the encoder",
    )
    members: int = Field(1, ge=1, le=20, description="networks in the ensemble; their probabilities are averaged")
    encoder_layers: int = Field(2, ge=1, description="bidirectional layers that read the source")
    decoder_layers: int = Field(2, ge=1, description="layers that write the target; the first attends to the source")
    attention_units: int = Field(128, ge=1, description="width of the hidden layer that scores two positions")
    dropout: float = Field(
        0.2, ge=0, lt=1, description="share of the features dropped before each layer, the same at all positions"
    )
    word_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of the subwords, on both sides, whose whole embeddings are dropped"
    )
    output_dropout: float = Field(0.2, ge=0, lt=1, description="share of the features dropped before the softmax")
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="share of the target's probability spread over the vocabulary"
    )
    compiled: bool = Field(
        True, description="compile training with XLA: faster, after some seconds for each sentence length"
    )


class SearchConfiguration(Configuration):
    """How the most probable translation is searched."""

    RENAMED: ClassVar = {"longest_ratio": "maximum_length_ratio", "longest_more": "maximum_length_offset"}

    beam_width: int = Field(5, ge=1, description="hypotheses kept at each step; 1 is greedy")
    length_exponent: float = Field(1.0, ge=0, description="0 prefers short translations; see search_sequences")
    coverage_penalty: float = Field(
        0.0, ge=0, description="weight of the penalty for source subwords that the attention has passed over; 0: none"
    )
    maximum_length_ratio: float = Field(
        2.0, gt=0, description="maximum length of a translation, in subwords per source subword"
    )
    maximum_length_offset: int = Field(10, ge=1, description="constant added to that maximum")
