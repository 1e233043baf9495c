"""How the videos of a training were recorded, and whether those that are looked at later fit to that."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from pipelines.runs import Run
from pipelines.video.frames import DecodingConfiguration
from pipelines.video.shards import Shard

RECORDINGS = "recordings.json"
"""The file of a run that holds them."""

OTHER_RATE = 1.15
"""Frames a second that differ by a larger factor make motion look faster or slower."""

Decoding = TypeVar("Decoding", bound=DecodingConfiguration)


class Recordings(NamedTuple):
    """What the videos of a training have in common.

    Attributes:
        rates: the least and the most frames a second that are shown to the network; none: unknown.
        value_range: what is black and what is white; none: 8 bits.
    """

    rates: tuple[float, float] | None = None
    value_range: tuple[float, float] | None = None


def recordings_of(videos: Sequence[tuple[str, Shard]], configuration: DecodingConfiguration) -> Recordings:
    """Returns how videos were recorded, by label and shard, and prints where their frame rates tell their classes."""
    classes: dict[str, list[float]] = defaultdict(list)
    for label, shard in videos:
        if shard.seconds:
            classes[label].append(configuration.frame_rate or shard.frames / shard.seconds)
    every = [rate for rates in classes.values() for rate in rates]
    if not every:
        return Recordings(None, configuration.value_range)
    low, high = min(every), max(every)
    if high > OTHER_RATE * low:
        print(
            f"The videos have {low:.4g} to {high:.4g} frames a second and are used as recorded, so that motion seems "
            f"faster in some. Set --data.frame_rate {low:.4g} to see all alike.{_classes_by_rate(classes)}",
            flush=True,
        )
    return Recordings((low, high), configuration.value_range)


def recorded(run: Run) -> Recordings:
    """Returns how the videos of a run's training were recorded, as far as it knows."""
    if not (run.folder / RECORDINGS).exists():
        return Recordings()
    rates, value_range = run.read_json(RECORDINGS)
    return Recordings(rates and (rates[0], rates[1]), value_range and (value_range[0], value_range[1]))


def decoding_of(run: Run, configuration: Decoding) -> Decoding:
    """Returns what videos are decoded to for a run's network: as configured, in the range of the training's videos."""
    found = recorded(run).value_range
    return configuration if found is None or configuration.value_range else configuration.replace(value_range=found)


def stated_rate(frame_rate: float, recordings: Recordings) -> str:
    """Returns in words how many frames a second a network has learned from.

    >>> stated_rate(0.0, Recordings((24.0, 60.0))), stated_rate(10.0, Recordings())
    ('24 to 60 frames a second, as recorded', '10 frames a second')
    """
    if frame_rate:
        return f"{frame_rate:g} frames a second"
    if recordings.rates is None:
        return "frames as they were recorded"
    return f"{_span(*recordings.rates)} frames a second, as recorded"


def other_rate(rate: float, recordings: Recordings) -> str:
    """Returns what to report of a video with another frame rate than those of the training; "" if it is alike.

    >>> other_rate(60, Recordings((25.0, 30.0)))
    'it has 60 frames a second, the videos of the training 25 to 30: motion looks slower than what was learned'
    """
    if recordings.rates is None or not rate:
        return ""
    low, high = recordings.rates
    if low / OTHER_RATE <= rate <= high * OTHER_RATE:
        return ""
    learned = _span(low, high)
    motion = "slower" if rate > high else "faster"
    return (
        f"it has {rate:.4g} frames a second, the videos of the training {learned}: motion looks {motion} than what was "
        "learned"
    )


def _span(low: float, high: float) -> str:
    return f"{low:.4g}" if high - low < 0.01 * low else f"{low:.4g} to {high:.4g}"


def _classes_by_rate(classes: Mapping[str, Sequence[float]]) -> str:
    """What to add where no rate of one class is among those of another."""
    spans = sorted((min(rates), max(rates), label) for label, rates in classes.items())
    apart = [(one, other) for one, other in itertools.pairwise(spans) if other[0] > OTHER_RATE * one[1]]
    if not apart:
        return ""
    one, other = apart[0]
    return (
        f" The rate alone tells classes apart: {one[2]} has at most {one[1]:.4g}, {other[2]} at least {other[0]:.4g}; "
        "a network may learn that in place of what is shown."
    )
