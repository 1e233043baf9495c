"""How the server runs: where it listens, what it serves, and what it refuses."""

from pathlib import Path

from pydantic import Field

from pipelines.configuration import Configuration


class ServeOptions(Configuration):
    """Options of `unrolled serve`. The environment variable `UNROLLED_TOKEN` holds the token, if there is one."""

    folder: Path = Field(Path("exports"), description="folder of all exports, each exports/NAME/VERSION")
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0: every one of this machine")
    port: int = Field(8501, ge=0, le=65535, description="port to listen on; 0: a free one")
    grpc_port: int | None = Field(None, ge=0, le=65535, description="port of TensorFlow Serving's gRPC; default: none")
    certificate: Path | None = Field(None, description="file of the TLS certificate, PEM")
    key: Path | None = Field(None, description="file of the TLS key, PEM")
    reload_seconds: float = Field(5.0, gt=0, description="how often new versions are looked for")
    workers: int = Field(2, ge=1, description="batches that are computed at once")
    batch: int = Field(32, ge=1, description="rows of requests that are computed together, at most")
    rows: int = Field(256, ge=1, description="rows of one request, at most")
    body_megabytes: float = Field(32.0, gt=0, description="size of a request, or of a message of a stream, at most")
    concurrency: int = Field(128, ge=1, description="requests at once, at most; others are told to come again")
    seconds: float = Field(60.0, gt=0, description="time for a request to arrive, and for its answer to be computed")
    streams: int = Field(32, ge=1, description="streams at once, at most")
    stream_seconds: float = Field(3600.0, gt=0, description="length of a stream, at most")
    idle_seconds: float = Field(60.0, gt=0, description="time between two messages of a stream, at most")
    shutdown_seconds: int = Field(30, ge=1, description="time for open requests to finish when the server is stopped")

    @property
    def body_bytes(self) -> int:
        """Size of a request, at most."""
        return int(self.body_megabytes * 1e6)

    @property
    def padded_bytes(self) -> int:
        """Size of a batch of texts once they are padded, at most: more than they can have if they are alike."""
        return 4 * self.body_bytes
