"""Sizes and parts of the language model's network, and how it generates; without TensorFlow, for the command line."""

from typing import Literal, Self

import pydantic
from pydantic import Field

from pipelines.configuration import Configuration

MOST = 2**31 - 1  # that an int32 holds
LONGEST_NGRAM = 16  # subwords
MOST_SAMPLES = 1000  # texts that follow one prompt
WIDEST_BEAM = 1000  # texts that a search keeps
LONGEST_TEXT = 100_000  # subwords that are generated at once: a novel


class NetworkConfiguration(Configuration):
    """Sizes and parts of the network, and the regularisation of AWD-LSTM (Merity et al. 2018)."""

    recurrent: Literal["simple_rnn", "lstm", "gru", "min_gru", "min_lstm"] = Field("gru", description="recurrent layer")
    units: int = Field(384, ge=1, description="units of a recurrent layer")
    layers: int = Field(1, ge=1, le=8, description="recurrent layers")
    width: int = Field(256, ge=1, description="size of the embedding, which the softmax shares")
    contexts: int = Field(0, ge=0, description="size of the hash table of contexts of two and three subwords; 0: off")
    context_dropout: float = Field(
        0.4, ge=0, lt=1, description="share of the steps without a look-up of contexts in training"
    )
    dropout: float = Field(
        0.1, ge=0, lt=1, description="dropout before and after each layer, one mask for the whole window"
    )
    embedding_dropout: float = Field(0.0, ge=0, lt=1, description="share of the subwords that are dropped as inputs")
    weight_dropout: float = Field(0.0, ge=0, lt=1, description="share of the recurrent weights that are dropped")
    recurrent_dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout of the hidden state, one mask for the whole window"
    )

    @pydantic.model_validator(mode="after")
    def _minimal_layers_have_no_recurrent_weights(self) -> Self:
        if self.recurrent in ("min_gru", "min_lstm") and (self.weight_dropout or self.recurrent_dropout):
            raise ValueError(
                f"A {self.recurrent} has no recurrent weights to drop. Set weight_dropout and recurrent_dropout to 0, "
                f"or take another layer. Received: {self.weight_dropout:g}, {self.recurrent_dropout:g}"
            )
        return self

    @property
    def layer_options(self) -> dict[str, float]:
        """The options of every recurrent layer."""
        options = {"weight_dropout": self.weight_dropout, "recurrent_dropout": self.recurrent_dropout}
        return {name: rate for name, rate in options.items() if rate}


class SamplingConfiguration(Configuration):
    """How texts are generated."""

    length: int = Field(
        200, ge=1, le=LONGEST_TEXT, description="maximum number of subwords, of about four characters each"
    )
    temperature: float = Field(
        0.8, ge=0, description="below 1: more predictable, above 1: more varied; 0: always the most probable subword"
    )
    top_k: int = Field(0, ge=0, le=MOST, description="number of most probable subwords to choose from; 0: all")
    top_p: float = Field(
        0.95, gt=0, le=1, description="choose among the most probable subwords that together have this probability"
    )
    repetition_penalty: float = Field(
        1.0, ge=1, description="makes recent subwords less probable by multiplying their log probability; 1: off"
    )
    no_repeat_ngram: int = Field(
        0,
        ge=0,
        le=LONGEST_NGRAM,
        description="no sequence of this many subwords occurs twice within 256 subwords; 0: off",
    )
    seed: int = Field(0, ge=0, le=MOST, description="the same seed gives the same text")

    def seeded(self, samples: int) -> "list[SamplingConfiguration]":
        """Returns the same for several samples, with consecutive seeds."""
        return [self.replace(seed=(self.seed + number) % (MOST + 1)) for number in range(samples)]
