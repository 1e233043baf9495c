"""What a server runs: texts in, their probability or what comes after them out, in stock TensorFlow operations."""

import math
from typing import Any

import tensorflow as tf

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.generation import begin, generate
from pipelines.nlp.language_model.model import LanguageModel, State, cross_entropy, flat
from pipelines.nlp.language_model.sampling import Options
from pipelines.nlp.subwords import Subwords

Tensors = dict[str, tf.Tensor]
WINDOW = 256  # subwords that are scored at once, so that memory is bounded
# What comes before the last white space has its subwords whatever follows: none has white space but at its start.
SETTLED = r"(?s)^(\C*)[ \n\t\r]\C*$|^\C*$"


def served(model: LanguageModel, subwords: Subwords) -> tuple[tf.Module, dict[str, Any]]:
    """Returns a module that holds weights and vocabulary, and the functions to serve by name.

    `serving_default` takes `text` (batch,) and returns `log_probability` (batch,), in nats, of a document that begins
    like that, and `bits_per_character` (batch,).

    `generate` takes a `prompt` (batch,), and for all of them the most subwords that are drawn, `length`, the
    `temperature`, `top_k`, `top_p`, `repetition_penalty` and `seed`, and returns the `text` (batch,) that follows.

    `initial_state` makes the state before `batch` texts. `step` takes the next piece of each `text` (batch,), whether
    it ends with this, `final` (batch,), and the state; it returns the `log_probability` of what it has read more, and
    the state. A piece may be cut anywhere: what follows the last white space waits in the state for what comes next.
    """
    module = tf.Module()
    # The variables alone: a tracked Keras model would bring objects that a loader without Keras cannot make.
    module.served = [weight.value for weight in model.trainable_variables]
    module.subwords = subwords
    texts = tf.TensorSpec((None,), tf.string, name="text")
    state = {
        name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=name)
        for name, tensor in initial_state(model, 1).items()
    }
    scalars = {
        name: tf.TensorSpec((), dtype, name=name)
        for name, dtype in (
            ("length", tf.int32),
            ("temperature", tf.float32),
            ("top_k", tf.int32),
            ("top_p", tf.float32),
            ("repetition_penalty", tf.float32),
            ("seed", tf.int32),
        )
    }
    whole = tf.function(lambda text: probability(model, subwords, text))
    going_on = tf.function(lambda prompt, **options: continued(model, subwords, prompt, options))
    start = tf.function(lambda batch: initial_state(model, batch))
    step = tf.function(lambda text, final, **state: stream(model, subwords, text, final, state))
    return module, {
        "serving_default": whole.get_concrete_function(texts),
        "generate": going_on.get_concrete_function(tf.TensorSpec((None,), tf.string, name="prompt"), **scalars),
        "initial_state": start.get_concrete_function(tf.TensorSpec((), tf.int32, name="batch")),
        "step": step.get_concrete_function(texts, tf.TensorSpec((None,), tf.bool, name="final"), **state),
    }


def probability(model: LanguageModel, subwords: Subwords, text: tf.Tensor) -> Tensors:
    """Returns the logarithm of the probability of texts (batch,), and the bits of a character."""
    numbers = subwords.encode(text)
    state, last = model.initial_state(tf.shape(text)[0]), tf.fill(tf.shape(text), BOUNDARY)
    found, _, _ = read(model, numbers, state, last)
    characters = tf.cast(tf.strings.length(text, unit="UTF8_CHAR"), tf.float32)
    bits = -found / math.log(2)
    return {"log_probability": found, "bits_per_character": tf.math.divide_no_nan(bits, characters)}


def continued(model: LanguageModel, subwords: Subwords, prompt: tf.Tensor, options: Tensors) -> Tensors:
    """Returns the `text` (batch,) that is drawn after each prompt."""
    numbers = subwords.encode(prompt)
    begun = begin(model, numbers.to_tensor(), tf.cast(numbers.row_lengths(), tf.int32))
    how = Options(**{name: options[name] for name in Options._fields} | {"seed": tf.stack([options["seed"], 0])})
    return {"text": subwords.decode(generate(model, begun, how, options["length"]))}


def initial_state(model: LanguageModel, batch: Any) -> Tensors:
    """The state before the first piece of texts, as named tensors."""
    return {
        **flat(model.initial_state(batch)),
        "state_last": tf.fill((batch,), BOUNDARY),
        "state_pending": tf.fill((batch,), ""),
    }


def stream(model: LanguageModel, subwords: Subwords, text: tf.Tensor, final: tf.Tensor, state: Tensors) -> Tensors:
    """Reads the next piece of texts (batch,); returns the logarithm of its probability, and the state after it."""
    text = state["state_pending"] + text
    settled = tf.where(final, text, tf.strings.regex_replace(text, SETTLED, r"\1"))
    read_bytes, all_bytes = tf.strings.length(settled), tf.strings.length(text)
    # A place right behind the last byte is an error, hence one byte more, which is not taken.
    pending = tf.strings.substr(text + " ", read_bytes, all_bytes - read_bytes)
    found, after, last = read(model, subwords.encode(settled), model.nested(state), state["state_last"])
    return {"log_probability": found, **flat(after), "state_last": last, "state_pending": pending}


def read(
    model: LanguageModel, numbers: tf.RaggedTensor, state: State, last: tf.Tensor
) -> tuple[tf.Tensor, State, tf.Tensor]:
    """Returns the log probability (batch,) of subwords (batch, subwords) after those before, and what is kept of them.

    Args:
        model: the network.
        numbers: what is read.
        state: before the `last` subword, which the network has not read yet, int32 (batch,).
    """
    lengths = tf.cast(numbers.row_lengths(), tf.int32)
    row = tf.concat([last[:, tf.newaxis], numbers.to_tensor()], axis=1)  # (batch, 1 + most)
    steps = tf.shape(row)[1] - 1
    padded = tf.pad(row, [[0, 0], [0, WINDOW]])

    def more(start: tf.Tensor, *_: object) -> tf.Tensor:
        return start < steps

    def read_window(start: tf.Tensor, total: tf.Tensor, state: State) -> tuple[tf.Tensor, tf.Tensor, State]:
        time = tf.minimum(WINDOW, steps - start)
        left = tf.clip_by_value(lengths - start, 0, time)
        outputs, state = model.outputs(padded[:, start : start + time], state, lengths=left)
        nats = cross_entropy(model.logits(outputs), padded[:, start + 1 : start + time + 1])
        counts = tf.sequence_mask(left, time)
        return start + WINDOW, total - tf.reduce_sum(tf.where(counts, nats, 0.0), axis=1), state

    _, total, state = tf.while_loop(more, read_window, (0, tf.zeros(tf.shape(lengths)), state))
    return total, state, tf.gather(row, lengths, batch_dims=1)
