"""What a forecaster is measured against, at the same origins: naive rules, statsforecast, gradient boosting."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import scipy.stats
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from pipelines.series.backtest import Forecasts, Task, stacked
from pipelines.series.calendar import DAY
from pipelines.series.data import Split
from pipelines.series.scoring import crps_of_quantiles

Baseline = Callable[[Task], Forecasts]
Points = Callable[[int, np.ndarray], np.ndarray]  # series and steps to point forecasts of the path, (steps, horizon)

FITTED_SEASONS = 28  # before the split, that AutoETS and AutoARIMA are fitted on
READ_SEASONS = 14  # before each origin, that they read
LONGEST_SEASON = 52  # steps that they are given: their work grows with its square
SHORTEST = 300  # steps that they are fitted on and read at least, whatever the season
STATISTICAL = ("AutoETS", "AutoARIMA")  # of statsforecast
GARCH = "GARCH(1, 1)"
SIMULATED = 1000  # paths from each origin
SLOW = (GARCH, "gradient boosting", *STATISTICAL)
VOLATILITY_WINDOWS = (10, 20, 40, 60, 120)  # days
BOOSTED_ROWS = 30_000  # that gradient boosting learns from at most
BOOSTING = {"learning_rate": 0.05, "max_iter": 150, "min_samples_leaf": 50, "random_state": 0}  # by validation
LAGS = (0, 1, 2, 3, 4, 5)  # that it sees, besides those of the season


def available(task: Task, slow: bool = True) -> dict[str, tuple[str, Baseline]]:
    """Returns the baselines that can run here, by name, with a note; those of statsforecast are an extra.

    Args:
        task: what is to be forecast.
        slow: also those that may take minutes.
    """
    found: dict[str, tuple[str, Baseline]] = {
        "last value": ("stays as it is", last_value),
        "drift": ("continues its mean change of the training", drift),
    }
    if task.season > 1:
        found["seasonal naive"] = (f"as {task.season} steps before", seasonal_naive)
    if task.log_returns:
        found["moving window"] = ("last price, with the volatility of the last days", moving_window)
    if not slow:
        return found
    fitted = f"fitted every {task.refit} origins" if task.refit else "fitted once, before the split"
    if task.log_returns:
        try:
            import arch  # noqa: F401

            found[GARCH] = (f"with Student's t; {fitted}", garch)
        except ImportError:
            print("arch is not installed; GARCH is left out. Install the extra `peers` for it.")
    found["gradient boosting"] = ("on lags of all columns and the calendar, a model for each step ahead", boosting)
    try:
        import statsforecast.models  # noqa: F401
    except ImportError:
        print("statsforecast is not installed; AutoETS and AutoARIMA are left out. Install the extra `peers` for them.")
        return found
    for name in STATISTICAL:
        found[name] = (f"{fitted}; reads on from there", partial(statistical, name))
    return found


def last_value(task: Task) -> Forecasts:
    """Everything stays as it is."""
    return _with_errors(task, lambda index, steps: np.repeat(task.path(index)[steps, np.newaxis], task.horizon, axis=1))


def drift(task: Task) -> Forecasts:
    """Everything goes on with the mean change of the training period."""

    def points(index: int, steps: np.ndarray) -> np.ndarray:
        path, end = task.path(index), task.sets.train_end[index]
        slope = (path[end - 1] - path[0]) / (end - 1)
        return path[steps, np.newaxis] + slope * np.arange(1, task.horizon + 1)

    return _with_errors(task, points)


def seasonal_naive(task: Task) -> Forecasts:
    """As one season before, or as many seasons as it takes to lie before the origin."""

    def points(index: int, steps: np.ndarray) -> np.ndarray:
        ahead = np.arange(1, task.horizon + 1)
        back = ahead - task.season * -(-ahead // task.season)
        return task.path(index)[np.maximum(steps[:, np.newaxis] + back, 0)]

    return _with_errors(task, points)


def moving_window(task: Task) -> Forecasts:
    """Normal around the last price, the volatility that of the last days; how many, the validation split decides."""
    validation = task._replace(split="validation")
    truth = validation.origins().truth

    def loss(window: int) -> float:
        return float(np.nanmean(crps_of_quantiles(_normal(validation, window).quantiles, truth, task.levels)))

    return _normal(task, min(VOLATILITY_WINDOWS, key=loss))


def _normal(task: Task, window: int) -> Forecasts:
    parts = []
    for index in task.chosen:
        steps = task.steps(index)
        squares = np.cumsum(np.square(np.diff(task.path(index), prepend=task.path(index)[0])))
        first = np.maximum(steps - window, 0)
        volatility = np.sqrt((squares[steps] - squares[first]) / np.maximum(steps - first, 1))  # of a day
        scale = volatility[:, np.newaxis] * np.sqrt(np.arange(1, task.horizon + 1))  # (steps, horizon)
        mean = np.repeat((task.path(index)[steps] - task.base(index, steps))[:, np.newaxis], task.horizon, axis=1)
        normal = scipy.stats.norm.ppf(task.levels)
        parts.append(Forecasts(mean[..., np.newaxis] + scale[..., np.newaxis] * normal, mean))
    return stacked(parts)


def garch(task: Task) -> Forecasts:
    """GARCH(1, 1) with Student's t of the `arch` package, fitted before the split, its paths drawn from each origin."""
    from arch import arch_model

    parts = []
    for index in task.chosen:
        steps = task.steps(index)
        returns = 100 * np.diff(task.path(index))  # of the size that its optimiser expects; the first is of step 1
        fitted = arch_model(returns, mean="Constant", vol="GARCH", p=1, q=1, dist="t").fit(
            last_obs=steps[0], disp="off", show_warning=False
        )
        mean, omega, alpha, beta, freedom = fitted.params
        variance = np.full(len(returns) + 1, fitted.conditional_volatility[0] ** 2)
        for step, change in enumerate(returns):
            variance[step + 1] = omega + alpha * (change - mean) ** 2 + beta * variance[step]
        shocks = np.random.default_rng(0).standard_t(freedom, (task.horizon, SIMULATED))
        ahead, changes = variance[steps, np.newaxis], []
        for shock in shocks * np.sqrt((freedom - 2) / freedom):
            moved = np.sqrt(ahead) * shock  # (steps, simulated)
            changes.append(mean + moved)
            ahead = omega + alpha * moved**2 + beta * ahead
        paths = np.stack(changes, axis=2).cumsum(axis=2) / 100  # (steps, simulated, horizon)
        parts.append(Forecasts(np.moveaxis(np.quantile(paths, task.levels, axis=1), 0, -1), paths.mean(axis=1)))
    return stacked(parts)


def boosting(task: Task) -> Forecasts:
    """Gradient boosting on lags of all series.

    Its quantiles come from the errors on the validation split of models that did not learn from it; its forecasts from
    models that did, as far as it lies before what is forecast.
    """
    errors_of = boosted(task, ("train",))
    points = errors_of if task.split == "validation" else boosted(task, ("train", "validation"))
    return _with_errors(task, points, "validation", errors_of)


def boosted(task: Task, splits: Sequence[Split]) -> Points:
    """Returns point forecasts of gradient boosting that learned from some splits, a model for each step ahead."""
    features = [lagged(task, index) for index in range(len(task.sets.series))]
    learned = [
        np.concatenate([task.steps(index, split) for split in splits])[task.season :] for index in range(len(features))
    ]
    stride = -(-sum(map(len, learned)) // BOOSTED_ROWS)
    inputs = np.concatenate([known[steps[::stride]] for known, steps in zip(features, learned, strict=True)])
    changes = np.concatenate(
        [
            task.following(index, steps[::stride]) - task.path(index)[steps[::stride], np.newaxis]
            for index, steps in enumerate(learned)
        ]
    )  # (rows, horizon)

    models = []
    with threadpool_limits(1):  # on a busy machine its threads wait for each other, for minutes
        for each in changes.T:
            scored = ~np.isnan(each)
            models.append(HistGradientBoostingRegressor(**BOOSTING).fit(inputs[scored], each[scored]))

    def points(index: int, steps: np.ndarray) -> np.ndarray:
        ahead = np.stack([model.predict(features[index][steps]) for model in models], axis=1)
        return task.path(index)[steps, np.newaxis] + ahead

    return points


def lagged(task: Task, index: int) -> np.ndarray:
    """What gradient boosting knows at each step of a series: its columns now and before, the hour, the known future."""
    series, season, path = task.sets.series[index], task.season, task.path(index)
    values = np.where(series.observed, series.values, np.nan)
    parts = []
    for lag in sorted({*LAGS, season // 4, season // 2, season - 1, season, 2 * season - 1}):
        before = np.maximum(np.arange(len(values)) - lag, 0)
        parts += [values[before], (path - path[before])[:, np.newaxis]]
    columns = task.sets.columns
    first_known = len(columns.targets) + len(columns.past)
    for ahead in range(1, task.horizon + 1) if columns.known else ():
        parts.append(values[np.minimum(np.arange(len(values)) + ahead, len(values) - 1), first_known:])
    angle = 2 * np.pi * series.times[:, np.newaxis] / DAY
    return np.concatenate([*parts, np.cos(angle), np.sin(angle), series.times[:, np.newaxis] // DAY % 7], axis=1)


def statistical(name: str, task: Task) -> Forecasts:
    """A model of statsforecast, fitted to the steps before the split, its states then filtered up to each origin."""
    from statsforecast import models

    season = task.season if task.season <= LONGEST_SEASON else 1
    fitted, read = max(FITTED_SEASONS * season, SHORTEST), max(READ_SEASONS * season, SHORTEST)
    intervals = sorted({round(abs(200 * level - 100), 6) for level in task.levels} - {0.0})
    names = [
        "mean" if level == 0.5 else f"{'lo' if level < 0.5 else 'hi'}-{round(abs(200 * level - 100), 6)}"
        for level in task.levels
    ]
    parts = []
    for index in task.chosen:
        path, steps = task.path(index), task.steps(index)
        start = steps[0] + 1
        model = getattr(models, name)(season_length=season).fit(path[max(0, start - fitted) : start])
        answers = [
            model.forward(path[max(0, step + 1 - read) : step + 1], task.horizon, level=intervals) for step in steps
        ]
        base = task.base(index, steps)[:, np.newaxis]
        quantiles = np.stack([[one[column] for one in answers] for column in names], axis=-1) - base[..., np.newaxis]
        parts.append(Forecasts(quantiles, np.stack([one["mean"] for one in answers]) - base))
    return stacked(parts)


def _with_errors(task: Task, points: Points, split: Split = "train", errors_of: Points | None = None) -> Forecasts:
    """Puts quantiles around point forecasts: of their errors on a split before, at each step, with either sign.

    Args:
        task: what is to be forecast.
        points: the forecasts.
        split: where the errors are taken.
        errors_of: forecasts to take them of. Default: the same.
    """
    parts = []
    for index in task.chosen:
        past = task.steps(index, split)
        past = past[past >= task.season]
        errors = task.following(index, past) - (errors_of or points)(index, past)  # (steps, horizon)
        spread = np.nanquantile(np.concatenate([errors, -errors]), task.levels, axis=0).T  # (horizon, levels)
        steps = task.steps(index)
        mean = points(index, steps) - task.base(index, steps)[:, np.newaxis]
        parts.append(Forecasts(mean[..., np.newaxis] + spread, mean))
    return stacked(parts)


def seasonal_error(task: Task, index: int) -> float:
    """The mean error of the seasonal naive forecast in training, one season ahead: the scale of MASE."""
    path = task.path(index)[: task.sets.train_end[index]]
    error = float(np.abs(path[task.season :] - path[: -task.season]).mean())
    return error or np.nan  # the errors of a constant series cannot be scaled
