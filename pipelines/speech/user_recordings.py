"""The user's own recordings as a source, in the formats that people have."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipelines.hints import listed
from pipelines.speech.audio_files import SpeechDataError, examine, load_audio
from pipelines.speech.recording_entries import Entry, find_audio
from pipelines.speech.recording_folders import read_own
from pipelines.speech.recording_lists import read_list
from pipelines.speech.recording_splits import SplitBy, with_splits
from pipelines.speech.recording_texts import Read
from pipelines.speech.sources import SPLITS, Source, Utterance
from pipelines.speech.transcripts import Transcripts, normalised


class FileSource(Source):
    """The user's own recordings.

    Args:
        entries: the recordings, in the order to keep.
        sample_rate: wanted samples a second; other rates are resampled.
        notes: what is worth knowing of how they were found.
    """

    def __init__(self, entries: Sequence[Entry], sample_rate: int, notes: Sequence[str] = ()) -> None:
        self.entries, self.sample_rate = tuple(entries), sample_rate
        self._by_split: dict[str, list[Entry]] = {}
        for entry in entries:
            self._by_split.setdefault(entry.split, []).append(entry)
        self._utterances: dict[str, list[Utterance]] = {}
        self._notes = list(notes)
        self._peculiar: dict[str, list[str]] = {}  # what is worth knowing of files, and the keys of those

    def utterances(self, split: str) -> list[Utterance]:
        """See `Source`; looks at each file's header, first sound and end, once."""
        if split not in self._utterances:
            self._utterances[split] = [self._utterance(entry) for entry in self._entries(split)]
        return list(self._utterances[split])

    def notes(self) -> list[str]:
        """See `Source`."""
        files = [
            f"{len(keys)} recordings: {note} ({', '.join(keys[:3])}{' …' if len(keys) > 3 else ''})."
            for note, keys in self._peculiar.items()
        ]
        return [*self._notes, *files]

    def read(self, split: str, number: int) -> np.ndarray:
        """See `Source`."""
        entry = self._entries(split)[number]
        return load_audio(entry.path, self.sample_rate, entry.offset, entry.duration, entry.channel)

    def _entries(self, split: str) -> list[Entry]:
        if split not in self._by_split:
            counts = {name: len(entries) for name, entries in self._by_split.items()}
            raise SpeechDataError(
                f"There are no recordings in the split {split!r}; expected some in {', '.join(SPLITS)}. "
                f"Add recordings, or say which belong there. Received: {counts}"
            )
        return self._by_split[split]

    def _utterance(self, entry: Entry) -> Utterance:
        try:
            found = examine(entry.path, self.sample_rate, entry.offset, entry.duration, entry.channel)
        except SpeechDataError as error:
            return Utterance(entry.key, entry.text, 0, f"{entry.row}: {error}" if entry.row else str(error))
        for note in found.notes:
            self._peculiar.setdefault(note, []).append(entry.key)
        return Utterance(entry.key, entry.text, found.samples)


READERS: dict[str, Callable[[Path], Read]] = {
    "manifest": read_own,
    "ljspeech": lambda folder: read_list(folder / "metadata.csv"),
    "librispeech": read_own,
}
"""What reads a list or a folder, by the name of the source."""


def manifest(
    path: str | Path,
    sample_rate: int,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    language: str | Transcripts = "",
    split_by: SplitBy = "auto",
    read: Callable[[Path], Read] = read_own,
    root: str | Path = "",
) -> FileSource:
    """Returns the recordings of lists or folders of any kind that `read_own` recognises.

    Args:
        path: of all recordings, with a split in each row or split by `with_splits`; or of those to train on.
        sample_rate: wanted samples a second.
        validation: the list or folder to validate on. None: part of `path`.
        test: the list or folder to test on. None: part of `path`.
        language: any name of a language, or what normalises the transcripts; see `transcripts.normalised`.
        split_by: what stays on one side where the lists have no splits; see `with_splits`.
        read: reads a list or folder.
        root: the folder of the recordings that do not lie where the lists name them. "": none.

    Raises:
        SpeechDataError: a row cannot be used; it is named.
    """
    held_out = {"validation": validation, "test": test}
    given = {split: each for split, each in held_out.items() if each}
    entries, notes = read(Path(path).expanduser())
    if given:  # what the rows of the first list say of these splits does not count
        entries = [entry._replace(split="train") if entry.split in ("", *given) else entry for entry in entries]
    for split, each in given.items():
        found, new_notes = read(Path(each).expanduser())
        entries += [entry._replace(split=split) for entry in found]
        notes += new_notes
    if root:
        there = Path(root).expanduser()
        lost = {
            entry.path: find_audio(there, str(entry.path.absolute())) for entry in entries if not entry.path.is_file()
        }
        entries = [entry._replace(path=lost.get(entry.path, entry.path)) for entry in entries]
    entries = [entry._replace(text=normalised(entry.text, language, entry.row)) for entry in entries]
    once: dict[Entry, Entry] = {}
    for entry in entries:
        once.setdefault(entry._replace(row=""), entry)
    if repeated := len(entries) - len(once):
        notes.append(f"{repeated} rows repeat others, and are left out.")
        entries = list(once.values())
    entries, done = with_splits(entries, split_by)
    if not done:
        _warn_of_shared_sentences(entries)
    if pieces := sum(entry.duration is not None or entry.offset > 0 for entry in entries):
        notes.append(f"{pieces} of {len(entries)} rows name a piece of a recording.")
    notes += _shared_recordings(entries)
    return FileSource(entries, sample_rate, [*dict.fromkeys(notes), *done])


def _shared_recordings(entries: Sequence[Entry]) -> list[str]:
    """Returns a note on recordings that are read to their ends for several different texts, if there are any."""
    texts: dict[tuple[Path, int | None], set[str]] = {}
    for entry in entries:
        if entry.duration is None:
            texts.setdefault((entry.path, entry.channel), set()).add(entry.text)
    several = [path.name for (path, _), found in texts.items() if len(found) > 1]
    advice = "name the pieces by `start` and `end`, if they are such"
    return (
        [f"{len(several)} recordings have several texts each ({', '.join(several[:3])} …); {advice}."]
        if several
        else []
    )


def _warn_of_shared_sentences(entries: Sequence[Entry]) -> None:
    texts = {split: {entry.text for entry in entries if entry.split == split and entry.text} for split in SPLITS}
    for split in SPLITS[1:]:
        if shared := sorted(texts["train"] & texts[split]):
            warnings.warn(
                f"{len(shared)} sentences are in train and in {split}, so the figures look better than they are: "
                f"{listed([*map(repr, shared)])}",
                stacklevel=4,
            )
