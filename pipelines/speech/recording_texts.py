"""What is said in which recording, as other toolkits list it: Kaldi, NIST (STM, CTM), Sphinx, fairseq, labels."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from data.files import plain_suffix
from pipelines.speech.annotation_tiers import READERS, Tier, tiers_of
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recording_entries import Entry, channels_of, entry_of
from pipelines.speech.recording_lists import rows_of
from pipelines.subtitles import cues_of

Read = tuple[list[Entry], list[str]]
PAUSE_SECONDS = 0.5  # between two words, at which a CTM is cut
_LABEL = re.compile(r"\s*(\d+[.,]\d+)\t(\d+[.,]\d+)\t\s*(\S.*)")  # of Audacity: begin, end, what is said
_SAMPLES = re.compile(r"^0 \d{4,} (?=\S)")  # of TIMIT: the first and the last sample
_LABELS_OF_STM = re.compile(r"^<[^<>\s]*,[^<>\s]*>\s*")
_UNSCORED = ("ignore_time_segment_in_scoring", "inter_segment_gap")
_FILLERS = re.compile(  # of Sphinx and TED-LIUM, and their variants of pronunciation
    r"</?s>|<sil>|\+\+\S+?\+\+|\{[A-Z_]+\}|(?<=\w)\(\d+\)"
)
_APART = re.compile(r" '(?=(?:s|t|re|ve|ll|d|m)\b)")  # an ending apart from its word, as TED-LIUM writes it
_SPHINX = re.compile(r"(.*)\(([^\s()]+)\)\s*")


class Said(NamedTuple):
    """What a row says of a recording, whose `name` is a path, or a part of one, without its ending perhaps."""

    name: str
    text: str
    row: str
    speaker: str = ""
    offset: float = 0.0
    duration: float | None = None
    channel: int | None = None


def said_in(path: Path) -> list[Said]:
    """Returns what a list of texts says, in the format that its ending tells; others are prompts: a name and a text."""
    return list(LISTS.get(plain_suffix(path), _prompts)(path))


def _prompts(path: Path) -> Iterator[Said]:
    for row, line in rows_of(path):
        fields = re.split(r"[\t|]", line.strip())
        name, text = (fields[0], fields[-1]) if len(fields) > 1 else line.strip().partition(" ")[::2]
        yield Said(name.strip(), text.strip(), row)


def _stm(path: Path) -> Iterator[Said]:
    for row, fields in _nist(path, 5, "recording channel speaker begin end text"):
        name, channel, speaker, _, _, *rest = fields
        begin, end = _times(row, fields[3], fields[4])
        text = _LABELS_OF_STM.sub("", " ".join(rest))
        if not set(_UNSCORED) & {text.lower(), speaker.lower()}:
            text = " ".join(_FILLERS.sub(" ", _APART.sub("'", text)).split())
            yield Said(name, text, row, speaker, begin, end - begin, *channels_of([channel]))


def _ctm(path: Path) -> Iterator[Said]:
    words = []
    for row, fields in _nist(path, 5, "recording channel begin duration word"):
        begin, end = _times(row, fields[2], fields[3], is_duration=True)
        words.append(Said(fields[0], fields[4], row, "", begin, end - begin, *channels_of([fields[1]])))
    yield from _joined_words(words)


def _joined_words(words: Iterable[Said]) -> list[Said]:
    """Returns what single words say, cut at pauses and where another recording, channel or speaker begins."""
    pieces: list[Said] = []
    for word in words:
        last = pieces[-1] if pieces else word._replace(name="")
        pause = word.offset - last.offset - (last.duration or 0.0)
        is_next = (last.name, last.channel, last.speaker) == (word.name, word.channel, word.speaker)
        if is_next and 0 <= pause + 1e-3 < PAUSE_SECONDS:
            end = word.offset + (word.duration or 0.0)
            pieces[-1] = last._replace(text=f"{last.text} {word.text}", duration=end - last.offset)
        else:
            pieces.append(word)
    return pieces


def _nist(path: Path, least: int, expected: str) -> Iterator[tuple[str, list[str]]]:
    """Yields where it stands, and the fields, for each row that is no remark."""
    for row, line in rows_of(path):
        if line.startswith(";;"):
            continue
        fields = line.split()
        if len(fields) < least:
            raise SpeechDataError(f"{row}: expected {expected}. Correct it. Received: {line[:200]!r}")
        yield row, fields


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


def _wrd(path: Path) -> Iterator[Said]:
    """Fairseq: a text a line; the file of the same name that ends in .tsv has the folder, then a recording a line."""
    rows, (root, *recordings) = list(rows_of(path)), list(rows_of(path.with_suffix(".tsv")))
    if len(rows) != len(recordings):
        raise SpeechDataError(
            f"{path} and {path.with_suffix('.tsv').name} do not fit together; expected a text for each recording. "
            f"Correct them. Received: {len(rows)} texts, {len(recordings)} recordings"
        )
    for (row, text), (_, recording) in zip(rows, recordings, strict=True):
        yield Said(f"{root[1].strip()}/{recording.split(chr(9))[0]}", text.strip(), row)


LISTS: dict[str, Callable[[Path], Iterator[Said]]] = {
    ".stm": _stm,
    ".ctm": _ctm,
    ".transcription": _transcription,
    ".fileids": lambda path: _transcription(path.with_suffix(".transcription")),
    ".wrd": _wrd,
}
"""What reads a list of texts, by the ending of its name."""
SUBTITLES = (".srt", ".vtt")


def pieces_of(text: str, ending: str, name: str, row: str) -> list[Said]:
    """Returns what the text beside a recording says: of pieces, if it has times, or of the whole.

    Args:
        text: of the file.
        ending: of its name, in small letters.
        name: of the recording.
        row: the file, for messages.
    """
    if ending in READERS:
        tiers = tiers_of(text, ending, row)
        return [said for tier in tiers for said in _said_in_tier(tier, name, row, tier.name * (len(tiers) > 1))]
    if ending in SUBTITLES:
        return [Said(name, cue.text, row, "", cue.start, cue.end - cue.start) for cue in cues_of(text)]
    labels = [_LABEL.fullmatch(line) for line in text.splitlines() if line.strip() and not line.startswith("\\")]
    if labels and all(labels):
        times = [([float(label[at].replace(",", ".")) for at in (1, 2)], label[3].strip()) for label in labels if label]
        return [Said(name, said, row, "", begin, end - begin) for (begin, end), said in times if end > begin]
    return [Said(name, _SAMPLES.sub("", " ".join(text.split())), row)]


def _said_in_tier(tier: Tier, name: str, row: str, speaker: str) -> list[Said]:
    speaker = re.sub(r"\s*-\s*words?$", "", speaker)  # as the Montreal Forced Aligner names tiers
    said = [Said(name, cue.text, row, speaker, cue.start, cue.end - cue.start) for cue in tier.cues]
    return _joined_words(said) if tier.of_words else said


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
    sides = folder / "reco2file_and_channel"  # of the recordings in `segments`, where wav.scp has the files
    channels = _pairs(sides) if segments and sides.is_file() else {}
    entries = []
    for key, (row, text) in texts.items():
        recording, offset, duration = key, 0.0, None
        if segments:
            if key not in segments:
                raise _unknown(row, key, folder / "segments")
            recording, offset, duration = _segment(*segments[key])
        channel = ""
        if recording in channels and recording not in recordings:
            recording, _, channel = channels[recording][1].partition(" ")
        if recording not in recordings:
            raise _unknown(segments[key][0] if segments else row, recording, folder / "wav.scp")
        name = recordings[recording][1]
        speaker, side = speakers.get(key, ("", ""))[1], channels_of([channel])[0]
        entries.append(entry_of(folder, name, text, row, "", speaker, offset, duration, key, side))
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
