"""What operators see: metrics for Prometheus, and a log of one line of JSON for each event."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import prometheus_client as prometheus

ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256]
logger = logging.getLogger("unrolled.serving")


class Watch:
    """The metrics of a server."""

    def __init__(self) -> None:
        self.registry = registry = prometheus.CollectorRegistry()
        labels = ["model", "signature"]
        self.requests = prometheus.Counter("unrolled_requests", "Requests", [*labels, "status"], registry=registry)
        self.seconds = prometheus.Histogram("unrolled_request_seconds", "Time to answer", labels, registry=registry)
        self.batch_rows = prometheus.Histogram(
            "unrolled_batch_rows", "Rows of batches", buckets=ROWS, registry=registry
        )
        self.open_requests = prometheus.Gauge("unrolled_open_requests", "Requests being answered", registry=registry)
        self.open_streams = prometheus.Gauge("unrolled_open_streams", "Streams that are open", registry=registry)
        self.loads = prometheus.Counter("unrolled_loads", "Versions loaded, or failed", ["result"], registry=registry)

    def exposition(self) -> bytes:
        """Returns the metrics as Prometheus reads them."""
        return prometheus.generate_latest(self.registry)


def log_event(event: str, level: int = logging.INFO, exc_info: BaseException | None = None, **fields: Any) -> None:
    """Writes an event to the log."""
    fields = {"event": event, **fields}
    logger.log(level, json.dumps(fields, ensure_ascii=False), exc_info=exc_info, extra={"fields": fields})


class JsonLines(logging.Formatter):
    """A line of JSON for each record: its time, its level, and the fields of the event, or the message of a library.

    >>> JsonLines().format(logging.makeLogRecord({"msg": "started", "levelname": "INFO", "created": 0.0}))
    '{"time": "1970-01-01T00:00:00+00:00", "level": "INFO", "event": "message", "message": "started"}'
    """

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat()
        fields = getattr(record, "fields", {"event": "message", "message": record.getMessage()})
        if record.exc_info:
            fields = {**fields, "traceback": self.formatException(record.exc_info)}
        return json.dumps({"time": time, "level": record.levelname, **fields}, ensure_ascii=False)
