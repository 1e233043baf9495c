"""Subtitles: cues that can be read, none of which overlaps the next, with every word once."""

import re

import numpy as np
import pytest

from models.decoding import Word
from pipelines.speech import subtitles
from pipelines.subtitles import Cue, cues_of, subrip, webvtt


def spoken(seed: int, count: int = 200) -> list[Word]:
    """Words of one to fourteen letters, now and then with a pause before."""
    random = np.random.default_rng(seed)
    words, time = [], 0.0
    for number in range(count):
        time += random.exponential(2.0) if random.random() < 0.1 else random.uniform(0.02, 0.2)
        duration = random.uniform(0.04, 0.5)
        words.append(Word(f"{number % 10}" + "x" * int(random.integers(14)), time, time + duration, 1.0))
        time += duration
    return words


@pytest.mark.parametrize("seed", range(5))
def test_cues_hold_every_word_once_and_can_be_read(seed: int) -> None:
    words = spoken(seed)
    cues = subtitles.cues(words)
    assert " ".join(cue.text for cue in cues).split() == [word.text for word in words]
    starts = {word.start for word in words}
    for cue, following in zip(cues, [*cues[1:], None], strict=True):
        assert cue.start in starts and 0 < cue.end - cue.start <= subtitles.MAXIMUM_SECONDS
        assert len(cue.text.split("\n")) <= 2
        assert max(map(len, cue.text.split("\n"))) <= subtitles.LINE_CHARACTERS
        if following is None:
            continue
        assert cue.end <= following.start
        assert cue.end - cue.start >= min(subtitles.MINIMUM_SECONDS, following.start - cue.start) - 1e-9
    ends = [word.end for word in words]
    pauses = sum(word.start - end >= subtitles.PAUSE_SECONDS for word, end in zip(words[1:], ends[:-1], strict=True))
    assert pauses > 3 and len(cues) > pauses


def test_times_are_written_to_the_millisecond() -> None:
    words = [Word("a", 3599.9996, 3725.0214, 1.0)]
    assert subtitles.srt(words).splitlines()[1] == "01:00:00,000 --> 01:02:05,021"
    assert subtitles.vtt(words).splitlines()[2] == "01:00:00.000 --> 01:02:05.021"


def test_files_of_both_formats() -> None:
    words = [Word("a<b", 0.5, 0.9, 1.0), Word("c&d", 5.0, 6.5, 1.0)]
    assert re.findall(r"(?m)^(\d+)\n\S+ --> \S+\n(.*)\n$", subtitles.srt(words)) == [("1", "a<b"), ("2", "c&d")]
    assert "a&lt;b\n" in subtitles.vtt(words) and "c&amp;d\n" in subtitles.vtt(words)
    assert subtitles.srt([]) == "" and subtitles.vtt([]) == "WEBVTT\n\n"


def test_rolling_captions_are_read_once_and_repeated_words_twice() -> None:
    """As YouTube writes them: the last line stays for another cue, and lines may hold a space alone."""
    said, lines, cues = ["one two", "three", "four five"], [" ", "one two"], []
    for number, text in enumerate(said):
        begin = 2.0 * number
        cues += [Cue(begin, begin + 1.99, "\n".join(lines)), Cue(begin + 1.99, begin + 2, f"{text}\n ")]
        lines = [text, said[min(number + 1, 2)]]
    found = cues_of(webvtt(cues))
    assert [(cue.start, cue.text) for cue in found] == [(0.0, "one two"), (2.0, "three"), (4.0, "four five")]
    spoken = [Cue(0, 1, "no"), Cue(1, 2, "no"), Cue(2, 3, "one\n\ntwo"), Cue(3, 4, "7")]
    assert [cue.text for cue in cues_of(subrip(spoken))] == ["no", "no", "one two", "7"]


def test_times_without_spaces_or_fractions_are_read_and_frames_are_not() -> None:
    for times in ("00:00:01,0-->00:00:02,5", "00:00:01 --> 00:00:02.5", "0:01 -->  0:02,5 X1:0"):
        assert cues_of(f"1\n{times}\none\n") == [Cue(1.0, 2.5, "one")]
    assert cues_of("1\n00:00:01:00 --> 00:00:02:12\none\n") == []
