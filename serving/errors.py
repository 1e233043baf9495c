"""Refusals: what a client is told, whether we refuse its request or TensorFlow does."""

import re

import tensorflow as tf

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
    """Returns what TensorFlow refused, without nodes and traces.

    Example:
        >>> message_of(tf.errors.InvalidArgumentError(None, None, "Shapes differ: [2] vs. [3] [Op:AddV2] name: "))
        'The model refuses the inputs. Its metadata has their types and shapes. Received: Shapes differ: [2] vs. [3]'
    """
    lines = [_NODES.sub("", line).strip() for line in str(error.message).splitlines() if not line.startswith(_TRACES)]
    cause = next((line for line in lines if line), "no reason")
    return f"The model refuses the inputs. Its metadata has their types and shapes. Received: {cause}"
