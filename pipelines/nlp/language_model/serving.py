"""What a server runs: texts in, their probability or what comes after them out, in stock TensorFlow operations."""

import math
from functools import partial
from typing import Any

import tensorflow as tf

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.generation import REMEMBERED, Continuation, advance, generate, prefill
from pipelines.nlp.language_model.model import LanguageModel, State, cross_entropy, flat
from pipelines.nlp.language_model.sampling import Options, sample
from pipelines.nlp.unicode_forms import canonical
from pipelines.served import Signature, Tensors

WINDOW = 256  # subwords that are scored at once, so that memory is bounded
# What comes before the last white space has its subwords whatever follows: none has white space but at its start.
SETTLED = r"(?s)^(\C*)[ \n\t\r]\C*$|^\C*$"


SAMPLING = {
    "temperature": tf.TensorSpec((), tf.float32),
    "top_k": tf.TensorSpec((), tf.int32),
    "top_p": tf.TensorSpec((), tf.float32),
    "repetition_penalty": tf.TensorSpec((), tf.float32),
    "seed": tf.TensorSpec((), tf.int32),
}


def signatures(model: LanguageModel) -> dict[str, Signature]:
    """Returns the functions to serve by name. Composed and decomposed characters are one; invisible ones do not count.

    `serving_default` takes `text` (batch,) and returns `log_probability` (batch,), in nats, of a document that begins
    like that, and `bits_per_character` (batch,).

    `generate` takes a `prompt` (batch,), and for all of them the most subwords that are drawn, `length`, the
    `temperature`, `top_k`, `top_p`, `repetition_penalty` and `seed`, and returns the `text` (batch,) that follows. A
    text does not depend on the others of its batch.

    `initial_state` makes the state before `batch` texts. `step` takes the next piece of each `text` (batch,), whether
    it ends with this, `final` (batch,), and the state; it returns the `log_probability` of what it has read more, and
    the state. A piece may be cut anywhere: what follows the last white space waits in the state for what comes next.

    `prefill`, `sample` and `advance` generate one subword after the other. `prefill` takes a `prompt` (batch,) and
    returns the `logits` (batch, size) of the next subword, those `written` last (batch, 64), and the state. `sample`
    takes `logits`, `written`, how to choose, as of `generate`, and which subword it is, `step`, and returns its
    `number` (batch,); 1 is the end. `advance` takes a `number`, `written` and the state, and returns the `piece`
    (batch,), bytes, that the number stands for, and what `prefill` returns.
    """
    texts, numbers = tf.TensorSpec((None,), tf.string), tf.TensorSpec((None,), tf.int32)
    network = {name: _rows(tensor) for name, tensor in flat(model.initial_state(1)).items()}
    state = {name: _rows(tensor) for name, tensor in initial_state(model, 1).items()}
    logits, written = tf.TensorSpec((None, model.size), tf.float32), tf.TensorSpec((None, REMEMBERED), tf.int32)
    return {
        "serving_default": Signature(partial(probability, model), {"text": texts}),
        "generate": Signature(
            lambda prompt, **options: continued(model, prompt, options),
            {"prompt": texts, "length": tf.TensorSpec((), tf.int32), **SAMPLING},
        ),
        "initial_state": Signature(partial(initial_state, model), {"batch": tf.TensorSpec((), tf.int32)}),
        "step": Signature(
            lambda text, final, **state: stream(model, text, final, state),
            {"text": texts, "final": tf.TensorSpec((None,), tf.bool), **state},
        ),
        "prefill": Signature(lambda prompt: _tensors(_read_prompts(model, prompt)), {"prompt": texts}),
        "sample": Signature(
            lambda logits, written, step, **options: {"number": sample(logits, written, Options(**options), step)},
            {"logits": logits, "written": written, "step": tf.TensorSpec((), tf.int32), **SAMPLING},
        ),
        "advance": Signature(
            lambda number, written, **state: {
                "piece": model.subwords.pieces_of(number),
                **_tensors(advance(model, model.nested(state), written, number)),
            },
            {"number": numbers, "written": written, **network},
        ),
    }


def probability(model: LanguageModel, text: tf.Tensor) -> Tensors:
    """Returns the logarithm of the probability of texts (batch,), and the bits of a character."""
    text = canonical(text)
    numbers = model.subwords.encode(text)
    state, last = model.initial_state(tf.shape(text)[0]), tf.fill(tf.shape(text), BOUNDARY)
    found, _, _ = read(model, numbers, state, last)
    characters = tf.cast(tf.strings.length(text, unit="UTF8_CHAR"), tf.float32)
    bits = -found / math.log(2)
    return {"log_probability": found, "bits_per_character": tf.math.divide_no_nan(bits, characters)}


def continued(model: LanguageModel, prompt: tf.Tensor, options: Tensors) -> Tensors:
    """Returns the `text` (batch,) that is drawn after each prompt."""
    how = Options(**{name: options[name] for name in Options._fields})
    return {"text": model.subwords.decode(generate(model, _read_prompts(model, prompt), how, options["length"]))}


def initial_state(model: LanguageModel, batch: Any) -> Tensors:
    """The state before the first piece of texts, as named tensors."""
    return {
        **flat(model.initial_state(batch)),
        "state_last": tf.fill((batch,), BOUNDARY),
        "state_pending": tf.fill((batch,), ""),
    }


def stream(model: LanguageModel, text: tf.Tensor, final: tf.Tensor, state: Tensors) -> Tensors:
    """Reads the next piece of texts (batch,); returns the logarithm of its probability, and the state after it."""
    text = state["state_pending"] + text
    settled = tf.where(final, text, tf.strings.regex_replace(text, SETTLED, r"\1"))
    read_bytes, all_bytes = tf.strings.length(settled), tf.strings.length(text)
    # A place right behind the last byte is an error, hence one byte more, which is not taken.
    pending = tf.strings.substr(text + " ", read_bytes, all_bytes - read_bytes)
    found, after, last = read(
        model, model.subwords.encode(canonical(settled)), model.nested(state), state["state_last"]
    )
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


def _read_prompts(model: LanguageModel, prompt: tf.Tensor) -> Continuation:
    numbers = model.subwords.encode(canonical(prompt))
    return prefill(model, numbers.to_tensor(), tf.cast(numbers.row_lengths(), tf.int32))


def _tensors(begun: Continuation) -> Tensors:
    """A continuation as named tensors, as a signature wants it."""
    return {"logits": begun.logits, "written": begun.written, **flat(begun.state)}


def _rows(tensor: tf.Tensor) -> tf.TensorSpec:
    """The specification of any number of rows like that of a tensor (1, …)."""
    return tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype)
