"""What users set of a generation; apart from TensorFlow, so that the command line need not wait for it."""

from pydantic import Field

from pipelines.configuration import Configuration

MOST = 2**31 - 1  # that an int32 holds
LONGEST_NGRAM = 16  # subwords


class SamplingConfiguration(Configuration):
    """How texts are generated."""

    length: int = Field(200, ge=1, le=MOST, description="subwords at most, of about four characters each")
    temperature: float = Field(
        0.8, ge=0, description="below 1: more predictable, above 1: more varied; 0: always the most probable subword"
    )
    top_k: int = Field(0, ge=0, le=MOST, description="number of most probable subwords to choose from; 0: all")
    top_p: float = Field(
        0.95, gt=0, le=1, description="choose among the most probable subwords that together have this probability"
    )
    repetition_penalty: float = Field(
        1.0,
        ge=1,
        description="makes subwords written lately less probable: multiplies their log probability; 1: off",
    )
    no_repeat_ngram: int = Field(
        0,
        ge=0,
        le=LONGEST_NGRAM,
        description="no sequence of this many subwords occurs twice within 256 subwords; 0: off",
    )
    seed: int = Field(0, ge=0, le=MOST, description="the same seed makes the same text")

    def seeded(self, samples: int) -> "list[SamplingConfiguration]":
        """Returns the same for several samples, with consecutive seeds."""
        return [self.replace(seed=(self.seed + number) % (MOST + 1)) for number in range(samples)]
