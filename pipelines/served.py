"""A model as a set of signatures: named tensors in, named tensors out.

A predictor asks signatures and does not know whether they belong to a network in memory or to an exported
SavedModel. So both give the same answers.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

Tensors = dict[str, tf.Tensor]


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
        return tf.function(self.function).get_concrete_function(**named)


class Served:
    """The signatures of a model, ready to be asked with NumPy arrays.

    Args:
        signatures: of a network in memory; each is traced when it is asked for the first time.

    Example:
        >>> twice = Signature(lambda value: {"twice": 2 * value}, {"value": tf.TensorSpec([None])})
        >>> Served({"serving_default": twice})("serving_default", value=[1.5])["twice"]
        array([3.], dtype=float32)
    """

    def __init__(self, signatures: Mapping[str, Signature]) -> None:
        self._signatures = signatures
        self._graphs: dict[str, Any] = {}
        self._inputs = {name: signature.inputs for name, signature in signatures.items()}
        self._model: Any = None

    @classmethod
    def exported(cls, folder: Path) -> "Served":
        """Returns the signatures of a SavedModel."""
        served = cls({})
        served._model = tf.saved_model.load(str(folder))  # owns the variables of the graphs
        served._graphs = dict(served._model.signatures)
        served._inputs = {name: graph.structured_input_signature[1] for name, graph in served._graphs.items()}
        return served

    def __contains__(self, name: str) -> bool:
        return name in self._inputs

    def inputs(self, name: str) -> Mapping[str, tf.TensorSpec]:
        """Returns the specification of each input of a signature."""
        return self._inputs[name]

    def __call__(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Returns what a signature answers, strings as bytes."""
        if name not in self._graphs:
            self._graphs[name] = self._signatures[name].concrete()
        kinds = self._inputs[name]
        tensors = {key: tf.convert_to_tensor(value, kinds[key].dtype) for key, value in inputs.items()}
        return {key: value.numpy() for key, value in self._graphs[name](**tensors).items()}


class Stream:
    """Follows a stream by the signatures `initial_state` and `step`.

    Args:
        served: the model's signatures.
        start: the inputs of `initial_state`.
    """

    def __init__(self, served: Served, **start: Any) -> None:
        self._served = served
        self._state = served("initial_state", **start)

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        """Takes what comes next and returns the answer, without the state."""
        answer = self._served("step", **inputs, **self._state)
        self._state = {name: answer.pop(name) for name in self._state}
        return answer
