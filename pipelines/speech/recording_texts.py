"""What is said in which recording, as other toolkits list it: Kaldi, NIST (STM, CTM), Sphinx, prompts, labels."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from data.files import plain_suffix
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recording_entries import Entry, entry_of
from pipelines.speech.recording_lists import rows_of, several_channels
from pipelines.subtitles import Cue, cues_of

Read = tuple[list[Entry], list[str]]
PAUSE_SECONDS = 0.5  # between two words, at which a CTM is cut
_LABEL = re.compile(r"\s*(\d+[.,]\d+)\t(\d+[.,]\d+)\t\s*(\S.*)")  # of Audacity: begin, end, what is said
_SAMPLES = re.compile(r"^0 \d{4,} (?=\S)")  # of TIMIT: the first and the last sample
_LABELS_OF_STM = re.compile(r"^<[^<>\s]*,[^<>\s]*>\s*")
_UNSCORED = ("ignore_time_segment_in_scoring", "inter_segment_gap")
_FILLERS = re.compile(r"</?s>|<sil>|\+\+\S+?\+\+|(?<=\w)\(\d+\)")  # of Sphinx, and its variants of pronunciation
_SPHINX = re.compile(r"(.*)\(([^\s()]+)\)\s*")


class Said(NamedTuple):
    """What a row says of a recording, whose `name` is a path, or a part of one, without its ending perhaps."""

    name: str
    text: str
    row: str
    speaker: str = ""
    offset: float = 0.0
    duration: float | None = None


def said_in(path: Path) -> list[Said]:
    """Returns what a list of texts says, in the format that its ending tells; others are prompts: a name and a text."""
    return list(LISTS.get(plain_suffix(path), _prompts)(path))


def _prompts(path: Path) -> Iterator[Said]:
    for row, line in rows_of(path):
        fields = re.split(r"[\t|]", line.strip())
        name, text = (fields[0], fields[-1]) if len(fields) > 1 else line.strip().partition(" ")[::2]
        yield Said(name.strip(), text.strip(), row)


def _stm(path: Path) -> Iterator[Said]:
    spoken = []
    for row, fields in _nist(path, 5, "recording channel speaker begin end text"):
        name, channel, speaker, _, _, *rest = fields
        begin, end = _times(row, fields[3], fields[4])
        text = _LABELS_OF_STM.sub("", " ".join(rest))
        if not set(_UNSCORED) & {text.lower(), speaker.lower()}:
            spoken.append((channel, Said(name, text, row, speaker, begin, end - begin)))
    return _of_one_channel(spoken)


def _ctm(path: Path) -> Iterator[Said]:
    words = []
    for row, fields in _nist(path, 5, "recording channel begin duration word"):
        begin, end = _times(row, fields[2], fields[3], is_duration=True)
        words.append((fields[1], Said(fields[0], fields[4], row, "", begin, end - begin)))
    pieces: list[Said] = []
    for word in _of_one_channel(words):
        if pieces and pieces[-1].name == word.name:
            last = pieces[-1]
            end = last.offset + (last.duration or 0.0)
            if 0 <= word.offset - end + 1e-3 < PAUSE_SECONDS:
                duration = word.offset + (word.duration or 0.0) - last.offset
                pieces[-1] = last._replace(text=f"{last.text} {word.text}", duration=duration)
                continue
        pieces.append(word)
    yield from pieces


def _nist(path: Path, least: int, expected: str) -> Iterator[tuple[str, list[str]]]:
    """Yields where it stands, and the fields, for each row that is no remark."""
    for row, line in rows_of(path):
        if line.startswith(";;"):
            continue
        fields = line.split()
        if len(fields) < least:
            raise SpeechDataError(f"{row}: expected {expected}. Correct it. Received: {line[:200]!r}")
        yield row, fields


def _of_one_channel(spoken: Sequence[tuple[str, Said]]) -> Iterator[Said]:
    """Yields what is said, and refuses recordings whose channels say different things, as channels are averaged."""
    channels: dict[str, str] = {}
    for channel, said in spoken:
        if channels.setdefault(said.name, channel) != channel:
            raise SpeechDataError(several_channels(said.row, said.name, channels[said.name], channel))
        yield said


def _times(row: str, begin: str, end: str, is_duration: bool = False) -> tuple[float, float]:
    try:
        first, last = float(begin), float(end)
        last = first + last if is_duration else last
        if not 0 <= first < last:
            raise ValueError
    except ValueError:
        raise SpeechDataError(
            f"{row}: expected a begin and {'a duration' if is_duration else 'an end after it'} in seconds. Correct it. "
            f"Received: {begin} and {end}"
        ) from None
    return first, last


def _transcription(path: Path) -> Iterator[Said]:
    """Sphinx: `<s> text </s> (name)`; the file of the same name that ends in .fileids has the paths, line by line."""
    rows, file_ids = list(rows_of(path)), path.with_name(path.name.replace(".transcription", ".fileids"))
    names = [line.strip() for _, line in rows_of(file_ids)] if file_ids.is_file() else []
    if names and len(names) != len(rows):
        raise SpeechDataError(
            f"{path} and {file_ids.name} have different numbers of lines; expected one for each recording in both. "
            f"Correct them. Received: {len(rows)} and {len(names)}"
        )
    for number, (row, line) in enumerate(rows):
        found = _SPHINX.fullmatch(line)
        if not found:
            raise SpeechDataError(f"{row}: expected <s> text </s> (name). Correct it. Received: {line[:200]!r}")
        yield Said(names[number] if names else found[2], " ".join(_FILLERS.sub(" ", found[1]).split()), row)


LISTS: dict[str, Callable[[Path], Iterator[Said]]] = {
    ".stm": _stm,
    ".ctm": _ctm,
    ".transcription": _transcription,
    ".fileids": lambda path: _transcription(path.with_suffix(".transcription")),
}
"""What reads a list of texts, by the ending of its name."""


def pieces_of(text: str, is_subtitles: bool) -> list[Cue] | str:
    """Returns what the text beside a recording says: of pieces, if it has times, or of the whole."""
    if is_subtitles:
        return cues_of(text)
    labels = [_LABEL.fullmatch(line) for line in text.splitlines() if line.strip() and not line.startswith("\\")]
    if labels and all(labels):
        times = [([float(label[at].replace(",", ".")) for at in (1, 2)], label[3].strip()) for label in labels if label]
        return [Cue(begin, end, said) for (begin, end), said in times if end > begin]
    return _SAMPLES.sub("", " ".join(text.split()))


def read_kaldi(folder: Path) -> Read | None:
    """Reads the files `wav.scp` and `text` of a Kaldi folder, and `segments` and `utt2spk` where there are any."""
    if not (folder / "wav.scp").is_file():
        return None
    recordings = _pairs(folder / "wav.scp")
    for row, name in recordings.values():
        if name.endswith("|") or name.startswith("|"):
            raise SpeechDataError(
                f"{row} is a command, and commands in lists are not run; expected a file. Run it once, and name the "
                f"file that it writes. Received: {name!r}"
            )
    texts = _pairs(folder / "text", empty=True)
    speakers = _pairs(folder / "utt2spk") if (folder / "utt2spk").is_file() else {}
    segments = _pairs(folder / "segments") if (folder / "segments").is_file() else {}
    entries = []
    for key, (row, text) in texts.items():
        recording, offset, duration = key, 0.0, None
        if segments:
            if key not in segments:
                raise _unknown(row, key, folder / "segments")
            recording, offset, duration = _segment(*segments[key])
        if recording not in recordings:
            raise _unknown(segments[key][0] if segments else row, recording, folder / "wav.scp")
        name = recordings[recording][1]
        entries.append(entry_of(folder, name, text, row, "", speakers.get(key, ("", ""))[1], offset, duration, key))
    without = sorted((set(segments) or set(recordings)) - set(texts))
    left = [f"Without a row in `text`, left out: {len(without)} ({', '.join(without[:3])} …)."] if without else []
    return entries, [f"Kaldi folder {folder.name}: {len(recordings)} recordings, {len(entries)} utterances.", *left]


def _pairs(path: Path, empty: bool = False) -> dict[str, tuple[str, str]]:
    """Reads lines of a key and what belongs to it: the row and the rest, by key."""
    found: dict[str, tuple[str, str]] = {}
    for row, line in rows_of(path):
        key, *rest = line.strip().split(maxsplit=1)
        if key in found or not (rest or empty):
            wrong = "the same key again" if key in found else "a key alone"
            raise SpeechDataError(
                f"{row}: expected a key of its own and what belongs to it. Correct it. Received: {wrong}, {key!r}"
            )
        found[key] = (row, rest[0] if rest else "")
    return found


def _segment(row: str, line: str) -> tuple[str, float, float | None]:
    fields = line.split()
    try:
        recording, start, end = fields[0], float(fields[1]), float(fields[2])
        if len(fields) > 4 or not start >= 0 or (end <= start and end != -1):  # -1: the end of the recording
            raise ValueError
    except (IndexError, ValueError) as error:
        raise SpeechDataError(
            f"{row}: expected the recording, and a start and an end after it in seconds. Correct it. Received: {line!r}"
        ) from error
    return recording, start, None if end == -1 else end - start


def _unknown(row: str, key: str, path: Path) -> SpeechDataError:
    return SpeechDataError(
        f"{row}: {path} does not have it; expected all keys there. Add or remove it. Received: {key!r}"
    )
