"""How the server runs: where it listens, what it serves, and what it refuses."""

import math
import os
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from pipelines.configuration import Configuration, ConfigurationError

TOKEN = "UNROLLED_TOKEN"
"""The environment variable from which the server and its clients take the token."""


def token_of(given: str = "") -> str:
    """Returns the token: the given one, or that of the environment.

    Raises:
        ConfigurationError: no header can hold it.
    """
    token = (given or os.environ.get(TOKEN, "")).strip()  # of a file, it ends with a line break
    if not (token.isascii() and token.isprintable()):
        raise ConfigurationError(
            f"The token fits no header. Expected printable ASCII characters. Choose another one, in {TOKEN} of the "
            f"server and its clients. Received: {len(token)} characters"
        )
    return token


class Limits(NamedTuple):
    """What one request may ask for: rows, bytes of its texts once they are padded, and steps of all its rows."""

    rows: int
    padded_bytes: float = math.inf
    steps: float = math.inf


class ServeOptions(Configuration):
    """Options of `unrolled serve`. The environment variable `UNROLLED_TOKEN` holds the token, if there is one."""

    folder: Path = Field(Path("exports"), description="folder of all exports: FOLDER/NAME/VERSION")
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0: all addresses of this machine")
    port: int = Field(8501, ge=0, le=65535, description="port to listen on; 0: a free one")
    grpc_port: int | None = Field(None, ge=0, le=65535, description="port of TensorFlow Serving's gRPC; default: none")
    certificate: Path | None = Field(None, description="file of the TLS certificate, PEM")
    key: Path | None = Field(None, description="file of the TLS key, PEM")
    reload_seconds: float = Field(5.0, gt=0, description="interval between checks for new versions")
    workers: int = Field(2, ge=1, description="batches computed at the same time")
    threads: int | None = Field(
        None, ge=1, description="cores that one operation of a model uses; default: as many as each worker can have"
    )
    batch: int = Field(32, ge=1, description="maximum rows of requests computed in one batch")
    rows: int = Field(256, ge=1, description="maximum rows of one request")
    steps: int = Field(
        10_000, ge=1, description="maximum pieces of text or frames that one request asks for, `length` of all its rows"
    )
    body_megabytes: float = Field(32.0, gt=0, description="maximum size of a request, or of a message of a stream")
    answer_megabytes: float = Field(32.0, gt=0, description="maximum size of an answer, before it is text")
    concurrency: int = Field(
        128, ge=1, description="maximum number of requests at once; further ones are refused with status 503"
    )
    seconds: float = Field(60.0, gt=0, description="maximum time for a request to arrive, and for its answer")
    streams: int = Field(32, ge=1, description="maximum number of open streams")
    stream_seconds: float = Field(3600.0, gt=0, description="maximum duration of a stream")
    idle_seconds: float = Field(60.0, gt=0, description="maximum time between two messages of a stream")
    shutdown_seconds: int = Field(30, ge=1, description="time that open requests get to finish when the server stops")

    @property
    def body_bytes(self) -> int:
        """Size of a request, at most."""
        return int(self.body_megabytes * 1e6)

    @property
    def limits(self) -> Limits:
        """What one request may ask for."""
        return Limits(self.rows, self.padded_bytes, self.steps)

    @property
    def padded_bytes(self) -> int:
        """Size of a batch of texts once they are padded, at most: more than they can have if they are alike."""
        return 4 * self.body_bytes
