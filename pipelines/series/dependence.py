"""How forecasts of several steps and targets err together: a Gaussian copula, by which paths are drawn."""

import math
from collections.abc import Sequence

import numpy as np
import scipy.special
import tensorflow as tf

from pipelines.series.quantile_functions import probability_below, quantile_function

ORIGINS = 2_000  # that it is fitted on at most
SMALLEST = 1e-3  # eigenvalue
EXTREME = 1e-3  # probability beyond which errors count as this one


def fit_correlation(quantiles: np.ndarray, truth: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Returns the correlation (horizon · targets, horizon · targets) of normal scores of what came.

        z = Φ⁻¹(F(y)),   R = λ · corr(z) + (1 − λ) · ρ^|i − j| · corr of the targets,   λ = n / (n + horizon · targets)

    With few origins n, correlations of neighbouring steps stand for those that nobody can know one by one.

    Args:
        quantiles: (origins, horizon, targets, levels).
        truth: (origins, horizon, targets), NaN where it is not known.
        levels: of the quantiles, rising.
    """
    chosen = slice(None, None, max(1, -(-len(truth) // ORIGINS)))
    quantiles, truth = quantiles[chosen], truth[chosen]
    _, horizon, targets = truth.shape
    known = np.isfinite(truth)
    below = probability_below(quantiles, levels, np.where(known, truth, 0.0))
    scores = scipy.special.ndtri(np.clip(np.nan_to_num(below, nan=0.5), EXTREME, 1 - EXTREME))
    scores = np.where(known, scores, 0.0)  # (origins, horizon, targets)
    found = _correlation(scores.reshape(len(scores), -1), known.reshape(len(known), -1))
    between = _correlation(scores.reshape(-1, targets), known.reshape(-1, targets))
    near = _correlation(
        np.stack([scores[:, :-1].ravel(), scores[:, 1:].ravel()], axis=1),
        np.stack([known[:, :-1].ravel(), known[:, 1:].ravel()], axis=1),
    )[0, 1]
    steps = np.arange(horizon)
    smooth = np.kron(np.clip(near, 0.0, 0.999) ** np.abs(steps[:, np.newaxis] - steps), between)
    share = len(scores) / (len(scores) + horizon * targets)
    return _positive(share * found + (1 - share) * smooth)


def draw_paths(quantiles: tf.Tensor, levels: Sequence[float], correlation: np.ndarray, normal: tf.Tensor) -> tf.Tensor:
    """Returns paths (batch, samples, horizon, targets) whose steps and targets depend on each other.

    Args:
        quantiles: (batch, horizon, targets, levels).
        levels: of the quantiles, rising.
        correlation: as `fit_correlation` returns it.
        normal: (batch, samples, horizon · targets), independent standard normal numbers.
    """
    horizon, targets = quantiles.shape[1:3]
    root = tf.constant(np.linalg.cholesky(correlation).T, normal.dtype)
    uniform = tf.math.erfc(tf.einsum("bsi,ij->bsj", normal, root) / -math.sqrt(2)) / 2  # of the normal distribution
    samples = tf.shape(normal)[1]
    uniform = tf.reshape(uniform, (-1, samples, horizon, targets))
    return quantile_function(tf.repeat(quantiles[:, tf.newaxis], samples, axis=1), levels, uniform)


def _correlation(scores: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Correlations of columns (rows, columns) of mean zero, each of the rows where both are known; 0 where there are
    none."""
    weights = known.astype(np.float64)
    products, squares = scores.T @ scores, (scores**2).T @ weights
    sizes = np.sqrt(squares * squares.T)
    found = np.divide(products, sizes, out=np.zeros_like(products), where=sizes > 0)
    np.fill_diagonal(found, 1.0)
    return found


def _positive(correlation: np.ndarray) -> np.ndarray:
    """The correlation matrix near to a symmetric one, its eigenvalues positive."""
    values, vectors = np.linalg.eigh((correlation + correlation.T) / 2)
    found = (vectors * np.maximum(values, SMALLEST)) @ vectors.T
    size = np.sqrt(np.diag(found))
    return found / size / size[:, np.newaxis]
