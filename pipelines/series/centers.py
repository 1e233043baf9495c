"""From where forecasts count: a blend of the last value and of the seasons before, fitted in closed form."""

from collections.abc import Sequence
from itertools import product

import numpy as np

ORIGINS = 20_000  # that it is fitted on at most
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of the ridge regression, a value of one deviation
BORDERS = (0.4, 0.55, 0.7, 0.85)  # shares of the training period that what comes next judges the fit of
SMALLEST_LOSS = 1e-3  # beside the last value's, of a blend that errs nowhere


def blend_size(seasons: int) -> int:
    """Returns the number of what is blended with the last value."""
    return 3 + 2 * seasons


def differences(history: np.ndarray, steps: np.ndarray, ahead: int, seasons: Sequence[int]) -> np.ndarray:
    """Returns what is blended for the forecast `ahead` of some steps, (steps, blended), 0 where it is not known.

    It is 1, a drift; −y_t, towards the mean; y_t − y_{t−1}, the last change; and for each season S, with k S the fewest
    seasons that reach back before t, y_{t+h−kS} − y_t and y_{t+h−kS} − y_{t−S}. Beyond the levels of the training, the
    pull towards their mean is that at the nearest of them: nothing showed that it grows further.

    Args:
        history: scaled values of one target (time,).
        steps: int (steps,).
        ahead: h.
        seasons: each S.
    """
    now = history[steps]
    parts = [np.ones_like(now), -now, now - _at(history, steps - 1)]
    for season in seasons:
        there = _at(history, steps + 1 - season + (ahead - 1) % season)
        parts += [there - now, there - _at(history, steps - season)]
    return np.nan_to_num(np.stack(parts, axis=-1))


def fit_blend(
    histories: Sequence[tuple[np.ndarray, np.ndarray]], horizon: int, seasons: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the weights of what is blended (horizon, targets, blended), and the spread that is left.

    Ridge regressions of the change from the last value, by the normal equations: with and without the drift, with and
    without the pull towards the mean. None of them is right for each level that is still to come, so they are combined,
    and the last value with them. Each part of the training period is forecast from what came before it; these errors
    decide on their penalties and on their shares, which are inverse to the squares of their squared errors (Bates and
    Granger 1969, https://doi.org/10.1057/jors.1969.103).

    Args:
        histories: scaled, filled targets and observed (time, targets) of each series: their training period.
        horizon: steps ahead.
        seasons: in steps.

    Returns:
        The weights, and the root mean square of the errors (horizon, targets), 0 where there are none.
    """
    targets, size = histories[0][0].shape[1], blend_size(len(seasons))
    weights, left = np.zeros((horizon, targets, size)), np.zeros((horizon, targets))
    for target in range(targets):
        grams = np.stack([_grams(histories, target, ahead, seasons) for ahead in range(1, horizon + 1)])
        together = grams.sum(axis=1)
        known = grams[:, 1:, 0, 0].sum(axis=1) > 0  # steps ahead that can be judged
        blends, losses = [np.zeros((horizon, size))], [1.0]  # the last value
        for pull, drift in product((False, True), repeat=2) if known.any() else ():
            used = np.array([drift, pull, *[True] * (size - 2)])
            relative = [_relative_error(grams[known], penalty, used) for penalty in PENALTIES]
            penalty = PENALTIES[int(np.argmin(relative))]
            blends.append(np.stack([_solved(gram, penalty, used) for gram in together]))
            losses.append(max(min(relative), SMALLEST_LOSS))
        if min(losses[:3]) <= min(losses[3:], default=np.inf):  # where the level is says nothing of what comes
            blends, losses = blends[:3], losses[:3]
        shares = 1 / np.square(losses)
        weights[:, target] = np.tensordot(shares / shares.sum(), blends, 1)
        counts = np.maximum(together[:, 0, 0], 1)
        left[:, target] = np.sqrt([_error(gram, each) for gram, each in zip(together, weights[:, target], strict=True)])
        left[:, target] /= np.sqrt(counts)
    return weights.astype(np.float32), left.astype(np.float32)


def _relative_error(grams: np.ndarray, penalty: float, used: np.ndarray) -> float:
    """The squared error on each part of what was fitted on those before, beside that of the last value."""
    before, judged = np.cumsum(grams, axis=1)[:, :-1], grams[:, 1:]
    errors = [
        sum(_error(gram, _solved(fitted, penalty, used)) for fitted, gram in zip(*each, strict=True))
        for each in zip(before, judged, strict=True)
    ]
    return float(np.mean(errors / np.maximum(judged[..., -1, -1].sum(axis=1), 1e-12)))


def _grams(
    histories: Sequence[tuple[np.ndarray, np.ndarray]], target: int, ahead: int, seasons: Sequence[int]
) -> np.ndarray:
    """Products of what is blended and of the change, summed over each part of the training period (parts, …, …)."""
    size = blend_size(len(seasons)) + 1
    sums = np.zeros((len(BORDERS) + 1, size, size))
    stride = max(1, sum(len(values) for values, _ in histories) // ORIGINS)
    for values, observed in histories:
        history, known = values[:, target].astype(np.float64), observed[:, target]
        first, end = max((1, *seasons)), len(history) - ahead
        steps = np.arange(first, max(first, end), stride)
        steps = steps[known[steps + ahead]]
        borders = np.searchsorted(steps + ahead, np.array(BORDERS) * len(history))
        for number, part in enumerate(np.split(steps, borders)):
            change = history[part + ahead] - history[part]
            rows = np.concatenate([differences(history, part, ahead, seasons), change[:, np.newaxis]], axis=1)
            sums[number] += rows.T @ rows
    return sums


def _solved(gram: np.ndarray, penalty: float, used: np.ndarray) -> np.ndarray:
    """The weights, 0 of what is not used."""
    place = np.flatnonzero(used)
    found, inner = np.zeros(len(used)), gram[np.ix_(place, place)]
    ridge = 1e-2 * penalty * max(gram[0, 0], 1) * np.eye(len(place))
    found[place] = np.linalg.solve(inner + ridge, gram[place, -1])
    return found


def _error(gram: np.ndarray, weights: np.ndarray) -> float:
    size = len(weights)
    error = gram[-1, -1] - 2 * weights @ gram[:size, -1] + weights @ gram[:size, :size] @ weights
    return max(float(error), 0.0)


def _at(history: np.ndarray, steps: np.ndarray) -> np.ndarray:
    return np.where(steps >= 0, history[np.maximum(steps, 0)], np.nan)
