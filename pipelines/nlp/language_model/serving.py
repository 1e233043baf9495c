"""What a server runs: texts in, their probability or what comes after them out, in stock TensorFlow operations."""

import math
from functools import partial

import tensorflow as tf

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.generation import (
    REMEMBERED,
    Continuation,
    Options,
    advance,
    generate,
    prefill,
    sample,
)
from pipelines.nlp.language_model.model import LanguageModel, State, cross_entropy, flat
from pipelines.nlp.language_model.network import LONGEST_NGRAM, LONGEST_TEXT
from pipelines.nlp.subwords import PADDING
from pipelines.nlp.unicode_forms import canonical
from pipelines.served import STREAMS, Signature, Tensors, required, specifications

WINDOW = 256  # subwords that are scored at once, so that memory is bounded
# What comes before the last white space has its subwords whatever follows: none has white space but at its start.
SETTLED = r"(?s)^(\C*)[ \n\t\r]\C*$|^\C*$"
SETTLED_BYTES = 1024  # of text without white space, of which no more waits for its end
NEIGHBOURS = 16  # bytes behind a subword that may still join its word
JOINED = [b"'", b"\xe2", *(bytes([byte]) for byte in range(0x80, 0xC0))]  # first bytes of what is not cut off
NUMBERS, REALS = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
SAMPLING = {"temperature": REALS, "top_k": NUMBERS, "top_p": REALS, "repetition_penalty": REALS}
SAMPLING |= {"no_repeat_ngram": NUMBERS, "seed": NUMBERS}


def signatures(model: LanguageModel) -> dict[str, Signature]:
    """Returns the functions to serve by name.

    `serving_default` takes `text`, string (batch,), UTF-8. It returns `log_probability` (batch,), the natural logarithm
    of the probability of a document that begins like that, and `bits_per_character` (batch,). Composed and decomposed
    characters are one; invisible ones do not count.

    `generate` takes `prompt`, string (batch,), and for each, (batch,): `length` (subwords, at most), `temperature` (0:
    the most probable), `top_k` (0: off), `top_p` (1: off), `repetition_penalty` (1: off), `no_repeat_ngram` (0: off),
    `seed`. It returns the `text` (batch,) that follows each prompt. It refuses an option that is out of range by its
    name. A prompt and a seed give the same text in any batch.

    `prefill`, `sample` and `advance` generate one subword after the other, as a stream does. `prefill` takes a `prompt`
    (batch,) and returns the `logits` (batch, size) of the next subword, the subwords `written` last (batch, 256) and
    the state `state_…`. `sample` takes `logits`, `written`, `step` (batch,) (0 for the first subword, then 1, …) and
    the options of `generate` but `length`, and returns the `number` (batch,) of the subword; 1 is the end of the text.
    `advance` takes `number`, `written` and the state, and returns the `piece` (batch,), bytes that may be a part of a
    character, and what `prefill` returns. The same options give the same text as `generate`.

    `initial_state` takes any number for each of the `streams`, int32 (batch,); `step` takes the next piece of each
    `text` (batch,), cut anywhere, `final` (batch,), whether the text ends with it, and the state before it, and returns
    the `log_probability` (batch,) of what it has read more and the state after it. What follows the last white space,
    or the end of a long text without any, waits in the state. The sum is that of the whole text.

        answer = tf.saved_model.load(folder).signatures["serving_default"]
        answer(text=tf.constant(["In the beginning"]))["bits_per_character"]
    """
    texts = tf.TensorSpec((None,), tf.string)
    network = specifications(flat(model.initial_state(1)))
    state = specifications(initial_state(model, tf.constant([0])))
    logits, written = tf.TensorSpec((None, model.size), tf.float32), tf.TensorSpec((None, REMEMBERED), tf.int32)
    return {
        "serving_default": Signature(partial(probability, model), {"text": texts}),
        "generate": Signature(
            lambda prompt, **options: continued(model, prompt, options),
            {"prompt": texts, "length": NUMBERS, **SAMPLING},
        ),
        "initial_state": Signature(partial(initial_state, model), STREAMS),
        "step": Signature(
            lambda text, final, **state: stream(model, text, final, state),
            {"text": texts, "final": tf.TensorSpec((None,), tf.bool), **state},
        ),
        "prefill": Signature(lambda prompt: _tensors(_read_prompts(model, prompt)), {"prompt": texts}),
        "sample": Signature(
            lambda logits, written, step, **options: {
                "number": sample(logits, written, Options(**_checked(options)), step)
            },
            {"logits": logits, "written": written, "step": NUMBERS, **SAMPLING},
        ),
        "advance": Signature(
            lambda number, written, **state: {
                "piece": model.subwords.pieces_of(number),
                **_tensors(advance(model, model.nested(state), written, number)),
            },
            {"number": NUMBERS, "written": written, **network},
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
    options = _checked(options)
    length = options.pop("length")
    drawn = generate(model, _read_prompts(model, prompt), Options(**options), length)
    return {"text": model.subwords.decode(drawn)}


def initial_state(model: LanguageModel, streams: tf.Tensor) -> Tensors:
    """The state before the first piece of texts, one for each of the streams (batch,), as named tensors."""
    batch = tf.shape(streams)[0]
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
    if_long = tf.reduce_max(tf.concat([all_bytes - read_bytes, [0]], axis=0)) > SETTLED_BYTES
    read_bytes = tf.cond(if_long, lambda: tf.maximum(read_bytes, _settled_bytes(model, text)), lambda: read_bytes)
    settled = tf.strings.substr(text, tf.zeros_like(read_bytes), read_bytes)
    # A place right behind the last byte is an error, hence one byte more, which is not taken.
    pending = tf.strings.substr(text + " ", read_bytes, all_bytes - read_bytes)
    found, after, last = read(
        model, model.subwords.encode(canonical(settled)), model.nested(state), state["state_last"]
    )
    return {"log_probability": found, **flat(after), "state_last": last, "state_pending": pending}


def _settled_bytes(model: LanguageModel, text: tf.Tensor) -> tf.Tensor:
    """How many bytes of texts (batch,) have their subwords whatever follows: all but the last ones."""
    numbers = model.subwords.encode(text).to_tensor(PADDING)
    pieces = model.subwords.pieces_of(numbers)  # (batch, subwords)
    ends = tf.cumsum(tf.strings.length(pieces), axis=1)
    last = tf.strings.length(text)[:, tf.newaxis] - model.subwords.longest - NEIGHBOURS
    # What is left begins neither within a character nor with an apostrophe, which belongs to the word before it.
    first = tf.strings.substr(tf.concat([pieces[:, 1:], pieces[:, :1]], axis=1), 0, 1)
    joined = tf.reduce_any(first[..., tf.newaxis] == tf.constant(JOINED), axis=-1)
    counts = tf.reduce_max(tf.where((ends <= last) & ~joined, ends, 0), axis=1)
    # Bytes that are no UTF-8 are read as others are, which are more: then all is settled.
    valid = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    starts = tf.zeros_like(counts)
    is_same = tf.strings.substr(text, starts, counts) == tf.strings.substr(valid, starts, counts)
    return tf.where(is_same, counts, tf.strings.length(text))


def read(
    model: LanguageModel, numbers: tf.RaggedTensor, state: State, last: tf.Tensor
) -> tuple[tf.Tensor, State, tf.Tensor]:
    """Returns the log probability (batch,) of subwords (batch, subwords) after those before, and what is kept of them.

    Args:
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


def _checked(options: Tensors) -> Tensors:
    """Refuses options that are out of range, each by its name."""
    ranges = {
        "length": (f"1 to {LONGEST_TEXT}", lambda value: (value >= 1) & (value <= LONGEST_TEXT)),
        "temperature": ("0 or more", lambda value: (value >= 0) & tf.math.is_finite(value)),
        "top_k": ("0 or more", lambda value: value >= 0),
        "top_p": ("more than 0, and 1 at most", lambda value: (value > 0) & (value <= 1)),
        "repetition_penalty": ("1 or more", lambda value: (value >= 1) & tf.math.is_finite(value)),
        "no_repeat_ngram": (f"0 to {LONGEST_NGRAM}", lambda value: (value >= 0) & (value <= LONGEST_NGRAM)),
        "seed": ("0 or more", lambda value: value >= 0),
    }
    return {
        name: required(
            value, ranges[name][1](value), f"{name}: expected {ranges[name][0]}. Correct it. Received:", value
        )
        for name, value in options.items()
    }


def _read_prompts(model: LanguageModel, prompt: tf.Tensor) -> Continuation:
    numbers = model.subwords.encode(canonical(prompt))
    return prefill(model, numbers.to_tensor(), tf.cast(numbers.row_lengths(), tf.int32))


def _tensors(begun: Continuation) -> Tensors:
    """A continuation as named tensors, as a signature wants it."""
    return {"logits": begun.logits, "written": begun.written, **flat(begun.state)}
