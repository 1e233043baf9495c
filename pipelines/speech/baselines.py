"""What a recogniser is measured against: saying nothing, and PocketSphinx with its own English model."""

from collections.abc import Callable

import numpy as np

from data.spoken_text import spoken_text
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.resampling import resample

Transcriber = Callable[[np.ndarray], str]
ENGLISH = ("telephone_prompts", "librispeech_dataset")  # of the user's own recordings, `language` says it
POCKETSPHINX_RATE = 16000  # samples a second of its acoustic model


def available(configuration: SpeechConfiguration) -> dict[str, tuple[str, Transcriber]]:
    """Returns the baselines that can run here, by name, with a note; PocketSphinx is an extra for English."""
    found: dict[str, tuple[str, Transcriber]] = {"silence": ("writes nothing", lambda audio: "")}
    if configuration.data.source in ENGLISH or configuration.data.language.startswith("en"):
        try:
            transcriber = pocketsphinx_transcriber(configuration.features.sample_rate)
            found["pocketsphinx"] = ("with its own English model", transcriber)
        except ImportError:
            print("PocketSphinx is not installed; its row is left out. Install the extra `peers` for it.")
    return found


def pocketsphinx_transcriber(sample_rate: int) -> Transcriber:
    """Returns a function from audio (samples,) to text: PocketSphinx with the English model that it ships."""
    from pocketsphinx import Decoder

    decoder = Decoder(loglevel="FATAL")

    def transcribe(audio: np.ndarray) -> str:
        wide = resample(audio, sample_rate, POCKETSPHINX_RATE)
        decoder.start_utt()
        decoder.process_raw((np.clip(wide, -1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return spoken_text(hypothesis.hypstr, "en").text if hypothesis else ""

    return transcribe
