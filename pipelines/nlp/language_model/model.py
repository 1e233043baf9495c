"""The language model: a recurrent network that gives the probability of every next subword."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

import models
from pipelines import served
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.network import NetworkConfiguration
from pipelines.nlp.subwords import RESERVED, Subwords
from pipelines.preparation import trained_model
from pipelines.rows import all_rows, own_rows
from pipelines.runs import Run

ORDERS = (2, 3)  # so many last subwords are a context that is learned
IMPOSSIBLE = -1e9  # logit of the reserved numbers that stand in no text
OLD_VOCABULARY = "vocabulary.json"  # where 0.1.0 wrote the subwords


class State(NamedTuple):
    """What the network remembers: of each `recurrent` layer, and the last subwords (batch, 2), the newest last."""

    recurrent: list[list[tf.Tensor]]
    recent: tf.Tensor


class LanguageModel(keras.Model):
    """Recurrent layers between one embedding, which is both what is read and what is predicted.

        x_t = E[w_t]    h_t = recurrent(x_t, h_{t−1})    y_t = P h_t + Σ_n C_n[hash(w_{t−n+1} … w_t)]
        p(w_{t+1} = v | w_1 … w_t) ∝ exp(E[v] · y_t + b_v)

    Tied weights E: Press and Wolf 2017, https://arxiv.org/abs/1608.05859, and Inan et al. 2017. Dropout of whole
    subwords, of features and of recurrent weights: Merity et al. 2018, https://arxiv.org/abs/1708.02182. The tables C,
    if there are any, learn what follows the last two and the last three subwords, which then takes no room in the
    state: the maximum-entropy part of Mikolov et al. 2011 ("Strategies for training large scale neural network
    language models"), here of low rank. A look-up costs next to nothing.

    Args:
        rows: of a training batch, whose state is kept from one window to the next.

    Call arguments:
        numbers: of subwords, int32 (batch, time).
        state: that `initial_state(batch)` or the call before returned.
        training: dropout is on.

    Returns:
        Logits (batch, time, size), and the state after the last step.
    """

    def __init__(self, network: NetworkConfiguration, subwords: Subwords, rows: int, seed: int, **options: Any) -> None:
        # The recurrent layers may compute in bfloat16; sums of many contexts, and the softmax, are precise.
        super().__init__(dtype="float32", **options)
        keras.utils.set_random_seed(seed)  # of the recurrent layers' weights and dropout
        self.network, self.subwords, self.size, self.rows = network, subwords, subwords.size, rows
        self.embedding = self.add_weight(
            shape=(self.size, network.width), initializer=_normal(network.width**-0.5, seed), name="embedding"
        )
        self.bias = self.add_weight(shape=(self.size,), initializer="zeros", name="bias")
        self.contexts = [
            self.add_weight(shape=(network.contexts, network.width), initializer="zeros", name=f"contexts_{order}")
            for order in (ORDERS if network.contexts else ())
        ]
        self.stack = models.Stack(
            network.recurrent,
            network.units,
            depth=network.layers,
            residual=network.layers > 1,
            normalization="layer" if network.layers > 1 else None,
            dropout=network.dropout,
            layer_options=network.layer_options,
            seed=seed,
            return_sequences=True,
            return_state=True,
            name="stack",
        )
        self.projection = keras.layers.Dense(network.width, name="projection")
        self.dropout = keras.layers.SpatialDropout1D(network.dropout, seed=seed, name="dropout")
        self.random = keras.random.SeedGenerator(seed)

    def build(self, numbers_shape: Any = None) -> None:
        self.stack.build((None, None, self.network.width))
        self.projection.build((None, None, self.network.units))
        self.carried = [
            self.add_weight(
                shape=tensor.shape, dtype=tensor.dtype.name, initializer="zeros", trainable=False, name=name
            )
            for name, tensor in flat(self.initial_state(self.rows)).items()
        ]
        self.built = True

    def call(self, numbers: Any, state: State | None = None, training: bool = False) -> tuple[tf.Tensor, State]:
        outputs, after = self.outputs(numbers, state, training)
        return self.logits(outputs), after

    def outputs(
        self, numbers: Any, state: State | None = None, training: bool = False, lengths: Any = None
    ) -> tuple[tf.Tensor, State]:
        """What is compared with the embedding of each subword (batch, time, width), and the state after that.

        Args:
            numbers, state, training: as of the call.
            lengths: int32 (batch,), how many of the numbers count; default: all. No state depends on the others.
        """
        numbers = tf.convert_to_tensor(numbers)
        state = self.initial_state(tf.shape(numbers)[0]) if state is None else state
        mask = None if lengths is None else tf.sequence_mask(lengths, tf.shape(numbers)[1])
        embedding = self.embedding.value
        if training:
            embedding = self._drop(embedding, self.network.embedding_dropout)
        hidden, recurrent = self.stack(
            tf.gather(embedding, numbers), initial_state=state.recurrent, mask=mask, training=training
        )
        outputs = tf.cast(self.projection(self.dropout(hidden, training=training)), tf.float32)
        history = tf.concat([state.recent, numbers], axis=1)  # (batch, 2 + time)
        for places, table in zip(self.places(history), self.contexts, strict=True):
            if training:
                outputs += self._drop(_look_up(table.value, places), self.network.context_dropout)
            else:  # without a gradient of its own, which takes a copy of the table
                outputs += tf.gather(table.value, places)
        remembered = state.recent.shape[1]
        if lengths is None:
            return outputs, State(recurrent, history[:, -remembered:])
        last = lengths[:, tf.newaxis] + tf.range(remembered)  # (batch, 2)
        return outputs, State(recurrent, tf.gather(history, last, batch_dims=1))

    def places(self, history: tf.Tensor) -> list[tf.Tensor]:
        """Which row of each table of contexts is looked up at each step, int32 (batch, time); as of `hashed`."""
        return [hashed(history, order, self.network.contexts) for order, _ in zip(ORDERS, self.contexts, strict=False)]

    def _drop(self, rows: tf.Tensor, rate: float) -> tf.Tensor:
        """Drops whole rows (…, width)."""
        return rows * keras.random.dropout(tf.ones_like(rows[..., :1]), rate, seed=self.random) if rate else rows

    def logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """Of each next subword (…, size)."""
        possible = tf.constant([0.0 if number == BOUNDARY else IMPOSSIBLE for number in range(RESERVED)])
        bias = self.bias.value + tf.pad(possible, [[0, self.size - RESERVED]])
        rows = tf.reshape(outputs, (-1, self.network.width))  # one large product
        logits = tf.matmul(rows, self.embedding.value, transpose_b=True) + bias
        return tf.reshape(logits, tf.concat([tf.shape(outputs)[:-1], [self.size]], axis=0))

    @tf.function(reduce_retracing=True, autograph=False)
    def read(self, numbers: tf.Tensor, state: State) -> tuple[tf.Tensor, tf.Tensor, State]:
        """Returns what numbers (batch, time + 1) cost after the first, in nats (batch, time); outputs; the state."""
        outputs, state = self.outputs(numbers[:, :-1], state)
        return cross_entropy(self.logits(outputs), numbers[:, 1:]), outputs, state

    def initial_state(self, batch: Any) -> State:
        """The state before the first step."""
        return State(self.stack.initial_state(batch), tf.fill((batch, max(ORDERS) - 1), BOUNDARY))

    def carried_state(self, begins: tf.Tensor) -> State:
        """The state in which the last training window ended; the initial one in the rows where a text begins."""
        initial = flat(self.initial_state(tf.shape(begins)[0]))
        kept = {
            name: tf.where(begins[:, tf.newaxis], tensor, own_rows(weight.value))
            for (name, tensor), weight in zip(initial.items(), self.carried, strict=True)
        }
        return self.nested(kept)

    def carry(self, state: State) -> None:
        """Keeps the state in which a training window ended."""
        for weight, tensor in zip(self.carried, flat(state).values(), strict=True):
            finite = tf.math.is_finite(tensor) if tensor.dtype.is_floating else tf.ones_like(tensor, tf.bool)
            weight.assign(all_rows(tf.where(finite, tf.stop_gradient(tensor), tf.zeros_like(tensor))))

    def nested(self, tensors: dict[str, tf.Tensor]) -> State:
        """The state of named tensors; inverse of `flat`."""
        return State(served.nested(tensors, "state", self.stack.initial_state(1)), tensors["state_recent"])


def flat(state: State) -> dict[str, tf.Tensor]:
    """A state as named tensors, as a signature wants it."""
    return {**served.flat(state.recurrent, "state"), "state_recent": state.recent}


def cross_entropy(logits: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Negative logarithms of the probabilities (batch, time) that logits (batch, time, size) give to numbers."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(numbers, logits)


def hashed(history: tf.Tensor, order: int, contexts: int) -> tf.Tensor:
    """Which of so many learned contexts the last `order` subwords before each step are.

    Args:
        history: int32 (batch, 2 + time): the steps, and two before them.
        order: 2 or 3.
        contexts: how many there are.

    Returns:
        int32 (batch, time).
    """
    history = tf.cast(history, tf.int64)
    time = tf.shape(history)[1] - (max(ORDERS) - 1)
    mixed = tf.zeros((), tf.int64)
    for back in range(order):
        start = max(ORDERS) - 1 - back
        mixed = (mixed * 1_000_003 + history[:, start : start + time] + 1) % 2_147_483_647
    return tf.cast(mixed % contexts, tf.int32)


@tf.custom_gradient
def _look_up(table: tf.Tensor, places: tf.Tensor) -> Any:
    """Rows of a table, with a gradient that is as dense as the table: optimizers take it as they do any other."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        rows = tf.reshape(upstream, (-1, upstream.shape[-1]))
        return tf.math.unsorted_segment_sum(rows, tf.reshape(places, [-1]), tf.shape(table)[0]), None

    return tf.gather(table, places), gradient


def _normal(deviation: float, seed: int) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=deviation, seed=seed)


def build(configuration: LanguageModelConfiguration, vocabulary: Sequence[str]) -> LanguageModel:
    """Returns an untrained language model, its weights made."""
    subwords, rows = Subwords(vocabulary), configuration.data.batch_size
    model = LanguageModel(configuration.network, subwords, rows, configuration.seed)
    model.build()
    model(tf.zeros((1, 1), tf.int32))
    return model


def load_model(run: Run) -> LanguageModel:
    """Returns the language model of a finished run, with its trained weights."""
    return trained_model(run, run.read_configuration(LanguageModelConfiguration), build, OLD_VOCABULARY, "vocabulary")
