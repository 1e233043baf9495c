"""Features of the calendar, in stock TensorFlow operations: the same in training, streaming and the exported model."""

import math
from collections.abc import Sequence
from typing import Literal

import tensorflow as tf

Cycle = Literal["day", "week", "year", "year_mirrored"]
DAY = 86_400  # seconds
SATURDAY = 2 * DAY  # 3 January 1970, the first one after time 0
WINTER_SOLSTICE = -10 * DAY  # 22 December 1969
SECONDS = {"day": DAY, "week": 7 * DAY, "year": 365.2425 * DAY, "year_mirrored": 365.2425 * DAY}
START = {"day": 0, "week": SATURDAY, "year": WINTER_SOLSTICE, "year_mirrored": WINTER_SOLSTICE}


def calendar_features(times: tf.Tensor, cycles: Sequence[Cycle]) -> tf.Tensor:
    """Returns where in each cycle a time lies, as cosine and sine.

    Of `year_mirrored` there is the cosine alone: spring and autumn look alike, as the length of the day does. It is for
    data of less than two years, where a sine would tell apart seasons of which one has never been seen.

    Args:
        times: int64 (…,), seconds since 1970 in UTC, or in local time if the data are.
        cycles: any of `day`, `week`, `year`, `year_mirrored`.

    Returns:
        float32 (…, features), two features a cycle, one for a mirrored one.

    Example:
        >>> import numpy as np
        >>> calendar_features(tf.constant([0, 21_600]), ["day"]).numpy().round(3) + 0.0
        array([[1., 0.],
               [0., 1.]], dtype=float32)
    """
    features = []
    for cycle in cycles:
        # In float64: the seconds since 1970 have more digits than float32.
        position = tf.cast(times - START[cycle], tf.float64) / SECONDS[cycle]
        angle = tf.cast(2 * math.pi * (position - tf.floor(position)), tf.float32)
        features += [tf.cos(angle)] if cycle == "year_mirrored" else [tf.cos(angle), tf.sin(angle)]
    return tf.stack(features, axis=-1) if features else tf.zeros((*times.shape[:-1], tf.shape(times)[-1], 0))


def feature_count(cycles: Sequence[Cycle]) -> int:
    """The number of features of so many cycles."""
    return sum(1 if cycle == "year_mirrored" else 2 for cycle in cycles)


def future_times(last: tf.Tensor, horizon: int, step_seconds: int, business: bool) -> tf.Tensor:
    """Returns the times (batch, horizon) that follow the `last` ones (batch,).

    Args:
        last: int64 (batch,), seconds since 1970.
        horizon: steps ahead.
        step_seconds: seconds between steps, of a clock.
        business: steps are weekdays instead, each at the time of day of the last one; holidays are not known.

    Example:
        >>> friday = 1_362_096_000
        >>> ((future_times(tf.constant([friday]), 3, 86_400, True) - friday) // 86_400).numpy().tolist()
        [[3, 4, 5]]
    """
    steps = tf.range(1, horizon + 1, dtype=last.dtype)
    if not business:
        return last[:, tf.newaxis] + step_seconds * steps
    weekday = (last[:, tf.newaxis] // DAY + 3) % 7  # 0 is a Monday; 1 January 1970 was a Thursday
    weekday = tf.minimum(weekday, 4)  # a step on a weekend counts as the Friday before
    days_since_weekend = weekday + steps
    ahead = steps + 2 * (days_since_weekend // 5)
    weekend = tf.maximum((last[:, tf.newaxis] // DAY + 3) % 7 - 4, 0)
    return last[:, tf.newaxis] + DAY * (ahead - weekend)
