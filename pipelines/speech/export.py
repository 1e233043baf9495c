"""Exports a trained recogniser as a SavedModel."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.exporting import WarmupRequest, export_signatures
from pipelines.model_cards import card
from pipelines.runs import Run
from pipelines.speech import HOT_WORD_WEIGHT
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.decoder import DECODER, Decoder, load_decoder
from pipelines.speech.model import ALPHABET, Recogniser, load_model
from pipelines.speech.serving import N_BEST, signatures

LICENCES = {
    "telephone_prompts": "Asterisk core sounds, English (CC-BY-SA-3.0)",
    "game_dialogue": "Fish Fillets – Next Generation, Czech dialogue (GPL-2)",
    "librispeech_dataset": "LibriSpeech (CC-BY-4.0)",
}
SYNTHETIC_SPEECH = "sentences of manuals (CC-BY-SA-3.0) and game dialogues (GPL-2), voices of flite (BSD-like)"


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/speech-<preset>/<version>/` and returns it."""
    recogniser, decoder = load_model(run), load_decoder(run)
    second = np.zeros((1, recogniser.features.sample_rate), np.float32)
    recordings = {"audio": second, "lengths": [second.size]}
    hot_words = {
        "hot_words": [[next(each for each in recogniser.alphabet if each != " ")]],
        "hot_word_weights": [[1.0]],
    }
    warmup = [
        WarmupRequest("serving_default", recordings),
        WarmupRequest("hot_words", recordings | hot_words),
        WarmupRequest("logits", recordings),
        WarmupRequest("wav", {"wav": [tf.audio.encode_wav(second.T, recogniser.features.sample_rate).numpy()]}),
    ]
    if not recogniser.network.bidirectional:
        chunk = {"audio": second[:, : recogniser.frame_samples]}
        warmup += [WarmupRequest("initial_state_hot_words", {"streams": [0]} | hot_words)]
        warmup += [WarmupRequest("initial_state", {"streams": [0]})]
        warmup += [WarmupRequest(name, chunk) for name in ("step", "step_logits")]
        warmup += [WarmupRequest("finish", {})]
    return export_signatures(
        run,
        recogniser,
        signatures(recogniser, decoder),
        model_card(run, recogniser, decoder),
        warmup,
        folder,
        (ALPHABET, DECODER),
    )


def model_card(run: Run, recogniser: Recogniser, decoder: Decoder) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    configuration = run.read_configuration(SpeechConfiguration)
    source = LICENCES.get(configuration.data.source, f"the user's own recordings ({configuration.data.source})")
    pretraining = ""
    if configuration.data.pretraining != "none":
        pretraining = (
            f"\nSynthetic speech was mixed into training, never into validation or test: {SYNTHETIC_SPEECH}.\n"
        )
    frame = recogniser.frame_samples
    direction = (
        "It reads a recording in both directions, so it needs the whole of it."
        if recogniser.network.bidirectional
        else f"It streams: signatures `initial_state` and `step`, chunks of a multiple of {frame} samples. Each "
        "returns the `text` that has settled since the last one, how it goes on (`open`), which may still change, the "
        "`confidence` of both, and the `words` that have ended, with times since the stream began. `finish` takes the "
        "last state and returns the rest: the open text, its words, and `n_best`. What was said settles when all texts "
        "of the search agree on it, or at a pause of 0.8 seconds. `initial_state_hot_words` begins streams that prefer "
        "`hot_words`; `step_logits` also returns the logits of the chunk."
    )
    about = f"""
Audio of {recogniser.features.sample_rate} samples a second, mono, in −1 … 1, to text of the characters
`{"".join(recogniser.alphabet)}`, with times and confidence of each word. {direction}

## Signatures

`serving_default` takes `audio`, float32 (batch, samples), and `lengths`, int32 (batch,), the samples that count; `wav`
takes `wav`, a string (batch,): the bytes of WAV files of 16-bit PCM, {recogniser.features.sample_rate} samples a
second. Both return `text` and `confidence` (batch,); `words`, `word_starts`, `word_ends` (seconds) and
`word_confidences` (batch, words), padded with empty words; and `n_best` and `n_best_scores` (batch, {N_BEST}), the most
probable texts and their scores in nats, padded with empty texts. `hot_words` takes what `serving_default` takes, and
words or phrases that are likely, `hot_words` (batch, words), padded with empty ones, with `hot_word_weights` in nats,
{HOT_WORD_WEIGHT:g} by default elsewhere. `logits` takes what `serving_default` takes and returns `logits` (batch,
frames, labels), label 0 the CTC blank and then the characters above, and the `frames` (batch,) that count.

    model = tf.saved_model.load(folder)
    model.signatures["wav"](wav=tf.constant([open("recording.wav", "rb").read()]))["text"]

All of them answer as the row `model`: {_search_in_words(decoder)}. In Python, `unrolled.load(folder)` is the predictor,
whose `transcribe("recording.wav")` also resamples, and cuts long recordings at pauses.
"""
    limits = """
It knows the voices, the language and the topics of its training recordings; other voices, noise and topics give more
errors. The confidence orders words by how sure the network is; it is not a calibrated probability.
"""
    return card(run, "Speech to text", about, f"{source}.\n{pretraining}", "recordings", limits)


def _search_in_words(decoder: Decoder) -> str:
    """Returns what the texts are decoded with."""
    search = f"a beam search that keeps {decoder.beam_width} texts after each frame"
    if decoder.language_model is None or not decoder.language_model_weight:
        return f"{search}, without a language model"
    weight = f"{decoder.language_model_weight:g}"
    return f"{search}, with the language model that is in the graph (weight {weight})"
