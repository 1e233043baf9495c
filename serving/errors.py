"""Refusals: what a client is told, whether we refuse its request or a graph does."""

import re

import tensorflow as tf

from pipelines.errors import refused_by_graph

MOST = 600  # characters of a message: what a client sent may be of any length

_NODES = re.compile(r"\{\{.*?\}\}\s*|\s*\[\[.*|\s*\[Op:.*|\s*name: .*")
_TRACES = ("Graph execution error", "Detected at node", "<stack traces")


class RequestError(ValueError):
    """A request that is refused; the message names the field, and says what to do.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message if len(message) <= MOST else message[:MOST] + "…")
        self.status = status


def message_of(error: tf.errors.OpError) -> str:
    """Returns what a graph refused, in its author's words.

    Example:
        >>> message_of(tf.errors.InvalidArgumentError(None, None, "assertion failed: [x: expected 1. Received:] [2]"))
        'x: expected 1. Received: [2]'
    """
    if refusal := refused_by_graph(error):
        return refusal
    lines = [_NODES.sub("", line).strip() for line in str(error.message).splitlines() if not line.startswith(_TRACES)]
    cause = next((line for line in lines if line), "no reason")
    return f"The model refuses the inputs. Its metadata has their types and shapes. Received: {cause}"
