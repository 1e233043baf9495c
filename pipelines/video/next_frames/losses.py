"""What a forecaster of frames learns from: squared and absolute errors, and structural similarity."""

import tensorflow as tf

WINDOW = 7  # pixels
C1, C2 = 0.01**2, 0.03**2  # of Wang et al., for pixels from 0 to 1


def structural_similarity(forecasts: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    """Returns the mean structural similarity of frames (batch, height, width, channels), as scikit-image has it.

    In uniform windows of 7 × 7 pixels, with means μ, variances σ² and the covariance σ_xy:

        (2 μ_x μ_y + C1) (2 σ_xy + C2) / ((μ_x² + μ_y² + C1) (σ_x² + σ_y² + C2))

    Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861.

    Args:
        forecasts: from 0 to 1.
        truth: likewise.

    Returns:
        (batch,).
    """
    maps = tf.concat([forecasts, truth, forecasts**2, truth**2, forecasts * truth], axis=-1)
    maps = tf.nn.avg_pool2d(tf.nn.avg_pool2d(maps, (WINDOW, 1), 1, "VALID"), (1, WINDOW), 1, "VALID")
    x, y, xx, yy, xy = tf.split(maps, 5, axis=-1)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    variances, covariance = unbiased * (xx - x * x + yy - y * y), unbiased * (xy - x * y)
    similarity = (2 * x * y + C1) * (2 * covariance + C2) / ((x * x + y * y + C1) * (variances + C2))
    return tf.reduce_mean(similarity, axis=(1, 2, 3))
