"""What `SimpleRNN`, `LSTM` and `GRU` offer beyond the layers of Keras, and the weights that this takes."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from inspect import Parameter, Signature, signature
from typing import Any, ClassVar

import keras
import tensorflow as tf

from models.layers.checks import check_share, check_width
from models.recurrence import Recurrence
from models.recurrence.activations import ACTIVATIONS
from models.recurrence.normalization import Groups, grouped


@dataclass(frozen=True)
class Options:
    """The options of a layer, as described there."""

    layer_normalization: bool = False
    zoneout: Any = 0.0
    weight_dropout: float = 0.0
    trainable_initial_state: bool = False
    peepholes: bool = False
    projection: int | None = None

    def config(self) -> dict[str, Any]:
        """The options that are in use: a layer without any has the configuration of Keras's."""
        default = asdict(Options())
        return {name: value for name, value in asdict(self).items() if value != default[name]}

    def zoneout_rates(self, states: int) -> list[float]:
        """The rate of each field of the state."""
        return list(self.zoneout) if isinstance(self.zoneout, list | tuple) else [self.zoneout] * states


class _Cell(keras.layers.Layer):
    """A cell of Keras with the weights of the options, after its own; the step is that of the layer's recurrence."""

    options: Options
    gates: ClassVar[int]

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if self.options.layer_normalization:  # of the input's and of the state's product
            self.gain = self.add_weight(name="gain", shape=(2, self.gates * self.units), initializer="ones")
        if self.options.trainable_initial_state:
            names = ("initial_hidden", "initial_cell")[: len(self.widths)]
            self.initial = [
                self.add_weight(name=name, shape=(width,), initializer="zeros")
                for name, width in zip(names, self.widths, strict=True)
            ]

    def call(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(
            "The cell of a layer with options computes nothing without the layer. In place of "
            "`keras.layers.RNN(layer.cell)`, call the layer on one step at a time, with `return_state=True`. "
            f"Received: {self.options.config()}."
        )

    @property
    def widths(self) -> list[int]:
        """The width of each field of the state."""
        return self.state_size if isinstance(self.state_size, list) else [self.state_size]

    def get_initial_state(self, batch_size: Any = None) -> list[tf.Tensor]:
        if not (self.options.trainable_initial_state and self.built):  # zeros at first
            return super().get_initial_state(batch_size)
        initial = (tf.cast(tf.convert_to_tensor(vector), self.compute_dtype) for vector in self.initial)
        return [tf.broadcast_to(vector, (batch_size, vector.shape[0])) for vector in initial]


class _SimpleRNNCell(_Cell, keras.layers.SimpleRNNCell):
    gates = 1


class _GRUCell(_Cell, keras.layers.GRUCell):
    gates = 3


class _LSTMCell(_Cell, keras.layers.LSTMCell):
    gates = 4

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if self.options.layer_normalization:
            self.cell_gain = self.add_weight(name="cell_gain", shape=(self.units,), initializer="ones")
            self.cell_bias = self.add_weight(name="cell_bias", shape=(self.units,), initializer="zeros")
        if self.options.peepholes:  # of the input, the forget and the output gate
            self.peepholes = self.add_weight(name="peepholes", shape=(3, self.units), initializer="zeros")
        if self.options.projection:  # with the recurrent kernel one path from memory to gates: made and kept like it
            self.projection = self.add_weight(
                name="projection",
                shape=(self.units, self.options.projection),
                initializer=self.recurrent_initializer,
                regularizer=self.recurrent_regularizer,
                constraint=self.recurrent_constraint,
            )

    def add_weight(self, shape: Any = None, *arguments: Any, **keywords: Any) -> Any:
        if keywords.get("name") == "recurrent_kernel":  # which Keras makes for a state as wide as the gates
            shape = (self.widths[0], shape[1])
        return super().add_weight(shape, *arguments, **keywords)


_CELLS = {
    keras.layers.SimpleRNNCell: _SimpleRNNCell,
    keras.layers.LSTMCell: _LSTMCell,
    keras.layers.GRUCell: _GRUCell,
}


class WithOptions(keras.layers.RNN):
    """Stands between a layer of Keras and `keras.layers.RNN`: takes the options, and gives the cell their weights."""

    def __init__(self, cell: Any, options: Options, **keywords: Any):
        _check(type(self).__name__, options, cell, keywords)
        if options != Options():
            cell = _CELLS[type(cell)].from_config(cell.get_config())
            cell.options = options
            if options.projection:
                cell.state_size, cell.output_size = [options.projection, cell.units], options.projection
        super().__init__(cell, **keywords)
        self.options = options

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.options.config()}

    def recurrent_kernel(self, training: bool) -> tf.Tensor:
        """The recurrent kernel, some of whose elements are dropped in training."""
        kernel, rate = tf.convert_to_tensor(self.cell.recurrent_kernel), self.options.weight_dropout
        return keras.random.dropout(kernel, rate, seed=self.cell.seed_generator) if training and rate else kernel

    def zoneout_shares(self, sequences: tf.Tensor, state: Any, training: bool) -> list[tf.Tensor] | None:
        """For each field of the state which units (batch, time, units) a step renews, or how much of all of them."""
        rates = self.options.zoneout_rates(len(state))
        if not any(rates):
            return None
        known = zip(sequences.shape[:2], tf.unstack(tf.shape(sequences)[:2]), strict=True)
        batch, time = (its if its is not None else dynamic for its, dynamic in known)
        if not training:  # the expectation
            return [tf.fill((batch, time, 1), tf.constant(1 - rate, state.hidden.dtype)) for rate in rates]

        def renewed(field: tf.Tensor, rate: float) -> tf.Tensor:
            chance = keras.random.uniform((batch, time, field.shape[1]), seed=self.cell.seed_generator)
            return tf.ensure_shape(chance >= rate, (None, None, field.shape[1]))

        return [renewed(field, rate) for field, rate in zip(state, rates, strict=True)]

    def option_weights(self, recurrence: Recurrence, dtype: tf.DType) -> tuple[Groups, dict[str, Any]]:
        """The gains of the projected input, and the further fields of `Weights`."""
        cell, options = self.cell, self.options
        input_gains: Groups = ()
        found: dict[str, Any] = {}

        def tensor(weight: Any) -> tf.Tensor:
            return tf.cast(tf.convert_to_tensor(weight), dtype)

        if options.layer_normalization:
            input_gains, found["gains"] = (
                grouped(tf.split(gain, recurrence.gates), recurrence.groups) for gain in tf.unstack(tensor(cell.gain))
            )
            if hasattr(cell, "cell_gain"):
                found["cell_norm"] = tensor(cell.cell_gain), tensor(cell.cell_bias)
        if options.peepholes:
            found["peepholes"] = tf.unstack(tensor(cell.peepholes))
        if options.projection:
            found["projection"] = (tensor(cell.projection),)
        return input_gains, found


def activation_name(activation: Any) -> str:
    """The name of a stock activation of Keras; "" for anything else, also where only the name agrees."""
    name = getattr(activation, "__name__", "")
    return name if getattr(keras.activations, name, None) is activation else ""


def is_scannable(cell: Any) -> bool:
    """Whether the cell has activations with which the scan can go."""
    activations = {cell.activation, getattr(cell, "recurrent_activation", cell.activation)}
    return all(activation_name(activation) in ACTIVATIONS for activation in activations)


def with_arguments_of(layer: type[Any]) -> Callable[[Any], Any]:
    """Shows tools and readers all arguments of a constructor: those of Keras's layer instead of `*arguments`."""

    def decorate(constructor: Any) -> Any:
        options = [its for its in signature(constructor).parameters.values() if its.kind is Parameter.KEYWORD_ONLY]
        *arguments, keywords = signature(layer.__init__).parameters.values()
        constructor.__signature__ = Signature([*arguments, *options, keywords])
        return constructor

    return decorate


def _check(layer: str, options: Options, cell: Any, keywords: dict[str, Any]) -> None:
    """Raises `ValueError` where an option is out of range, or does not go together with another argument."""
    if foreign := [field.name for field in fields(Options) if field.name in keywords]:
        raise ValueError(
            f"`{foreign[0]}` means nothing to {layer}: it belongs to LSTM, whose memory and output are two things. "
            f"Leave it out, or use LSTM. Received: {foreign[0]}={keywords[foreign[0]]!r}."
        )
    states = len(cell.state_size) if isinstance(cell.state_size, list) else 1
    rates = options.zoneout_rates(states)
    if len(rates) != states:
        raise ValueError(
            f"The zoneout of {layer} is one rate{' or two, of hidden and cell' if states == 2 else ''}. "
            f"Received: zoneout={options.zoneout!r}."
        )
    for rate in rates:
        check_share(layer, "zoneout", rate, "units that keep their old value")
    check_share(layer, "weight_dropout", options.weight_dropout, "recurrent weights that are dropped")
    if options.projection is not None:
        check_width(layer, "projection", options.projection, "output")
        if options.projection >= cell.units:
            raise ValueError(
                f"The projection of {layer} makes its output narrower than its memory: less than {cell.units} was "
                f"expected. Leave it out, or take more units. Received: projection={options.projection}."
            )
    if options.trainable_initial_state and keywords.get("stateful"):
        raise ValueError(
            f"A stateful {layer} starts where the last batch ended, so that there is no initial state to train. Leave "
            "out one of both options. Received: trainable_initial_state=True, stateful=True."
        )
    if options.layer_normalization and not getattr(cell, "reset_after", True):
        raise ValueError(
            f"Layer normalisation of {layer} is defined for the reset gate after the recurrent product. Leave out one "
            "of both options. Received: layer_normalization=True, reset_after=False."
        )
    if options != Options() and not is_scannable(cell):
        raise ValueError(
            f"With other activations than {', '.join(ACTIVATIONS)}, {layer} runs on the loop of Keras, which has no "
            f"such options. Use one of these activations, or leave the options out. Received: {options.config()}."
        )
