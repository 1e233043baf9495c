"""How a layer runs its loop over time: what XLA compiles, what is divided into parts, what can be derived twice."""

import logging
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Literal

import tensorflow as tf

from models.recurrence.loop import is_within_xla
from models.recurrence.parts import in_parts

# Plain loops over fewer rows than these cost as much as one over all of them.
LEAST_ROWS_OF_PLAIN_LOOPS = 16
# From here on the products of the gates, side by side on the cores, are faster than a single one in a plain graph.
LEAST_UNITS_APART = 128
# Up to here (batch · units · units) a product is so small that more operations cost more than its cores can save.
MOST_WORK_TOGETHER = 1 << 16
# Up to here Keras's loop, whose inputs are multiplied step by step, is the fastest that XLA compiles for inference.
MOST_WORK_STEP_BY_STEP = 1 << 18


class Compilation:
    """Gives a recurrent layer the arguments `jit_compile` and `differentiable_twice`.

    A compiled loop is faster, but compiling takes about a second for each shape that is met, where lengths vary for
    each power of two from 64 on, and a server may have no XLA. `"auto"` therefore compiles where a training step is
    being traced (`training=True` inside a `tf.function`) and nowhere else. `True` compiles at inference as well, in
    eager calls too; only a graph whose own inputs have no known shape, as an exported one, stays plain. `False` never
    compiles. A log message tells once that the compiler runs. `Model.compile(jit_compile=True)` compiles what `fit`,
    `evaluate` and `predict` run as a whole, whatever the layer is told. A loop that is differentiable twice is never
    compiled on its own.
    """

    def __init__(
        self,
        *args: Any,
        jit_compile: bool | Literal["auto"] = "auto",
        differentiable_twice: bool = False,
        **kwargs: Any,
    ) -> None:
        if jit_compile not in ("auto", True, False):
            raise ValueError(
                'jit_compile says whether XLA compiles the loop over time: "auto", True or False. '
                f"Received: jit_compile={jit_compile!r}."
            )
        if differentiable_twice and jit_compile is True:
            raise ValueError(
                "A loop that is differentiable twice is left to TensorFlow, and not compiled. Leave out one of both. "
                "Received: jit_compile=True, differentiable_twice=True."
            )
        super().__init__(*args, **kwargs)
        self.jit_compile, self.differentiable_twice = jit_compile, differentiable_twice

    def get_config(self) -> dict[str, Any]:
        own = {} if self.jit_compile == "auto" else {"jit_compile": self.jit_compile}
        own |= {"differentiable_twice": True} if self.differentiable_twice else {}
        return {**super().get_config(), **own}  # type: ignore[misc]

    def compiles(self, training: bool) -> bool:
        """Whether the loop that is about to run, or to be traced, is compiled."""
        if self.differentiable_twice:
            return False
        if self.jit_compile == "auto":
            compiled = bool(training) and not (tf.executing_eagerly() or self.unroll)  # type: ignore[attr-defined]
        else:
            compiled = bool(self.jit_compile) and (bool(training) or _reads_known_shapes())
        if compiled and not is_within_xla():
            _announce_compiler()
        return compiled

    def lays_gates_apart(self, compiled: bool, steps: int | None, batch: int | None, units: int) -> bool:
        """Whether each gate has a product of its own in the loop; XLA runs that fastest, and vectorises it.

        A single step would take longer to take the weights apart.
        """
        if compiled or tf.executing_eagerly():
            return compiled
        is_small = batch is not None and batch * units * units <= MOST_WORK_TOGETHER
        return is_within_xla() or (units >= LEAST_UNITS_APART and steps != 1 and not is_small)

    def multiplies_step_by_step(self, training: bool, batch: int | None, units: int) -> bool:
        """Whether Keras's loop runs in place of ours: in small inference that the user compiles as a whole."""
        return (
            is_within_xla() and not training and batch is not None and batch * units * units <= MOST_WORK_STEP_BY_STEP
        )

    def divided(self, compiled: bool, training: bool, steps: int | None) -> Callable[..., Any]:
        """Returns what calls the loop, `function, *arguments`, once for each part of the batch, or for all of it.

        Inference in a plain graph is divided where it is run by the machine that traces it, not in an export.
        """
        if compiled:
            return in_parts
        if training or steps == 1 or tf.executing_eagerly() or is_within_xla() or not _reads_known_shapes():
            return lambda function, *arguments: function(*arguments)
        return partial(in_parts, least_rows=LEAST_ROWS_OF_PLAIN_LOOPS)


@cache
def _announce_compiler() -> None:
    """Tells the user, once in a process, what the first steps of a training wait for."""
    logging.getLogger("models").warning(
        "XLA compiles the loops over time of recurrent layers. The first step takes some seconds longer for it, and so "
        "does the first step of each new shape; later steps are faster. Layers with jit_compile=False do not wait."
    )


def _reads_known_shapes() -> bool:
    """Whether all inputs of the outermost graph that is being traced have known shapes.

    `Model.predict` reads its data inside of its graph. What is called eagerly has a shape.
    """
    return all(tensor.shape.is_fully_defined() for tensor in _inputs())


def _inputs() -> Sequence[tf.Tensor]:
    """The inputs of the outermost graph that is being traced."""
    graph = tf.compat.v1.get_default_graph()
    while hasattr(getattr(graph, "outer_graph", None), "outer_graph"):
        graph = graph.outer_graph
    return getattr(graph, "inputs", ())
