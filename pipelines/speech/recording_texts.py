"""The text of a recording or of a segment of it, as toolkits list it: NIST (STM, CTM), Sphinx, fairseq, Whisper …"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data.files import plain_suffix
from pipelines.speech.annotation_tiers import READERS, Tier, is_silence, known_word, tiers_of
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recognised_json import recognised_rows
from pipelines.speech.recording_entries import Entry, channels_of, columns_of, piece_of, value_of
from pipelines.speech.recording_lists import timed_rows
from pipelines.speech.recording_rows import lines_of, rows_of
from pipelines.speech.unnamed_columns import NORMALISED
from pipelines.subtitles import ENDINGS as SUBTITLES
from pipelines.subtitles import Cue, cues_of

Read = tuple[list[Entry], list[str]]
PAUSE_SECONDS = 0.5  # between two words, at which a CTM is cut
_LABEL = re.compile(  # of Audacity and Fisher: begin, end, the side of a call, the text
    r"\s*(\d+[.,]\d+)(?:\t|(?= \S+ [A-Z]\d?: ) )(\d+[.,]\d+)(?:\t\s*| ([A-Z])\d?: )(.*)"
)
_SAMPLES = re.compile(r"^0 \d{4,} (?=\S)")  # of TIMIT: the first and the last sample
_LABELS_OF_STM = re.compile(r"^<[^<>\s]*,[^<>\s]*>\s*")
_UNSCORED = ("ignore_time_segment_in_scoring", "inter_segment_gap")
_SENTENCE_END = re.compile(r"[.?!…][\"'”’)»]*$")
_FILLERS = re.compile(  # of Sphinx and TED-LIUM, and their variants of pronunciation
    r"</?s>|<sil>|\+\+\S+?\+\+|\{[A-Z_]+\}|(?<=\w)\(\d+\)"
)
_APART = re.compile(r" '(?=(?:s|t|re|ve|ll|d|m)\b)")  # an ending apart from its word, as TED-LIUM writes it
_FESTIVAL = re.compile(r'\s*\(\s*(\S+)\s+"(.*)"\s*\)\s*')
_SPHINX = re.compile(r"(.*)\(([^\s()]+)\)\s*")


class Segment(NamedTuple):
    """A row about a recording, whose `name` is a path, or a part of one, without its ending perhaps."""

    name: str
    text: str
    row: str
    speaker: str = ""
    offset: float = 0.0
    duration: float | None = None
    channel: int | None = None


def segments_in(path: Path) -> list[Segment]:
    """Returns the segments of a list, in the format of its ending; without one, they are prompts: a name and a text."""
    return list(LISTS.get(plain_suffix(path), _prompts)(path))


def _prompts(path: Path) -> Iterator[Segment]:
    for row, line in rows_of(path):
        fields = re.split(r"[\t|]", line.strip())
        name, text = line.strip().partition(" ")[::2]
        before, colon, after = line.strip().partition(":")
        if festival := _FESTIVAL.fullmatch(line):
            name, text = festival[1], festival[2].replace('\\"', '"')
        elif len(fields) > 1:
            name, text = fields[0], fields[min(len(fields) - 1, NORMALISED)]
        elif colon and not re.search(r"\s", before):  # as in JSUT
            name, text = before, after
        yield Segment(name.strip(), text.strip(), row)


def _stm(path: Path) -> Iterator[Segment]:
    for row, fields in _nist(path, 5, "recording channel speaker begin end text"):
        name, channel, speaker, _, _, *rest = fields
        begin, end = _times(row, fields[3], fields[4])
        text = _LABELS_OF_STM.sub("", " ".join(rest))
        if not set(_UNSCORED) & {text.lower(), speaker.lower()}:
            text = " ".join(_FILLERS.sub(" ", _APART.sub("'", text)).split())
            yield Segment(name, text, row, speaker, begin, end - begin, *channels_of([channel]))


def _ctm(path: Path) -> Iterator[Segment]:
    words = []
    for row, fields in _nist(path, 5, "recording channel begin duration word"):
        begin, end = _times(row, fields[2], fields[3], is_duration=True)
        if not is_silence(fields[4]):
            text = known_word(fields[4])
            words.append(Segment(fields[0], text, row, "", begin, end - begin, *channels_of([fields[1]])))
    yield from _joined_words(words)


def _joined_words(words: Iterable[Segment]) -> list[Segment]:
    """Returns what single words say, cut at pauses, at words without a text, and where another speaker begins.

    After the end of a sentence any pause counts.
    """
    pieces: list[Segment] = []
    for word in words:
        last = pieces[-1] if pieces else word._replace(name="")
        pause = word.offset - last.offset - (last.duration or 0.0)
        is_next = (last.name, last.channel, last.speaker) == (word.name, word.channel, word.speaker)
        shortest = 2e-3 if _SENTENCE_END.search(last.text) else PAUSE_SECONDS
        if is_next and word.text and last.text and 0 <= pause + 1e-3 < shortest:
            end = word.offset + (word.duration or 0.0)
            pieces[-1] = last._replace(text=f"{last.text} {word.text}", duration=end - last.offset)
        else:
            pieces.append(word)
    return [piece for piece in pieces if piece.text]


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


def _transcription(path: Path) -> Iterator[Segment]:
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
        yield Segment(names[number] if names else found[2], " ".join(_FILLERS.sub(" ", found[1]).split()), row)


def _wrd(path: Path) -> Iterator[Segment]:
    """Fairseq: a text a line; the file of the same name that ends in .tsv has the folder, then a recording a line."""
    rows, (root, *recordings) = list(rows_of(path)), list(rows_of(path.with_suffix(".tsv")))
    if len(rows) != len(recordings):
        raise SpeechDataError(
            f"{path} and {path.with_suffix('.tsv').name} do not fit together; expected a text for each recording. "
            f"Correct them. Received: {len(rows)} texts, {len(recordings)} recordings"
        )
    for (row, text), (_, recording) in zip(rows, recordings, strict=True):
        yield Segment(f"{root[1].strip()}/{recording.split(chr(9))[0]}", text.strip(), row)


LISTS: dict[str, Callable[[Path], Iterator[Segment]]] = {
    ".stm": _stm,
    ".ctm": _ctm,
    ".transcription": _transcription,
    ".fileids": lambda path: _transcription(path.with_suffix(".transcription")),
    ".wrd": _wrd,
}
"""What reads a list of texts, by the ending of its name."""
TIMED = (".tsv", ".csv")  # tables of pieces of one recording, beside it


def pieces_of(text: str, ending: str, name: str, row: str) -> list[Segment]:
    """Returns what the text beside a recording says: of pieces, if it has times, or of the whole.

    Args:
        text: of the file.
        ending: of its name, in small letters.
        name: of the recording.
        row: the file, for messages.
    """
    if ending in READERS:
        tiers = tiers_of(text, ending, row)
        return [
            segment for tier in tiers for segment in _segments_of_tier(tier, name, row, tier.name * (len(tiers) > 1))
        ]
    if ending == ".json":
        pieces, are_words = recognised_rows(text, row)
        segments = _segments_of_rows([(row, piece) for piece in pieces], name)
        joined = _joined_words(segments) if are_words else segments
        return [joined[0]._replace(offset=0.0, duration=None)] if are_words and len(joined) == 1 else joined
    if ending in TIMED:
        return _segments_of_rows(timed_rows(lines_of(text, row)), name)
    if ending in SUBTITLES:
        return [_segment_of_cue(cue, name, row) for cue in cues_of(text)]
    labels = [_LABEL.fullmatch(line) for line in text.splitlines() if line.strip() and line[0] not in "\\#"]
    if labels and all(labels):
        return [
            Segment(name, label[4].strip(), row, label[3] or "", begin, end - begin, *channels_of([label[3] or ""]))
            for label in labels
            if label and label[4].strip()
            if (end := _number(label[2])) > (begin := _number(label[1]))
        ]
    if len(labels) > 1 and all("\t" in line for line in text.splitlines() if line.strip()):
        raise SpeechDataError(
            f"{row} is a table whose columns are not known. Expected a text, or begin, end and text in seconds on each "
            f"line. Write it so. Received: {text.splitlines()[0][:200]!r}"
        )
    return [Segment(name, _SAMPLES.sub("", " ".join(text.split())), row)]


def _segments_of_rows(rows: Sequence[tuple[str, Mapping[str, Any]]], name: str) -> list[Segment]:
    """Returns the pieces of a recording that a table lists, as Whisper writes it: times are milliseconds there.

    Whole numbers are milliseconds if pieces have 100 or more on average.
    """
    columns = columns_of(list(dict.fromkeys(column for _, values in rows for column in values)))
    sides = [value_of(values, columns, "channel") for _, values in rows]
    channels = channels_of(sides) if len(set(sides)) > 1 else [None] * len(rows)
    segments = [
        Segment(name, text, row, value_of(values, columns, "speaker"), *piece_of(values, columns, row), channel)
        for (row, values), channel in zip(rows, channels, strict=True)
        if (text := value_of(values, columns, "text").strip())
    ]
    are_whole = all(each.offset.is_integer() and (each.duration or 0.0).is_integer() for each in segments)
    if segments and are_whole and sum(each.duration or 0.0 for each in segments) >= 100 * len(segments):
        segments = [
            each._replace(offset=each.offset / 1000, duration=each.duration and each.duration / 1000)
            for each in segments
        ]
    return segments


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _segments_of_tier(tier: Tier, name: str, row: str, speaker: str) -> list[Segment]:
    speaker = re.sub(r"\s*-\s*words?$", "", speaker)  # as the Montreal Forced Aligner names tiers
    segments = [_segment_of_cue(cue, name, row, speaker) for cue in tier.cues]
    return _joined_words(segments) if tier.of_words else [each for each in segments if each.text]


def _segment_of_cue(cue: Cue, name: str, row: str, speaker: str = "") -> Segment:
    return Segment(name, cue.text, row, speaker, cue.start, None if math.isinf(cue.end) else cue.end - cue.start)
