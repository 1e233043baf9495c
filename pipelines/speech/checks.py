"""Looking at all transcripts before training starts: the alphabet, and what cannot be learned."""

import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from models.losses import ctc_frames_needed
from pipelines.hints import listed_problems
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.sources import Utterance

COMMON = 3  # recordings that a character of the alphabet should occur in


def alphabet_of(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """Returns the characters of transcripts, sorted, and the space that separates words.

    >>> alphabet_of([Utterance("a", "abba", 8000)])
    (' ', 'a', 'b')
    """
    return tuple(sorted({" "}.union(*(utterance.text for utterance in utterances))))


def unknown_characters(utterances: Sequence[Utterance], alphabet: Collection[str]) -> dict[str, int]:
    """Returns how often each character outside the alphabet occurs, and warns of them by name.

    They count as errors when the recordings are transcribed: the model cannot write them.
    """
    known = set(alphabet)
    counts = Counter(c for utterance in utterances for c in utterance.text if c not in known)
    if counts:
        names = (f"{c!r} ({unicodedata.name(c, 'no name')}) {number} times" for c, number in counts.most_common())
        warnings.warn(f"Never seen in training, hence counted as errors: {', '.join(names)}.", stacklevel=2)
    return dict(counts.most_common())


def rare_characters(utterances: Sequence[Utterance]) -> list[str]:
    """Returns the characters that occur in one or two recordings, each with its name and the keys of those.

    >>> rare_characters([Utterance("a", "ab", 8000), Utterance("b", "b", 8000), Utterance("c", "b", 8000)])
    ["'a' (LATIN SMALL LETTER A) in a"]
    """
    keys: dict[str, list[str]] = {}
    for utterance in utterances:
        for character in set(utterance.text) - {" "}:
            keys.setdefault(character, []).append(utterance.key)
    rare = sorted((character, found) for character, found in keys.items() if len(found) < COMMON)
    return [f"{c!r} ({unicodedata.name(c, 'no name')}) in {', '.join(found)}" for c, found in rare]


def check_learnable(
    utterances: Sequence[Utterance],
    label_frames: Callable[[int], int] | None = None,
    origin: str = "",
    skip: bool = False,
) -> tuple[list[Utterance], list[tuple[str, str]]]:
    """Refuses recordings that nothing can be learned from, by name, before training starts.

    Args:
        utterances: of one split.
        label_frames: how many frames of labels so many samples give. None: any length will do.
        origin: of the recordings, for messages.
        skip: leave them out instead.

    Returns:
        The recordings that are kept; the key and reason of each that is not.

    Raises:
        SpeechDataError: without `skip`, some cannot be learned; with it, all.
    """
    kept: list[Utterance] = []
    skipped: list[tuple[str, str]] = []
    seen: set[str] = set()
    for utterance in utterances:
        reason = _obstacle(utterance, label_frames)
        if utterance.key in seen:
            reason = "another recording has the same key"
        seen.add(utterance.key)
        if reason:
            skipped.append((utterance.key, reason))
        else:
            kept.append(utterance)
    if not kept or (skipped and not skip):
        raise SpeechDataError(
            f"{len(skipped)} of {len(utterances)} recordings{origin and ' of '}{origin} cannot be learned; "
            "expected a readable recording, a transcript that fits its length, and a key of its own each. "
            f"Correct them, or leave them out (`--data.skip_unlearnable`).{listed_problems(skipped)}\n"
            f"Received: {len(skipped)} unusable, {len(kept)} usable"
        )
    return kept, skipped


def _obstacle(utterance: Utterance, label_frames: Callable[[int], int] | None) -> str:
    """Why a recording cannot be learned; "" if it can."""
    if utterance.problem:
        return utterance.problem
    if not utterance.text:
        return "the transcript is empty"
    needed = ctc_frames_needed(utterance.text)
    if label_frames is not None and (frames := int(label_frames(utterance.samples))) < needed:
        return f"the transcript needs {needed} label frames, the {utterance.samples} samples give {frames}"
    return ""
