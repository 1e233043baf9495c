"""Sizes and parts of the tagger."""

from typing import Literal

from pydantic import Field

from pipelines.configuration import Configuration


class NetworkConfiguration(Configuration):
    """Sizes and parts of the network."""

    vocabulary: int = Field(50_000, ge=1, description="maximum number of known words, the commonest in training")
    minimum_count: int = Field(2, ge=1, description="times that a word must occur in training to be known")
    pieces: int = Field(20_000, ge=1, description="size of the hash table for pieces of words")
    embedding: int = Field(128, ge=1, description="size of the embedding of a word")
    recurrent: Literal["simple_rnn", "lstm", "gru", "min_gru", "min_lstm"] = Field("gru", description="recurrent layer")
    units: int = Field(128, ge=1, description="units of a recurrent layer, in each direction")
    layers: int = Field(1, ge=1, le=8, description="recurrent layers, each of which reads in both directions")
    word_dropout: float = Field(0.1, ge=0, lt=1, description="share of training words reduced to their pieces")
    dropout: float = Field(0.3, ge=0, lt=1, description="dropout before and after the recurrent layers")
