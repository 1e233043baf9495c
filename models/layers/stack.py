"""`Stack`: recurrent layers on top of each other, from one description, with one state."""

from typing import Any

import keras
import tensorflow as tf

from models.layers.checks import check_shape, check_share, checked_mask, without_ragged
from models.layers.minimal import MinGRU, MinLSTM
from models.layers.recurrent import GRU, LSTM, SimpleRNN

LAYERS = {"simple_rnn": SimpleRNN, "lstm": LSTM, "gru": GRU, "min_gru": MinGRU, "min_lstm": MinLSTM}
NORMALIZATIONS = (None, "layer")
# What the stack decides for its layers.
RESERVED = ("go_backwards", "name", "return_sequences", "return_state", "stateful", "units")

State = list[list[Any]]


@keras.saving.register_keras_serializable("unrolled")
class Stack(keras.layers.Layer):
    """Recurrent layers on top of each other, from one description, that stream with one state.

    With x the sequence that a layer of the stack takes, the next one takes, or the stack returns,

        y = normalize(x + recurrent(drop(x)))

    where x is added if `residual` and as wide as the layer's output: from the second layer on whatever the features.
    Residual stacks of recurrent layers: Wu et al. 2016, https://arxiv.org/abs/1609.08144, section 3.1.

    Padding never changes a result: the output is zero there, whatever the input holds.

    Args:
        layer: `"simple_rnn"`, `"lstm"`, `"gru"`, `"min_gru"` or `"min_lstm"`.
        units: width of each layer, in each direction.
        depth: how many layers; default 1.
        bidirectional: read the sequence in both directions, which makes outputs 2 · units wide; default False. Such a
            stack cannot stream.
        residual: add what a layer takes to what it returns; default False.
        normalization: `"layer"` normalises each layer's output (Ba et al. 2016, https://arxiv.org/abs/1607.06450);
            default None.
        dropout: share of the features dropped before each layer in training, the same at every step; default 0.
        layer_options: more arguments of every layer, such as `{"recurrent_dropout": 0.1}`.
        seed: an integer, of the dropout between the layers; None: another in every process.
        return_sequences: return the output at every step (batch, time, width) instead of the last one (batch, width):
            that of the last step that counts, and of the first where the sequence is read backwards.
        return_state: return the last state as well.
        **kwargs: what every Keras layer takes.

    Call arguments:
        sequences: floating (batch, time, features), of any length, zero included; or a `tf.RaggedTensor`, which is
            padded and masked.
        initial_state: a state that `initial_state(batch)` or the call before returned; default zeros.
        mask: bool (batch, time), False at padding; default: every step counts.
        training: apply dropout.

    Raises:
        ValueError: an argument that is unknown or out of range; a state that does not fit, or that is given to a
            bidirectional stack.

    Example:
        >>> import numpy as np
        >>> from models import Stack
        >>> stack = Stack("gru", 8, depth=3, residual=True, normalization="layer", return_state=True)
        >>> state = stack.initial_state(2)
        >>> for chunk in np.zeros((5, 2, 10, 4), "float32"):
        ...     output, state = stack(chunk, initial_state=state)
        >>> output.shape, len(state)
        (TensorShape([2, 8]), 3)
    """

    def __init__(
        self,
        layer: str,
        units: int,
        depth: int = 1,
        bidirectional: bool = False,
        residual: bool = False,
        normalization: str | None = None,
        dropout: float = 0.0,
        layer_options: dict[str, Any] | None = None,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if layer not in LAYERS:
            raise ValueError(f"The layer of a Stack is one of {', '.join(LAYERS)}. Received: layer={layer!r}.")
        if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
            raise ValueError(f"The depth of a Stack is a whole number of at least 1. Received: depth={depth!r}.")
        check_share("Stack", "dropout", dropout, "features that are dropped")
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f"The normalization of a Stack is one of {NORMALIZATIONS}. Received: normalization={normalization!r}."
            )
        if reserved := sorted(set(layer_options or {}) & set(RESERVED)):
            raise ValueError(
                f"The Stack itself decides the {', '.join(RESERVED)} of its layers; leave them out of layer_options. "
                f"Received: {', '.join(reserved)}."
            )
        self.layer, self.units, self.depth, self.bidirectional = layer, units, depth, bidirectional
        self.residual, self.normalization, self.dropout = residual, normalization, dropout
        self.layer_options, self.seed = dict(layer_options or {}), seed
        self.return_sequences, self.return_state = return_sequences, return_state
        self.supports_masking = True

        policy = self.dtype_policy
        object.__setattr__(self, "_originals", [])  # which are no layers of the stack; see _recurrent_layer
        self.recurrent = [self._recurrent_layer(index) for index in range(depth)]
        self.norms = [
            keras.layers.LayerNormalization(name=f"norm_{index}", dtype=policy)
            for index in range(depth if normalization else 0)
        ]
        self.dropouts = [
            keras.layers.SpatialDropout1D(dropout, seed=None if seed is None else seed + index, dtype=policy)
            for index in range(depth)
        ]

    def _recurrent_layer(self, index: int) -> keras.Layer:
        # Anew for each layer: an initializer that several layers shared would give them the same weights.
        options = keras.saving.deserialize_keras_object(self._serialized_options())
        options = {"dtype": self.dtype_policy, **options, "return_sequences": True, "return_state": True}
        layer = LAYERS[self.layer](self.units, name=f"recurrent_{index}", **options)
        if not self.bidirectional:
            return layer
        # Bidirectional makes both directions anew, from the configuration of the layer. While a file is loaded, Keras
        # looks up by the address of the original what it has made already, and would hand out a layer made before for
        # an original that came to lie where a forgotten one was. So none is forgotten.
        self._originals.append(layer)
        return keras.layers.Bidirectional(layer, name=f"recurrent_{index}", dtype=self.dtype_policy)

    def build(self, sequences_shape: Any) -> None:
        check_shape(self, sequences_shape)
        shape = tuple(sequences_shape)
        for layer in self.recurrent:
            layer.build(shape)
            shape, *_ = layer.compute_output_shape(shape)
        for norm in self.norms:
            norm.build(shape)

    def call(self, sequences: Any, initial_state: State | None = None, mask: Any = None, training: bool = False) -> Any:
        sequences, mask = without_ragged(sequences, mask)
        hidden = tf.convert_to_tensor(sequences)
        mask = checked_mask(self, mask, hidden)  # (batch, time)
        self._check_state(initial_state)
        hidden = _without_padding(hidden, mask)
        state: State = []
        for index in range(self.depth):
            before = None if initial_state is None else initial_state[index]
            hidden, after = self.run_layer(index, hidden, before, mask, training)
            state.append(after)
        hidden = _without_padding(hidden, mask)
        output = hidden if self.return_sequences else self._last(hidden, mask)
        return (output, state) if self.return_state else output

    def run_layer(
        self, index: int, sequences: tf.Tensor, state: Any = None, mask: Any = None, training: bool = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Runs one layer of the stack, with its dropout, sum and norm, for networks that put something between layers.

        Args:
            index: which one, from 0, the lowest.
            sequences: what it takes, (batch, time, features).
            state: its part of the state; default zeros.
            mask: bool (batch, time), False at padding.
            training: apply dropout.

        Returns:
            Its output (batch, time, width), not zero at padding, and its part of the new state.
        """
        dropped = self.dropouts[index](sequences, training=training)
        hidden, *state = self.recurrent[index](dropped, initial_state=state, mask=mask, training=training)
        if self.residual and sequences.shape[-1] == hidden.shape[-1]:
            hidden += tf.cast(sequences, hidden.dtype)
        return (self.norms[index](hidden) if self.norms else hidden), list(state)

    def initial_state(self, batch: Any) -> State:
        """Returns the state before the first step, one list of tensors (batch, units) a layer.

        Raises:
            ValueError: the stack is bidirectional.
        """
        if self.bidirectional:
            raise self._cannot_stream()
        return [list(layer.get_initial_state(batch)) for layer in self.recurrent]

    def compute_mask(self, sequences: Any, mask: Any = None) -> Any:
        return without_ragged(sequences, mask)[1] if self.return_sequences else None

    def compute_output_shape(self, sequences_shape: Any) -> Any:
        batch, time, _ = sequences_shape
        shape, *states = self.recurrent[0].compute_output_shape(sequences_shape)
        output = (batch, time, shape[-1]) if self.return_sequences else (batch, shape[-1])
        return (output, [list(states)] * self.depth) if self.return_state else output

    def _last(self, hidden: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """The output (batch, width) where each direction ends: at the last step that counts, at the first backwards."""
        counts = tf.ones_like(hidden[..., 0], tf.int32) if mask is None else tf.cast(mask, tf.int32)  # (batch, time)

        def picked(part: tf.Tensor, reverse: bool) -> tf.Tensor:
            # Of the steps that count, the one after which, in reading order, none is left to come.
            left = tf.math.cumsum(counts, axis=1, reverse=not reverse)
            at_end = tf.cast(counts * left == 1, part.dtype)  # (batch, time)
            return tf.einsum("bt,btu->bu", at_end, part)

        if not self.bidirectional:
            return picked(hidden, reverse=False)
        forwards, backwards = tf.split(hidden, 2, axis=-1)
        return tf.concat([picked(forwards, reverse=False), picked(backwards, reverse=True)], axis=-1)

    def _check_state(self, state: Any) -> None:
        if state is None:
            return
        if self.bidirectional:
            raise self._cannot_stream()
        if not isinstance(state, list | tuple) or len(state) != self.depth:
            raise ValueError(
                f"The state of {self.name} is a list with one entry for each of its {self.depth} layers; pass what "
                f"initial_state(batch) or the call before returned. Received: {keras.tree.map_structure(type, state)}."
            )

    def _cannot_stream(self) -> ValueError:
        return ValueError(
            f"{self.name} reads sequences from both ends, so it cannot go on from a state where one chunk ended and "
            "the next begins; build it with bidirectional=False to stream. Received: bidirectional=True."
        )

    def _serialized_options(self) -> dict[str, Any]:
        return keras.saving.serialize_keras_object(self.layer_options)

    def get_config(self) -> dict[str, Any]:
        names = ("layer", "units", "depth", "bidirectional", "residual", "normalization", "dropout", "seed")
        config = {name: getattr(self, name) for name in (*names, "return_sequences", "return_state")}
        return {**super().get_config(), **config, "layer_options": self._serialized_options()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Stack":
        options = keras.saving.deserialize_keras_object(config["layer_options"])
        return cls(**{**config, "layer_options": options})


def _without_padding(sequences: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Zeros at padding, which may hold anything: what is not finite would reach gradients and norms."""
    return sequences if mask is None else tf.where(mask[..., tf.newaxis], sequences, tf.zeros_like(sequences))
