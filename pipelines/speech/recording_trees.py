"""Recordings and their texts anywhere in a tree of folders: LibriSpeech, VoxForge, TIMIT, VCTK, texts side by side."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize

from data.files import files_below, plain_suffix
from pipelines.hints import listed
from pipelines.json_lines import JSON
from pipelines.speech.annotation_tiers import READERS as TIERS
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recording_entries import AUDIO_SUFFIXES, SHORT, SPLIT_NAMES, Entry, entry_of
from pipelines.speech.recording_lists import TRIED, has_names, read_list, timed_rows
from pipelines.speech.recording_rows import rows_of, text_of
from pipelines.speech.recording_texts import LISTS, TIMED, Read, Segment, pieces_of, segments_in
from pipelines.subtitles import ENDINGS as SUBTITLES

TEXTS = (".normalized.txt", ".txt", ".lab")  # of recordings of the same name, beside them or in a folder of texts
ENDINGS = (*TEXTS, *SUBTITLES, *TIERS, ".json", *TIMED)  # also of pieces of recordings; the first counts
OTHER_TEXTS = {  # of which nothing is read, and what to do
    ".trs": "Transcriber's files: import them in ELAN, and save them as .eaf",
    ".cha": "CHAT: convert it to .eaf with chat2elan of CLAN",
    **dict.fromkeys((".ttml", ".dfxp", ".sub"), "subtitles of another kind: convert them to .srt"),
    **dict.fromkeys((".docx", ".odt", ".rtf", ".pdf", ".md"), "documents: save the text of a.wav as a.txt"),
    ".ass": "Advanced SubStation: convert it, `ffmpeg -i a.ass a.srt`",
    ".yaml": "YAML: write a list as .csv or .jsonl",
    ".tar": "archives (WebDataset): unpack them, `tar -xf`, into this folder",
    ".zip": "archives: unpack them into this folder",
    ".parquet": "Parquet: write a list as .csv, and recordings inside to files",
    ".xlsx": "Excel: save the table as .csv",
}
TABLES = (".csv", *JSON)
PROMPTS = ("", ".txt", ".tsv", ".trans", ".text", ".data")  # which may list the texts of many recordings
LARGEST = 1 << 26  # bytes of such a list
_SPEAKER_OF_TIMIT = re.compile(r"[FM][A-Z]{2}[A-Z\d]\d")
_SESSION_OF_VOXFORGE = re.compile(r"(.+)-\d{8}-\w+")


def texts_in_a_tree(folder: Path, only: Path | None = None) -> Read:
    """Texts beside the recordings, in a folder of texts, or in lists anywhere below: LibriSpeech, VoxForge, TIMIT …"""
    tree = _Tree(folder)
    by_list: dict[Path, list[Entry]] = {}  # by the recording
    lists = []
    for path in tree.others if only is None else ():
        if segments := tree.segments_in(path):
            lists.append(path.name)
            latest: dict[Path, list[Entry]] = {}
            for each in segments:
                entry = tree.entry(each, path)
                latest.setdefault(entry.path, []).append(entry)
            by_list |= latest
    entries, without = [], []
    for audio in tree.recordings:
        if found := tree.entries_beside(audio, only) or by_list.get(audio, []):
            entries += found
        else:
            without.append(audio)
    entries += [entry for audio, found in by_list.items() if not audio.is_file() for entry in found]
    unread = [each for audio in without for each in tree.beside(audio) if _ending(each) == ".json"]
    unread = [each for each in unread if only in (None, each)]
    if unread and not entries:
        raise SpeechDataError(
            f"{unread[0]} holds no text that is recognised; expected `text`, a list of pieces with begin, end and "
            "text, or what Whisper, Vosk, AssemblyAI, AWS, Google, Deepgram or Azure write. Write it so, or put the "
            f"text of a.wav into a.txt. Received: {SHORT.repr(text_of(unread[0]))}"
        )
    if only and not any(only in tree.beside(audio) for audio in tree.recordings):
        *_, name = _recordings_of(only)
        raise SpeechDataError(
            f"{only} is the text of one recording, which is not beside it; expected one of the same name, such as "
            f"{name}.wav. Put it there. Received: {listed([each.name for each in tree.recordings]) or 'no recordings'}"
        )
    if not entries:
        others = sorted(
            {OTHER_TEXTS[each.suffix.lower()] for each in tree.others if each.suffix.lower() in OTHER_TEXTS}
        )
        if kaldi := sorted(each.parent.name for each in folder.glob("*/wav.scp")):
            raise SpeechDataError(
                f"{folder} holds folders of Kaldi, none of which is named as that to train on. Expected names such as "
                f"train, dev and test. Name each: --data.path {folder / kaldi[-1]}, --data.validation, --data.test. "
                f"Received: {listed(kaldi)}"
            )
        raise SpeechDataError(
            f"{folder} holds no recordings with texts that are recognised; expected one list (csv, tsv, jsonl), lists "
            "train, dev and test, wav.scp and text (Kaldi), SUBSET/speaker/chapter/*.trans.txt (LibriSpeech), or "
            "a.txt, a.srt, a.TextGrid or a.eaf beside a.wav. Give the list itself, or write one. "
            f"{''.join(f'It has {each}. ' for each in others)}Received: "
            f"{sorted(path.name for path in folder.glob('*'))[:10]}"
        )
    if not any(entry.split == "train" for entry in entries):
        entries = [entry._replace(split="") for entry in entries]
    origin = f"listed in {listed([*dict.fromkeys(lists)])}" if lists else "with a text of the same name beside them"
    names = [str(audio.relative_to(folder)) for audio in without]
    silent = f" (nothing recognised in {listed([each.name for each in unread])})" if unread else ""
    left = [f"Without a text, left out: {listed(names)}{silent}."] if without and only is None else []
    return _with_keys_of_their_own(entries, folder), [f"{len(entries)} texts of recordings {origin}.", *left]


def texts_of_a_list(path: Path) -> Read:
    """Reads a list of texts whose recordings lie below its folder, or below the one that holds that."""
    for folder in (path.absolute().parent, path.absolute().parent.parent):
        tree = _Tree(folder)
        entries = [tree.entry(each, folder / path.name)._replace(split="") for each in segments_in(path)]
        if any(entry.path.is_file() for entry in entries):
            break
    recordings = len({entry.path for entry in entries})
    return _with_keys_of_their_own(entries, folder), [f"{path.name}: {len(entries)} texts of {recordings} recordings."]


class _Tree:
    """The files of a folder and of those below: recordings, texts of the same names, and others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.recordings: list[Path] = []
        self.others: list[Path] = []
        self._texts: dict[str, list[Path]] = {}  # by the name of the recording
        self._below: dict[tuple[Path, str], list[Path]] = {}  # recordings by a folder above them, and their name
        files = [each for each in sorted(files_below(folder)) if each.is_file() and not each.name.startswith(".")]
        for path in files:
            if path.suffix.lower() in AUDIO_SUFFIXES:
                self.recordings.append(path)
                for above in path.parents[: len(path.relative_to(folder).parts)]:
                    self._below.setdefault((above, _name_of(path)), []).append(path)
        for path in files:
            names = _recordings_of(path)
            name = next((each for each in names if (folder, each) in self._below), "")
            if name and not (_ending(path) in TIMED and is_list(path)):
                self._texts.setdefault(name, []).append(path)
            elif path.suffix.lower() not in AUDIO_SUFFIXES:
                self.others.append(path)

    def path_of(self, name: str, beside: Path) -> Path:
        """Returns the recording that a list names: the nearest, and of those the one whose path ends like the name."""
        plain = normalize("NFC", name.replace("\\", "/"))
        plain = str(Path(plain).with_suffix("")) if plain.lower().endswith(AUDIO_SUFFIXES) else plain
        for place in beside.parents:
            if found := self._below.get((place, plain.rsplit("/", 1)[-1])):
                return max(found, key=lambda path: path.with_suffix("").as_posix().endswith(f"/{plain}"))
        return beside.parent / name

    def segments_in(self, path: Path) -> list[Segment]:
        """Returns what a list of texts says; nothing of a file that is none: its first lines name no recordings."""
        if plain_suffix(path) in LISTS:
            of_another = path.suffix.lower() == ".wrd" and not path.with_suffix(".tsv").is_file()  # words of TIMIT
            return [] if of_another or plain_suffix(path) == ".fileids" else segments_in(path)
        if path.stat().st_size > LARGEST or plain_suffix(path) not in (*PROMPTS, *TABLES):
            return []
        try:
            segments = (
                _segments_in_table(path) if plain_suffix(path) in TABLES or has_names(path) else segments_in(path)
            )
        except SpeechDataError:
            return []  # of another kind, or empty
        first = segments[:TRIED]
        if not any(re.search(r"[^\W\d_]", each.text) for each in first):
            return []  # numbers, such as lengths
        return segments if 2 * sum(self.path_of(each.name, path).is_file() for each in first) > len(first) else []

    def entry(self, segment: Segment, path: Path) -> Entry:
        """Returns the entry of what a list says."""
        audio = self.path_of(segment.name, path)
        name = str(audio.relative_to(self._folder) if audio.is_relative_to(self._folder) else audio)
        split = self._split_above(audio) or self._split_above(path)
        speaker, key = segment.speaker or _speaker_of(audio), "" if segment.duration else audio.stem
        place = segment.offset, segment.duration
        return entry_of(self._folder, name, segment.text, segment.row, split, speaker, *place, key, segment.channel)

    def beside(self, audio: Path) -> list[Path]:
        """Returns the texts that have the name of a recording: those in its folder, or the only one elsewhere."""
        found = self._texts.get(_name_of(audio), [])
        return [each for each in found if each.parent == audio.parent] or (found if len(found) == 1 else [])

    def entries_beside(self, audio: Path, only: Path | None = None) -> list[Entry]:
        """Returns the entries of the nearest text that has the name of a recording, or of the only one to read."""
        near = [each for each in self.beside(audio) if only in (None, each)]
        if not near:
            return []
        name, split = str(audio.relative_to(self._folder)), self._split_above(audio)
        entries = []
        for each in _pieces_in(sorted(near, key=lambda each: ENDINGS.index(_ending(each))), name):
            key = f"{name}@{each.offset:g}#{each.speaker}" if each.speaker else ""  # who may begin with another
            speaker, place = each.speaker or _speaker_of(audio), (each.offset, each.duration)
            entries.append(entry_of(self._folder, name, each.text, each.row, split, speaker, *place, key, each.channel))
        return entries

    def _split_above(self, path: Path) -> str:
        """Returns the split that a folder above a file tells, or the name of a list."""
        return split_above(path.relative_to(self._folder) if path.is_relative_to(self._folder) else Path(path.name))


def is_list(path: Path) -> bool:
    """Whether a table or JSON with the name of a recording is a list of many all the same."""
    try:
        if path.suffix.lower() == ".json":
            return any(entry.path.is_file() for entry in read_list(path)[0])
        return not timed_rows(list(rows_of(path)))
    except SpeechDataError:
        return path.suffix.lower() != ".json"


def _segments_in_table(path: Path) -> list[Segment]:
    """Returns what a table says, such as the `metadata.csv` of each speaker; nothing of clips that were voted down."""
    entries = [] if path.stem in ("invalidated", "other", "reported") else read_list(path)[0]
    segments = []
    for _, audio, text, _, row, speaker, offset, duration, channel in entries:
        name = str(audio.relative_to(path.parent) if audio.is_relative_to(path.parent) else audio)
        segments.append(Segment(name, text, row, speaker, offset, duration, channel))
    return segments


def _pieces_in(texts: list[Path], name: str) -> list[Segment]:
    """Returns what the first of some texts of a recording says, with the times of another that says the same."""
    first, *others = (pieces_of(text_of(each), _ending(each), name, str(each)) for each in texts)
    words = _words(first)
    has_times = any(each.duration for each in first)
    return next((each for each in others if not has_times and len(each) > 1 and _words(each) == words), first)


def _words(pieces: list[Segment]) -> list[str]:
    return [word for piece in pieces for word in piece.text.split()]


def _ending(path: Path) -> str:
    """Returns the ending of a text that may belong to a recording; "" of other files."""
    return next((each for each in ENDINGS if path.name.lower().endswith(each)), "")


def _name_of(audio: Path) -> str:
    """Returns the name of a recording under which its text is kept; VCTK has one for two microphones."""
    return normalize("NFC", re.sub(r"_mic\d$", "", audio.stem))


def _recordings_of(text: Path) -> Iterator[str]:
    """Yields the names that the recording of a text may have: a of a.txt, of a.wav.txt and of a.en.srt."""
    if ending := _ending(text):
        name = normalize("NFC", text.name[: -len(ending)])
        yield name
        if name.lower().endswith(AUDIO_SUFFIXES) or re.search(r"\.[a-z]{2,3}(-\w+)?$", name):
            yield name.rpartition(".")[0]


def _speaker_of(audio: Path) -> str:
    """Returns the speaker whom the path of a recording tells, in layouts that many corpora have; "": none.

    A folder with whose name that of the recording begins, such as 61/70968/61-70968-0000.flac; a session of VoxForge;
    a speaker of TIMIT.
    """
    for folder in audio.parts[:-1]:
        if audio.stem.startswith((f"{folder}-", f"{folder}_")):
            return folder
        if session := _SESSION_OF_VOXFORGE.fullmatch(folder):
            return session[1]
    return audio.parts[-2] if _SPEAKER_OF_TIMIT.fullmatch(audio.parts[-2]) else ""


def _with_keys_of_their_own(entries: list[Entry], folder: Path) -> list[Entry]:
    """Names recordings of one name by their place in a folder."""
    counts = Counter(entry.key for entry in entries)
    return [
        entry._replace(key=str(entry.path.relative_to(folder).with_suffix("")))
        if counts[entry.key] > 1 and entry.duration is None and entry.path.is_relative_to(folder)
        else entry
        for entry in entries
    ]


def split_above(path: Path) -> str:
    """Returns the split that the folders of a recording tell, or those and the name of a list; "": none."""
    parts = path.parts[:-1] if path.suffix.lower() in AUDIO_SUFFIXES else [*path.parts[:-1], path.stem]
    return next(filter(None, map(split_of, parts)), "")


def split_of(name: str, whole_name: bool = False) -> str:
    """Returns the split that a name tells; without `whole_name` also one of several words, such as `train_clean`.

    >>> split_of("train_clean"), split_of("train_no_dev"), split_of("train_dev"), split_of("clean")
    ('train', 'train', 'validation', '')
    """
    words = (
        [name.lower()] if whole_name else re.split(r"[\W_]+", re.sub(r"(?<![^\W_])no[\W_]+[^\W_]+", "", name.lower()))
    )
    found = [SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES]
    return next((split for split in found if split != "train"), next(iter(found), ""))
