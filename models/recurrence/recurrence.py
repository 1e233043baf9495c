"""What a recurrence is: a pure step, the gradient of that step, and the gradient of its weights."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import tensorflow as tf


class Weights(NamedTuple):
    """What multiplies and shifts the hidden state.

    `kernels` are matrices (units, units), one for each gate, or a single one (units, gates · units) that holds them
    side by side; `biases`, vectors, likewise, or none. In `Recurrence.step_gradient` kernels are apart and transposed.
    """

    kernels: Sequence[tf.Tensor]
    biases: Sequence[tf.Tensor] = ()

    def product(self, hidden: tf.Tensor) -> Sequence[tf.Tensor]:
        """The hidden state (batch, units) times each kernel, plus its bias."""
        products = [tf.matmul(hidden, kernel) for kernel in self.kernels]
        if not self.biases:
            return products
        return [product + bias for product, bias in zip(products, self.biases, strict=True)]

    def product_gradient(self, gradients: Sequence[tf.Tensor]) -> tf.Tensor:
        """The gradient of the hidden state from those of the products; the kernels are apart and transposed."""
        pairs = zip(gradients, self.kernels, strict=True)
        return tf.add_n([tf.matmul(gradient, kernel) for gradient, kernel in pairs])


class Recurrence(Protocol):
    """One recurrence, of so many `gates`, whose step saves so many tensors (batch, units) for its gradient.

    A state is a named tuple of tensors (batch, units) whose first field is `hidden`, the layer's output. Projected
    inputs are laid out as the kernels are, gates apart or side by side; gradients are always apart.
    """

    state_type: ClassVar[Any]
    gates: ClassVar[int]
    saved: ClassVar[int]

    def step(
        self, projected: Sequence[tf.Tensor], state: Any, weights: Weights, dropout: tf.Tensor | None
    ) -> tuple[Any, Sequence[tf.Tensor]]:
        """Returns the new state and what `step_gradient` will need."""

    def step_gradient(
        self,
        gradient: Any,
        saved: Sequence[tf.Tensor],
        state: Any,
        new_state: Any,
        weights: Weights,
        dropout: tf.Tensor | None,
    ) -> tuple[Sequence[tf.Tensor], Any]:
        """Returns the gradients of the projected input and of the state before the step."""

    def products(
        self, gradient: Sequence[tf.Tensor], saved: Sequence[tf.Tensor], hidden: tf.Tensor
    ) -> tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]]:
        """Returns what each kernel multiplied at every step, and the gradients of these products.

        `gradient` is that of the projected input; `hidden` is the hidden state before each step, dropout applied. All
        tensors are (time, batch, units).
        """


def gates_apart(tensors: Sequence[tf.Tensor], gates: int) -> Sequence[tf.Tensor]:
    """One tensor for each gate, from these or from a single one that holds all gates side by side in its last axis."""
    return tensors if len(tensors) == gates else tf.split(tensors[0], gates, axis=-1)
