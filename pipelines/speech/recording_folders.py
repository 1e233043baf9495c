"""The user's own folders of recordings, whose kind is recognised: lists in them, splits, commands, trees of texts."""

from collections.abc import Callable
from pathlib import Path

from data.files import plain_suffix
from pipelines.json_lines import JSON
from pipelines.speech.annotation_tiers import READERS as TIERS
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.kaldi_folders import read_kaldi
from pipelines.speech.recording_entries import AUDIO_SUFFIXES, Entry, entry_of, file_at
from pipelines.speech.recording_lists import read_list, supervisions_of
from pipelines.speech.recording_rows import text_of
from pipelines.speech.recording_texts import LISTS as TEXT_LISTS
from pipelines.speech.recording_texts import TIMED, Read
from pipelines.speech.recording_trees import is_list, split_above, split_of, texts_in_a_tree, texts_of_a_list
from pipelines.subtitles import ENDINGS as SUBTITLES

LISTS = (".csv", ".tsv", *JSON)


def read_own(path: Path) -> Read:
    """Reads a list, or a folder of recordings with their texts, whose kind is recognised by what is in it.

    Returns:
        The recordings, and what is worth knowing of how they were read.

    Raises:
        SpeechDataError: nothing is recognised, or a row cannot be used; it is named.
    """
    if path.is_dir():
        return next(found for read in FOLDERS if (found := read(path)))
    if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file():
        raise SpeechDataError(
            f"{path} is a recording; expected a list of recordings and their texts, or a folder of both. Name one. "
            f"Received: {path.name!r}"
        )
    if path.is_file() and (path.suffix.lower() in (*SUBTITLES, *TIERS) or _is_of_a_recording(path)):
        return texts_in_a_tree(path.parent, only=path)
    return _read_list(path)


def _read_list(path: Path) -> Read:
    path = texts if path.suffix == ".tsv" and (texts := path.with_suffix(".wrd")).is_file() else path  # of fairseq
    entries, notes = texts_of_a_list(path) if plain_suffix(path) in TEXT_LISTS else read_list(path)
    above = [split_above(Path(entry.key.partition("@")[0])) for entry in entries]
    if all(above) and {"train"} < set(above) and not any(entry.split for entry in entries):  # as Hugging Face has them
        entries = [entry._replace(split=split) for entry, split in zip(entries, above, strict=True)]
        notes.append(f"The splits are those of the folders: {', '.join(sorted(set(above)))}.")
    return entries, notes


def _folders_of_splits(path: Path) -> Read | None:
    if any(each.stem == "metadata" for each in _lists(path)):
        return None  # which lists the recordings of all splits
    folders = [each for each in sorted(path.iterdir()) if each.is_dir()]
    found = {
        each: split for each in folders if (split := split_of(each.name, whole_name=not (each / "wav.scp").is_file()))
    }
    return _joined(found, read_own) if "train" in found.values() else None


def _lists_of_splits(path: Path) -> Read | None:
    lists = _lists(path)
    named: dict[Path, str] = {}
    for whole_name in (True, False):  # train.csv, or my_train.csv
        if "train" not in named.values():
            named = {each: split_of(each.name.split(".")[0], whole_name) for each in lists}
    if "train" not in named.values():
        return None
    others = [each.name for each in lists if not named[each]]
    entries, notes = _joined({each: split for each, split in named.items() if split}, _read_list)
    entries = [_in_folder_of_split(entry, path) for entry in entries]
    return entries, [*notes, *([f"Other lists in the folder are not used: {', '.join(others)}."] if others else [])]


def _in_folder_of_split(entry: Entry, folder: Path) -> Entry:
    """Returns an entry whose recording lies in the folder of its split, where the list names it from there."""
    if entry.path.is_file() or not entry.path.is_relative_to(folder):
        return entry
    of_split = (each for each in folder.iterdir() if each.is_dir() and split_of(each.name) == entry.split)
    found = (file_at(each / entry.path.relative_to(folder)) for each in of_split)
    return entry._replace(path=next(filter(None, found), entry.path))


def _only_list(path: Path) -> Read | None:
    lists = _lists(path)
    chosen = [each for each in lists if each.stem in ("metadata", "validated")] or lists
    if len(chosen) != 1:
        return None
    return _read_list(chosen[0])


def _only_folder(path: Path) -> Read | None:
    inside = [each for each in path.iterdir() if not each.name.startswith(".")]
    if len(inside) != 1 or not inside[0].is_dir():
        return None
    return next((found for read in FOLDERS[:-1] if (found := read(inside[0]))), None)  # in trees it makes no difference


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


FOLDERS: tuple[Callable[[Path], Read | None], ...] = (
    read_kaldi,
    _lists_of_splits,
    _folders_of_splits,
    _commands,
    _only_list,
    _only_folder,
    texts_in_a_tree,
)
"""What reads a folder: the first that recognises it. The last one refuses what it does not."""


def _joined(parts: dict[Path, str], read: Callable[[Path], Read]) -> Read:
    """Reads lists or folders of one split each, whatever their rows say."""
    entries, notes = [], []
    for path, split in parts.items():
        found, new_notes = read(path)
        entries += [entry._replace(split=split) for entry in found]
        notes += new_notes
    if len({(entry.key, entry.split) for entry in entries}) != len({entry.key for entry in entries}):
        entries = [entry._replace(key=f"{entry.split}/{entry.key}") for entry in entries]
    return entries, list(dict.fromkeys(notes))


def _lists(path: Path) -> list[Path]:
    """Returns the lists in a folder, without Lhotse's recordings, which belong to its supervisions."""
    files = [each for each in sorted(path.iterdir()) if each.is_file()]
    recordings = [each for each in files if each.suffix.lower() in AUDIO_SUFFIXES]
    told = {path for each in recordings for path in (each.with_suffix(".json"), each.with_name(f"{each.name}.json"))}
    found = [
        each for each in files if plain_suffix(each) in LISTS and each not in told and not _is_of_a_recording(each)
    ]
    return [each for each in found if not ("recordings" in each.name and supervisions_of(each).is_file())]


def _is_of_a_recording(path: Path) -> bool:
    """Whether a table or JSON tells of the recording beside it alone, as Whisper and other recognisers write them."""
    beside = file_at(path.with_suffix("")) if path.suffix.lower() in (*TIMED, ".json") else None
    return beside is not None and beside.suffix.lower() in AUDIO_SUFFIXES and not is_list(path)
