"""From where forecasts count: a blend of the last value and of the seasons before, fitted in closed form."""

from collections.abc import Sequence

import numpy as np

ORIGINS = 20_000  # that it is fitted on at most
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of the ridge regression, a value of one deviation
FITTED = 0.7  # share of the training period whose fit the rest judges
WORTH = 0.98  # of the squared error: a smaller gain is none


def blend_size(seasons: int) -> int:
    """Returns the number of what is blended with the last value."""
    return 3 + 2 * seasons


def differences(history: np.ndarray, steps: np.ndarray, ahead: int, seasons: Sequence[int]) -> np.ndarray:
    """Returns what is blended for the forecast `ahead` of some steps, (steps, blended), 0 where it is not known.

    It is 1, a drift; −y_t, towards the mean; y_t − y_{t−1}, the last change; and for each season S, with k S the fewest
    seasons that reach back before t, y_{t+h−kS} − y_t and y_{t+h−kS} − y_{t−S}.

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

    Ridge regression of the change from the last value, by the normal equations. The last part of each training period
    decides how strong the penalty is and whether there is a blend at all; where it does not help, the weights are 0.

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
        fitted, judged = grams[:, 0], grams[:, 1]
        plain = np.maximum(judged[:, -1, -1], 1e-12)

        relative, chosen = 1.0, (PENALTIES[0], False)
        for drift in (False, True):  # which must be worth it too
            losses = [
                [_error(one, _solved(other, penalty, drift)) for one, other in zip(judged, fitted, strict=True)]
                for penalty in PENALTIES
            ]
            found = np.mean(np.array(losses) / plain, axis=1)  # (penalties,)
            if found.min() < WORTH * relative:
                relative, chosen = float(found.min()), (PENALTIES[int(np.argmin(found))], drift)
        together = fitted + judged
        if relative < 1:
            weights[:, target] = [_solved(gram, *chosen) for gram in together]
        counts = np.maximum(together[:, 0, 0], 1)
        left[:, target] = np.sqrt([_error(gram, each) for gram, each in zip(together, weights[:, target], strict=True)])
        left[:, target] /= np.sqrt(counts)
    return weights.astype(np.float32), left.astype(np.float32)


def _grams(
    histories: Sequence[tuple[np.ndarray, np.ndarray]], target: int, ahead: int, seasons: Sequence[int]
) -> np.ndarray:
    """Products of what is blended and of the change, summed over the first and the last part (2, …, …)."""
    size = blend_size(len(seasons)) + 1
    sums = np.zeros((2, size, size))
    stride = max(1, sum(len(values) for values, _ in histories) // ORIGINS)
    for values, observed in histories:
        history, known = values[:, target].astype(np.float64), observed[:, target]
        first, end = max((1, *seasons)), len(history) - ahead
        steps = np.arange(first, max(first, end), stride)
        steps = steps[known[steps + ahead]]
        border = FITTED * len(history)
        for number, part in enumerate((steps[steps + ahead < border], steps[steps >= border])):
            change = history[part + ahead] - history[part]
            rows = np.concatenate([differences(history, part, ahead, seasons), change[:, np.newaxis]], axis=1)
            sums[number] += rows.T @ rows
    return sums


def _solved(gram: np.ndarray, penalty: float, drift: bool) -> np.ndarray:
    """The weights; without a drift the first is 0."""
    size, first = len(gram) - 1, 0 if drift else 1
    ridge = 1e-2 * penalty * max(gram[0, 0], 1) * np.eye(size - first)
    found = np.linalg.solve(gram[first:size, first:size] + ridge, gram[first:size, -1])
    return np.concatenate([np.zeros(first), found])


def _error(gram: np.ndarray, weights: np.ndarray) -> float:
    size = len(weights)
    error = gram[-1, -1] - 2 * weights @ gram[:size, -1] + weights @ gram[:size, :size] @ weights
    return max(float(error), 0.0)


def _at(history: np.ndarray, steps: np.ndarray) -> np.ndarray:
    return np.where(steps >= 0, history[np.maximum(steps, 0)], np.nan)
