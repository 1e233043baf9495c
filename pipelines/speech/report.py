"""The page that an evaluation of speech writes: table, errors, confusions, posteriors over a spectrogram, curves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from pipelines.evaluation import Evaluation
from pipelines.report import Code, Picture, Section, Table, write_evaluation
from pipelines.runs import Run
from pipelines.speech.decoder import Decoder
from pipelines.speech.model import Recogniser
from pipelines.speech.readings import Readings, Transcribed
from pipelines.speech.scoring import character_errors, confusions

WORST, CONFUSED = 15, 20  # rows of the tables


class Details(NamedTuple):
    """What the page shows beside the table."""

    readings: Readings
    recogniser: Recogniser
    decoder: Decoder


def write_speech_report(run: Run, evaluation: Evaluation, details: Details) -> None:
    """Writes `report.html` and its plots into the run's folder, for another split than test under names of its own."""
    readings, recogniser = details.readings, details.recogniser
    keys, references, recording = readings.keys, readings.references, readings.example
    texts = readings.texts["model"]
    errors = [character_errors(reference, text) for reference, text in zip(references, texts, strict=True)]
    worst = sorted(range(len(errors)), key=lambda index: -errors[index][0])[:WORST]
    worst_rows = [
        [keys[index], str(errors[index][0]), references[index], texts[index]] for index in worst if errors[index][0]
    ]
    most_confused = confusions(references, texts).most_common(CONFUSED)
    names = {"": "(nothing)", " ": "(space)"}
    confused_rows = [
        [names.get(spoken, spoken), names.get(written, written), str(count)]
        for (spoken, written), count in most_confused
    ]
    posteriors = posterior_picture(recording, recogniser)
    posteriors.savefig(run.folder / evaluation.file_name("posteriors.png"), dpi=120)
    hypothesis = details.decoder(recording.logits, recogniser.alphabet, recogniser.frame_seconds)[0]
    words = [[word.text, f"{word.start:.2f}", f"{word.end:.2f}", f"{word.confidence:.2f}"] for word in hypothesis.words]
    write_evaluation(
        run,
        evaluation,
        "Speech to text",
        "cer",
        "Word and character error rate: insertions, deletions and substitutions for each word or character of the "
        "reference; lower is better, 0 is perfect. The model's row is what the command transcribe prints.",
        [
            Section(
                "What the network hears",
                [
                    f"The recording {recording.key}: “{recording.text}”. Read as: “{hypothesis.text}”.",
                    Picture(
                        posteriors,
                        "Above, the probability of each character over time, ␣ the space, and in grey of the blank; "
                        "below, the log-mel spectrogram.",
                    ),
                    Table(["word", "from (s)", "to (s)", "confidence"], words, "Words of this recording, with times."),
                ],
            ),
            Section("Worst errors", _table(["recording", "errors", "reference", "written"], worst_rows)),
            Section("Characters taken for others", _table(["reference", "written", "times"], confused_rows)),
        ],
        {"key": keys, "text": references, **readings.texts},
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str | Table | Picture | Code]:
    return [Table(heads, rows) if rows else "None."]


def posterior_picture(recording: Transcribed, recogniser: Recogniser) -> Figure:
    """Draws the probabilities of the labels of each frame over the spectrogram of a recording."""
    probabilities = tf.nn.softmax(recording.logits).numpy()  # (frames, labels)
    features = recogniser.log_mel(recording.audio[np.newaxis])[0].numpy().T  # (mel bands, frames)
    duration = len(recording.audio) / recogniser.features.sample_rate
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    times = (np.arange(len(probabilities)) + 0.5) * recogniser.frame_seconds
    above.plot(times, probabilities[:, 0], color="0.75", linewidth=1)  # the blank
    for label, character in enumerate(recogniser.alphabet, start=1):
        name = "␣" if character == " " else character
        line = above.plot(times, probabilities[:, label], linewidth=1)[0]
        for frame in np.flatnonzero(probabilities[:, label] > 0.5):
            if frame == 0 or probabilities[frame - 1, label] <= 0.5:
                above.text(times[frame], 1.02, name, fontsize=8, ha="center", color=line.get_color())
    above.set_ylabel("probability")
    above.set_ylim(0, 1.12)
    below.imshow(features, origin="lower", aspect="auto", extent=(0, duration, 0, features.shape[0]), cmap="magma")
    below.set_xlabel("time (s)")
    below.set_ylabel("mel band")
    return figure
