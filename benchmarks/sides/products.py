"""The matrix products of a layer alone, without biases, gates, states or stored results: the limit of its speed.

The products over all time steps at once are one product each; those of the loop are taken one after the other, each
reading what the one before it wrote, as in the layer.
"""

from collections.abc import Callable, Mapping
from functools import partial

import tensorflow as tf

from benchmarks.sides import Call
from benchmarks.workload import GATES, TRAINING, USES, Workload


def open_side(name: str) -> "Products":
    return Products()


class Products:
    """The products in one XLA function, and inside a plain graph with the loop compiled for each half of the batch.

    One time step needs no loop: its two products are in the plain graph. MinGRU has no product in its loop, and is
    left out.
    """

    def about(self) -> dict[str, str]:
        return {"tensorflow": tf.__version__}

    def variants(self, workload: Workload) -> Mapping[str, Callable[[], Call]]:
        if workload.layer not in GATES or workload.kind in USES:
            return {}
        parts = 1 if workload.case.batch % 2 or workload.steps == 1 else 2
        return {
            "XLA": partial(self._build, workload, jit_compile=True),
            "loop per core" if parts > 1 else "graph": partial(self._build, workload, parts=parts),
        }

    def _build(self, workload: Workload, jit_compile: bool = False, parts: int = 1) -> Call:
        case, gates = workload.case, GATES[workload.layer] * workload.case.units
        tf.random.set_seed(0)

        def random(*shape: int) -> tf.Tensor:
            return tf.cast(tf.random.normal(shape), workload.precision)

        rows = case.batch * workload.steps
        sequences, hidden = random(rows, case.inputs), random(rows, case.units)
        kernel = random(case.inputs, gates)
        # So scaled that the state neither vanishes nor explodes: vanishing numbers are slow to multiply.
        recurrent = random(case.units, gates) * tf.cast(case.units**-0.5, workload.precision)
        state, gradient = random(case.batch, gates), random(case.batch, gates)
        forward = partial(_forward_loop, steps=workload.steps)
        backward = partial(_backward_loop, steps=workload.steps)
        if workload.steps > 1 and not jit_compile:
            forward, backward = (tf.function(loop, jit_compile=True, autograph=False) for loop in (forward, backward))

        def run(sequences: tf.Tensor, hidden: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor) -> list[tf.Tensor]:
            projected = sequences @ kernel  # (time · batch, gates · units)
            results = [projected, *(forward(part, recurrent) for part in tf.split(state, parts))]
            if workload.kind == TRAINING:
                transposed = tf.transpose(recurrent)
                results += [backward(part, transposed) for part in tf.split(gradient, parts)]
                results += [
                    tf.matmul(projected, kernel, transpose_b=True),
                    tf.matmul(sequences, projected, transpose_a=True),
                    tf.matmul(hidden, projected, transpose_a=True),
                ]
            return results

        compiled = tf.function(run, jit_compile=jit_compile, autograph=False)
        return partial(compiled, sequences, hidden, kernel, recurrent)


def _forward_loop(state: tf.Tensor, recurrent: tf.Tensor, steps: int) -> tf.Tensor:
    """Multiplies the first units of a state (batch, gates · units), `steps` times."""
    units = recurrent.shape[0]

    if steps == 1:
        return state[:, :units] @ recurrent

    def body(time: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return time + 1, state[:, :units] @ recurrent

    return tf.while_loop(lambda time, _: time < steps, body, (0, state), maximum_iterations=steps)[1]


def _backward_loop(gradient: tf.Tensor, transposed: tf.Tensor, steps: int) -> tf.Tensor:
    """Multiplies a gradient (batch, gates · units), `steps` times; the result takes the place of its first units."""
    units = transposed.shape[1]

    def body(time: tf.Tensor, gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        product = gradient @ transposed  # (batch, units)
        return time + 1, tf.concat([product, gradient[:, units:]], axis=1)

    return tf.while_loop(lambda time, _: time < steps, body, (0, gradient), maximum_iterations=steps)[1]
