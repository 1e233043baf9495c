"""What a table says of the settings that nobody chose: seasons, lags, cycles, horizon, window, sizes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.series.calendar import COUNTED, DAY, MONTH, Clock
from pipelines.series.calibration import mirrored
from pipelines.series.config import SeriesConfiguration
from pipelines.series.data import split_ends
from pipelines.series.distributions import POSITIVE
from pipelines.series.network import FROM_TABLE
from pipelines.series.scaling import distribution_of, is_count, is_proportional
from pipelines.series.sources import DataConfiguration, Offsets, Source, open_source

LONGEST_SEASON = 1100  # steps: an hour's year would cost more than it says
CYCLES_SEEN = 2.2  # so many times the training period must show a season
SIMILARITY = 0.25  # autocorrelation from which on a season is one
EXAMINED = 20  # series whose seasons are looked for
RATES = 0.01, 0.3  # of the adaptation
YEAR = 365.2425 * DAY
KINDS = {
    "negative_binomial": "small counts",
    "zero_inflated": "amounts that are often exactly zero",
    "quantiles": "any numbers",
}


class Rules(NamedTuple):
    """A configuration without open settings, and a line for each that says why it is so."""

    configuration: SeriesConfiguration
    lines: list[str]


def settle(configuration: SeriesConfiguration) -> tuple[SeriesConfiguration, Source | None]:
    """Returns a configuration whose open settings follow from the table, printed with their reasons.

    Args:
        configuration: whose settings of −1 or `auto` are open.

    Returns:
        The configuration, and the opened source; none where nothing was open.
    """
    if not is_open(configuration):
        return configuration, None
    source = open_source(configuration.data, offsets=offsets_of(configuration))
    settled, lines = rules(configuration, source)
    for line in lines:
        print(f"From the table: {line}")
    return settled, source


def offsets_of(configuration: SeriesConfiguration) -> Offsets | None:
    """Returns offsets of 0 where the network reads values in the units of the table; else None: found.

    These are a floor, a ceiling, and a log scale.
    """
    network = configuration.network
    limits = network.floor is not None or network.ceiling is not None
    return {"": (0.0,)} if limits or set(network.log_scale) - {"auto"} else None


def is_open(configuration: SeriesConfiguration) -> bool:
    """Whether a setting waits for the table."""
    data, network = configuration.data, configuration.network
    numbers = (data.horizon, data.window, data.warm_up, data.batch_size, network.units, configuration.steps_per_epoch)
    many = (*network.lags, *network.season, *numbers, network.adaptation_rate)
    kinds = (*network.cycles, *network.whole, *network.log_scale, network.distribution, data.calendar)
    return FROM_TABLE in many or "auto" in kinds


def rules(configuration: SeriesConfiguration, source: Source) -> Rules:
    """Returns the settings that follow from a source; what is not open stays as it is.

    - season: the day, the week and the year in steps, or what repeats itself where the calendar says nothing, each
      if the training period shows it at least twice and resembles itself so much later;
    - lags: one, two and three steps, and the seasons; cycles of the calendar: those longer than a step that were seen;
    - horizon: the shortest season, 24 steps without one; three quarters of the validation period at most;
    - window: two horizons and at least 64 steps, as far as the training period holds them;
    - batch, units, batches in an epoch: by the number of steps to learn from;
    - distribution and whole quantiles: by what numbers the targets are;
    - log scale: of targets above 0 whose changes grow with their level;
    - adaptation rate: 2 / √n for n steps to learn from, at least 0.01 and at most 0.3.
    """
    data, network, clock = configuration.data, configuration.network, source.clock
    trained, validated = _training(source, configuration)
    length, total = max(map(len, trained), default=0), sum(map(len, trained))
    found = _Found()
    if data.calendar == "auto":
        found.add("data.calendar", clock.calendar, "from the times")
    season = network.season
    if FROM_TABLE in season:
        season = find_seasons([each[:, 0] for each in trained[:EXAMINED]], clock)
        why = "it repeats in the training period" if season else "nothing repeats"
        found.add("network.season", season, why)
    if FROM_TABLE in network.lags:
        lags = tuple(sorted({lag for lag in (1, 2, 3, *season) if lag < length / 3} or {1}))
        found.add("network.lags", lags, "the last steps and the seasons")
    if "auto" in network.cycles:
        cycles = find_cycles(clock, length)
        found.add("network.cycles", cycles, "cycles of the calendar that the training period shows")
    _find_lengths(found, data, season, length, validated)
    if data.batch_size == FROM_TABLE:
        found.add("data.batch_size", 32 if total > 500 else 16, f"{total} steps to learn from")
    if network.units == FROM_TABLE:
        found.add("network.units", 16 if total < 1000 else 32 if total < 5000 else 48, f"{total} steps to learn from")
    _find_kinds(found, configuration, source.columns.targets, trained, season)
    if network.adaptation_rate == FROM_TABLE:
        adapts = network.decoder == "direct" and not data.log_returns
        adapts &= 0.5 in network.quantile_levels and bool(mirrored(network.quantile_levels))
        rate = float(np.clip(round(2 / np.sqrt(max(length, 1)), 3), *RATES)) if adapts else 0.0
        found.add("network.adaptation_rate", rate, f"{length} steps to learn from")
    if configuration.steps_per_epoch == FROM_TABLE:
        found.add("steps_per_epoch", 30 if total < 1000 else 50, f"{total} steps to learn from")
    return Rules(configuration.replace(**found.changes), found.lines)


class _Found:
    """Settings that were found, as `Configuration.replace` takes them, and a line of each for the user."""

    def __init__(self) -> None:
        self.changes: dict[str, Any] = {"data": {}, "network": {}}
        self.lines: list[str] = []

    def add(self, option: str, value: Any, why: str) -> None:
        part, _, name = option.rpartition(".")
        (self.changes[part] if part else self.changes)[name] = value
        if value not in ((), "quantiles"):
            shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
            self.lines.append(f"--{option} {shown}: {why}")
        elif name in ("season", "cycles"):
            self.lines.append(f"--{option} (none): {why}")


def _find_lengths(found: _Found, data: DataConfiguration, season: tuple[int, ...], length: int, validated: int) -> None:
    """Finds horizon, window and warm-up, for `length` steps to learn from and `validated` to validate on."""
    horizon, window = data.horizon, data.window
    if horizon == FROM_TABLE:
        wanted = min([each for each in season if each >= 4] or [24])
        wanted, why = (wanted, "the shortest season") if wanted <= 96 and wanted in season else (24, "no short season")
        horizon, why = min(
            (wanted, why),
            (int(0.75 * validated), f"three quarters of the {validated} steps to validate on"),
            (length // 4, f"a quarter of the {length} steps to learn from"),
            key=lambda choice: choice[0],
        )
        horizon = max(1, horizon)
        found.add("data.horizon", horizon, why)
    if window == FROM_TABLE:
        window, why = max((2 * horizon, "two horizons"), (64, f"64, more than two horizons of {horizon}"))
        if window > length - horizon - 1:
            window, why = max(2, length - horizon - 1), f"{length} steps to learn from, less the horizon of {horizon}"
        found.add("data.window", window, why)
    if data.warm_up == FROM_TABLE:
        found.add(
            "data.warm_up", min(24, window // 4), "24" if window >= 96 else f"a quarter of the window of {window}"
        )


def _find_kinds(
    found: _Found,
    configuration: SeriesConfiguration,
    targets: Sequence[str],
    trained: Sequence[np.ndarray],
    season: tuple[int, ...],
) -> None:
    """Finds the distribution, and the targets on a log scale and of whole quantiles, by what numbers targets are."""
    data, network = configuration.data, configuration.network
    distribution: str = network.distribution
    seen = [np.concatenate([each[:, target] for each in trained]) for target in range(len(targets))]
    if distribution == "auto":
        kinds = {distribution_of(values) for values in seen} if not data.log_returns else set()
        distribution = kinds.pop() if len(kinds) == 1 and network.floor is None else "quantiles"
        found.add("network.distribution", distribution, KINDS[distribution])
    if "auto" in network.log_scale:
        suits = distribution not in POSITIVE and network.decoder == "direct" and not data.log_returns
        names = [
            name
            for number, name in enumerate(targets)
            if suits and is_proportional([each[:, number] for each in trained[:EXAMINED]], (*season, 1)[0])
        ]
        found.add("network.log_scale", tuple(names), "changes grow with the level in the training period")
    if "auto" in network.whole:
        whole = tuple(name for name, values in zip(targets, seen, strict=True) if is_count(values))
        found.add("network.whole", () if data.log_returns else whole, "targets that are counts")


def find_seasons(histories: Sequence[np.ndarray], clock: Clock) -> tuple[int, ...]:
    """Returns after how many steps series repeat themselves, the strongest first.

    Args:
        histories: the target of each series, (time,), NaN where missing.
        clock: of their steps.

    Example:
        >>> time = np.arange(1000)
        >>> wave = np.sin(2 * np.pi * time / 24) + 0.5 * (time // 24 % 7 >= 5)
        >>> sorted(find_seasons([wave], Clock(3600, "clock")))
        [24, 168]
        >>> find_seasons([np.random.default_rng(0).normal(size=1000)], Clock(3600, "clock"))
        ()
    """
    histories = [filled for each in histories if len(filled := _filled(each)) > 10]
    strengths: dict[int, list[float]] = {}
    for values in histories:
        wanted = [season for season in _candidates(clock, values) if len(values) >= CYCLES_SEEN * season + 2]
        left = values
        for season in sorted(wanted):
            similar, opposite = _similarity(left, season)
            is_season = similar > SIMILARITY and similar > opposite + 0.1
            strengths.setdefault(season, []).append(similar if is_season else 0.0)
            if is_season:  # a week is what is left when the day is taken away
                left = left - _profile(left, season)
    found = {season: float(np.mean(each)) for season, each in strengths.items() if np.mean(np.array(each) > 0) >= 0.5}
    ordered = sorted(found, key=lambda season: -found[season])
    return tuple(ordered)


def find_cycles(clock: Clock, length: int) -> tuple[str, ...]:
    """Returns the cycles of the calendar that are longer than a step and were seen.

    Example:
        >>> find_cycles(Clock(3600, "clock"), 24 * 40), find_cycles(Clock(DAY, "clock"), 1200)
        (('day', 'week'), ('week', 'year'))
    """
    if clock.zone == COUNTED:
        return ()
    spent = length * clock.step_seconds * (7 / 5 if clock.calendar == "business" else 1)
    cycles = []
    if clock.step_seconds < DAY and spent >= 2 * DAY:
        cycles.append("day")
    if clock.step_seconds <= DAY and spent >= 21 * DAY:
        cycles.append("week")
    if clock.step_seconds < 6 * MONTH and spent >= 2 * YEAR:
        cycles.append("year")
    elif clock.step_seconds < 6 * MONTH and spent >= 0.75 * YEAR:
        cycles.append("year_mirrored")
    return tuple(cycles)


def _training(source: Source, configuration: SeriesConfiguration) -> tuple[list[np.ndarray], int]:
    """The targets of each series' training period, the longest first, and the steps of the longest to validate on."""
    targets = len(source.columns.targets)
    series = [each for each in source.series if len(each.times) > 1]
    ends = split_ends([each.times for each in series], configuration.data) if series else []
    parts = [
        (np.where(each.observed, each.values, np.nan)[:end, :targets], test - end)
        for each, (end, test) in zip(series, ends, strict=True)
    ]
    parts.sort(key=lambda part: -len(part[0]))
    return [part for part, _ in parts], max((steps for _, steps in parts), default=0)


def _candidates(clock: Clock, values: np.ndarray) -> list[int]:
    """Seasons of the calendar in steps; where it says nothing, the strongest distance at which values resemble."""
    seconds, found = clock.step_seconds, []
    if clock.zone != COUNTED:
        if clock.calendar == "month":
            found = [12 * MONTH // seconds]
        elif clock.slots and seconds == DAY:
            found = [len(clock.slots), round(len(clock.slots) * 365.25 / 7)]
        elif clock.slots:
            found = [len({slot % DAY for slot in clock.slots}), len(clock.slots)]
        elif clock.calendar == "business":
            found = [5, 261]
        else:
            found = [round(cycle / seconds) for cycle in (DAY, 7 * DAY, YEAR) if _divides(cycle, seconds)]
    found = [season for season in found if 2 <= season <= LONGEST_SEASON]
    return found or _peak(values)


def _divides(cycle: float, seconds: int) -> bool:
    steps = cycle / seconds
    return steps >= 1.5 and (abs(steps - round(steps)) < 1e-6 or steps > 50)


def _peak(values: np.ndarray) -> list[int]:
    """The distance, if there is one, at which values without their trend resemble themselves most."""
    longest = min(len(values) // 3, LONGEST_SEASON)
    if longest < 4:
        return []
    time = np.arange(len(values))
    left = values - np.polyval(np.polyfit(time, values, 1), time)
    power = np.abs(np.fft.rfft(left - left.mean(), 2 * len(left))) ** 2
    similar = np.fft.irfft(power)[: longest + 2]
    similar = similar / max(similar[0], 1e-12) * len(left) / (len(left) - np.arange(longest + 2))
    peaks = [lag for lag in range(2, longest) if similar[lag] >= max(similar[lag - 1], similar[lag + 1])]
    strongest = max((float(similar[lag]) for lag in peaks), default=0.0)
    if strongest <= 0:
        return []
    # Two seasons resemble as much as one; the strongest beside the first of them is the season.
    first = next(lag for lag in peaks if similar[lag] >= 0.9 * strongest)
    near = [lag for lag in peaks if lag <= 1.2 * first]
    return [max(near, key=lambda lag: similar[lag])]


def _similarity(values: np.ndarray, season: int) -> tuple[float, float]:
    """The autocorrelation after a season and after half of one, of values without what is slower than a season."""
    kernel = np.ones(season) / season
    left = values[season // 2 : len(values) - (season - 1 - season // 2)] - np.convolve(values, kernel, "valid")

    def after(steps: int) -> float:
        first, second = left[: len(left) - steps], left[steps:]
        spread = float(np.sqrt((first**2).mean() * (second**2).mean())) if len(first) else 0.0
        return float((first * second).mean()) / spread if spread > 0 else 0.0

    return after(season), after(season // 2)


def _profile(values: np.ndarray, season: int) -> np.ndarray:
    """The mean of each place in the season, at each step."""
    place = np.arange(len(values)) % season
    sums = np.bincount(place, values, season) / np.bincount(place, minlength=season)
    return (sums - sums.mean())[place]


def _filled(values: np.ndarray) -> np.ndarray:
    """Values from the first to the last one that was measured, straight lines where some are missing."""
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.zeros(0)
    return np.interp(np.arange(known[0], known[-1] + 1), known, values[known])
