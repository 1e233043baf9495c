"""The network: numbers of source subwords in, the next target subword out, with attention between them."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import keras
import tensorflow as tf

from models import BahdanauAttention, Stack
from models.decoding import search_sequences
from models.layers.attention import Memory
from pipelines.nlp.subwords import END, PADDING, START, Subwords
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.network import NetworkConfiguration, SearchConfiguration
from pipelines.nlp.unicode_forms import canonical
from pipelines.preparation import built, trained_model
from pipelines.runs import Run

State = list[Any]
LEAST_COVERED = 1e-3  # of a source subword, so that none forbids a translation
OLD_DESCRIPTION = "subwords.json"  # of 0.1


class Encoded(NamedTuple):
    """A source as the decoder sees it."""

    memory: Memory  # (batch, source, …)
    embedded: tf.Tensor  # (batch, source, units), zero at padding
    state: State  # of the decoder before its first step


class Decoded(NamedTuple):
    """What the decoder made of each position of a target."""

    hidden: tf.Tensor  # (batch, target, units), what the softmax takes
    weights: tf.Tensor  # (batch, target, source), of the attention
    state: State


class Translated(NamedTuple):
    """Translations (batch,) as text, and their scores (batch,), see `search_sequences`."""

    text: tf.Tensor
    score: tf.Tensor


class Translator(keras.Model):
    """A bidirectional encoder, additive attention, and a decoder whose softmax shares the embeddings' weights.

    With h the output of the decoder's first layer, which reads the target so far, c what the attention finds with h as
    the query, and e the mean of the source's embeddings under the same weights,

        hidden = O upper_layers(h + W c) + L e
        P(next) = softmax(E hidden + b)

    where E are the target's embeddings (Press and Wolf 2017, https://arxiv.org/abs/1608.05859), and L e lets a word be
    translated by itself, rare ones above all (Nguyen and Chiang 2018, https://arxiv.org/abs/1710.01329). As no layer
    takes what the attention found a step before (Wu et al. 2016, https://arxiv.org/abs/1609.08144), training runs each
    layer over the whole target at once. Attention: Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473.

    With more than one member, P is the mean over this network and others like it, started from other weights.

    Args:
        target: subwords of the target; the same object shares the embeddings, too.
    """

    def __init__(self, network: NetworkConfiguration, source: Subwords, target: Subwords, seed: int = 0) -> None:
        super().__init__(name="translator")
        self.network, self.source, self.target = network, source, target
        units, kind = network.units, network.recurrent

        def embedding(size: int, seed: int) -> keras.layers.Embedding:
            initializer = keras.initializers.RandomNormal(stddev=units**-0.5, seed=seed)
            return keras.layers.Embedding(size, units, embeddings_initializer=initializer)

        def stack(units: int, depth: int, seed: int, **options: Any) -> Stack:
            options |= {"residual": True, "normalization": "layer", "dropout": network.dropout, "seed": seed}
            options |= {"layer_options": {"jit_compile": "auto" if network.compiled else False}}
            return Stack(kind, units, depth, return_sequences=True, **options)

        def dense(units: int, seed: int, **options: Any) -> keras.layers.Dense:
            return keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed), **options)

        keras.utils.set_random_seed(seed)  # of the recurrent layers' weights
        first = 100 * seed
        self.target_embedding = embedding(target.size, first)
        self.source_embedding = self.target_embedding if source is target else embedding(source.size, first + 1)
        self.encoder = stack(units // 2, network.encoder_layers, first + 10, bidirectional=True)
        self.bridge = dense(units * network.decoder_layers, first + 2, activation="tanh")
        self.attention = BahdanauAttention(network.attention_units)
        self.context = dense(units, first + 3)
        self.decoder = stack(units, network.decoder_layers, first + 30, return_state=True)
        self.project = dense(units, first + 6)
        self.lexicon = dense(units, first + 4, use_bias=False)
        self.word_dropout = keras.layers.Dropout(network.word_dropout, (None, None, 1), seed=first + 7)
        self.output_dropout = keras.layers.Dropout(network.output_dropout, seed=first + 5)
        self.output_bias = self.add_weight(name="output_bias", shape=(target.size,), initializer="zeros")
        alone = network.replace(members=1)
        self.others = [Translator(alone, source, target, seed + 1000 * each) for each in range(1, network.members)]

    def members(self) -> list[Self]:
        """Returns the networks of the ensemble: this one, and the others.

        Keras would take a property for a layer to save, again and again.
        """
        return [self, *self.others]

    def call(self, source: tf.Tensor, target: tf.Tensor, training: bool = False) -> Decoded:
        """Reads sources, and their translations up to each position ("teacher forcing").

        Args:
            source: int32 (batch, source), each with its end, then padding.
            target: int32 (batch, target), each from its start on, then padding.
            training: apply dropout.
        """
        encoded = self.encode(source, training)
        return self.decode(target, encoded.state, encoded, training=training)

    def encode(self, source: tf.Tensor, training: bool = False) -> Encoded:
        """Reads sources (batch, source)."""
        mask = source != PADDING
        embedded = self._embed(self.source_embedding, source, training)
        embedded = tf.where(mask[..., tf.newaxis], embedded, 0.0)
        outputs = self.encoder(embedded, mask=mask, training=training)  # (batch, source, units), zero at padding
        count = tf.reduce_sum(tf.cast(mask, outputs.dtype), axis=1, keepdims=True)
        begun = self.bridge(tf.reduce_sum(outputs, axis=1) / tf.maximum(count, 1.0))
        hidden = tf.split(begun, self.network.decoder_layers, axis=-1)
        # An LSTM starts with an empty memory.
        state = [[each] if self.network.recurrent == "gru" else [each, tf.zeros_like(each)] for each in hidden]
        if not self.attention.built:
            self.attention.build((None, None, self.network.units), outputs.shape)
        return Encoded(self.attention.prepare(outputs, memory_mask=mask), embedded, state)

    def decode(self, target: tf.Tensor, state: State, encoded: Encoded, training: bool = False) -> Decoded:
        """Continues targets (batch, target) from a state."""
        mask = target != PADDING
        if not self.decoder.built:
            self.decoder.build((None, None, self.network.units))
        hidden = self._embed(self.target_embedding, target, training)
        hidden, first = self.decoder.run_layer(0, hidden, state[0], mask, training)
        found = self.attention.attend(hidden, encoded.memory)
        hidden += self.context(found.context)
        after = [first]
        for index in range(1, self.network.decoder_layers):
            hidden, each = self.decoder.run_layer(index, hidden, state[index], mask, training)
            after.append(each)
        hidden = self.project(hidden) + self.lexicon(tf.matmul(found.weights, encoded.embedded))
        return Decoded(self.output_dropout(hidden, training=training), found.weights, after)

    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """Returns what comes next, before the softmax, of hidden (…, units): (…, target subwords)."""
        embeddings = tf.cast(self.target_embedding.embeddings, hidden.dtype)
        logits = tf.linalg.matmul(hidden, embeddings, transpose_b=True)
        return tf.cast(logits, tf.float32) + tf.cast(self.output_bias, tf.float32)

    def log_probabilities(self, hidden: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the logarithms of the members' mean probabilities, given for each what it takes, (…, units)."""
        each = [tf.nn.log_softmax(member.logits(its)) for member, its in zip(self.members(), hidden, strict=True)]
        return each[0] if len(each) == 1 else tf.reduce_logsumexp(tf.stack(each), axis=0) - math.log(len(each))

    def translate(
        self, text: tf.Tensor, search: SearchConfiguration, beam_width: tf.Tensor | None = None, several: bool = False
    ) -> Translated:
        """Translates texts (batch,); a text without words has an empty translation.

        With n the subwords of a translation, its end included, a its attention, α the search's `length_exponent` and β
        its `coverage_penalty` (Wu et al. 2016, https://arxiv.org/abs/1609.08144, section 7), a translation's score is

            (log P + β Σ_source log min(1, max(Σ_target a, 0.001))) / ((5 + n) / 6) ^ α

        Args:
            beam_width: instead of the search's, for each text, int32 (batch,).
            several: return as many translations of each text as the widest search has beams, the best first: both parts
                are (batch, beams); the score of one that is not there is −inf.
        """
        widths = width = search.beam_width
        if beam_width is not None:
            widths, width = beam_width, tf.reduce_max(tf.concat([beam_width, [1]], axis=0))
        source = source_numbers(self.source, text)
        encoded = [member.encode(source) for member in self.members()]

        def for_each_beam(tensor: tf.Tensor) -> tf.Tensor:
            return tf.repeat(tensor, width, axis=0)

        repeated = [
            each._replace(memory=Memory(*map(for_each_beam, each.memory)), embedded=for_each_beam(each.embedded))
            for each in encoded
        ]
        is_source = tf.cast(source != PADDING, tf.float32)

        def step(previous: tf.Tensor, before: tuple[list[State], Any]) -> tuple[tf.Tensor, tuple[list[State], Any]]:
            states, covered = before
            decoded = [
                member.decode(previous[:, tf.newaxis], state, its)
                for member, state, its in zip(self.members(), states, repeated, strict=True)
            ]
            logarithms = self.log_probabilities([each.hidden[:, 0] for each in decoded])
            if search.coverage_penalty:
                covered += mean([each.weights[:, 0] for each in decoded])  # (batch · beams, source)
                passed_over = tf.math.log(tf.clip_by_value(covered, LEAST_COVERED, 1.0))
                penalty = search.coverage_penalty * tf.reduce_sum(passed_over, axis=1, keepdims=True)
                logarithms += penalty * tf.one_hot(END, self.target.size)
            return logarithms, ([each.state for each in decoded], covered)

        lengths = tf.reduce_sum(is_source, axis=1)
        limits = tf.cast(lengths * search.maximum_length_ratio, tf.int32) + search.maximum_length_offset
        number = width if several else None
        states = [each.state for each in encoded]
        first = states, 1 - is_source if search.coverage_penalty else ()  # padding need not be covered
        found = search_sequences(step, first, START, END, limits, widths, search.length_exponent, number)
        shape = tf.shape(found.score)
        translated = tf.strings.strip(self.target.decode(tf.reshape(found.numbers, (-1, tf.shape(found.numbers)[-1]))))
        translated = tf.reshape(translated, shape)
        is_empty = tf.strings.strip(normalised(text, joiners=False)) == ""
        is_empty = is_empty[:, tf.newaxis] if several else is_empty
        return Translated(tf.where(is_empty, "", translated), tf.where(is_empty, 0.0, found.score))

    def _embed(self, embedding: keras.layers.Embedding, numbers: tf.Tensor, training: bool) -> tf.Tensor:
        embedded = embedding(numbers) * self.network.units**0.5  # of variance one
        return self.word_dropout(embedded, training=training)


def mean(members: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the mean over the members of an ensemble of what each has found."""
    return tf.add_n(members) / len(members)


def normalised(text: tf.Tensor, joiners: bool = True) -> tf.Tensor:
    """Returns texts (batch,) as they are divided into subwords: one space between words, and one before the first.

    Composed and decomposed characters are one; invisible ones are left out.

    Args:
        joiners: whether those that a script is written with stay: where text is written, not where it is read.

    Example:
        >>> normalised(tf.constant(["  In the\\tbeginning "])).numpy()[0]
        b' In the beginning'
    """
    return " " + tf.strings.strip(tf.strings.regex_replace(canonical(text, joiners), r"[\s\x0b\p{Z}]+", " "))


def source_numbers(subwords: Subwords, text: tf.Tensor) -> tf.Tensor:
    """Returns texts (batch,) as the encoder takes them, int32 (batch, source)."""
    numbers = subwords.encode(normalised(text, joiners=False))
    ends = tf.fill((numbers.nrows(), 1), END)
    return tf.concat([numbers, ends], axis=1).to_tensor(PADDING)


def target_numbers(subwords: Subwords, text: tf.Tensor) -> tf.Tensor:
    """Returns texts (batch,) as the decoder learns to write them, int32 (batch, target), with start and end."""
    numbers = subwords.encode(normalised(text))
    starts, ends = (tf.fill((numbers.nrows(), 1), number) for number in (START, END))
    return tf.concat([starts, numbers, ends], axis=1).to_tensor(PADDING)


def build(
    configuration: TranslationConfiguration, source: Sequence[str], target: Sequence[str] | None = None
) -> Translator:
    """Returns an untrained translator, its weights made.

    Args:
        target: those of the target. Default: the source's, and one embedding for both.
    """
    sources = Subwords(source)
    targets = sources if target is None else Subwords(target)
    translator = Translator(configuration.network, sources, targets, configuration.seed)
    for member in translator.members():
        built(member, tf.ones((1, 2), tf.int32), tf.ones((1, 2), tf.int32))
    return translator


def load_model(run: Run) -> Translator:
    """Returns the translator of a finished run, with its trained weights."""
    return trained_model(run, run.read_configuration(TranslationConfiguration), build, OLD_DESCRIPTION)
