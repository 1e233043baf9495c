"""Movements of patches, against loops over pixels."""

import numpy as np
import tensorflow as tf

from pipelines.video.next_frames.motion import SHARPNESS, displaced, matched, similarities


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max())
    return powers / powers.sum()


def test_displaced_pixels_are_means_over_their_patch_s_displacements() -> None:
    random = np.random.default_rng(0)
    patch, reach, movements = 3, 2, 2
    frames = random.uniform(size=(2, 6, 9, 2)).astype(np.float32)
    rows, columns = (
        np.apply_along_axis(softmax, -1, random.normal(size=(2, 2, 3, movements, 2 * reach + 1))) for _ in range(2)
    )
    found = displaced(tf.constant(frames), *(tf.constant(each, tf.float32) for each in (rows, columns)), patch)
    padded = np.pad(frames, [(0, 0), (reach, reach), (reach, reach), (0, 0)])
    expected = np.zeros((2, movements, 6, 9, 2))
    for batch, movement, row, column in np.ndindex(2, movements, 6, 9):
        place = (batch, row // patch, column // patch, movement)
        for i, j in np.ndindex(2 * reach + 1, 2 * reach + 1):
            weight = rows[place][i] * columns[place][j]
            expected[batch, movement, row, column] += weight * padded[batch, row + i, column + j]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_matching_is_a_softmax_of_squared_differences() -> None:
    random = np.random.default_rng(0)
    patch, reach, widths = 4, 2, (1, 2, 3)
    before, frames = 0.4 * random.uniform(size=(2, 2, 8, 12, 3)).astype(np.float32)
    found = matched(similarities(tf.constant(frames), tf.constant(before), patch, reach), widths).numpy()
    padded = np.pad(before, [(0, 0), (reach, reach), (reach, reach), (0, 0)])
    span = 2 * reach + 1
    differences = np.zeros((2, 2, 3, span, span))
    for batch, row, column, i, j in np.ndindex(differences.shape):
        top, left = row * patch, column * patch
        here = frames[batch, top : top + patch, left : left + patch]
        there = padded[batch, top + i : top + i + patch, left + j : left + j + patch]
        differences[batch, row, column, i, j] = np.square(here - there).sum()
    for batch, row, column in np.ndindex(2, 2, 3):
        expected = []
        for width in widths:  # an even square reaches farther up and left
            rows, columns = (slice(max(0, at - width // 2), at + (width + 1) // 2) for at in (row, column))
            chances = softmax(-SHARPNESS * differences[batch, rows, columns].sum(axis=(0, 1)))
            expected += [chances.sum(axis=1), chances.sum(axis=0)]
        np.testing.assert_allclose(found[batch, row, column], np.concatenate(expected), atol=1e-4)


def test_what_matching_finds_moves_a_frame_back() -> None:
    random = np.random.default_rng(0)
    before = random.uniform(size=(1, 24, 24, 1)).astype(np.float32)
    frames = np.roll(before, (2, -3), axis=(1, 2))
    found = matched(similarities(tf.constant(frames), tf.constant(before), 8, 4))
    rows, columns = (each[:, :, :, tf.newaxis] for each in tf.split(found, 2, axis=-1))
    rebuilt = displaced(tf.constant(before), rows, columns, 8)[:, 0]
    np.testing.assert_allclose(rebuilt[:, 8:16, 8:16], frames[:, 8:16, 8:16], atol=0.05)  # the sides came from outside


def test_no_gradient_passes_through_matching_and_some_through_displacement() -> None:
    frames = tf.random.stateless_uniform((1, 8, 8, 1), (0, 0))
    kernels = tf.fill((1, 2, 2, 1, 5), 0.2)
    with tf.GradientTape() as tape:
        tape.watch([frames, kernels])
        moved = tf.reduce_sum(displaced(frames, kernels, kernels, 4) ** 2) + tf.reduce_sum(
            matched(similarities(frames, frames, 4, 2))
        )
    for gradient in tape.gradient(moved, [frames, kernels]):
        assert np.isfinite(gradient).all() and np.any(gradient)
    with tf.GradientTape() as tape:
        tape.watch(frames)
        found = tf.reduce_sum(matched(similarities(frames, frames, 4, 2)) ** 2)
    assert tape.gradient(found, frames) is None
