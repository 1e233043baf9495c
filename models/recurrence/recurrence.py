"""What a recurrence is: a pure step, the gradient of that step, and the gradient of its weights."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import tensorflow as tf

from models.recurrence.normalization import Groups, normalize, normalize_gradient


class Weights(NamedTuple):
    """What multiplies, normalises and shifts the hidden state, and what else a recurrence may have.

    `kernels` are matrices (hidden, units), one for each gate, or a single one (hidden, gates · units) that holds them
    side by side; `biases`, vectors, likewise, or none. In `Recurrence.step_gradient` kernels are apart and transposed.

    With `gains`, the products are normalised: a vector (units) for each gate, in groups that are normalised together.
    `peepholes`, `cell_norm` and `projection` are those of `ExtendedLSTMRecurrence`.
    """

    kernels: Sequence[tf.Tensor]
    biases: Sequence[tf.Tensor] = ()
    gains: Groups = ()
    peepholes: Sequence[tf.Tensor] = ()
    cell_norm: Sequence[tf.Tensor] = ()
    projection: Sequence[tf.Tensor] = ()

    @property
    def kept(self) -> int:
        """How many tensors (batch, units) the gradient of a product needs."""
        return sum(map(len, self.gains))

    def product(self, hidden: tf.Tensor) -> tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]]:
        """The hidden state times each kernel, normalised, plus its bias; and what is kept for the gradient."""
        products: Sequence[tf.Tensor] = [tf.matmul(hidden, kernel) for kernel in self.kernels]
        kept: Sequence[tf.Tensor] = ()
        if self.gains:
            kept = gates_apart(products, self.kept)
            products = normalize(kept, self.gains)
        if self.biases:
            biases = gates_apart(self.biases, len(products))
            products = [product + bias for product, bias in zip(products, biases, strict=True)]
        return products, kept

    def product_gradient(self, gradients: Sequence[tf.Tensor], kept: Sequence[tf.Tensor]) -> tf.Tensor:
        """The gradient of the hidden state from those of `product`; the kernels are apart and transposed."""
        pairs = zip(self.before_normalization(gradients, kept), self.kernels, strict=True)
        return tf.add_n([tf.matmul(gradient, kernel) for gradient, kernel in pairs])

    def before_normalization(self, gradients: Sequence[tf.Tensor], kept: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        """The gradients of the hidden state times each kernel, from those of `product`."""
        return normalize_gradient(gradients, kept, self.gains) if self.gains else gradients

    def transposed(self, gates: int) -> "Weights":
        """With matrices as `Recurrence.step_gradient` wants them."""
        kernels = gates_apart(self.kernels, gates)
        return self._replace(
            kernels=tuple(map(tf.transpose, kernels)), projection=tuple(map(tf.transpose, self.projection))
        )


class Recurrence(Protocol):
    """One recurrence, of so many `gates`, whose step saves so many tensors (batch, units) for its gradient.

    A state is a named tuple of tensors (batch, units) whose first field is `hidden`, the layer's output. Projected
    inputs are laid out as the kernels are, gates apart or side by side; gradients are always apart. After what it
    saves, a step appends what `Weights.product` kept. Layer normalisation takes the gates of each of the `groups`
    together, which have so many gates.
    """

    state_type: ClassVar[Any]
    gates: ClassVar[int]
    saved: ClassVar[int]
    groups: ClassVar[Any]

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
        """Returns the gradients of the projected input and of the state before the step.

        `new_state` is what `step` returned.
        """

    def products(
        self, gradient: Sequence[tf.Tensor], saved: Sequence[tf.Tensor], hidden: tf.Tensor
    ) -> tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]]:
        """Returns what each kernel multiplied at every step, and the gradients of `Weights.product`.

        `gradient` is that of the projected input; `hidden` is the hidden state before each step, dropout applied. All
        tensors are (time, batch, units).
        """


@runtime_checkable
class ExtendedRecurrence(Recurrence, Protocol):
    """A recurrence that has more weights than kernels, biases and gains.

    Its `step_gradient` returns, after the gradients of the gates, that of the new hidden state as it was given.
    """

    def other_gradients(
        self, gradient: Sequence[tf.Tensor], saved: Sequence[tf.Tensor], state: Any, new_state: Any, weights: Weights
    ) -> dict[str, Sequence[tf.Tensor]]:
        """Returns the gradients of the further fields of `Weights`.

        `gradient` is all that `step_gradient` returned; all tensors are (time, batch, units).
        """


def gates_apart(tensors: Sequence[tf.Tensor], gates: int) -> Sequence[tf.Tensor]:
    """One tensor for each gate, from these or from a single one that holds all gates side by side in its last axis."""
    return tensors if len(tensors) == gates else tf.split(tensors[0], gates, axis=-1)
