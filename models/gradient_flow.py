"""Vanishing and exploding gradients, seen: the norm of the gradient that reaches each time step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONVOLUTIONAL = keras.layers.ConvLSTM1D, keras.layers.ConvLSTM2D, keras.layers.ConvLSTM3D
SHOWN_STEPS = ("first", "middle", "last")


def gradient_norms(layer: keras.layers.RNN, loss: Callable[..., tf.Tensor], *arguments: Any) -> tf.Tensor:
    """Returns how strongly the loss depends on the state of a recurrent layer at each time step.

    With s_t the state after step t, all its fields (h_t, and c_t of an LSTM), over the whole batch,

        n_t = ‖∂L / ∂s_t‖

    through all later steps and through the output of step t. Where n_t falls towards the first step, training cannot
    see what happened there: the gradient vanishes; where it grows, it explodes (Bengio et al. 1994,
    https://doi.org/10.1109/72.279181; Pascanu et al. 2013, https://arxiv.org/abs/1211.5063).

    The layer runs step by step, as in inference, without dropout. Called once this runs as it is; called often,
    compile it: `tf.function(gradient_norms)`. The loss must not be compiled itself.

    Args:
        layer: `SimpleRNN`, `LSTM`, `GRU`, `MinGRU`, `MinLSTM`, one of Keras's or of a `Stack`; of a bidirectional layer
            take one direction, such as `layer.forward_layer`. It must be built.
        loss: `loss(*arguments)` calls the layer once, alone or inside a model, and returns the loss, a scalar.
        *arguments: of the loss.

    Returns:
        Norms (time,), float64; 0 where the layer's precision holds nothing smaller. A step of padding passes the state
        on, and with it the gradient.

    Raises:
        ValueError: a layer that cannot be watched; a loss that is no scalar, or does not call it exactly once.

    Example:
        A state that is halved at every step lets half of the gradient through:

        >>> import keras, tensorflow as tf
        >>> from models import SimpleRNN
        >>> from models.gradient_flow import gradient_norms
        >>> layer = SimpleRNN(1, activation="linear", recurrent_initializer=keras.initializers.Constant(0.5))
        >>> layer.build((None, None, 1))
        >>> gradient_norms(layer, lambda inputs: tf.reduce_sum(layer(inputs)), tf.ones((1, 4, 1))).numpy().tolist()
        [0.125, 0.25, 0.5, 1.0]
    """
    _check_layer(layer)
    with tf.GradientTape() as tape, _stepwise(layer, tape) as nudges:
        value = loss(*arguments)
    if len(nudges) != 1:
        raise ValueError(_compiled_loss(layer, f"{len(nudges)} calls"))
    if value.shape.rank != 0:
        raise ValueError(f"The loss is one number, such as a mean over the batch. Received: shape {value.shape}.")
    # Zeros added to the states: their gradients are those of the states.
    gradients = tape.gradient(value, nudges[0], unconnected_gradients="zero")  # (time, batch, units) each
    # The square of a small float32 would be zero.
    squares = [tf.reduce_sum(tf.square(tf.cast(gradient, tf.float64)), axis=(1, 2)) for gradient in gradients]
    norms = tf.sqrt(tf.add_n(squares))  # (time,)
    return norms[::-1] if layer.go_backwards else norms


@contextmanager
def _stepwise(layer: keras.layers.RNN, tape: tf.GradientTape) -> Iterator[list[tuple[tf.Tensor, ...]]]:
    """Makes the layer run step by step, adding zeros to every state; yields these zeros, one tuple for each call."""
    whole, return_state = layer.call, layer.return_state
    graph = tf.compat.v1.get_default_graph()
    nudges: list[tuple[tf.Tensor, ...]] = []

    def call(sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        if tf.compat.v1.get_default_graph() is not graph:
            raise ValueError(_compiled_loss(layer, "a call while a tf.function was traced"))
        batch = tf.shape(sequences)[0]
        initial = layer.get_initial_state(batch) if initial_state is None else initial_state
        initial = tuple(initial) if isinstance(initial, list | tuple) else (initial,)
        counts = tf.ones_like(sequences[..., 0], tf.bool) if mask is None else tf.cast(mask, tf.bool)
        if layer.go_backwards:
            sequences, counts = tf.reverse(sequences, [1]), tf.reverse(counts, [1])
        steps = tf.shape(sequences)[1]
        zeros = tuple(tf.zeros((steps, *tf.unstack(tf.shape(state))), state.dtype) for state in initial)
        zeros = tuple(tf.ensure_shape(z, (None, *state.shape)) for z, state in zip(zeros, initial, strict=True))
        tape.watch(zeros)
        nudges.append(zeros)

        def step(state: tuple[tf.Tensor, ...], elements: Any) -> tuple[tf.Tensor, ...]:
            inputs, counts, added = elements
            _, *after = whole(inputs[:, tf.newaxis], initial_state=list(state), mask=counts[:, tf.newaxis])
            return tuple(field + zero for field, zero in zip(after, added, strict=True))

        elements = tf.transpose(sequences, (1, 0, 2)), tf.transpose(counts), zeros
        layer.return_state = True
        states = tf.scan(step, elements, initial)  # (time, batch, units) each
        layer.return_state = return_state
        hidden = tf.transpose(states[0], (1, 0, 2))
        if mask is not None:  # The output, unlike the state, is zero before the first step that counts.
            if not layer.zero_output_for_mask:
                counts = tf.cumsum(tf.cast(counts, tf.int32), axis=1) > 0
            hidden = tf.where(counts[..., tf.newaxis], hidden, tf.zeros_like(hidden))
        output = hidden if layer.return_sequences else hidden[:, -1]
        return (output, *(field[-1] for field in states)) if return_state else output

    layer.call = call
    try:
        yield nudges
    finally:
        del layer.call
        layer.return_state = return_state


def _compiled_loss(layer: Any, received: str) -> str:
    return (
        f"The loss must call {layer.name} once, and not be compiled before: pass the model's call rather than a "
        f"tf.function or model.predict. Received: {received}."
    )


def _check_layer(layer: Any) -> None:
    of_vectors = isinstance(layer, keras.layers.RNN) and not isinstance(layer, CONVOLUTIONAL)
    if not of_vectors or not layer.built or layer.stateful:
        received = f"{type(layer).__name__}, built={getattr(layer, 'built', None)}"
        raise ValueError(
            "What is watched is one recurrent layer, built and not stateful: of a model the layer itself, of a Stack "
            "one of stack.recurrent, of a bidirectional layer its forward_layer or backward_layer. "
            f"Received: {received}, stateful={getattr(layer, 'stateful', None)}."
        )


class Record(NamedTuple):
    """The `norms` (time,) before training step `step`, counted from 0."""

    step: int
    norms: np.ndarray


class GradientFlow(keras.callbacks.Callback):
    """Records in `fit`, every so many steps, the norm of the gradient that reaches each time step.

    See `gradient_norms`; the loss is the model's own. A record takes as long as three to nine training steps on as many
    rows, so that one in a hundred steps costs less than a tenth; with fewer rows than a training step has, less.

    Args:
        layer: the recurrent layer to watch.
        batch: `(inputs, targets)` or `(inputs, targets, sample_weights)`, always the same: some rows suffice. Weights
            that are zero but at the last steps show what reaches the first from there.
        every: training steps between records; default 100. One is made before the first step and one after the last.
        log_directory: for TensorBoard: `gradient_norm/first`, `middle` and `last`, of the steps of time; default: none.

    What it recorded is in `records`, a list of `Record`.

    Example:
        >>> import keras, numpy as np
        >>> from models import GRU
        >>> from models.gradient_flow import GradientFlow
        >>> model = keras.Sequential([keras.Input((5, 2)), GRU(3), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> x, y = np.ones((8, 5, 2), "float32"), np.ones((8, 1), "float32")
        >>> flow = GradientFlow(model.layers[0], (x[:4], y[:4]), every=2)
        >>> _ = model.fit(x, y, batch_size=2, verbose=0, callbacks=[flow])
        >>> [(record.step, record.norms.shape) for record in flow.records]
        [(0, (5,)), (2, (5,)), (4, (5,))]
    """

    def __init__(self, layer: keras.layers.RNN, batch: Any, every: int = 100, log_directory: str | None = None):
        super().__init__()
        if every < 1:
            raise ValueError(f"Records are made every so many steps, at least 1. Received: every={every!r}.")
        self.layer, self.every, self.records = layer, every, list[Record]()
        self.batch = keras.utils.unpack_x_y_sample_weight(batch)
        self._writer = tf.summary.create_file_writer(log_directory) if log_directory else None
        self._first_iteration: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._measure = tf.function(lambda: gradient_norms(self.layer, self._loss, *self.batch), autograph=False)
        if self._first_iteration is None:
            self._first_iteration = int(self.model.optimizer.iterations)
        self._record(self._step())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self._step()  # several more than before, with `steps_per_execution`
        if step // self.every > self.records[-1].step // self.every:
            self._record(step)

    def on_train_end(self, logs: Any = None) -> None:
        self._record(self._step())

    def _step(self) -> int:
        return int(self.model.optimizer.iterations) - (self._first_iteration or 0)

    def _loss(self, inputs: Any, targets: Any, weights: Any) -> tf.Tensor:
        predicted = self.model(inputs, training=False)
        return self.model.compute_loss(inputs, targets, predicted, weights, training=False)

    def _record(self, step: int) -> None:
        if self.records and self.records[-1].step == step:
            return
        # The loss of each output is one of the model's metrics, to which ours must not be added.
        counted = [(variable, variable.numpy()) for metric in self.model.metrics for variable in metric.variables]
        norms = self._measure().numpy()
        for variable, value in counted:
            variable.assign(value)
        self.records.append(Record(step, norms))
        if self._writer and len(norms):
            with self._writer.as_default(step=step):
                for name, norm in zip(SHOWN_STEPS, norms[[0, len(norms) // 2, -1]], strict=True):
                    tf.summary.scalar(f"gradient_norm/{name}", norm)
            self._writer.flush()

    def figure(self) -> "Figure":
        """Draws all records, from dark to bright, over the steps of time.

        Raises:
            ValueError: there are none.
            ModuleNotFoundError: Matplotlib is not installed; the layers do without it.
        """
        from matplotlib import colormaps
        from matplotlib.figure import Figure

        if not self.records:
            raise ValueError(
                "Nothing is recorded yet. Hand the callback to fit(callbacks=[…]) first. Received: no records."
            )
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        last = max(self.records[-1].step, 1)
        for step, norms in self.records:
            at = np.arange(1, len(norms) + 1)
            axes.plot(at, np.where(norms > 0, norms, np.nan), color=colormaps["viridis"](0.9 * step / last), label=step)
        axes.set(yscale="log", xlabel="step of time", ylabel="norm of the gradient")
        axes.grid(alpha=0.3)
        if len(self.records) <= 10:
            axes.legend(title="training step")
        return figure
