"""`BahdanauAttention` and `LuongAttention`: a decoder looks back at a memory, an encoder's outputs of true lengths.

Named by their papers: `AdditiveAttention` and `Attention` of `keras.layers` take other arguments, a list of sequences.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from models.layers.checks import check_width

SCORES = ("dot", "general")


class Memory(NamedTuple):
    """A memory made ready by `prepare`: all that no query changes, computed once for all steps of a decoder.

    `values` (batch, source, features), zero at padding; `keys` (batch, source, units), what queries are compared with;
    `mask` bool (batch, source), False at padding.
    """

    values: tf.Tensor
    keys: tf.Tensor
    mask: tf.Tensor


class Attended(NamedTuple):
    """What a query found: `context`, the mean of the memory under `weights`, which sum to one over its true length.

    For a query of one step (batch, units): (batch, features) and (batch, source); for a sequence (batch, target,
    units): (batch, target, features) and (batch, target, source).
    """

    context: tf.Tensor
    weights: tf.Tensor


class _Attention(keras.layers.Layer):
    """What both attentions share: everything but the score of a query and a step of the memory."""

    def __init__(self, kernel_initializer: Any, kernel_regularizer: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.supports_masking = True  # a mask that Keras attached to the queries goes on with the contexts

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        if len(query_shape) not in (2, 3) or query_shape[-1] is None:
            raise ValueError(
                f"{self.name} takes queries (batch, units) or (batch, target, units), with the number of units known. "
                f"Received: shape {tuple(query_shape)}."
            )
        if len(memory_shape) != 3 or memory_shape[-1] is None:
            raise ValueError(
                f"{self.name} takes a memory (batch, source, features), with the number of features known. "
                f"Received: shape {tuple(memory_shape)}."
            )
        self._query_units, self._features = query_shape[-1], memory_shape[-1]
        self._build_weights(self._query_units, self._features)

    def _build_weights(self, query_units: int, features: int) -> None:
        raise NotImplementedError

    def _keys(self, values: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def _scores(self, query: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        """Of every query (batch, target, units) and every step of the memory: (batch, target, source)."""
        raise NotImplementedError

    def call(self, query: Any, memory: Any, lengths: Any = None, memory_mask: Any = None) -> Attended:
        # The mask is not called `mask`: that one Keras would attach to the outputs. This one it fills in from the
        # memory, where the layer that made the memory attached one.
        return self.attend(query, self.prepare(memory, lengths, memory_mask))

    def prepare(self, memory: Any, lengths: Any = None, memory_mask: Any = None) -> Memory:
        """Computes what all queries share: calling the layer is `attend(query, prepare(memory, lengths))`.

        The layer must have been built. A beam search repeats the rows of all three fields.

        Args:
            memory: floating (batch, source, features), of any length, zero included.
            lengths: integers (batch,), the true number of steps in each row. A length beyond the memory is an error;
                code compiled by XLA cannot raise it and takes the whole row.
            memory_mask: bool (batch, source), False at padding. With `lengths` too, a step counts where both agree;
                with neither, every step counts.

        Raises:
            ValueError: a memory, lengths or a mask whose shape or type does not fit; a layer that is not built.
            tf.errors.InvalidArgumentError: a length that is negative or longer than the memory.
        """
        self._check_built()
        memory = tf.convert_to_tensor(memory)
        if len(memory.shape) != 3 or memory.shape[-1] != self._features or not memory.dtype.is_floating:
            raise ValueError(
                f"{self.name} takes a floating memory (batch, source, {self._features}), as it was built for. "
                f"Received: shape {tuple(memory.shape)}, {memory.dtype.name}."
            )
        mask = self._mask(memory, lengths, memory_mask)
        # Padding may hold anything, and what is not finite stays so when multiplied by a weight of zero.
        values = tf.where(mask[..., tf.newaxis], tf.cast(memory, self.compute_dtype), 0.0)
        return Memory(values, self._keys(values), mask)

    def attend(self, query: Any, memory: Memory) -> Attended:
        """Looks up one step (batch, units) or a sequence (batch, target, units) in a memory that `prepare` returned.

        A pure function of both: a decoder calls it at every step, inside any loop.

        Raises:
            ValueError: a query whose shape or type does not fit; a memory that is not prepared; a layer not built.
        """
        self._check_built()
        if not isinstance(memory, Memory):
            raise ValueError(
                f"{self.name} attends to a memory that is prepared; pass what prepare(memory, lengths) returned. "
                f"Received: {type(memory).__name__}."
            )
        query = self._checked_query(query, memory)
        one_step = len(query.shape) == 2
        if one_step:
            query = query[:, tf.newaxis]
        counts = memory.mask[:, tf.newaxis]  # (batch, 1, source)
        # In a row of nothing but padding the query is padding as well.
        query = tf.where(tf.reduce_any(counts, axis=2, keepdims=True), query, 0.0)  # (batch, target, units)
        weights = _masked_softmax(self._scores(query, memory.keys), counts)  # (batch, target, source)
        context = tf.matmul(weights, memory.values)  # (batch, target, features)
        return Attended(context[:, 0], weights[:, 0]) if one_step else Attended(context, weights)

    def _mask(self, memory: tf.Tensor, lengths: Any, memory_mask: Any) -> tf.Tensor:
        source = tf.shape(memory)[1]
        mask = tf.ones(tf.shape(memory)[:2], tf.bool)
        if lengths is not None:
            lengths = tf.convert_to_tensor(lengths)
            if not lengths.dtype.is_integer or not lengths.shape.is_compatible_with(memory.shape[:1]):
                raise ValueError(
                    f"The lengths of {self.name} are integers (batch,), here {tuple(memory.shape[:1])}: the true "
                    f"number of steps in each row. Received: shape {tuple(lengths.shape)}, {lengths.dtype.name}."
                )
            lengths = tf.cast(lengths, tf.int32)
            message = f"A row of {self.name} is at least 0 steps long and at most as long as the memory; pass the true "
            tf.debugging.Assert(
                tf.reduce_all((lengths >= 0) & (lengths <= source)),
                [f"{message}length in steps. The memory's:", source, "Received:", lengths],
                summarize=100,
            )
            mask = tf.sequence_mask(lengths, source)
        if memory_mask is not None:
            memory_mask = tf.cast(memory_mask, tf.bool)
            if not memory_mask.shape.is_compatible_with(memory.shape[:2]):
                raise ValueError(
                    f"The memory_mask of {self.name} is (batch, source), here {tuple(memory.shape[:2])}, False at "
                    f"padding. Received: shape {tuple(memory_mask.shape)}."
                )
            mask &= memory_mask
        return mask

    def _checked_query(self, query: Any, memory: Memory) -> tf.Tensor:
        query, units = tf.convert_to_tensor(query), self._query_units
        rows = memory.mask.shape[0]
        fits = len(query.shape) in (2, 3) and query.shape[-1] == units and query.dtype.is_floating
        if not fits or not query.shape[:1].is_compatible_with([rows]):
            raise ValueError(
                f"{self.name} takes floating queries (batch, {units}) or (batch, target, {units}), as it was built "
                f"for, one row for each of the memory's, here {rows}. "
                f"Received: shape {tuple(query.shape)}, {query.dtype.name}."
            )
        return tf.cast(query, self.compute_dtype)

    def _check_built(self) -> None:
        if not self.built:
            raise ValueError(
                f"{self.name} does not know the widths of query and memory yet; call the layer, or "
                f"build(query_shape, memory_shape), first. Received: built={self.built}."
            )

    def _weight(self, name: str, shape: tuple[int, ...]) -> Any:
        # An initializer of Keras draws the same numbers twice; a clone without a seed draws others.
        initializer = getattr(self.kernel_initializer, "clone", lambda: self.kernel_initializer)()
        return self.add_weight(name=name, shape=shape, initializer=initializer, regularizer=self.kernel_regularizer)

    def _cast(self, weight: Any) -> tf.Tensor:
        return tf.cast(tf.convert_to_tensor(weight), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


def _masked_softmax(scores: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The softmax over the last axis, in float32 at least; zero where the mask is False, also if it is throughout."""
    exact = tf.cast(scores, tf.float32) if scores.dtype.size < 4 else scores
    # Not minus infinity, of which a row all masked would make NaN, where enable_check_numerics stops.
    weights = tf.nn.softmax(tf.where(mask, exact, exact.dtype.min))
    return tf.cast(tf.where(mask, weights, 0.0), scores.dtype)


@keras.saving.register_keras_serializable("unrolled")
class BahdanauAttention(_Attention):
    """Additive attention: a network of one hidden layer scores a query against every step of a memory.

    With query q and memory h_1 … h_n, n the true length of the row,

        score_j = v · tanh(W q + U h_j)
        weights = softmax(score_1 … score_n)
        context = sum over j of weights_j h_j

    A row of length zero has context zero and weights zero, and no gradient. Padding never changes a result.

    Its weights are `query_kernel` Wᵀ (query units, units), `memory_kernel` Uᵀ (features, units), `scale` v (units).
    It holds (batch, target, source, units) numbers at once; where that is too many, attend step by step.

    Reference: Bahdanau, Cho, Bengio 2015, https://arxiv.org/abs/1409.0473, section 3.1 and appendix A.1.2.

    Args:
        units: width of the hidden layer.
        kernel_initializer: of all three weights; default `"glorot_uniform"`.
        kernel_regularizer: of all three weights; default None.
        **kwargs: what every Keras layer takes.

    Call arguments:
        query: floating, one step (batch, query units) or a sequence (batch, target, query units).
        memory, lengths, memory_mask: see `prepare`.

    Returns:
        `Attended(context, weights)`, in the layer's compute dtype.

    Raises:
        ValueError: units out of range; query, memory, lengths or mask that do not fit.
        tf.errors.InvalidArgumentError: a length that is negative or longer than the memory.

    Example:
        >>> import numpy as np
        >>> from models.layers.attention import BahdanauAttention
        >>> attention = BahdanauAttention(8)
        >>> query, memory = np.ones((2, 4), "float32"), np.ones((2, 3, 5), "float32")
        >>> attention(query, memory, lengths=np.array([2, 0])).weights.numpy().tolist()
        [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]

        A decoder prepares the memory once and attends at every step:

        >>> prepared = attention.prepare(memory, lengths=np.array([2, 0]))
        >>> attention.attend(query, prepared).context.shape
        TensorShape([2, 5])
    """

    def __init__(
        self, units: int, kernel_initializer: Any = "glorot_uniform", kernel_regularizer: Any = None, **kwargs: Any
    ):
        check_width("BahdanauAttention", "units", units, "hidden layer")
        super().__init__(kernel_initializer, kernel_regularizer, **kwargs)
        self.units = units

    def _build_weights(self, query_units: int, features: int) -> None:
        self.query_kernel = self._weight("query_kernel", (query_units, self.units))
        self.memory_kernel = self._weight("memory_kernel", (features, self.units))
        self.scale = self._weight("scale", (self.units,))

    def _keys(self, values: tf.Tensor) -> tf.Tensor:
        return tf.tensordot(values, self._cast(self.memory_kernel), 1)

    def _scores(self, query: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        projected = tf.tensordot(query, self._cast(self.query_kernel), 1)[:, :, tf.newaxis]  # (batch, target, 1, units)
        hidden = tf.tanh(projected + keys[:, tf.newaxis])  # (batch, target, source, units)
        return tf.tensordot(hidden, self._cast(self.scale), 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("unrolled")
class LuongAttention(_Attention):
    """Multiplicative attention: a product scores a query against every step of a memory.

    With query q and memory h_1 … h_n, n the true length of the row,

        score_j = q · h_j            ("dot")
        score_j = q · W h_j          ("general")

    and weights and context as in `BahdanauAttention`, whose call arguments, result and treatment of padding it shares.

    With "general" its weight is `kernel` Wᵀ (features, query units); with "dot" it has none.

    Reference: Luong, Pham, Manning 2015, https://arxiv.org/abs/1508.04025, section 3.1. Their "concat" is additive
    attention.

    Args:
        score: `"general"`, the default, or `"dot"`, for a query as wide as the memory.
        kernel_initializer: default `"glorot_uniform"`.
        kernel_regularizer: default None.
        **kwargs: what every Keras layer takes.

    Raises:
        ValueError: an unknown score; "dot" with a query not as wide as the memory; what `BahdanauAttention` raises.

    Example:
        >>> import numpy as np
        >>> from models.layers.attention import LuongAttention
        >>> query, memory = np.ones((1, 2, 1), "float32"), np.array([[[0.0], [0.0], [9.0]]], "float32")
        >>> context, weights = LuongAttention("dot")(query, memory, lengths=np.array([2]))
        >>> context.shape, weights[0].numpy().tolist()
        (TensorShape([1, 2, 1]), [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    """

    def __init__(
        self,
        score: str = "general",
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        if score not in SCORES:
            raise ValueError(f"The score of LuongAttention is one of {SCORES}. Received: score={score!r}.")
        super().__init__(kernel_initializer, kernel_regularizer, **kwargs)
        self.score = score

    def _build_weights(self, query_units: int, features: int) -> None:
        if self.score == "dot" and query_units != features:
            raise ValueError(
                f'{self.name} with score="dot" takes a query as wide as the memory; for other widths choose '
                f'score="general". Received: {query_units} units of the query, {features} features of the memory.'
            )
        self.kernel = self._weight("kernel", (features, query_units)) if self.score == "general" else None

    def _keys(self, values: tf.Tensor) -> tf.Tensor:
        return values if self.kernel is None else tf.tensordot(values, self._cast(self.kernel), 1)

    def _scores(self, query: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        return tf.matmul(query, keys, transpose_b=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "score": self.score}
