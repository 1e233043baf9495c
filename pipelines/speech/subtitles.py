"""Subtitles from words and their times, divided into what can be read."""

import textwrap
from collections.abc import Sequence

from models.decoding import Word
from pipelines.subtitles import Cue, subrip, webvtt

LINE_CHARACTERS = 42  # of a line; a cue has two at most
MAXIMUM_SECONDS = 6.0  # of a cue
MINIMUM_SECONDS = 1.0  # of a cue, where the next one leaves room: less cannot be read
PAUSE_SECONDS = 0.8  # between two words, which ends a cue


def srt(words: Sequence[Word]) -> str:
    """Returns words as a file of SubRip.

    Example:
        >>> print(srt([Word("hello", 0.5, 0.8, 1.0), Word("world", 0.9, 1.75, 1.0)]), end="")
        1
        00:00:00,500 --> 00:00:01,750
        hello world
        <BLANKLINE>
    """
    return subrip(cues(words))


def vtt(words: Sequence[Word]) -> str:
    """Returns words as a file of WebVTT.

    Example:
        >>> print(vtt([Word("hello", 0.5, 1.75, 1.0)]), end="")
        WEBVTT
        <BLANKLINE>
        00:00:00.500 --> 00:00:01.750
        hello
        <BLANKLINE>
    """
    return webvtt(cues(words))


def cues(words: Sequence[Word]) -> list[Cue]:
    """Returns words in cues: a pause, two full lines or `MAXIMUM_SECONDS` end one; none overlaps the next."""
    groups: list[list[Word]] = []
    for word in words:
        if groups and _fits(groups[-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
    found = []
    for place, group in enumerate(groups):
        following = groups[place + 1][0].start if place + 1 < len(groups) else float("inf")
        end = max(group[-1].end, min(group[0].start + MINIMUM_SECONDS, following))
        found.append(Cue(group[0].start, end, "\n".join(_lines(group))))
    return found


def _fits(group: Sequence[Word], word: Word) -> bool:
    return (
        word.start - group[-1].end < PAUSE_SECONDS
        and word.end - group[0].start <= MAXIMUM_SECONDS
        and len(_lines([*group, word])) <= 2
    )


def _lines(words: Sequence[Word]) -> list[str]:
    text = " ".join(word.text for word in words)
    return textwrap.wrap(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)
