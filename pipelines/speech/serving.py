"""What a server runs: raw audio in, text with word times and confidence out, in stock TensorFlow operations."""

from functools import cache, partial
from typing import Any

import tensorflow as tf

from models.decoding import (
    NBest,
    PrefixSearch,
    SearchState,
    Transcript,
    advance_search,
    finish_search,
    initial_search,
    search_decode,
)
from models.decoding.hot_word_table import HotWordTable
from models.decoding.prefix_search import Beams
from models.decoding.transcription import single_spaces
from pipelines import served
from pipelines.served import STREAMS, Signature, Tensors, for_any_batch, required
from pipelines.speech.audio_files import MAXIMUM_AMPLITUDE
from pipelines.speech.decoder import Decoder
from pipelines.speech.model import Recogniser
from pipelines.speech.wav import decode_wav

N_BEST = 5
"""Texts that a signature returns of each recording."""
HOT_WORDS = {
    "hot_words": tf.TensorSpec((None, None), tf.string),
    "hot_word_weights": tf.TensorSpec((None, None), tf.float32),
}

FREE = {"hot_word_labels": (1, 2), "hot_word_weights": (1,), "beam_matches": (2, 3)}
FREE |= {"beam_labels": (2,), "log_probabilities": (1,)}
"""The dimensions of a stream's state, beside the batch, that depend on the hot words, and on what is open."""


def signatures(recogniser: Recogniser, decoder: Decoder) -> dict[str, Signature]:
    """Returns the functions to serve by name.

    `serving_default` takes `audio` (batch, samples) in −1 … 1 at the model's rate and the `lengths` (batch,) that
    count; `wav` takes the bytes of 16-bit PCM files. Both return `text`, `confidence`, `words`, `word_starts`,
    `word_ends`, `word_confidences`, and `n_best` and `n_best_scores` (batch, `N_BEST`), as the decoder's search finds
    them. `hot_words` also takes the words that each recording prefers, `hot_words` (batch, words), padded with "", and
    the `hot_word_weights` (batch, words). `logits` takes what `serving_default` takes and returns what the search
    reads: `logits` (batch, frames, labels) and the `frames` (batch,) that count.

    A network of one direction also has `initial_state`, from any number for each of the `streams` (batch,), and
    `step`, from a chunk of `audio` and the state to the new state, the `text` that has settled since the last chunk,
    how it goes on, `open`, the `confidence`, and the `words` that have ended, with the times and confidences that
    `serving_default` returns; a chunk is a multiple of a frame (`frame_samples`). `finish` takes the state and returns
    the rest, `text`, `confidence`, words, `n_best` and `n_best_scores`. Joined, the texts are that of the whole.
    `step_logits` also returns the `logits` of the chunk. `initial_state_hot_words` begins streams that prefer words.
    """
    audio, lengths = tf.TensorSpec((None, None), tf.float32), tf.TensorSpec((None,), tf.int32)
    recordings = {"audio": audio, "lengths": lengths}
    search = cache(partial(_search, recogniser, decoder))  # a predictor of whole recordings needs none
    # What several signatures do is one function of the graph.
    read = tf.function(partial(logits, recogniser), input_signature=[audio, lengths], autograph=False)
    rows, words = tf.TensorSpec((None, None, len(recogniser.alphabet) + 1)), tf.TensorSpec((None, None, None), tf.int32)
    decode = tf.function(
        lambda rows, frames, *hot_words: _texts(
            *search_decode(search(), rows, frames, recogniser.frame_seconds, N_BEST, HotWordTable(*hot_words))
        ),
        input_signature=[rows, lengths, words, tf.TensorSpec((None, None), tf.float64)],
        autograph=False,
    )

    @for_any_batch
    def transcribe(audio: tf.Tensor, lengths: tf.Tensor, **hot_words: tf.Tensor) -> Tensors:
        heard = read(audio, lengths)
        return decode(heard["logits"], heard["frames"], *hot_word_table(recogniser, tf.shape(audio)[0], **hot_words))

    found = {
        "serving_default": Signature(transcribe, recordings),
        "wav": Signature(
            lambda wav: transcribe(**decode_wavs(wav, recogniser.features.sample_rate)),
            {"wav": tf.TensorSpec((None,), tf.string)},
        ),
        "hot_words": Signature(transcribe, recordings | HOT_WORDS),
        "logits": Signature(for_any_batch(read), recordings),
    }
    if recogniser.network.bidirectional:
        return found
    like = PrefixSearch(recogniser.alphabet, beam_width=decoder.beam_width)
    state = {}
    for name, tensor in initial_state(recogniser, like, tf.constant([0])).items():
        free = (0, *FREE.get(name, ()))
        shape = [None if place in free else size for place, size in enumerate(tensor.shape)]
        state[name] = tf.TensorSpec(shape, tensor.dtype)
    chunk = {"audio": audio, **state}
    step = for_any_batch(lambda audio, **state: stream(recogniser, search(), audio, state))

    return found | {
        "initial_state": Signature(lambda streams: initial_state(recogniser, search(), streams), STREAMS),
        "initial_state_hot_words": Signature(
            lambda streams, **words: initial_state(recogniser, search(), streams, **words), STREAMS | HOT_WORDS
        ),
        "step": Signature(lambda **inputs: {k: v for k, v in step(**inputs).items() if k != "logits"}, chunk),
        "step_logits": Signature(step, chunk),
        "finish": Signature(for_any_batch(lambda **state: finish(recogniser, search(), state)), state),
    }


def logits(recogniser: Recogniser, audio: tf.Tensor, lengths: tf.Tensor) -> Tensors:
    """Returns the logits of audio (batch, samples), of which `lengths` (batch,) count, and how many frames count."""
    batch, samples = tf.shape(audio)[0], tf.shape(audio)[1]
    message = "lengths: expected one for each recording, from 0 to the samples of `audio`. Received:"
    fits = tf.equal(tf.shape(lengths)[0], batch) & tf.reduce_all((lengths >= 0) & (lengths <= samples))
    lengths = required(lengths, fits, message, lengths)
    read = recogniser(_checked(tf.where(tf.sequence_mask(lengths, samples), audio, 0.0)), lengths)
    return {"logits": read.logits, "frames": read.lengths}


def _texts(transcript: Transcript, others: NBest) -> Tensors:
    return transcript._asdict() | others._asdict()


def hot_word_table(
    recogniser: Recogniser,
    batch: tf.Tensor,
    hot_words: tf.Tensor | None = None,
    hot_word_weights: tf.Tensor | None = None,
) -> HotWordTable:
    """Returns the table of hot words (batch, words), which are checked; without any, an empty one."""
    if hot_words is None or hot_word_weights is None:
        return HotWordTable.empty(batch)
    fits = tf.reduce_all(tf.shape(hot_words) == tf.shape(hot_word_weights)) & (tf.shape(hot_words)[0] == batch)
    message = "hot_words: expected a row for each recording, and a weight for each word. Received words, weights:"
    shapes = tf.stack([tf.shape(hot_words), tf.shape(hot_word_weights)])
    hot_words = required(hot_words, fits, message, shapes)
    message = "hot_word_weights: expected nats above 0 for each word, 2 to 10 are common. Received:"
    is_weight = tf.math.is_finite(hot_word_weights) & (hot_word_weights > 0)
    weights = required(hot_word_weights, is_weight | (hot_words == ""), message, hot_word_weights)
    table = HotWordTable.of(single_spaces(hot_words), weights, recogniser.alphabet)
    message = f"hot_words: expected words of the characters {''.join(recogniser.alphabet)!r}. Spell them so. Received:"
    return table._replace(labels=required(table.labels, table.labels >= 0, message, hot_words))


def decode_wavs(wav: tf.Tensor, sample_rate: int) -> Tensors:
    """Returns `audio` (batch, samples), padded, and `lengths` (batch,) of the bytes of 16-bit PCM files (batch,)."""
    recordings = tf.map_fn(
        lambda file: decode_wav(file, sample_rate),
        wav,
        fn_output_signature=tf.RaggedTensorSpec((None,), tf.float32, ragged_rank=0),
    )
    return {"audio": recordings.to_tensor(), "lengths": tf.cast(recordings.row_lengths(), tf.int32)}


def initial_state(recogniser: Recogniser, search: PrefixSearch, streams: tf.Tensor, **hot_words: tf.Tensor) -> Tensors:
    """The state of streams (batch,) before their first chunk; hot words as of `hot_word_table`."""
    batch = tf.shape(streams)[0]
    table = hot_word_table(recogniser, batch, **hot_words)
    return flat(recogniser.initial_state(batch)) | _flat_search(initial_search(search, table))


def stream(recogniser: Recogniser, search: PrefixSearch, audio: tf.Tensor, state: Tensors) -> Tensors:
    """Takes a chunk (batch, samples) and the state; returns the new state, what is heard, and the `logits`."""
    batch, samples = tf.unstack(tf.shape(audio))
    frame_samples = recogniser.frame_samples
    message = f"Expected a chunk of {frame_samples} samples, or a multiple. Keep the rest for the next one. Received:"
    audio = _checked(required(audio, (samples % frame_samples == 0) & (samples > 0), message, samples))
    logits, _, new_state, _ = recogniser(audio, tf.fill((batch,), samples), state=nested(state, recogniser))
    searched, heard = advance_search(search, _nested_search(state), logits, recogniser.frame_seconds)
    return flat(new_state) | _flat_search(searched) | heard._asdict() | {"logits": logits}


def finish(recogniser: Recogniser, search: PrefixSearch, state: Tensors) -> Tensors:
    """Returns the rest of streams, of which this is the last state; the network has nothing to add."""
    return _texts(*finish_search(search, _nested_search(state), recogniser.frame_seconds, N_BEST))


def _flat_search(state: SearchState) -> Tensors:
    """The search's state as named tensors."""
    beams = {f"beam_{name}": tensor for name, tensor in state.beams._asdict().items()}
    hot_words = {"hot_word_labels": state.hot_words.labels, "hot_word_weights": state.hot_words.weights}
    frames = {"log_probabilities": state.window, "counts": state.counts}
    return beams | hot_words | frames | {"beam_labels": state.labels, "text_before": state.before}


def _nested_search(tensors: Tensors) -> SearchState:
    """The search's state from its named tensors; inverse of `_flat_search`."""
    beams = Beams(*(tensors[f"beam_{name}"] for name in Beams._fields))
    hot_words = HotWordTable(tensors["hot_word_labels"], tensors["hot_word_weights"])
    labels, window, counts = (tensors[name] for name in ("beam_labels", "log_probabilities", "counts"))
    return SearchState(beams, labels, window, counts, tensors["text_before"], hot_words)


def _search(recogniser: Recogniser, decoder: Decoder) -> PrefixSearch:
    with tf.init_scope():  # its tables are variables, which belong to no graph
        return decoder.search(recogniser.alphabet)


def _checked(audio: tf.Tensor) -> tf.Tensor:
    """Refuses samples that are no numbers, and those of 16-bit integers that nobody has scaled."""
    peak = tf.reduce_max(tf.abs(tf.concat([[0.0], tf.reshape(audio, (-1,))], axis=0)))
    message = "audio: expected finite samples. Leave out NaN and infinity. Received samples that are none:"
    wrong = tf.math.count_nonzero(~tf.math.is_finite(audio), dtype=tf.int32)
    audio = required(audio, wrong == 0, message, wrong)
    message = "audio: expected samples from -1 to 1. Scale those of 16 bits by 1/32768. Received one of:"
    return required(audio, ~(peak > MAXIMUM_AMPLITUDE), message, peak)


def flat(state: dict[str, Any]) -> Tensors:
    """The network's state as named tensors, as a signature wants it."""
    convolutions = {f"convolution_{index}": tensor for index, tensor in enumerate(state["convolutions"])}
    return {"audio_before": state["audio"]} | convolutions | served.flat(state["recurrent"], "recurrent")


def nested(tensors: Tensors, recogniser: Recogniser) -> dict[str, Any]:
    """The network's state from its named tensors; inverse of `flat`."""
    return {
        "audio": tensors["audio_before"],
        "convolutions": [tensors[f"convolution_{index}"] for index in range(len(recogniser.convolutions))],
        "recurrent": served.nested(tensors, "recurrent", recogniser.initial_state(1)["recurrent"]),
    }
