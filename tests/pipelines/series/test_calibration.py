"""Intervals that follow the errors of late: against a plain loop, in chunks, and in the long run."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.series.calibration import Adaptation, adapt, no_adaptation

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
RATE, HORIZON = 0.3, 3


NUMBERS = tf.TensorSpec((None, None, None))  # of a shape that only a run knows, as in a function traced for many
FLAGS = tf.TensorSpec((None, None, None), tf.bool)


@tf.function(reduce_retracing=True)
def adapted_by(
    rate: float, quantiles: tf.Tensor, truth: tf.Tensor, counts: tf.Tensor, started: tf.Tensor, before: Adaptation
) -> tuple[tf.Tensor, Adaptation]:
    return adapt(quantiles, truth, counts, started, before, LEVELS, rate)


def run(
    quantiles: np.ndarray,
    truth: np.ndarray,
    counts: np.ndarray,
    before: Adaptation | None = None,
    rate: float = RATE,
    started: np.ndarray | None = None,
) -> tuple[tf.Tensor, Adaptation]:
    batch, steps, horizon, targets = quantiles.shape[:4]
    before = before or no_adaptation(batch, horizon, targets, LEVELS)
    started = np.ones((batch, steps), bool) if started is None else started
    return adapted_by(rate, *map(tf.convert_to_tensor, (quantiles, truth, counts, started)), before)


def draw(steps: int, batch: int = 2, targets: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quantiles that rise along the levels, values of about their size, and which of them count."""
    random = np.random.default_rng(0)
    quantiles = np.sort(random.normal(size=(batch, steps, HORIZON, targets, len(LEVELS))), axis=-1)
    truth = random.normal(size=(batch, steps, targets))
    return quantiles.astype(np.float32), truth.astype(np.float32), random.random(truth.shape) > 0.2


def one_step_after_another(quantiles: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """What `adapt` should return, for one series and one target, written as the rule reads."""
    adapted = quantiles.astype(np.float64)
    logarithms = np.zeros(2)
    for now in range(len(quantiles)):
        surprises = []
        for ahead in range(1, min(HORIZON, now) + 1) if counts[now] else ():
            due = quantiles[now - ahead, ahead - 1].astype(np.float64)
            for factor, (low, high) in zip(np.exp(logarithms), ((0, 4), (1, 3)), strict=True):
                bottom, top = due[2] + factor * (due[low] - due[2]), due[2] + factor * (due[high] - due[2])
                surprises.append(float(not bottom <= truth[now] <= top) - 2 * LEVELS[low])
        if surprises:
            logarithms += RATE * np.reshape(surprises, (-1, 2)).mean(axis=0)
        for ahead in range(HORIZON):
            outer, inner = np.exp(logarithms)
            middle = adapted[now, ahead, 2]
            distances = (adapted[now, ahead] - middle) * [outer, inner, 1, inner, outer]
            distances[4] = max(distances[4], distances[3])  # they do not cross
            distances[0] = min(distances[0], distances[1])
            adapted[now, ahead] = middle + distances
    return adapted


def test_equals_the_rule_step_by_step() -> None:
    quantiles, truth, counts = draw(20)
    adapted, _ = run(quantiles, truth, counts)
    for row in range(2):
        for target in range(2):
            expected = one_step_after_another(
                quantiles[row, :, :, target], truth[row, :, target], counts[row, :, target]
            )
            np.testing.assert_allclose(adapted[row, :, :, target], expected, rtol=1e-5, atol=1e-5)
    assert np.abs(adapted - quantiles).max() > 0.1


@pytest.mark.parametrize("cuts", [[5], [1, 2, 3], [10, 19]])
def test_in_chunks_equals_at_once(cuts: list[int]) -> None:
    quantiles, truth, counts = draw(20)
    whole, last = run(quantiles, truth, counts)
    state, parts = None, []
    for chunk in zip(*(np.split(array, cuts, axis=1) for array in (quantiles, truth, counts)), strict=True):
        part, state = run(*chunk, state)
        parts.append(part)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state.stretch, last.stretch, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("deviation", [0.4, 3.0])
def test_wrong_widths_are_mended_in_the_long_run(deviation: float) -> None:
    """The forecasts are those of a standard normal distribution; what comes has another deviation."""
    steps = 3000
    normal = np.array([-1.2816, -0.6745, 0.0, 0.6745, 1.2816], np.float32)
    quantiles = np.tile(normal, (1, steps, 1, 1, 1))
    truth = np.random.default_rng(1).normal(0, deviation, (1, steps, 1)).astype(np.float32)
    adapted, _ = run(quantiles, truth, np.ones(truth.shape, bool), rate=0.02)
    ahead, came = adapted.numpy()[0, 500:-1, 0, 0], truth[0, 501:, 0]
    for low, high, wanted in ((0, 4, 0.8), (1, 3, 0.5)):
        covered = np.mean((ahead[:, low] <= came) & (came <= ahead[:, high]))
        assert covered == pytest.approx(wanted, abs=0.02)
        assert np.mean(ahead[:, high]) == pytest.approx(deviation * normal[high], rel=0.1)


def test_values_that_do_not_count_teach_nothing() -> None:
    quantiles, truth, counts = draw(20)
    adapted, _ = run(quantiles, truth, np.zeros(counts.shape, bool))
    np.testing.assert_allclose(adapted, quantiles, rtol=1e-6, atol=1e-6)
    changed = np.where(counts, truth, 1e6).astype(np.float32)
    np.testing.assert_array_equal(run(quantiles, truth, counts)[0], run(quantiles, changed, counts)[0])


def test_shapes_may_be_known_late() -> None:
    quantiles, truth, counts = draw(6)
    late = tf.function(lambda truth, counts: run(quantiles, truth, counts)[0], input_signature=[NUMBERS, FLAGS])
    np.testing.assert_array_equal(late(truth, counts), run(quantiles, truth, counts)[0])


def test_what_was_said_before_a_series_began_is_not_judged() -> None:
    quantiles, truth, counts = draw(20)
    started = np.tile(np.arange(20) >= 7, (2, 1))
    padded, _ = run(quantiles, truth, counts, started=started)
    alone, _ = run(quantiles[:, 7:], truth[:, 7:], counts[:, 7:])
    np.testing.assert_allclose(padded[:, 7:], alone, rtol=1e-5, atol=1e-6)
