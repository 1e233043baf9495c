"""Subtitles: text and when it is on the screen, as files of SubRip (srt) and WebVTT (vtt)."""

import html
import re
from collections.abc import Iterable
from typing import NamedTuple


class Cue(NamedTuple):
    """Text that is on the screen from `start` to `end`, in seconds."""

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
    """Returns the cues of a file of SubRip or WebVTT, without their styles.

    Example:
        >>> cues_of("1\\n00:00:01,500 --> 00:00:02,000\\n<i>Hello</i>\\nyou\\n")
        [Cue(start=1.5, end=2.0, text='Hello you')]
    """
    found = []
    for block in re.split(r"\n[ \t]*\n", text):
        if times := _TIMES.search(block):
            start, end = (_seconds(times[1]), _seconds(times[2]))
            said = re.sub(r"<[^>]*>|\{[^}]*\}", "", block[times.end() :])
            found.append(Cue(start, end, " ".join(html.unescape(said).split())))
    return found


_TIMES = re.compile(r"^\s*([\d:]+[.,]\d+)\s+-->\s+([\d:]+[.,]\d+).*$", re.MULTILINE)


def _seconds(clock: str) -> float:
    seconds = 0.0
    for part in clock.replace(",", ".").split(":"):
        seconds = 60 * seconds + float(part)
    return seconds
