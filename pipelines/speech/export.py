"""Exports a trained recogniser as a SavedModel."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.exporting import WarmupRequest, card, export_signatures
from pipelines.runs import Run
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.decoder import DECODER
from pipelines.speech.model import Recogniser
from pipelines.speech.serving import signatures
from pipelines.speech.trained import ALPHABET, load_model

LICENCES = {
    "telephone_prompts": "Asterisk core sounds, English (CC-BY-SA-3.0)",
    "game_dialogue": "Fish Fillets – Next Generation, Czech dialogue (GPL-2)",
    "librispeech_dataset": "LibriSpeech (CC-BY-4.0)",
}
SYNTHETIC_SPEECH = "sentences of manuals (CC-BY-SA-3.0) and game dialogues (GPL-2), voices of flite (BSD-like)"


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/speech-<preset>/<version>/` and returns it."""
    recogniser = load_model(run)
    second = np.zeros((1, recogniser.features.sample_rate), np.float32)
    recordings = {"audio": second, "lengths": [second.size]}
    warmup = [
        WarmupRequest("serving_default", recordings),
        WarmupRequest("logits", recordings),
        WarmupRequest("wav", {"wav": [tf.audio.encode_wav(second.T, recogniser.features.sample_rate).numpy()]}),
    ]
    if not recogniser.network.bidirectional:
        chunk = {"audio": second[:, : recogniser.frame_samples]}
        warmup += [WarmupRequest("initial_state", {"streams": [0]})]
        warmup += [WarmupRequest(name, chunk) for name in ("step", "step_logits")]
    return export_signatures(
        run, recogniser, signatures(recogniser), model_card(run, recogniser), warmup, folder, (ALPHABET, DECODER)
    )


def model_card(run: Run, recogniser: Recogniser) -> str:
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
        else f"It streams: signatures `initial_state` and `step`, chunks of a multiple of {frame} samples, each of "
        "which returns the new text; `step_logits` also returns the logits of the chunk."
    )
    about = f"""
Audio of {recogniser.features.sample_rate} samples a second, mono, in −1 … 1, to text of the characters
`{"".join(recogniser.alphabet)}`, with times and confidence of each word. {direction}

## Signatures

`serving_default` takes `audio`, float32 (batch, samples), and `lengths`, int32 (batch,), the samples that count; `wav`
takes `wav`, a string (batch,): the bytes of WAV files of 16-bit PCM, {recogniser.features.sample_rate} samples a
second. Both return `text` and `confidence` (batch,), and `words`, `word_starts`, `word_ends` (seconds) and
`word_confidences` (batch, words), padded with empty words. `logits` takes what `serving_default` takes and returns
`logits` (batch, frames, labels), label 0 the CTC blank and then the characters above, and the `frames` (batch,) that
count.

    model = tf.saved_model.load(folder)
    model.signatures["wav"](wav=tf.constant([open("recording.wav", "rb").read()]))["text"]

In Python, `unrolled.load(folder).transcribe("recording.wav")` answers as the row `model`: a beam search over the
`logits` with the language model in `assets.extra/run/decoder.json`. The other signatures answer as the row `greedy`.
"""
    limits = """
It knows the voices, the language and the topics of its training recordings; other voices, noise and topics give more
errors. The confidence orders words by how sure the network is; it is not a calibrated probability.
"""
    return card(run, "Speech to text", about, f"{source}.\n{pretraining}", "recordings", limits)
