"""What a recogniser is measured against: saying nothing, and PocketSphinx with its own English model."""

from collections.abc import Callable

import numpy as np

from data.transcripts import normalise
from pipelines.speech.audio_files import resample

Transcriber = Callable[[np.ndarray], str]
ENGLISH = ("telephone_prompts", "librispeech_dataset", "librispeech", "ljspeech")
POCKETSPHINX_RATE = 16000  # samples a second of its acoustic model


def available(source: str, sample_rate: int) -> dict[str, Transcriber]:
    """Returns the baselines that can run here, by name; PocketSphinx is an extra and knows English only."""
    found: dict[str, Transcriber] = {"silence": lambda audio: ""}
    if source in ENGLISH:
        try:
            found["pocketsphinx"] = pocketsphinx_transcriber(sample_rate)
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
        return normalise(hypothesis.hypstr, "en") if hypothesis else ""

    return transcribe
