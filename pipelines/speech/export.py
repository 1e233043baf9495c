"""Exports a trained recogniser as a SavedModel: `python -m pipelines.speech.export [--run FOLDER]`."""

from pathlib import Path

import numpy as np

from pipelines import commands
from pipelines.exporting import WarmupRequest, export, metrics_table
from pipelines.runs import Run
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.model import Recogniser
from pipelines.speech.serving import served
from pipelines.speech.trained import load_recogniser

LICENCES = {
    "telephone_prompts": "Asterisk core sounds, English (CC-BY-SA-3.0)",
    "game_dialogue": "Fish Fillets – Next Generation, Czech dialogue (GPL-2)",
    "librispeech_dataset": "LibriSpeech (CC-BY-4.0)",
}
SYNTHETIC_SPEECH = "sentences of manuals (CC-BY-SA-3.0) and game dialogues (GPL-2), voices of flite (BSD-like)"


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/speech-<preset>/<version>/` and returns it."""
    recogniser = load_recogniser(run)
    module, signatures = served(recogniser)
    second = np.zeros((1, recogniser.features.sample_rate), np.float32)
    warmup = [WarmupRequest("serving_default", {"audio": second, "lengths": np.array([second.size], np.int32)})]
    return export(module, signatures, f"speech-{run.preset}", model_card(run, recogniser), warmup, folder)


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
        else f"It streams: signatures `initial_state` and `step`, chunks of a multiple of {frame} samples."
    )
    return f"""# Speech to text, preset {run.preset}

From the run {run.folder.name}, seed {configuration.seed}.

Audio of {recogniser.features.sample_rate} samples a second, mono, in −1 … 1, to text of the characters
`{"".join(recogniser.alphabet)}`, with times and confidence of each word. {direction}

## Signatures

`serving_default` takes `audio`, float32 (batch, samples), and `lengths`, int32 (batch,), the samples that count; `wav`
takes `wav`, a string (batch,): the bytes of files of 16-bit PCM at {recogniser.features.sample_rate} samples a second.
Both return `text` and `confidence` (batch,), and `words`, `word_starts`, `word_ends` (seconds) and `word_confidences`
(batch, words), padded with empty words.

    model = tf.saved_model.load(folder)
    model.signatures["wav"](wav=tf.constant([open("recording.wav", "rb").read()]))["text"]

## Data and licence

{source}.
{pretraining}
## Metrics

{metrics_table(run, "recordings")}
This export decodes as the row `greedy`: it carries no language model.

## Limits

It knows the voices, the language and the topics of its training recordings; other voices, noise and topics give more
errors. The confidence orders words by how sure the network is; it is not a calibrated probability.
"""


def main(arguments: list[str]) -> None:
    options = commands.run_options(commands.RunOptions, "speech", "export", arguments, __doc__ or "")
    folder = export_run(options.open("speech"))
    print(f"Wrote {folder} (SavedModel, model_card.md, warm-up requests)")
    print(f"Next: serve it, tensorflow_model_server --model_name=speech --model_base_path={folder.parent.resolve()}")


if __name__ == "__main__":
    commands.main(main)
