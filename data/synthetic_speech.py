"""English sentences spoken by synthetic voices: for pre-training, never for validation or test."""

import itertools
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import librosa
import numpy as np
import soundfile
import tensorflow_datasets as tfds

from data import telephone_prompts
from data.composed_phrases import compose_phrases
from data.dialogue_scripts import DIALOGUE_PACKAGE, dialogue_entries
from data.packages import Package, PackageError, fetch
from data.speech_corpus import ALTERNATIVE, SpeechCorpus
from data.splits import assign_split, stable_fraction, without_near_duplicates
from data.transcripts import normalise

# flite and its libraries differ between processors, so they have no checksum of ours; apt verifies them.
SPEAKING_PACKAGE = Package("apt", "flite", version="2.2-5", alternative=ALTERNATIVE)
VOICES_PACKAGE = Package("apt", "libflite1", version="2.2-5", alternative=ALTERNATIVE)
SOUND_PACKAGES = (  # flite links the sound driver, which a bare machine lacks; Debian has renamed it
    Package("apt", "libasound2", version="1.2.8-1+b1", alternative=ALTERNATIVE),
    Package("apt", "libasound2t64", version="1.2.14-1", alternative=ALTERNATIVE),
)
MANUALS_PACKAGE = Package(
    "apt",
    "gnome-user-docs",
    version="43.0-2",
    sha256="0d635a840747958ca84da778b40d341f1155603851f922c9a171f5a181d6a39f",
    alternative=ALTERNATIVE,
)
SAMPLE_RATE = 8000  # Hz
SOURCE_SHARES = {"manuals": 0.45, "dialogue": 0.4, "composed": 0.15}  # of utterances

_DESCRIPTION = """\
English sentences of software manuals and game dialogues, and composed phrases with numbers, letters and
dial instructions, spoken by the five voices of flite at varied speed and pitch; 8 kHz, mono. One split,
train: it is meant for pre-training only. Sentences that are near duplicates of held-out telephone prompts are
left out.
"""
_CITATION = """\
@inproceedings{black2001flite,
  author = {Black, Alan W. and Lenzo, Kevin A.},
  title = {Flite: a small fast run-time synthesis engine},
  booktitle = {4th ISCA Workshop on Speech Synthesis},
  year = {2001},
}
"""
_SENTENCE_END = re.compile(r"(?<=[a-z][.?!])\s+(?=[A-Z])")
# Only words whose pronunciation is certain: no digits, abbreviations, paths or menu arrows.
_SPEAKABLE = re.compile(r"[A-Z](?:[a-z]+|(?=[ ']))(?:[ ,;:-]{1,2}(?:[A-Z]?[a-z]+(?:'[a-z]+)?|[AI]))+[.?!]?")
_PROSE = {f"{{http://projectmallard.org/1.0/}}{tag}" for tag in ("p", "title", "desc")}
_OF_TELEPHONES = re.compile(r"\b(press|enter|dial|select|choose|call|number|message|phone|password|please|user)", re.I)


class Voice(NamedTuple):
    """A voice of flite: its share of the utterances, and its usual pitch in Hz."""

    share: float
    pitch: float


VOICES = {  # a half goes to the only woman, as a woman speaks the prompts
    "slt": Voice(0.5, 172),
    "rms": Voice(0.15, 98),
    "awb": Voice(0.1, 125),
    "kal16": Voice(0.15, 105),
    "kal": Voice(0.1, 105),
}


class Utterance(NamedTuple):
    """A sentence, and how it is to be spoken: stretch 1.2 is 20 % slower than usual; pitch is in Hz."""

    key: str
    transcript: str
    voice: str
    stretch: float
    pitch: float


@dataclass
class SyntheticSpeechConfig(tfds.core.BuilderConfig):
    """How much to speak; a smaller size is a part of every larger one."""

    utterances: int = 0


class SyntheticSpeech(SpeechCorpus):
    """TFDS builder of English speech by synthetic voices (8000 Hz), split `train` only.

    Beside the features of every corpus an example has `voice`, the name of the flite voice.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version, flite 2.2."}  # noqa: RUF012  (TFDS declares it so)
    BUILDER_CONFIGS = [  # noqa: RUF012
        SyntheticSpeechConfig(name="one_hour", description="About one hour of speech.", utterances=1150),
        SyntheticSpeechConfig(name="six_hours", description="About six hours of speech.", utterances=6900),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return self.corpus_info(
            SAMPLE_RATE,
            more_features={"voice": tfds.features.Text()},
            description=_DESCRIPTION,
            homepage="http://cmuflite.org",
            citation=_CITATION,
            license="Texts: CC-BY-SA-3.0 (manuals) and GPL-2 (dialogues). Voices: flite, BSD-like.",
        )

    def _splits(self) -> dict[str, Any]:
        return {"train": self._generate_examples(planned_utterances(self.builder_config.utterances))}

    def _generate_examples(self, utterances: list[Utterance]) -> Iterator[tuple[str, dict[str, Any]]]:
        flite = Flite()
        with ThreadPoolExecutor(os.cpu_count()) as threads:  # flite works in processes of its own
            for start in range(0, len(utterances), 64):  # so that memory stays bounded
                chunk = utterances[start : start + 64]
                for utterance, audio in zip(chunk, threads.map(flite.speak, chunk), strict=True):
                    yield (
                        utterance.key,
                        {
                            "audio": audio,
                            "text": normalise(utterance.transcript, "en"),
                            "transcript": utterance.transcript,
                            "key": utterance.key,
                            "voice": utterance.voice,
                        },
                    )


def planned_utterances(count: int) -> list[Utterance]:
    """Returns what is to be spoken, from the packages' texts; for a smaller count, a part of the same."""
    prompts, _ = telephone_prompts.read_prompts(
        fetch(telephone_prompts.AUDIO_PACKAGE), fetch(telephone_prompts.TRANSCRIPT_PACKAGE)
    )
    sources = {
        "manuals": manual_sentences(fetch(MANUALS_PACKAGE)),
        "dialogue": dialogue_sentences(fetch(DIALOGUE_PACKAGE)),
        "composed": compose_phrases(count),  # more than its share: some are left out
    }
    return choose_utterances(sources, [prompt.transcript for prompt in prompts if prompt.split != "train"], count)


def all_sentences() -> list[str]:
    """Returns the sentences of the largest size, normalised and each once, spoken or not: text costs nothing."""
    most = max(configuration.utterances for configuration in SyntheticSpeech.BUILDER_CONFIGS)
    return sorted({normalise(utterance.transcript, "en") for utterance in planned_utterances(most)})


class Flite:
    """The speech synthesiser flite, run from its unpacked packages.

    Raises:
        PackageError: It does not run on this machine.
    """

    def __init__(self) -> None:
        self._program = _only(fetch(SPEAKING_PACKAGE), "bin/flite")
        self._libraries = [_only(fetch(VOICES_PACKAGE), "libflite.so.1").parent]
        problem = self._problem()
        for package in SOUND_PACKAGES:
            if "libasound" not in problem:
                break
            try:
                self._libraries.append(_only(fetch(package), "libasound.so.2").parent)
            except PackageError as error:  # it has the other name here
                problem = f"{problem}\n{error}"
            else:
                problem = self._problem()
        if problem:
            raise PackageError(f"The speech synthesiser flite does not run on this machine. Received: {problem}")

    def speak(self, utterance: Utterance) -> np.ndarray:
        """Returns the audio of `utterance`: (samples,) int16, 8000 Hz."""
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            settings = (
                f"duration_stretch={utterance.stretch:.3f}",
                f"int_f0_target_mean={utterance.pitch:.1f}",
            )
            options = itertools.chain.from_iterable(("--setf", setting) for setting in settings)
            self._run("-voice", utterance.voice, *options, "-t", utterance.transcript, "-o", file.name, check=True)
            audio, rate = soundfile.read(file.name, dtype="float32")
        if rate != SAMPLE_RATE:
            audio = librosa.resample(audio, orig_sr=rate, target_sr=SAMPLE_RATE)
        return np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16)

    def _problem(self) -> str:
        result = self._run("-lv", check=False)
        return (result.stderr or f"exit code {result.returncode}") if result.returncode else ""

    def _run(self, *arguments: str, check: bool) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(map(str, self._libraries))}
        command = [str(self._program), *arguments]
        return subprocess.run(command, env=environment, check=check, capture_output=True, text=True)


def choose_utterances(sources: dict[str, list[str]], held_out: list[str], count: int) -> list[Utterance]:
    """Return `count` utterances, with voice, speed and pitch; for a smaller count, a part of the same ones.

    Args:
        sources: Sentences of each source of `SOURCE_SHARES`, the preferred ones first. A short list is used
            again from its start, then mostly with other voices.
        held_out: Transcripts that must stay unheard, and everything near them.
        count: Number of utterances.
    """
    utterances = []
    for source, share in SOURCE_SHARES.items():
        sentences = without_near_duplicates(sources[source], held_out, "en")
        for number, sentence in enumerate(itertools.islice(itertools.cycle(sentences), round(share * count))):
            key = f"{source}-{number:06d}"
            voice = assign_split(f"{key} voice", {name: voice.share for name, voice in VOICES.items()})
            utterances.append(
                Utterance(
                    key,
                    sentence,
                    voice,
                    stretch=0.85 + 0.4 * stable_fraction(f"{key} stretch"),
                    pitch=VOICES[voice].pitch * (0.88 + 0.27 * stable_fraction(f"{key} pitch")),
                )
            )
    return utterances


def manual_sentences(folder: Path) -> list[str]:
    """Returns the speakable sentences of the English pages of gnome-user-docs, preferred ones first."""
    sentences = []
    for page in sorted(folder.glob("usr/share/help/C/*/*.page")):
        for element in ElementTree.parse(page).iter():
            if element.tag in _PROSE:
                sentences += _SENTENCE_END.split(" ".join("".join(element.itertext()).split()))
    return _speakable(sentences)


def dialogue_sentences(folder: Path) -> list[str]:
    """Returns the speakable sentences of the English dialogues of fillets-ng-data, preferred ones first."""
    sentences = []
    for script in sorted(folder.glob("usr/share/games/fillets-ng/script/*/*dialogs_cs.lua")):
        for entry in dialogue_entries(script.read_text(encoding="utf-8", errors="replace")):
            sentences += _SENTENCE_END.split(entry.english)
    return _speakable(sentences)


def _speakable(sentences: Iterable[str]) -> list[str]:
    plain = dict.fromkeys(sentence.replace("\u2019", "'").strip() for sentence in sentences)
    kept = [sentence for sentence in plain if _SPEAKABLE.fullmatch(sentence) and 3 <= len(sentence.split()) <= 20]
    # A stable shuffle, in which sentences with words of telephone menus stand on average twice as early.
    return sorted(kept, key=lambda text: stable_fraction(text) * (0.5 if _OF_TELEPHONES.search(text) else 1))


def _only(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name))
    if not found:
        raise PackageError(f"The unpacked package no longer holds {name}. Received: {folder}")
    return found[0]
