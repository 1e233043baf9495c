"""How patches and pixels of frames move: found by comparing two frames, and carried out on one."""

import numpy as np
import tensorflow as tf

SHARPNESS = 2.0  # of the softmax over displacements, for squared differences summed over a patch and its colours
LEVELS = 3  # of the pyramid of optical flow, each of half the resolution of the one before
WINDOW = 7  # pixels, side of the squares over which flow is smooth
LEAST_CONTRAST = 1e-3  # mean square of a slope below which flow is rather that of the coarser level
LEAST_ERROR = 1e-5  # mean square, of noise and of rounding to 256 levels


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


def continued(frames: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Continues the optical flow between two frames, and finds where that is better than to repeat the last one.

    Args:
        frames: (batch, rows, columns, channels), from 0 to 1.
        before: likewise, the frames before.

    Returns:
        (batch, rows, columns, channels + 1): the frames moved on, and log(e_copy / e_flow), where the e are squared
        errors around each pixel of `before`, copied and moved on, against `frames`. No gradient passes the flow.
    """
    flow = optical_flow(frames, before)
    errors = [
        tf.reduce_mean(tf.square(each - frames), axis=-1, keepdims=True) for each in (before, warped(before, flow))
    ]
    copy, moved = tf.split(tf.math.log(_smooth(tf.concat(errors, axis=-1)) + LEAST_ERROR), 2, axis=-1)
    return tf.concat([warped(frames, flow), tf.stop_gradient(copy - moved)], axis=-1)


def optical_flow(frames: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Finds where each pixel of frames was in the frame before, to fractions of a pixel.

    One step of Lucas and Kanade on each level of a pyramid, from coarse to fine. With the slopes g of brightness, and
    the differences d from the frame before as moved by the flow so far, the step s solves, over a window,

        (sum g gᵀ + c I) s = −sum g d.

    Bouguet, "Pyramidal implementation of the affine Lucas Kanade feature tracker", 2001.

    Args:
        frames: (batch, rows, columns, channels), from 0 to 1.
        before: likewise.

    Returns:
        (batch, rows, columns, 2), displacements in rows and columns, in pixels; no gradient passes.
    """
    grey = [tf.stop_gradient(tf.reduce_mean(each, axis=-1, keepdims=True)) for each in (frames, before)]
    flow = None
    for level in reversed(range(LEVELS)):
        side = 2**level
        here, there = (tf.nn.avg_pool2d(each, side, side, "SAME") for each in grey)
        if flow is None:
            flow = tf.concat([tf.zeros_like(here)] * 2, axis=-1)
        else:
            flow = 2 * tf.image.resize(flow, tf.shape(here)[1:3])
        there = warped(there, flow)
        slopes = tf.image.sobel_edges((here + there) / 2)[..., 0, :] / 8  # the filter sums to 8
        down, right = tf.split(slopes, 2, axis=-1)
        difference = there - here
        products = [down * down, right * right, down * right, down * difference, right * difference]
        a, b, c, d, e = tf.split(_smooth(tf.concat(products, axis=-1)), 5, axis=-1)
        a, b = a + LEAST_CONTRAST, b + LEAST_CONTRAST
        step = tf.concat([c * e - b * d, c * d - a * e], axis=-1) / (a * b - c * c)
        flow += tf.clip_by_value(step, -1, 1)  # a slope shows no farther
    return flow


def warped(frames: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """Moves pixels: each becomes what is at its displacement in the frame, interpolated between four neighbours.

    Args:
        frames: (batch, rows, columns, channels).
        flow: (batch, rows, columns, 2), displacements in rows and columns, in pixels; beyond a side is what is there.

    Returns:
        (batch, rows, columns, channels).
    """
    shape = tf.shape(frames)
    places = tf.stack(tf.meshgrid(tf.range(shape[1]), tf.range(shape[2]), indexing="ij"), axis=-1)
    last = shape[1:3] - 1
    places = tf.clip_by_value(tf.cast(places, flow.dtype) + flow, 0, tf.cast(last, flow.dtype))
    first = tf.cast(places, tf.int32)
    second = tf.minimum(first + 1, last)
    shares = places - tf.cast(first, flow.dtype)
    pixels = tf.reshape(frames, (shape[0], -1, frames.shape[-1]))

    def at(rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
        return tf.gather(pixels, rows * shape[2] + columns, batch_dims=1)

    right = shares[..., 1:]
    above = (1 - right) * at(first[..., 0], first[..., 1]) + right * at(first[..., 0], second[..., 1])
    below = (1 - right) * at(second[..., 0], first[..., 1]) + right * at(second[..., 0], second[..., 1])
    return above + shares[..., :1] * (below - above)


def _smooth(pictures: tf.Tensor) -> tf.Tensor:
    """The mean around each pixel, more of it nearby."""
    return tf.nn.avg_pool2d(tf.nn.avg_pool2d(pictures, WINDOW, 1, "SAME"), WINDOW, 1, "SAME")


def _around(frames: tf.Tensor, patch: int, reach: int) -> tf.Tensor:
    """Each patch with the pixels around it (batch, patches, patches, side, side, channels), 0 outside of the frame."""
    side, steps = patch + 2 * reach, [1, 1, 1, 1]
    padded = tf.pad(frames, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
    found = tf.image.extract_patches(padded, [1, side, side, 1], [1, patch, patch, 1], steps, "VALID")
    return tf.reshape(found, tf.concat([tf.shape(found)[:3], [side, side, frames.shape[-1]]], axis=0))
