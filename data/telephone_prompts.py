"""English telephone prompts: the voice menus of Asterisk, spoken by one professional speaker."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import soundfile
import tensorflow_datasets as tfds

from data.packages import Package, fetch
from data.speech_corpus import ALTERNATIVE, SpeechCorpus
from data.splits import assign_split, group_near_duplicates
from data.transcripts import normalise

AUDIO_PACKAGE = Package(
    "apt",
    "asterisk-core-sounds-en-wav",
    version="1.6.1-1",
    sha256="2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
    alternative=ALTERNATIVE,
)
TRANSCRIPT_PACKAGE = Package(
    "apt",
    "asterisk-core-sounds-en",
    version="1.6.1-1",
    sha256="973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
    alternative=ALTERNATIVE,
)
SAMPLE_RATE = 8000  # Hz
SHARES = {"train": 0.77, "validation": 0.09, "test": 0.14}
# The first number that brings the shares within 1.5 points of these, in prompts and in seconds: 429, 46 and
# 76 prompts, 1138, 110 and 207 s. It was chosen by size alone.
SPLIT_SALT = "telephone_prompts-11"

_DESCRIPTION = """\
The voice prompts of the Asterisk telephone exchange in American English: menus, announcements, numbers,
letters; 8 kHz, mono, one female speaker. Tones, silence and notes without speech are left out. The split is
by text: prompts that share a sentence or a clause, are near duplicates, or contain each other stay together.
"""
_CITATION = """\
@misc{asterisk-core-sounds,
  author = {Smith, Allison},
  title = {Asterisk core sounds, English},
  howpublished = {Debian packages asterisk-core-sounds-en and asterisk-core-sounds-en-wav},
}
"""
_HEARD_NOTE = re.compile(r"\([^)]*\)")  # these transcripts put what is heard, but not said, in round brackets, too


class Prompt(NamedTuple):
    """One recorded prompt, and the split that its text belongs to."""

    key: str
    path: Path
    text: str
    transcript: str
    split: str


class TelephonePrompts(SpeechCorpus):
    """TFDS builder of the English telephone prompts.

    Of the 568 recordings 17 are left out: ten silences and seven tones and noises, whose transcripts are
    notes in brackets. A spoken word with a note, such as "dash [-]", stays, without the note. `info.metadata`
    names what was left out.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Asterisk core sounds 1.6.1."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.corpus_info(
            SAMPLE_RATE,
            description=_DESCRIPTION,
            homepage="https://www.asterisk.org",
            citation=_CITATION,
            license="CC-BY-SA-3.0",
        )

    def _splits(self) -> dict[str, Any]:
        prompts, left_out = read_prompts(fetch(AUDIO_PACKAGE), fetch(TRANSCRIPT_PACKAGE))
        self.info.metadata.update(left_out)
        return {
            split: self._generate_examples([prompt for prompt in prompts if prompt.split == split]) for split in SHARES
        }

    def _generate_examples(self, prompts: list[Prompt]) -> Iterator[tuple[str, dict[str, Any]]]:
        for prompt in prompts:
            audio, rate = soundfile.read(prompt.path, dtype="int16")
            if rate != SAMPLE_RATE or audio.ndim != 1 or not len(audio):
                raise ValueError(
                    f"The prompt {prompt.key} is not mono speech of {SAMPLE_RATE} Hz. Remove "
                    f"{prompt.path.parent} and try again. Received: {rate} Hz, shape {audio.shape}"
                )
            yield (
                prompt.key,
                {
                    "audio": audio,
                    "text": prompt.text,
                    "transcript": prompt.transcript,
                    "key": prompt.key,
                },
            )


def read_prompts(audio_folder: Path, transcript_folder: Path) -> tuple[list[Prompt], dict[str, list[str]]]:
    """Returns the prompts that are speech, each with its split, and the names of those left out, by reason.

    Args:
        audio_folder: The unpacked package with the recordings.
        transcript_folder: The unpacked package with the list of transcripts.
    """
    sounds, transcript_list = _locate(audio_folder, transcript_folder)
    transcripts = _read_transcripts(transcript_list)
    heard = {key: _HEARD_NOTE.sub(" ", transcript) for key, transcript in transcripts.items()}
    texts = {key: normalise(words, "en") for key, words in heard.items()}
    recorded = {key: path for key in transcripts if (path := sounds / f"{key}.wav").is_file()}
    keys = [key for key in recorded if texts[key]]
    groups = group_near_duplicates([heard[key] for key in keys], "en")
    prompts = [
        Prompt(key, recorded[key], texts[key], transcripts[key], assign_split(group, SHARES, SPLIT_SALT))
        for key, group in zip(keys, groups, strict=True)
    ]
    return prompts, {
        "without_speech": sorted(key for key in recorded if not texts[key]),
        "without_recording": sorted(transcripts.keys() - recorded.keys()),
    }


def _read_transcripts(path: Path) -> dict[str, str]:
    """Returns the transcripts of a gzipped list of lines `key: text`; `;` starts a comment."""
    transcripts = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith(";"):
                key, _, transcript = line.partition(":")
                transcripts[key.strip()] = transcript.strip()
    return transcripts


def _locate(audio_folder: Path, transcript_folder: Path) -> tuple[Path, Path]:
    """Returns the folder of the recordings and the list of transcripts, wherever the package puts them."""
    anchors = sorted(audio_folder.rglob("hello-world.wav"))
    lists = sorted(transcript_folder.rglob("core-sounds-en.txt.gz"))
    if not anchors or not lists:
        raise FileNotFoundError(
            f"The packages {AUDIO_PACKAGE.name} and {TRANSCRIPT_PACKAGE.name} should hold hello-world.wav "
            f"and core-sounds-en.txt.gz. Received: {audio_folder}, {transcript_folder}"
        )
    return anchors[0].parent, lists[0]
