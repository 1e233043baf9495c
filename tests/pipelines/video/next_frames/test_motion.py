"""Movements of patches, against loops over pixels."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from pipelines.video.next_frames.motion import (
    SHARPNESS,
    continued,
    displaced,
    matched,
    optical_flow,
    similarities,
    warped,
)


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


def waves(rows: float, columns: float, side: int = 48) -> np.ndarray:
    """A smooth texture, float32 (1, side, side, 1), moved by some pixels."""
    down, right = np.meshgrid(np.arange(side) - rows, np.arange(side) - columns, indexing="ij")
    angles = [(0.31, 0.05, 0.4), (0.07, 0.29, 1.1), (0.2, -0.17, 2.0), (0.11, 0.13, 0.3)]
    picture = sum(np.sin(a * down + b * right + c) for a, b, c in angles)
    return (0.5 + picture / 8).astype(np.float32)[np.newaxis, ..., np.newaxis]


@pytest.mark.parametrize("motion", [(0.0, 0.0), (0.4, -0.7), (-1.5, 2.2), (4.3, -5.1)])
def test_optical_flow_is_the_motion_to_fractions_of_a_pixel(motion: tuple[float, float]) -> None:
    flow = optical_flow(tf.constant(waves(*motion)), tf.constant(waves(0, 0))).numpy()
    inside = flow[0, 12:-12, 12:-12] + np.array(motion)
    assert np.abs(inside).mean() < 0.15


def test_warped_pixels_are_those_of_opencv() -> None:
    random = np.random.default_rng(0)
    frames = random.uniform(size=(2, 9, 13, 3)).astype(np.float32)
    flow = random.normal(scale=4, size=(2, 9, 13, 2)).astype(np.float32)
    down, right = np.indices((9, 13), dtype=np.float32)
    for frame, by, found in zip(frames, flow, warped(tf.constant(frames), tf.constant(flow)).numpy(), strict=True):
        places = right + by[..., 1], down + by[..., 0]
        expected = cv2.remap(frame, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        np.testing.assert_allclose(found, expected, atol=0.04)  # OpenCV rounds places to 1/32 of a pixel


def test_what_moves_is_continued_and_what_changes_otherwise_is_not_trusted() -> None:
    before, frames, after = (tf.constant(waves(1.5 * step, -0.8 * step)) for step in range(3))
    moved, better = tf.split(continued(frames, before), 2, axis=-1)
    copied = np.square(frames - after)[:, 8:-8, 8:-8].mean()
    assert np.square(moved - after)[:, 8:-8, 8:-8].mean() < 0.02 * copied
    noise = tf.random.stateless_uniform(frames.shape, (0, 1))
    unknown = continued(frames, noise).numpy()[..., -1]
    assert np.abs(unknown).mean() < 1 < better.numpy()[:, 8:-8, 8:-8].min()
