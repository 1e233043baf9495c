"""Which columns of a list that does not name them hold recordings, texts and speakers."""

import re
from collections.abc import Sequence

from pipelines.speech.recording_entries import AUDIO_SUFFIXES

Records = Sequence[Sequence[str]]
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
NORMALISED = 2  # place of the text in rows without names: recording, text, normalised text, and what is not read


def place_of_recordings(records: Records) -> int:
    """Returns the place of the first column that names a file of audio in each row; 0 if none does."""
    places = range(min(map(len, records)))
    return next((place for place in places if all(_is_audio(fields[place]) for fields in records)), 0)


def _is_audio(name: str) -> bool:
    return name.strip().lower().endswith(AUDIO_SUFFIXES)


def are_twice(records: Records) -> bool:
    """Whether most rows have their text twice behind the recording, as it is written and normalised."""
    twice = [fields for fields in records if len(fields) > NORMALISED and _letters(fields[1]) == _letters(fields[2])]
    return 2 * len(twice) > len(records)


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]", "", text).casefold()


def columns_without_names(records: Records) -> tuple[int, int]:
    """Returns the place of the texts, and of the speakers (0: none), in rows of three fields as LJSpeech has them.

    `id|text|normalised text` has none; synthesisers also write `id|speaker|text` and `id|text|speaker`, with one word
    or number that comes again and again.
    """
    rows = [fields for fields in records if len(fields) == 3]
    for speaker_at, text_at in ((2, 1), (1, 2)):
        speakers = [fields[speaker_at].strip() for fields in rows]
        are_numbers = all(each.isdecimal() for each in speakers)
        come_again = 2 * len(set(speakers)) <= len(speakers) and not any(" " in each for each in speakers)
        has_texts = any(" " in fields[text_at].strip() for fields in rows)
        if rows and has_texts and (are_numbers or come_again):
            return text_at, speaker_at
    return -1, 0
