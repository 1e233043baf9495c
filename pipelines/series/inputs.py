"""What the network reads of a series: scaled values without gaps, what was measured, lags, the calendar, volatility."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from models.recurrence import linear_recurrence
from pipelines.series.calendar import Cycle, calendar_features, local_times
from pipelines.series.network import NetworkConfiguration
from pipelines.series.regular import Columns

LARGEST_LOGARITHM = 60.0  # so that single precision holds what it is of


class Features(NamedTuple):
    """What the network reads, in scaled units, and what the next steps need of these.

    Attributes:
        past: (batch, time, features), what is known at each step.
        ahead: (batch, origins, steps, features), what is known of the steps ahead.
        center: (batch, origins, 1, targets), from where forecasts count: the last value, or zero.
        volatility: (batch, time, targets).
        started: bool (batch, time), see `has_started`.
        recent: (batch, remembered, columns), the last values.
        variance: (batch, targets), after the last step.
    """

    past: tf.Tensor
    ahead: tf.Tensor
    center: tf.Tensor
    volatility: tf.Tensor
    started: tf.Tensor
    recent: tf.Tensor
    variance: tf.Tensor


class Inputs:
    """Turns observations into features. What is missing becomes the last observed value, and a mask marks it.

    Args:
        network: which features.
        columns: names of the columns.
        steps: ahead.
        zone: whose clock the cycles of the day and the week follow.
    """

    def __init__(self, network: NetworkConfiguration, columns: Columns, steps: int, zone: str = "") -> None:
        self.network, self.columns, self.steps, self.zone = network, columns, steps, zone
        self.targets = len(columns.targets)
        self.remembered = max(1, *network.season, *network.lags)  # steps
        self.cycles: list[Cycle] = [cycle for cycle in network.cycles if cycle != "auto"]
        self.blend: Any = None  # weights (steps, targets, blended), see `centers`
        self.seen: Any = None  # the lowest and the highest value of each column in training (2, columns)

    def __call__(
        self, values: tf.Tensor, observed: tf.Tensor, times: tf.Tensor, state: dict[str, Any], origins: tf.Tensor | None
    ) -> Features:
        """Returns the features; arguments as of `Forecaster.call`."""
        time = tf.shape(values)[1] - self.steps
        if self.network.decoder == "autoregressive":
            observed = tf.logical_and(observed, self._kinds() != "past")  # which nobody draws
        mean, deviation = state["mean"][:, tf.newaxis], state["deviation"][:, tf.newaxis]
        values = tf.where(observed, (values - mean) / deviation, tf.zeros_like(values))
        history, started = fill(values[:, :time], observed[:, :time], state["recent"])
        filled = finite(history[:, self.remembered :])  # (batch, time, columns)
        # One after the other: sliced at once, the width would not be known beforehand.
        targets, seen = (tensor[:, :time][..., : self.targets] for tensor in (values, observed))
        volatile, variance = volatility(targets, seen, state["variance"], self.network.volatility_decay)

        local = local_times(times, self.zone)
        calendar = calendar_features(local, self.cycles)  # (batch, time + steps, features)
        differences = [
            finite(filled - history[:, self.remembered - lag : self.remembered - lag + time])
            for lag in self.network.lags
        ]
        past = [self._as_seen(filled), tf.cast(observed[:, :time], filled.dtype), *differences, calendar[:, :time]]
        if self.network.volatility_decay:
            past.append(tf.math.log(volatile))

        origins = tf.range(time) if origins is None else origins
        center = tf.gather(filled[..., : self.targets], origins, axis=1)[:, :, tf.newaxis]
        ahead = self._ahead(values, calendar, origins)
        seasons = [self._season(history, origins, season) for season in self.network.season]
        if seasons:
            ahead = tf.concat([ahead, *(finite(each - center) for each in seasons)], axis=-1)
        if self.blend is not None:
            center += self._blended(history, origins, center, seasons)
        if not self.network.relative:
            center = tf.zeros_like(center)
        recent = history[:, -self.remembered :]
        return Features(tf.concat(past, axis=-1), ahead, center, volatile, started, recent, variance)

    def _as_seen(self, values: tf.Tensor) -> tf.Tensor:
        """Returns values (…, columns), or those of the targets alone, no further out than the training showed them.

        What lies beyond means nothing to the network, and a level that keeps rising goes there.
        """
        if self.seen is None:
            return values
        low, high = tf.unstack(tf.convert_to_tensor(self.seen)[:, : values.shape[-1]])
        return tf.clip_by_value(values, low, high)

    def _kinds(self) -> np.ndarray:
        """Returns of each column what it is, as `Columns` names it."""
        kinds = ("targets", "past", "known")
        return np.array([kind for kind in kinds for _ in getattr(self.columns, kind)])

    def _ahead(self, values: tf.Tensor, calendar: tf.Tensor, origins: tf.Tensor) -> tf.Tensor:
        """Returns the calendar and the known columns of each step ahead (batch, origins, steps, features)."""
        known = values[..., len(self.columns.all) - len(self.columns.known) :]
        steps = origins[:, tf.newaxis] + tf.range(1, self.steps + 1)  # (origins, steps)
        return tf.gather(tf.concat([calendar, known], axis=-1), steps, axis=1)

    def _season(self, history: tf.Tensor, origins: tf.Tensor, season: int) -> tf.Tensor:
        """Returns the last target whole seasons before each step ahead (batch, origins, steps, targets)."""
        steps = origins[:, tf.newaxis] + self.remembered + 1 - season + tf.range(self.steps) % season
        return tf.gather(history[..., : self.targets], steps, axis=1)

    def _blended(self, history: tf.Tensor, origins: tf.Tensor, last: tf.Tensor, seasons: list[tf.Tensor]) -> tf.Tensor:
        """Returns what to add to the last values (batch, origins, steps, targets), as `centers.differences` has it."""

        def before(steps: int) -> tf.Tensor:
            return tf.gather(history[..., : self.targets], origins + self.remembered - steps, axis=1)[:, :, tf.newaxis]

        parts = [tf.ones_like(last), -self._as_seen(last), last - before(1)]
        for season, there in zip(self.network.season, seasons, strict=True):
            parts += [there - last, there - before(season)]
        weights = tf.unstack(tf.convert_to_tensor(self.blend), axis=-1)  # (steps, targets) each
        return tf.add_n([weight * finite(part) for weight, part in zip(weights, parts, strict=True)])


SMALLEST_VARIANCE = 1e-4  # of a volatile target, beside that of training


def finite(tensor: tf.Tensor) -> tf.Tensor:
    """Zero for what is not known."""
    return tf.where(tf.math.is_finite(tensor), tensor, tf.zeros_like(tensor))


def has_started(observed: tf.Tensor, recent: tf.Tensor) -> tf.Tensor:
    """Whether a value of a series was observed at a step or before it.

    Args:
        observed: bool (batch, time, columns).
        recent: (batch, steps, columns), what `fill` returned of the last steps before these.

    Returns:
        bool (batch, time).
    """
    before = tf.reduce_any(tf.math.is_finite(recent[:, -1]), axis=-1, keepdims=True)  # (batch, 1)
    return before | (tf.cumsum(tf.cast(tf.reduce_any(observed, axis=-1), tf.int32), axis=1) > 0)


def fill(values: tf.Tensor, observed: tf.Tensor, recent: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Puts the last observed value wherever one is missing.

    Args:
        values: (batch, time, columns), 0 where nothing was observed.
        observed: bool, of the same shape.
        recent: (batch, steps, columns), what this returned of the last steps before these.

    Returns:
        The recent values and these, NaN before the first of a series (batch, steps + time, columns); and whether each
        step counts (batch, time), see `has_started`.
    """
    missing = tf.cast(~observed, values.dtype)
    filled = linear_recurrence(missing, values, finite(recent[:, -1])).hidden
    counts = has_started(observed, recent)
    filled = tf.where(counts[..., tf.newaxis], filled, np.float32(np.nan))
    return tf.concat([recent, filled], axis=1), counts


def volatility(
    values: tf.Tensor, observed: tf.Tensor, variance: tf.Tensor, decay: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """The exponentially weighted volatility, σ² ← decay σ² + (1 − decay) value², where a value was observed.

    Args:
        values: (batch, time, targets).
        observed: bool, of the same shape.
        variance: (batch, targets), before the first step.
        decay: of the variance, a step; 0: the volatility is 1 all the time.

    Returns:
        The volatility (batch, time, targets), and the last variance.
    """
    if not decay:
        return tf.ones_like(values), variance
    seen = tf.cast(observed, values.dtype)
    variances, last = linear_recurrence(1 - (1 - decay) * seen, (1 - decay) * values**2 * seen, variance)
    return tf.sqrt(variances + SMALLEST_VARIANCE), last


def to_log_scale(values: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Returns ln(x / s) of values x (…, targets) from the start s of a log scale on; below it the tangent, x / s − 1.

    So every number has a place on the scale, and far below s it is not -∞.

    Args:
        values: in the data's own units.
        start: s (targets,), or 0 of targets that stay as they are.

    Example:
        >>> scaled = to_log_scale(tf.constant([[20.0, 5.0], [-10.0, 6.0]]), tf.constant([10.0, 0.0]))
        >>> scaled.numpy().round(3).tolist(), from_log_scale(scaled, tf.constant([10.0, 0.0])).numpy().tolist()
        ([[0.6930000185966492, 5.0], [-2.0, 6.0]], [[20.0, 5.0], [-10.0, 6.0]])
    """
    relative = values / tf.where(start > 0, start, 1.0)
    logarithm = tf.math.log(tf.maximum(relative, 1.0)) + tf.minimum(relative, 1.0) - 1
    return tf.where(start > 0, logarithm, values)


def from_log_scale(values: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """The inverse of `to_log_scale`."""
    relative = tf.exp(tf.clip_by_value(values, 0.0, LARGEST_LOGARITHM)) + tf.minimum(values, 0.0)
    return tf.where(start > 0, start * relative, values)
