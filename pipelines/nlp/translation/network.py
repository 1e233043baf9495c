"""Sizes of the translation network, and how it searches."""

from typing import Literal

from pydantic import Field

from pipelines.configuration import Configuration


class NetworkConfiguration(Configuration):
    """Encoder, attention and decoder."""

    recurrent: Literal["gru", "lstm"] = "gru"
    """Kind of the recurrent layers."""
    units: int = Field(256, ge=2, multiple_of=2)
    """Width of embeddings and of everything between layers; each direction of the encoder has half of it."""
    encoder_layers: int = Field(2, ge=1)
    """Bidirectional layers that read the source."""
    decoder_layers: int = Field(2, ge=1)
    """Layers that write the target; the first one looks back at the source, the others see what it found."""
    attention_units: int = Field(128, ge=1)
    """Width of the hidden layer that scores a position of the target against one of the source."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of the features dropped before each layer, the same at all positions."""
    word_dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the subwords whose embeddings are dropped whole, on both sides (Gal and Ghahramani 2016)."""
    output_dropout: float = Field(0.2, ge=0, lt=1)
    """Share of the features dropped before the softmax."""
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Share of the target's probability that is spread over the vocabulary."""
    compiled: bool = True
    """Compile the loops over time by XLA in training: faster, after some seconds for each length of sentences."""


class SearchConfiguration(Configuration):
    """How the most probable translation is searched."""

    beam_width: int = Field(5, ge=1, description="beginnings that are followed at once; 1 is greedy")
    length_exponent: float = Field(1.0, ge=0, description="0 prefers short translations; see search_sequences")
    longest_ratio: float = Field(2.0, gt=0, description="longest translation, in subwords of its source")
    longest_more: int = Field(10, ge=1, description="and so many more")
