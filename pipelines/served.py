"""A model as a set of signatures: named tensors in, named tensors out.

A predictor asks signatures and does not know whether they belong to a network in memory or to an exported
SavedModel. So both give the same answers.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.configuration import ConfigurationError
from pipelines.errors import refused_by_graph
from pipelines.runs import RunError

Tensors = dict[str, tf.Tensor]
STREAMS = {"streams": tf.TensorSpec((None,), tf.int32)}
"""The input of `initial_state`: any number for each stream, so that servers can batch the calls."""


class TooLarge(RunError):
    """A server takes less in one request."""


class Signature(NamedTuple):
    """A function that a server runs.

    Attributes:
        function: takes tensors by name, and returns tensors by name.
        inputs: the specification of each input, by its name.
    """

    function: Callable[..., Tensors]
    inputs: Mapping[str, tf.TensorSpec]

    def concrete(self) -> Any:
        """Returns the function as a graph, traced for its inputs."""
        named = {name: tf.TensorSpec(each.shape, each.dtype, name) for name, each in self.inputs.items()}
        return tf.function(self.function, autograph=False).get_concrete_function(**named)


class Served:
    """The signatures of a model, ready to be asked with NumPy arrays.

    Args:
        signatures: of a network in memory; each is traced when it is asked for the first time.

    Attributes:
        place: where the model is, such as "export exports/NAME/1"; "": in memory.

    Example:
        >>> twice = Signature(lambda value: {"twice": 2 * value}, {"value": tf.TensorSpec([None])})
        >>> Served({"serving_default": twice})("serving_default", value=[1.5])["twice"]
        array([3.], dtype=float32)
    """

    def __init__(self, signatures: Mapping[str, Signature], place: str = "") -> None:
        self._signatures, self.place = signatures, place
        self._graphs: dict[str, Any] = {}
        self._inputs = {name: signature.inputs for name, signature in signatures.items()}
        self._model: Any = None

    @classmethod
    def exported(cls, folder: Path) -> "Served":
        """Returns the signatures of a SavedModel."""
        served = cls({}, f"export {folder}")
        served._model = tf.saved_model.load(str(folder))  # owns the variables of the graphs
        served._graphs = dict(served._model.signatures)
        served._inputs = {name: graph.structured_input_signature[1] for name, graph in served._graphs.items()}
        return served

    def __contains__(self, name: str) -> bool:
        return name in self._inputs

    @property
    def names(self) -> tuple[str, ...]:
        """The signatures that there are."""
        return tuple(self._inputs)

    def inputs(self, name: str) -> Mapping[str, tf.TensorSpec]:
        """Returns the specification of each input of a signature."""
        return self._inputs[name]

    def __call__(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Returns what a signature answers, strings as bytes."""
        return arrays(self._ask(name, inputs))

    def step(self, name: str, state: Mapping[str, Any], **inputs: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Returns what a signature answers to a stream's next inputs, and the state after them.

        The state stays what the signature takes: making arrays of it is a quarter of a small step.
        """
        answer = self._ask(name, {**inputs, **state})
        after = {key: answer.pop(key) for key in state}
        return arrays(answer), after

    def _ask(self, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the answer as tensors, or as arrays.

        Raises:
            ConfigurationError: the graph refuses an input; see `required`.
        """
        if name not in self._graphs:
            self._graphs[name] = self._signatures[name].concrete()
        graph, kinds = self._graphs[name], self._inputs[name]
        tensors = {key: as_tensor(value, kinds[key]) for key, value in inputs.items()}
        for key, kind in kinds.items():
            if tf.is_tensor(inputs.get(key)):
                continue  # a state: the graph's own answer, and checks take a tenth of a small step
            received = tensors[key].shape if key in tensors else "nothing"
            if key not in tensors or not kind.shape.is_compatible_with(received):
                raise TypeError(f"{key}: expected a tensor of the shape {kind.shape} for {name}. Received: {received}")
        # As `graph(**tensors)`, whose own checks take the time of a small step.
        ordered = [tensors[key] for key in graph.function_type.parameters if key in kinds]  # others have a default
        try:
            return dict(graph.inference_fn.call_preflattened([*ordered, *graph.captured_inputs]))
        except tf.errors.InvalidArgumentError as error:
            if refusal := refused_by_graph(error):
                raise ConfigurationError(refusal) from None
            raise


class Stream:
    """Follows a stream by the signatures `initial_state` and `step`.

    Args:
        served: the model's signatures.
    """

    def __init__(self, served: Served) -> None:
        self._served = served
        self._state: dict[str, Any] = initial_state(served)

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        """Takes what comes next and returns the answer, without the state."""
        answer, self._state = self._served.step("step", self._state, **inputs)
        return answer


def flat(recurrent: Sequence[Sequence[tf.Tensor]], prefix: str) -> Tensors:
    """Returns the states of recurrent layers as named tensors, as a signature wants them."""
    return {
        f"{prefix}_{layer}_{part}": tensor for layer, parts in enumerate(recurrent) for part, tensor in enumerate(parts)
    }


def nested(tensors: Tensors, prefix: str, like: Sequence[Sequence[tf.Tensor]]) -> list[list[tf.Tensor]]:
    """Returns the states of recurrent layers from named tensors; the inverse of `flat`, for states like others."""
    return [[tensors[f"{prefix}_{layer}_{part}"] for part in range(len(parts))] for layer, parts in enumerate(like)]


def specifications(state: Mapping[str, tf.Tensor | np.ndarray], streams: int | None = None) -> dict[str, tf.TensorSpec]:
    """Returns the specification of the states of so many streams, None: any number, like those of tensors (…, …)."""
    return {name: tf.TensorSpec((streams, *each.shape[1:]), each.dtype) for name, each in state.items()}


def initial_state(served: Served) -> dict[str, np.ndarray]:
    """Returns the state of one stream before its first step."""
    (name,) = served.inputs("initial_state")
    return served("initial_state", **{name: [1 if name == "batch" else 0]})  # `batch`: exports before `streams`


def required(tensor: tf.Tensor, condition: tf.Tensor, message: str, received: tf.Tensor) -> tf.Tensor:
    """Returns a tensor, which a graph refuses in our words unless a condition holds.

    Args:
        tensor: what is returned.
        condition: a boolean of any shape, all of which must hold.
        message: what was expected and how to fix it, up to `Received`.
        received: what follows.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs, the condition does not hold.
    """
    assertion = tf.debugging.Assert(tf.reduce_all(condition), [message, received], summarize=10)
    with tf.control_dependencies([assertion] if assertion is not None else []):
        return tf.identity(tensor)


def for_any_batch(function: Callable[..., Tensors]) -> Callable[..., Tensors]:
    """Returns a function of tensors (batch, …) that also answers an empty batch, which not every operation takes.

    An empty batch is computed as a row of zeros, of which nothing is returned.
    """
    shared = tf.function(function, autograph=False)  # which the graphs of several signatures hold once

    def answer(**inputs: tf.Tensor) -> Tensors:
        batch = tf.shape(next(iter(inputs.values())))[0]
        missing = [0, tf.maximum(1 - batch, 0)]
        given = {name: tf.pad(each, [missing, *[[0, 0]] * (each.shape.rank - 1)]) for name, each in inputs.items()}
        return {name: tensor[:batch] for name, tensor in shared(**given).items()}

    return answer


def arrays(tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns named tensors as arrays."""
    return {name: value.numpy() if tf.is_tensor(value) else value for name, value in tensors.items()}


def as_tensor(value: Any, kind: tf.TensorSpec) -> tf.Tensor:
    tensor = value if tf.is_tensor(value) else tf.convert_to_tensor(value, kind.dtype)
    # Earlier exports take a scalar where there is now a number for each row, all the same.
    return tensor[0] if kind.shape.rank == 0 and tensor.shape.rank == 1 else tensor
