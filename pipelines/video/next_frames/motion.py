"""How patches of frames move: found by matching two frames, and carried out on one."""

import numpy as np
import tensorflow as tf

SHARPNESS = 2.0  # of the softmax over displacements, for squared differences summed over a patch and its colours


def displaced(frames: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, patch: int) -> tf.Tensor:
    """Moves the pixels of frames, those of each patch by its own distributions over displacements.

    Args:
        frames: (batch, rows, columns, channels).
        rows: (batch, patches, patches, movements, span), of an odd span, whose middle is no displacement.
        columns: likewise.
        patch: side of a patch, in pixels.

    Returns:
        (batch, movements, rows, columns, channels); outside of the frame all is 0.
    """
    span, movements, channels = rows.shape[-1], rows.shape[-2], frames.shape[-1]
    around = _around(frames, patch, span // 2)  # (batch, patches, patches, side, side, channels)
    side, grid = around.shape[3], tf.shape(around)[:3]
    around = tf.transpose(tf.reshape(around, (-1, side, side, channels)), (0, 3, 1, 2))  # (patches of all frames, …)
    # Each pixel of a patch takes those under its kernel, which begins as far into what is around the patch as the pixel
    # is into the patch. As matrix products, which are several times faster than sums over shifted frames.
    shifts = np.stack([np.eye(span, side, at) for at in range(patch)], axis=1).reshape(span, -1)

    def bands(kernels: tf.Tensor, *shape: int) -> tf.Tensor:
        return tf.reshape(tf.reshape(kernels, (-1, span)) @ tf.cast(shifts, kernels.dtype), (-1, *shape, side))

    moved = bands(rows, 1, movements * patch) @ around  # (patches of all frames, channels, movements · patch, side)
    moved = tf.reshape(moved, (-1, channels, movements, patch, side))
    moved = tf.matmul(moved, bands(columns, 1, movements, patch), transpose_b=True)
    moved = tf.reshape(moved, tf.concat([grid, [channels, movements, patch, patch]], axis=0))
    moved = tf.transpose(moved, (0, 4, 1, 5, 2, 6, 3))
    return tf.reshape(moved, [grid[0], movements, *frames.shape[1:]])


def similarities(frames: tf.Tensor, before: tf.Tensor, patch: int, reach: int) -> tf.Tensor:
    """Compares each patch of frames with the frames before, as block matching in video coding does.

    Args:
        frames: (batch, rows, columns, channels), from 0 to 1.
        before: likewise.
        patch: side of a patch, in pixels.
        reach: pixels.

    Returns:
        (batch, patches, patches, span, span), the span being 2 · reach + 1: at each displacement of at most `reach`
        pixels minus the sum of squared differences from the frame before, but for a number that is the same for all
        displacements of a patch. No gradient passes.
    """
    frames, before = (tf.stop_gradient(tf.cast(each, tf.float32)) for each in (frames, before))
    span, channels = 2 * reach + 1, frames.shape[-1]
    around = _around(before, patch, reach)
    grid, side = tf.shape(around)[:3], around.shape[3]
    # All patches and colours are channels of one picture, of which each is convolved with its own patch.
    around = tf.transpose(tf.reshape(around, (-1, side, side, channels)), (1, 2, 0, 3))
    around = tf.reshape(around, (1, side, side, -1))
    size, steps = [1, patch, patch, 1], [1, 1, 1, 1]
    patches = tf.reshape(tf.image.extract_patches(frames, size, size, steps, "VALID"), (-1, patch, patch, channels))
    patches = tf.reshape(tf.transpose(patches, (1, 2, 0, 3)), (patch, patch, -1, 1))
    products = tf.nn.depthwise_conv2d(around, patches, steps, "VALID")  # (1, span, span, all)
    energy = patch**2 * tf.nn.avg_pool2d(tf.square(around), patch, 1, "VALID")
    similarity = tf.reduce_sum(tf.reshape(2 * products - energy, (span * span, -1, channels)), axis=-1)
    return tf.reshape(tf.transpose(similarity), tf.concat([grid, [span, span]], axis=0))


def matched(similarity: tf.Tensor, widths: tuple[int, ...] = (1,), sharpness: float = SHARPNESS) -> tf.Tensor:
    """Finds where each patch was in the frame before.

    A softmax of the similarities is a distribution over displacements, flat where there is nothing to be seen. A
    square of several patches shows more: where one patch is all even, its neighbours may tell how it moved.

    Args:
        similarity: (batch, patches, patches, span, span), as `similarities` returns it.
        widths: of the squares of patches that are matched, each around the patch: 1 is the patch alone, 3 has 9.
        sharpness: of the softmax; the higher, the surer it is of the best match.

    Returns:
        (batch, patches, patches, widths · 2 · span): for each width the distributions over rows and over columns.
    """
    shape = tf.shape(similarity)
    flat = tf.reshape(similarity, tf.concat([shape[:3], [similarity.shape[-1] ** 2]], axis=0))
    found = []
    for width in widths:
        sides = [width // 2, (width - 1) // 2]
        padded = tf.pad(flat, [[0, 0], sides, sides, [0, 0]])
        summed = width**2 * tf.nn.avg_pool2d(padded, width, 1, "VALID")
        chances = tf.reshape(tf.nn.softmax(sharpness * summed), shape)
        found += [tf.reduce_sum(chances, axis=-1), tf.reduce_sum(chances, axis=-2)]
    return tf.concat(found, axis=-1)


def _around(frames: tf.Tensor, patch: int, reach: int) -> tf.Tensor:
    """Each patch with the pixels around it (batch, patches, patches, side, side, channels), 0 outside of the frame."""
    side, steps = patch + 2 * reach, [1, 1, 1, 1]
    padded = tf.pad(frames, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
    found = tf.image.extract_patches(padded, [1, side, side, 1], [1, patch, patch, 1], steps, "VALID")
    return tf.reshape(found, tf.concat([tf.shape(found)[:3], [side, side, frames.shape[-1]]], axis=0))
