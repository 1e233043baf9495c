"""The user's own folders of recordings: Kaldi, LibriSpeech, LJSpeech, Common Voice, or texts beside the recordings."""

import re
from collections.abc import Callable
from pathlib import Path

from data.files import plain_suffix
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recording_entries import AUDIO_SUFFIXES, SPLIT_NAMES, Entry, entry_of
from pipelines.speech.recording_lists import read_list, rows_of, text_of
from pipelines.subtitles import cues_of

LISTS = (".csv", ".tsv", ".jsonl", ".json")
TEXTS = (".normalized.txt", ".txt", ".lab")  # of recordings of the same name, beside them or in a folder of texts
SUBTITLES = (".srt", ".vtt")  # likewise, for pieces of recordings
Read = tuple[list[Entry], list[str]]


def read_own(path: Path) -> Read:
    """Reads a list, or a folder of recordings with their texts, whose kind is recognised by what is in it.

    Returns:
        The recordings, and what is worth knowing of how they were read.

    Raises:
        SpeechDataError: nothing is recognised, or a row cannot be used; it is named.
    """
    if not path.is_dir():
        return read_list(path)
    if (path / "wav.scp").is_file():
        return read_kaldi(path)
    parts = {sub: split for sub in _folders(path) if (split := _split_of(sub))}
    if "train" in parts.values():
        return _joined(parts, read_own)
    lists = [each for each in sorted(path.iterdir()) if each.is_file() and plain_suffix(each) in LISTS]
    named = {each: SPLIT_NAMES[name] for each in lists if (name := each.name.lower().split(".")[0]) in SPLIT_NAMES}
    if "train" in named.values():
        others = [each.name for each in lists if each not in named]
        entries, notes = _joined(named, read_list)
        return entries, [*notes, *([f"Other lists in the folder are not used: {', '.join(others)}."] if others else [])]
    preferred = [each for each in lists if each.stem in ("metadata", "validated")]
    if len(preferred or lists) == 1:
        return read_list((preferred or lists)[0])
    if next(path.glob("*/*/*/*.trans.txt"), None):
        return read_librispeech(path), []
    return _texts_beside(path, lists)


def read_ljspeech(folder: Path) -> list[Entry]:
    """Reads `metadata.csv` with rows `id|text` or `id|text|normalised text` beside `wavs/id.wav`."""
    entries = []
    for row, line in rows_of(folder / "metadata.csv"):
        key, *texts = line.split("|")
        if not key or len(texts) not in (1, 2):
            raise SpeechDataError(
                f"{row}: expected id|text or id|text|normalised text. Correct it. Received: {line[:200]!r}"
            )
        entries.append(entry_of(folder, f"wavs/{key}.wav", texts[-1], row, key=key))
    return entries


def read_librispeech(folder: Path) -> list[Entry]:
    """Reads SUBSET/speaker/chapter/*.trans.txt with rows `id TEXT`, beside id.flac; SUBSET names a split."""
    entries = []
    for path in sorted(folder.glob("*/*/*/*.trans.txt")):
        subset, speaker = path.parts[-4], path.parts[-3]
        split = next((name for name in ("train", "dev", "test") if subset.startswith(name)), "")
        if not split:
            raise SpeechDataError(
                f"{folder / subset} belongs to no split; expected names such as train-clean-100, dev-clean, "
                f"test-clean. Rename or remove it. Received: {subset!r}"
            )
        for row, line in rows_of(path):
            key, _, text = line.strip().partition(" ")
            entries.append(entry_of(path.parent, f"{key}.flac", text, row, split, speaker, key=key))
    if not entries:
        raise SpeechDataError(
            f"{folder} holds no transcripts; expected SUBSET/speaker/chapter/*.trans.txt. Give the folder "
            "that holds train-clean-100 and the like. "
            f"Received: {sorted(path.name for path in folder.glob('*'))[:10]}"
        )
    return entries


def read_kaldi(folder: Path) -> Read:
    """Reads the files `wav.scp` and `text` of a Kaldi folder, and `segments` and `utt2spk` where there are any."""
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


def _joined(parts: dict[Path, str], read: Callable[[Path], Read]) -> Read:
    """Reads lists or folders of one split each, whatever their rows say."""
    entries, notes = [], []
    for path, split in parts.items():
        found, said = read(path)
        entries += [entry._replace(split=split) for entry in found]
        notes += said
    return _with_keys_of_their_own(entries), list(dict.fromkeys(notes))


def _with_keys_of_their_own(entries: list[Entry]) -> list[Entry]:
    """Adds the split to the keys if the lists of two splits use the same names."""
    if len({(entry.key, entry.split) for entry in entries}) == len({entry.key for entry in entries}):
        return entries
    return [entry._replace(key=f"{entry.split}/{entry.key}") for entry in entries]


def _texts_beside(folder: Path, lists: list[Path]) -> Read:
    entries, without = [], []
    files = [each for each in sorted(folder.rglob("*")) if each.is_file()]
    texts: dict[str, list[Path]] = {}  # by the name of their recording
    for path in files:
        if suffix := next((each for each in (*TEXTS, *SUBTITLES) if path.name.lower().endswith(each)), ""):
            texts.setdefault(path.name[: -len(suffix)], []).append(path)
    for path in files:
        if path.suffix.lower() not in AUDIO_SUFFIXES:
            continue
        name = str(path.relative_to(folder))
        found = texts.get(path.stem, [])
        near = [each for each in found if each.parent == path.parent] or (found if len(found) == 1 else [])
        beside = min(near, key=_rank, default=None)
        if beside is None:
            without.append(name)
            continue
        text = text_of(beside)
        if beside.suffix.lower() not in SUBTITLES:
            entries.append(entry_of(folder, name, " ".join(text.split()), str(beside)))
            continue
        cues = cues_of(text)
        entries += [entry_of(folder, name, said, str(beside), "", "", start, end - start) for start, end, said in cues]
    if not entries:
        raise SpeechDataError(
            f"{folder} holds no recordings with texts that are recognised; expected one list (csv, tsv, jsonl), lists "
            "train, dev and test, wav.scp and text (Kaldi), SUBSET/speaker/chapter/*.trans.txt (LibriSpeech), or a.txt "
            "or a.srt beside a.wav. Give the list itself, or write one. Received: "
            f"{[path.name for path in lists] or sorted(path.name for path in folder.glob('*'))[:10]}"
        )
    left = [f"Without a text beside them, left out: {len(without)} ({', '.join(without[:3])} …)."] if without else []
    return entries, [f"{len(entries)} recordings with a text of the same name beside them.", *left]


def _rank(text: Path) -> int:
    """Returns how late the ending of a text is among `TEXTS` and `SUBTITLES`."""
    return [text.name.lower().endswith(suffix) for suffix in (*TEXTS, *SUBTITLES)].index(True)


def _split_of(folder: Path) -> str:
    """Returns the split that a folder's name tells, for a Kaldi folder also of several words such as `train_clean`."""
    name = folder.name.lower()
    words = re.split(r"[_-]", name) if (folder / "wav.scp").is_file() else [name]
    found = [SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES]
    return next((split for split in found if split != "train"), next(iter(found), ""))


def _folders(path: Path) -> list[Path]:
    return [each for each in sorted(path.iterdir()) if each.is_dir()]
