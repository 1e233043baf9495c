"""Which loops over time XLA compiles: the rule, and the argument that overrules it."""

from typing import Any, Literal

import tensorflow as tf
from tensorflow.python.ops import control_flow_util


class Compilation:
    """Gives a recurrent layer the argument `jit_compile`.

    A compiled loop is faster, but compiling takes about a second for each shape that is met, and a server may have no
    XLA. `"auto"` therefore compiles where a training step is being traced (`training=True` inside a `tf.function`) and
    nowhere else. `True` compiles at inference as well, in eager calls too; only a graph whose own inputs have no known
    shape, as an exported one, stays plain. `False` never compiles. `Model.compile(jit_compile=True)` compiles what
    `fit`, `evaluate` and `predict` run as a whole, whatever the layer is told.
    """

    def __init__(self, *args: Any, jit_compile: bool | Literal["auto"] = "auto", **kwargs: Any) -> None:
        if jit_compile not in ("auto", True, False):
            raise ValueError(
                'jit_compile says whether XLA compiles the loop over time: "auto", True or False. '
                f"Received: jit_compile={jit_compile!r}."
            )
        super().__init__(*args, **kwargs)
        self.jit_compile = jit_compile

    def get_config(self) -> dict[str, Any]:
        own = {} if self.jit_compile == "auto" else {"jit_compile": self.jit_compile}
        return {**super().get_config(), **own}  # type: ignore[misc]

    def compiles(self, training: bool) -> bool:
        """Whether the loop that is about to run, or to be traced, is compiled."""
        if self.jit_compile == "auto":
            return bool(training) and not tf.executing_eagerly()
        return bool(self.jit_compile) and (bool(training) or _reads_known_shapes())


def within_xla() -> bool:
    """Whether the graph that is being traced is one that the user compiles as a whole."""
    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def _reads_known_shapes() -> bool:
    """Whether all inputs of the outermost graph that is being traced have known shapes.

    `Model.predict` reads its data inside of its graph. What is called eagerly has a shape.
    """
    graph = tf.compat.v1.get_default_graph()
    while hasattr(getattr(graph, "outer_graph", None), "outer_graph"):
        graph = graph.outer_graph
    return all(tensor.shape.is_fully_defined() for tensor in getattr(graph, "inputs", ()))
