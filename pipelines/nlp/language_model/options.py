"""What users set of a generation; apart from TensorFlow, so that the command line need not wait for it."""

from pydantic import Field

from pipelines.configuration import Configuration

MOST = 2**31 - 1  # that an int32 holds


class SamplingConfiguration(Configuration):
    """How texts are generated."""

    length: int = Field(200, ge=1, le=MOST, description="subwords at most, of about four characters each")
    temperature: float = Field(0.8, ge=0, description="below 1 plainer, above 1 bolder; 0: always the most probable")
    top_k: int = Field(0, ge=0, le=MOST, description="choose among so many of the most probable subwords; 0: all")
    top_p: float = Field(0.95, gt=0, le=1, description="choose among the most probable ones that have this share")
    repetition_penalty: float = Field(
        1.0, ge=1, description="the logarithm of the probability of what was written lately is multiplied by this"
    )
    seed: int = Field(0, ge=0, le=MOST, description="the same seed makes the same text")
