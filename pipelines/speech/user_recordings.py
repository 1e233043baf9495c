"""The user's own recordings as a source, in the formats that people have."""

import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.speech.audio_files import SpeechDataError, count_samples, load_audio
from pipelines.speech.recording_lists import Entry, librispeech_entries, ljspeech_entries, manifest_entries
from pipelines.speech.sources import LOADERS, MAXIMUM_LISTED, SPLITS, Utterance, positions
from pipelines.speech.transcripts import Transcripts


class FileSource:
    """The user's own recordings. Sentences that are both learned from and tested on are named in a warning.

    Args:
        entries: the recordings, in the order to keep.
        sample_rate: wanted samples a second; other rates are resampled.
    """

    def __init__(self, entries: Sequence[Entry], sample_rate: int) -> None:
        self.entries, self.sample_rate = tuple(entries), sample_rate
        self._utterances: dict[str, list[Utterance]] = {}
        _warn_of_shared_sentences(self.entries)

    def utterances(self, split: str) -> list[Utterance]:
        """See `Source`; looks at each file's header, first sound and end, once."""
        if split not in self._utterances:
            self._utterances[split] = [self._utterance(entry) for entry in self._entries(split)]
        return list(self._utterances[split])

    def recordings(self, split: str, keys: Collection[str] | None = None) -> tf.data.Dataset:
        """See `Source`."""
        entries = self._entries(split)
        if keys is not None:
            entries = [entries[number] for number in positions([entry.key for entry in entries], keys)]

        def load(number: np.int64) -> tuple[np.ndarray, bytes, bytes]:
            entry = entries[number]
            return load_audio(entry.path, self.sample_rate), entry.text.encode(), entry.key.encode()

        def recording(number: tf.Tensor) -> dict[str, tf.Tensor]:
            audio, text, key = tf.numpy_function(load, [number], (tf.float32, tf.string, tf.string))
            return {
                "audio": tf.ensure_shape(audio, (None,)),
                "text": tf.ensure_shape(text, ()),
                "key": tf.ensure_shape(key, ()),
            }

        numbers = tf.data.Dataset.range(len(entries))
        return numbers.map(recording, num_parallel_calls=LOADERS, deterministic=True)

    def _entries(self, split: str) -> list[Entry]:
        entries = [entry for entry in self.entries if entry.split == split]
        if not entries:
            counts = dict(Counter(entry.split for entry in self.entries))
            raise SpeechDataError(
                f"There are no recordings in the split {split!r}; expected some in {', '.join(SPLITS)}. "
                f"Add recordings, or say which belong there. Received: {counts}"
            )
        return entries

    def _utterance(self, entry: Entry) -> Utterance:
        try:
            return Utterance(entry.key, entry.text, count_samples(entry.path, self.sample_rate))
        except SpeechDataError as error:
            return Utterance(entry.key, entry.text, 0, f"{entry.row}: {error}" if entry.row else str(error))


def ljspeech(folder: str | Path, sample_rate: int, language: str | Transcripts = "") -> FileSource:
    """Returns the recordings of a folder like LJSpeech's, split by a stable hash of the text.

    Args:
        folder: that holds wavs/ and metadata.csv with rows `id|text|normalised text`.
        sample_rate: wanted samples a second.
        language: any name of a language, or what normalises the transcripts; see `transcripts.normalised`.

    Raises:
        SpeechDataError: a row cannot be used; it is named.
    """
    return FileSource(ljspeech_entries(Path(folder).expanduser(), language), sample_rate)


def librispeech(folder: str | Path, sample_rate: int, language: str | Transcripts = "en") -> FileSource:
    """Returns the recordings of a tree like LibriSpeech's; dev* is the split validation.

    Args:
        folder: that holds the subsets train*, dev* and test*.
        sample_rate: wanted samples a second.
        language: as for `ljspeech`.

    Raises:
        SpeechDataError: a row cannot be used, or a subset belongs to no split; it is named.
    """
    return FileSource(librispeech_entries(Path(folder).expanduser(), language), sample_rate)


def manifest(
    path: str | Path,
    sample_rate: int,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    language: str | Transcripts = "",
) -> FileSource:
    """Returns the recordings of JSON-lines lists with `audio_filepath` and `text`.

    Args:
        path: the list of all, with a `split` in each row or split by a hash of the text; or of training.
        sample_rate: wanted samples a second.
        validation: the list to validate on, together with `test`.
        test: the list to test on, together with `validation`.
        language: as for `ljspeech`.

    Raises:
        SpeechDataError: a row cannot be used; it is named.
    """
    if (validation is None) != (test is None):
        raise SpeechDataError(
            "Lists of one split each come in threes: train, validation and test. Give all or one. "
            f"Received: validation={validation}, test={test}"
        )
    if validation is None or test is None:
        return FileSource(manifest_entries(Path(path).expanduser(), language), sample_rate)
    lists = zip(SPLITS, (path, validation, test), strict=True)
    entries = [manifest_entries(Path(each).expanduser(), language, split) for split, each in lists]
    return FileSource([entry for part in entries for entry in part], sample_rate)


def _warn_of_shared_sentences(entries: Sequence[Entry]) -> None:
    texts = {split: {entry.text for entry in entries if entry.split == split and entry.text} for split in SPLITS}
    for split in SPLITS[1:]:
        if shared := sorted(texts["train"] & texts[split]):
            named = ", ".join(repr(text) for text in shared[:MAXIMUM_LISTED])
            warnings.warn(
                f"{len(shared)} sentences stand in train and in {split}, which flatters the figures: "
                f"{named}{' …' if len(shared) > MAXIMUM_LISTED else ''}",
                stacklevel=4,
            )
