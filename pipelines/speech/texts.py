"""Texts beside the recordings: what the language model learns from them, in the writing of the recogniser."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from data import transcripts as telephone
from data.files import files_below, plain_suffix
from pipelines.hints import counted
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.data import OWN_SOURCES, DataConfiguration, Speech, held_out_texts, transcripts_of
from pipelines.speech.recording_rows import text_of
from pipelines.speech.transcripts import Transcripts

LANGUAGES = {"telephone_prompts": "en", "game_dialogue": "cs", "librispeech_dataset": "en"}
_SENTENCE_END = re.compile(r"(?<=\w{2}[.?!…])\s+|(?<=[?!…])\s+|(?<=[。！？])")  # noqa: RUF001  (full-width)
EXAMPLES = 3
TEXT_SUFFIXES = (".txt", ".text", ".md")  # of files in a folder of texts


class OwnTexts(NamedTuple):
    """Sentences for the language model, and what is reported of them: how many, and what was left out."""

    sentences: list[str]
    summary: str


def own_texts(paths: Sequence[str], configuration: DataConfiguration, speech: Speech) -> OwnTexts:
    """Returns the sentences of the user's text files, as the recogniser writes them.

    Left out, and counted, are those that cannot be spoken with certainty, that have characters which no training
    transcript has, or that are a transcript of validation or test.

    Args:
        paths: text files, of lines or paragraphs, and folders with such files (.txt, .text, .md).
        configuration: of the recordings, whose writing the sentences get.
        speech: the recordings.

    Raises:
        SpeechDataError: a file cannot be read, or holds no sentence that can be used.
    """
    if not paths:
        return OwnTexts([], "")
    files = [file for path in paths for file in _text_files(Path(path).expanduser())]
    changed = tuple((path, path.stat().st_mtime_ns if path.is_file() else 0) for path in files)
    return _read_texts(changed, configuration, tuple(speech.alphabet), frozenset(held_out_texts(speech.utterances)))


@lru_cache(maxsize=1)  # a training reports them when it begins, and learns from them when it ends
def _read_texts(
    files: tuple[tuple[Path, int], ...],
    configuration: DataConfiguration,
    alphabet: tuple[str, ...],
    held_out: frozenset[str],
) -> OwnTexts:
    """Returns the sentences of files that were changed then; see `own_texts`."""
    rules, known = _rules(configuration), set(alphabet)
    sentences: list[str] = []
    unknown: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for path, _ in files:
        for row, sentence in _sentences(path, whole_lines=configuration.normalisation == "off"):
            problems = len(rules.problems)
            text = _normalise(rules, configuration, sentence, row)
            if len(rules.problems) > problems:
                left_out["not to be spoken with certainty"] += 1
            elif strange := set(text) - known:
                left_out["with characters that no training transcript has"] += 1
                unknown.update(strange)
            elif text in held_out:
                left_out["that are in validation or test"] += 1
            elif text:
                sentences.append(text)
    examples = {
        "not to be spoken with certainty": [problem.written for problem in rules.problems[:EXAMPLES]],
        "with characters that no training transcript has": [
            character for character, _ in unknown.most_common(EXAMPLES)
        ],
    }
    reasons = ""
    for reason, count in left_out.items():
        shown = ", ".join(f"“{each}”" for each in examples.get(reason, []))
        reasons += f"{', ' if reasons else ' Left out: '}{count} {reason}{f' ({shown})' if shown else ''}"
    summary = f"Texts for the language model: {counted(len(sentences), 'sentence')}.{reasons}{'.' if reasons else ''}"
    if not sentences:
        raise SpeechDataError(
            "The texts hold nothing that the language model can learn from. Expected sentences in the language of the "
            f"recordings. Correct --decoding.texts. {summary} Received: {', '.join(str(path) for path, _ in files)}"
        )
    return OwnTexts(sentences, summary)


def _text_files(path: Path) -> list[Path]:
    """Returns the text files of a folder and its subfolders, or the only file."""
    if not path.is_dir():
        return [path]
    found = sorted(each for each in files_below(path) if plain_suffix(each) in TEXT_SUFFIXES)
    if not found:
        raise SpeechDataError(
            f"{path} holds no text files; expected some that end in {', '.join(TEXT_SUFFIXES)}. Correct "
            f"--decoding.texts. Received: {', '.join(sorted(each.name for each in path.iterdir())[:5]) or 'nothing'}"
        )
    return found


def normalise_text(configuration: DataConfiguration, text: str, row: str) -> str:
    """Returns a text in the writing of a recogniser that was trained on such data.

    Args:
        configuration: of the data.
        text: in any writing.
        row: what it is, for messages.

    Raises:
        SpeechDataError: it cannot be spoken with certainty.
    """
    rules = _rules(configuration)
    written = _normalise(rules, configuration, text, row)
    rules.refuse_problems()
    return written


def writer(configuration: DataConfiguration) -> Callable[[str], str]:
    """Returns what writes a word as the recogniser does, "" for one that cannot be spoken with certainty."""
    rules = _rules(configuration)
    return lambda word: _normalise(rules, configuration, word, word)


def _rules(configuration: DataConfiguration) -> Transcripts:
    if configuration.source in OWN_SOURCES:
        return transcripts_of(configuration)
    return Transcripts(LANGUAGES[configuration.source])


def _normalise(rules: Transcripts, configuration: DataConfiguration, text: str, row: str) -> str:
    if configuration.source == "telephone_prompts":
        return telephone.normalise(text, "en")
    return rules.normalise(text, row)


def _sentences(path: Path, whole_lines: bool) -> Iterator[tuple[str, str]]:
    """Yields where it stands, and the sentence, for each sentence of a text file."""
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        for sentence in [line] if whole_lines else _SENTENCE_END.split(line):
            if sentence.strip():
                yield f"{path}, line {number}", sentence.strip()
