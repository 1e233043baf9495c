"""The user's own folders of recordings: lists in them, splits, commands, or texts of the recordings in a tree."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from data.files import plain_suffix
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recording_entries import AUDIO_SUFFIXES, SPLIT_NAMES, Entry, entry_of
from pipelines.speech.recording_lists import read_list, supervisions_of, text_of
from pipelines.speech.recording_texts import LISTS as TEXT_LISTS
from pipelines.speech.recording_texts import Read, Said, pieces_of, read_kaldi, said_in

LISTS = (".csv", ".tsv", ".jsonl", ".json")
TEXTS = (".normalized.txt", ".txt", ".lab")  # of recordings of the same name, beside them or in a folder of texts
SUBTITLES = (".srt", ".vtt")  # likewise, for pieces of recordings
ENDINGS = (*TEXTS, *SUBTITLES)  # the first counts
PROMPTS = ("", ".txt", ".tsv", ".trans", ".text", ".data")  # which may list the texts of many recordings
TRIED = 10  # lines of such a list that are looked at
LARGEST = 1 << 26  # bytes of such a list
_SPEAKER_OF_TIMIT = re.compile(r"[FM][A-Z]{2}[A-Z\d]\d")
_SESSION_OF_VOXFORGE = re.compile(r"(.+)-\d{8}-\w+")


def read_own(path: Path) -> Read:
    """Reads a list, or a folder of recordings with their texts, whose kind is recognised by what is in it.

    Returns:
        The recordings, and what is worth knowing of how they were read.

    Raises:
        SpeechDataError: nothing is recognised, or a row cannot be used; it is named.
    """
    if path.is_dir():
        return next(found for read in FOLDERS if (found := read(path)))
    return _texts_of_a_list(path) if plain_suffix(path) in TEXT_LISTS else read_list(path)


def _folders_of_splits(path: Path) -> Read | None:
    folders = [each for each in sorted(path.iterdir()) if each.is_dir()]
    found = {
        each: split for each in folders if (split := _split_of(each.name, whole_name=not (each / "wav.scp").is_file()))
    }
    return _joined(found, read_own) if "train" in found.values() else None


def _lists_of_splits(path: Path) -> Read | None:
    lists = _lists(path)
    named: dict[Path, str] = {}
    for whole_name in (True, False):  # train.csv, or my_train.csv
        if "train" not in named.values():
            named = {each: _split_of(each.name.split(".")[0], whole_name) for each in lists}
    if "train" not in named.values():
        return None
    others = [each.name for each in lists if not named[each]]
    entries, notes = _joined({each: split for each, split in named.items() if split}, read_list)
    return entries, [*notes, *([f"Other lists in the folder are not used: {', '.join(others)}."] if others else [])]


def _only_list(path: Path) -> Read | None:
    lists = _lists(path)
    chosen = [each for each in lists if each.stem in ("metadata", "validated")] or lists
    return read_list(chosen[0]) if len(chosen) == 1 else None


def _commands(path: Path) -> Read | None:
    """The layout of Google's Speech Commands: a folder for each word, and lists of what is held out."""
    held_out = {"validation": path / "validation_list.txt", "test": path / "testing_list.txt"}
    if not all(each.is_file() for each in held_out.values()):
        return None
    splits = {name: split for split, each in held_out.items() for name in text_of(each).split()}
    entries = []
    for audio in sorted(path.glob("[!_]*/*.wav")):
        name, speaker = str(audio.relative_to(path)), audio.name.split("_nohash_")[0]
        entries.append(entry_of(path, name, audio.parent.name, name, splits.get(name, "train"), speaker))
    return entries, [f"The texts of {len(entries)} recordings are the names of their folders."]


def _texts_in_a_tree(folder: Path) -> Read:
    """Texts beside the recordings, in a folder of texts, or in lists anywhere below: LibriSpeech, VoxForge, TIMIT …"""
    tree = _Tree(folder)
    listed: dict[Path, list[Entry]] = {}  # by the recording
    lists = []
    for path in tree.others:
        if said := tree.said_in(path):
            lists.append(path.name)
            latest: dict[Path, list[Entry]] = {}
            for each in said:
                entry = tree.entry(each, path)
                latest.setdefault(entry.path, []).append(entry)
            listed |= latest
    entries, without = [], []
    for audio in tree.recordings:
        if found := tree.entries_beside(audio) or listed.get(audio, []):
            entries += found
        else:
            without.append(str(audio.relative_to(folder)))
    entries += [entry for audio, found in listed.items() if not audio.is_file() for entry in found]
    if not entries:
        raise SpeechDataError(
            f"{folder} holds no recordings with texts that are recognised; expected one list (csv, tsv, jsonl), lists "
            "train, dev and test, wav.scp and text (Kaldi), SUBSET/speaker/chapter/*.trans.txt (LibriSpeech), or a.txt "
            "or a.srt beside a.wav. Give the list itself, or write one. Received: "
            f"{sorted(path.name for path in folder.glob('*'))[:10]}"
        )
    if not any(entry.split == "train" for entry in entries):
        entries = [entry._replace(split="") for entry in entries]
    origin = f"listed in {_shown(lists)}" if lists else "with a text of the same name beside them"
    left = [f"Without a text, left out: {_shown(without)}."] if without else []
    return _with_keys_of_their_own(entries, folder), [f"{len(entries)} texts of recordings {origin}.", *left]


FOLDERS: tuple[Callable[[Path], Read | None], ...] = (
    read_kaldi,
    _folders_of_splits,
    _lists_of_splits,
    _commands,
    _only_list,
    _texts_in_a_tree,
)
"""What reads a folder: the first that recognises it. The last one refuses what it does not."""


def _texts_of_a_list(path: Path) -> Read:
    """Reads a list of texts whose recordings lie below its folder, or below the one that holds that."""
    for folder in (path.absolute().parent, path.absolute().parent.parent):
        tree = _Tree(folder)
        entries = [tree.entry(each, folder / path.name)._replace(split="") for each in said_in(path)]
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
        files = [each for each in sorted(folder.rglob("*")) if each.is_file() and not each.name.startswith(".")]
        for path in files:
            if path.suffix.lower() in AUDIO_SUFFIXES:
                self.recordings.append(path)
                for above in path.parents[: len(path.relative_to(folder).parts)]:
                    self._below.setdefault((above, path.stem), []).append(path)
        for path in files:
            name = path.name[: -len(_ending(path))] if _ending(path) else ""
            if (folder, name) in self._below:
                self._texts.setdefault(name, []).append(path)
            elif path.suffix.lower() not in AUDIO_SUFFIXES:
                self.others.append(path)

    def path_of(self, name: str, beside: Path) -> Path:
        """Returns the recording that a list names: the nearest, and of those the one whose path ends like the name."""
        plain = name.replace("\\", "/")
        plain = str(Path(plain).with_suffix("")) if plain.lower().endswith(AUDIO_SUFFIXES) else plain
        for place in beside.parents:
            if found := self._below.get((place, plain.rsplit("/", 1)[-1])):
                return max(found, key=lambda path: path.with_suffix("").as_posix().endswith(f"/{plain}"))
        return beside.parent / name

    def said_in(self, path: Path) -> list[Said]:
        """Returns what a list of texts says; nothing of a file that is none: its first lines name no recordings."""
        if plain_suffix(path) in TEXT_LISTS:
            return [] if plain_suffix(path) == ".fileids" else said_in(path)
        if plain_suffix(path) not in PROMPTS or path.stat().st_size > LARGEST:
            return []
        try:
            said = said_in(path)
        except SpeechDataError:
            return []  # of another kind, or empty
        first = said[:TRIED]
        return said if 2 * sum(self.path_of(each.name, path).is_file() for each in first) > len(first) else []

    def entry(self, said: Said, path: Path) -> Entry:
        """Returns the entry of what a list says."""
        audio = self.path_of(said.name, path)
        name = str(audio.relative_to(self._folder) if audio.is_relative_to(self._folder) else audio)
        split = self._split_above(audio) or self._split_above(path)
        speaker, key = said.speaker or _speaker_of(audio), "" if said.duration else audio.stem
        return entry_of(self._folder, name, said.text, said.row, split, speaker, said.offset, said.duration, key)

    def entries_beside(self, audio: Path) -> list[Entry]:
        """Returns the entries of the text that has the name of a recording, nearest first."""
        found = self._texts.get(audio.stem, [])
        near = [each for each in found if each.parent == audio.parent] or (found if len(found) == 1 else [])
        if not near:
            return []
        text = min(near, key=lambda each: ENDINGS.index(_ending(each)))
        said = pieces_of(text_of(text), _ending(text) in SUBTITLES)
        name, row, split = str(audio.relative_to(self._folder)), str(text), self._split_above(audio)
        if isinstance(said, str):
            return [entry_of(self._folder, name, said, row, split, _speaker_of(audio))]
        return [
            entry_of(self._folder, name, each, row, split, _speaker_of(audio), start, end - start)
            for start, end, each in said
        ]

    def _split_above(self, path: Path) -> str:
        """Returns the split that a folder above a file tells, or the name of a list."""
        *folders, name = path.relative_to(self._folder).parts if path.is_relative_to(self._folder) else [path.name]
        parts = folders if Path(name).suffix.lower() in AUDIO_SUFFIXES else [*folders, Path(name).stem]
        return next(filter(None, map(_split_of, parts)), "")


def _ending(path: Path) -> str:
    """Returns the ending of a text that may belong to a recording; "" of other files."""
    return next((each for each in ENDINGS if path.name.lower().endswith(each)), "")


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


def _joined(parts: dict[Path, str], read: Callable[[Path], Read]) -> Read:
    """Reads lists or folders of one split each, whatever their rows say."""
    entries, notes = [], []
    for path, split in parts.items():
        found, said = read(path)
        entries += [entry._replace(split=split) for entry in found]
        notes += said
    if len({(entry.key, entry.split) for entry in entries}) != len({entry.key for entry in entries}):
        entries = [entry._replace(key=f"{entry.split}/{entry.key}") for entry in entries]
    return entries, list(dict.fromkeys(notes))


def _with_keys_of_their_own(entries: list[Entry], folder: Path) -> list[Entry]:
    """Names recordings of one name by their place in a folder."""
    counts = Counter(entry.key for entry in entries)
    return [
        entry._replace(key=str(entry.path.relative_to(folder).with_suffix("")))
        if counts[entry.key] > 1 and entry.duration is None and entry.path.is_relative_to(folder)
        else entry
        for entry in entries
    ]


def _lists(path: Path) -> list[Path]:
    """Returns the lists in a folder, without Lhotse's recordings, which belong to its supervisions."""
    found = [each for each in sorted(path.iterdir()) if each.is_file() and plain_suffix(each) in LISTS]
    return [each for each in found if not ("recordings" in each.name and supervisions_of(each).is_file())]


def _split_of(name: str, whole_name: bool = False) -> str:
    """Returns the split that a name tells; without `whole_name` also one of several words, such as `train_clean`."""
    words = [name.lower()] if whole_name else re.split(r"[\W_]", name.lower())
    found = [SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES]
    return next((split for split in found if split != "train"), next(iter(found), ""))


def _shown(names: list[str]) -> str:
    return f"{', '.join(names[:3])}{f' … ({len(names)})' if len(names) > 3 else ''}"
