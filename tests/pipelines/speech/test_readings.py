"""Readers of a split: their texts and times, and how little of the split stays in memory."""

import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from pipelines.speech.readings import Readings, Transcribed, read_all

RATE = 100  # samples a second


def recordings(seconds: list[float]) -> Iterator[Transcribed]:
    for number, second in enumerate(seconds):
        audio = np.full(round(second * RATE), number, np.float32)
        yield Transcribed(f"key{number}", f"text {number}", audio, np.zeros((1, 2), np.float32), f"greedy {number}")


def read(seconds: list[float]) -> Readings:
    return read_all(recordings(seconds), {"greedy": lambda one: one.greedy, "key": lambda one: one.key}, RATE)


def test_each_reader_reads_each_recording_in_order() -> None:
    readings = read([1.0, 0.5])
    assert readings.keys == ["key0", "key1"]
    assert readings.references == ["text 0", "text 1"]
    assert readings.texts == {"greedy": ["greedy 0", "greedy 1"], "key": ["key0", "key1"]}
    assert readings.audio_seconds == 1.5
    with pytest.raises(ValueError, match="nothing to read"):
        read([])


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([1, 3, 2, 3], "key1"), ([1, 4, 3], "key1"), ([3, 9, 4, 10], "key1"), ([5, 9], "key0"), ([2], "key0")],
)
def test_the_first_recording_long_enough_is_drawn_else_the_longest(seconds: list[float], expected: str) -> None:
    assert read(seconds).example.key == expected


def test_audio_and_logits_of_a_recording_that_was_read_are_given_back() -> None:
    alive: list[int] = []
    parts: list[weakref.ref[np.ndarray]] = []

    def watched() -> Iterator[Transcribed]:
        for one in recordings([9.0, *[1.0] * 50]):
            parts.extend([weakref.ref(one.audio), weakref.ref(one.logits)])
            yield one
            alive.append(sum(part() is not None for part in parts))

    readings = read_all(watched(), {"nothing": lambda one: ""}, RATE)
    assert readings.example.key == "key0"
    assert max(alive) <= 3 * 2  # the one that is drawn, this one, and the one that the generator still holds


def test_work_counts_for_whom_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("pipelines.speech.readings.time.perf_counter", lambda: now[0])

    def slow_network() -> Iterator[Transcribed]:
        for one in recordings([1.0, 1.0]):
            now[0] += 5.0
            yield one

    def slow_reader(one: Transcribed) -> str:
        now[0] += 2.0
        return one.key

    readings = read_all(slow_network(), {"fast": lambda one: one.key, "slow": slow_reader}, RATE)
    assert readings.network_seconds == 2 * 5.0
    assert readings.reader_seconds == {"fast": 0.0, "slow": 2 * 2.0}
