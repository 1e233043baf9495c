"""Czech game dialogue: the spoken lines of Fish Fillets, two main voices and many small ones."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import librosa
import numpy as np
import soundfile
import tensorflow_datasets as tfds

from data.dialogue_scripts import DIALOGUE_PACKAGE, dialogue_entries
from data.packages import Package, fetch
from data.speech_corpus import ALTERNATIVE, SpeechCorpus
from data.splits import assign_split, without_near_duplicates
from data.transcripts import normalise

AUDIO_PACKAGE = Package(
    "apt",
    "fillets-ng-data-cs",
    version="1.0.1-1.1",
    sha256="3ecef99b9456f1c80c9625c6f2418642b52d58e7167a46bad7a412db17991b14",
    alternative=ALTERNATIVE,
)
SAMPLE_RATE = 16_000  # Hz
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}  # of levels
# The first number that brings the shares within one point of these, in lines and in seconds, before
# near duplicates are left out; it was chosen by size alone.
SPLIT_SALT = "game_dialogue-40"

_DESCRIPTION = """\
The Czech dialogue of the puzzle game Fish Fillets - Next Generation; mono, resampled to 16 kHz. The split is
by level of the game; a line whose sentences, or near duplicates of them, are also in a later split (train,
validation, test) is left out of the earlier one.
"""
_CITATION = """\
@misc{fillets-ng-data,
  author = {{ALTAR interactive} and Dvorak, Ivo and others},
  title = {Fish Fillets - Next Generation, data files},
  howpublished = {Debian packages fillets-ng-data and fillets-ng-data-cs},
}
"""


class Line(NamedTuple):
    """One line of the dialogue that has a recording."""

    key: str
    level: str
    path: Path
    text: str
    transcript: str


class GameDialogue(SpeechCorpus):
    """TFDS builder of the Czech game dialogue (16,000 Hz).

    Beside the features of every corpus an example has `level`, the part of the game it is from.
    `info.metadata` names the lines that were left out, by reason.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Fish Fillets - Next Generation, data 1.0.1."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.corpus_info(
            SAMPLE_RATE,
            more_features={"level": tfds.features.Text()},
            description=_DESCRIPTION,
            homepage="https://fillets.sourceforge.net",
            citation=_CITATION,
            license="GPL-2",
        )

    def _splits(self) -> dict[str, Any]:
        lines, left_out = read_lines(fetch(AUDIO_PACKAGE), fetch(DIALOGUE_PACKAGE))
        splits, left_out["also_held_out"] = split_lines(lines)
        readable, left_out["unreadable"] = {}, []
        for split, members in splits.items():
            problems = {line.key: problem for line in members if (problem := _problem(line.path))}
            readable[split] = [line for line in members if line.key not in problems]
            left_out["unreadable"] += sorted(f"{key}: {problem}" for key, problem in problems.items())
        self.info.metadata.update(left_out)
        return {split: self._generate_examples(members) for split, members in readable.items()}

    def _generate_examples(self, lines: list[Line]) -> Iterator[tuple[str, dict[str, Any]]]:
        for line in lines:
            audio, _ = librosa.load(line.path, sr=SAMPLE_RATE, mono=True)
            yield (
                line.key,
                {
                    "audio": np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16),
                    "text": line.text,
                    "transcript": line.transcript,
                    "key": line.key,
                    "level": line.level,
                },
            )


def read_lines(audio_folder: Path, script_folder: Path) -> tuple[list[Line], dict[str, list[str]]]:
    """Returns the lines that have words and a recording, and the names of the others, by reason.

    Args:
        audio_folder: The unpacked package with the recordings, `sound/LEVEL/cs/NAME.ogg`.
        script_folder: The unpacked package with the dialogues, `script/LEVEL/dialogs_cs.lua`.
    """
    recordings = {
        (path.relative_to(audio_folder / "usr/share/games/fillets-ng/sound").parts[0], path.stem): path
        for path in sorted(audio_folder.glob("usr/share/games/fillets-ng/sound/**/cs/*.ogg"))
    }
    lines: dict[str, Line] = {}
    left_out: dict[str, list[str]] = {"without_words": [], "without_recording": [], "other_script": []}
    for script in sorted(script_folder.glob("usr/share/games/fillets-ng/script/*/*dialogs_cs.lua")):
        level = script.parent.name
        for entry in dialogue_entries(script.read_text(encoding="utf-8")):
            key, transcript = f"{level}/{entry.name}", entry.translation or ""
            # A placeholder (%1) is filled in by the game: nobody can have spoken it.
            text = "" if re.search(r"%\d", transcript) else normalise(transcript, "cs")
            if (level, entry.name) not in recordings:
                left_out["without_recording"].append(key)
            elif not text:
                left_out["without_words"].append(key)
            elif any(letter.isalpha() and not unicodedata.name(letter).startswith("LATIN") for letter in text):
                left_out["other_script"].append(key)
            else:
                lines[key] = Line(key, level, recordings[level, entry.name], text, transcript)
    return list(lines.values()), {reason: sorted(set(keys) - lines.keys()) for reason, keys in left_out.items()}


def split_lines(lines: Iterable[Line]) -> tuple[dict[str, list[Line]], list[str]]:
    """Returns the lines of each split, by level, and the names of the near duplicates that were left out."""
    splits: dict[str, list[Line]] = {split: [] for split in SHARES}
    for line in lines:
        splits[assign_split(line.level, SHARES, SPLIT_SALT)].append(line)
    left_out = []
    held_out = [line.transcript for line in splits["test"]]
    for split in ("validation", "train"):
        clear = set(without_near_duplicates([line.transcript for line in splits[split]], held_out, "cs", clauses=False))
        left_out += [line.key for line in splits[split] if line.transcript not in clear]
        splits[split] = [line for line in splits[split] if line.transcript in clear]
        held_out += [line.transcript for line in splits[split]]
    return splits, sorted(left_out)


def _problem(path: Path) -> str:
    """Returns why a recording cannot be read from start to end, or ""."""
    try:
        with soundfile.SoundFile(path) as file:
            read = sum(len(block) for block in file.blocks(65_536))
            return "" if read and read == file.frames else f"{read} of {file.frames} frames can be read"
    except soundfile.LibsndfileError as error:
        return str(error)
