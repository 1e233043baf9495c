"""Subtitles: text and when it is on the screen, as SubRip (srt) and WebVTT (vtt); sbv and lyrics (lrc) are read."""

import html
import math
import re
from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

ENDINGS = (".srt", ".vtt", ".sbv", ".lrc")
"""Of the names of files that `cues_of` reads."""


class Cue(NamedTuple):
    """Text that is on the screen from `start` to `end`, in seconds; infinity: to the end of the recording."""

    start: float
    end: float
    text: str


def subrip(cues: Iterable[Cue], first: int = 1) -> str:
    """Returns cues as a file of SubRip, or as its part from the cue with the number `first` on.

    Example:
        >>> print(subrip([Cue(0.5, 3661.75, "hello world")]), end="")
        1
        00:00:00,500 --> 01:01:01,750
        hello world
        <BLANKLINE>
    """
    return "".join(f"{number}\n{_span(cue, ',')}\n{cue.text}\n\n" for number, cue in enumerate(cues, start=first))


def webvtt(cues: Iterable[Cue]) -> str:
    """Returns cues as a file of WebVTT.

    Example:
        >>> print(webvtt([Cue(0.5, 1.75, "this & that")]), end="")
        WEBVTT
        <BLANKLINE>
        00:00:00.500 --> 00:00:01.750
        this &amp; that
        <BLANKLINE>
    """
    return "WEBVTT\n\n" + "".join(f"{_span(cue, '.')}\n{html.escape(cue.text, quote=False)}\n\n" for cue in cues)


def _span(cue: Cue, point: str) -> str:
    return f"{_time(cue.start, point)} --> {_time(cue.end, point)}"


def _time(seconds: float, point: str) -> str:
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def cues_of(text: str) -> list[Cue]:
    """Returns the cues of a file of subtitles, without their styles; a line of lyrics ends where the next one begins.

    Captions that roll repeat the last line of the cue before, as YouTube's do: each line counts once, when it appears.

    Example:
        >>> cues_of("1\\n00:00:01,500 --> 00:00:02,000\\n<i>Hello</i>\\nyou\\n")
        [Cue(start=1.5, end=2.0, text='Hello you')]
        >>> cues_of("[ti:Greetings]\\n[00:01.50]Hello\\n[00:02.00]you")
        [Cue(start=1.5, end=2.0, text='Hello'), Cue(start=2.0, end=inf, text='you')]
    """
    times = list(_TIMES.finditer(text))
    if not times:
        return _lyrics(text)
    blocks = [_NAME.sub("", text[each.end() : after.start()]) for each, after in pairwise(times)]
    blocks += [text[each.end() :] for each in times[-1:]]
    found = [(_seconds(each[1]), _seconds(each[2]), _lines(block)) for each, block in zip(times, blocks, strict=True)]
    new = [_new_lines(after, before) for (*_, before), (*_, after) in pairwise(found)]
    repeated = sum(len(lines) < len(after) for lines, (*_, after) in zip(new, found[1:], strict=True))
    if repeated > 1 and 2 * repeated >= len(new):
        found[1:] = [(start, end, lines) for (start, end, _), lines in zip(found[1:], new, strict=True) if lines]
    return [Cue(start, end, " ".join(lines)) for start, end, lines in found]


def _lyrics(text: str) -> list[Cue]:
    """Returns the cues of lyrics, with one time or several before each line; a line without a text is a pause."""
    sooner = _OFFSET.search(text)
    lines = sorted(
        (_seconds(time) - int(sooner[1] if sooner else 0) / 1000, " ".join(_lines(line[2])))
        for line in _LYRICS.finditer(text)
        for time in re.findall(r"[\d:.]+", line[1])
    )
    starts = [start for start, _ in lines]
    ends = [*starts, math.inf]
    return [Cue(max(0.0, start), ends[bisect_right(starts, start)], line) for start, line in lines if line]


def _new_lines(lines: list[str], before: list[str]) -> list[str]:
    """Returns the lines of a cue without the first ones that the cue before ends with."""
    same = (size for size in range(min(len(lines), len(before)), 0, -1) if lines[:size] == before[-size:])
    return lines[next(same, 0) :]


_CLOCK = r"((?:\d+:)?\d+:\d+(?:[.,]\d+)?)"
_TIMES = re.compile(rf"^[ \t]*{_CLOCK}(?:\s*-->\s*|,(?=\d+:)){_CLOCK}(?![\d:]).*$", re.MULTILINE)
_LYRICS = re.compile(r"^[ \t]*((?:\[\d+:\d\d(?:\.\d+)?\][ \t]*)+)(.*)$", re.MULTILINE)
_OFFSET = re.compile(r"^\[offset: *([+-]?\d+) *\]", re.MULTILINE | re.IGNORECASE)  # milliseconds
_NAME = re.compile(r"\n(\s*\d+|[ \t]*\n[^\n]+)\n\Z")  # of the next cue: a number, or a line behind an empty one
_BREAK = re.compile(r"<br */?>|\[br\]", re.IGNORECASE)
_REMARK = re.compile(r"\n[ \t]*\n(NOTE|STYLE|REGION)\b(?s:.*?)(?=\n[ \t]*\n|\Z)")


def _lines(block: str) -> list[str]:
    """Returns the lines of a cue, of what stands behind its time."""
    lines = _BREAK.sub("\n", _REMARK.sub("\n", block)).split("\n")
    plain = (" ".join(html.unescape(re.sub(r"<[^>]*>|\{[^}]*\}", "", line)).split()) for line in lines)
    return list(filter(None, plain))


def _seconds(clock: str) -> float:
    seconds = 0.0
    for part in clock.replace(",", ".").split(":"):
        seconds = 60 * seconds + float(part)
    return seconds
