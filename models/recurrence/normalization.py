"""Layer normalisation of what a step computes: `gain ⊙ (a − mean(a)) / √(variance(a) + ε)`, and its gradient.

Ba et al. 2016, https://arxiv.org/abs/1607.06450. Mean and variance are those of several tensors (…, units), as if they
stood side by side: the gates of a step, which are apart.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

import tensorflow as tf

EPSILON = 1e-5

Groups = Sequence[Sequence[tf.Tensor]]


def normalize(tensors: Sequence[tf.Tensor], gains: Groups) -> list[tf.Tensor]:
    """The tensors times their gains, each group of them normalised together; gains are vectors (units)."""
    groups = zip(grouped(tensors, map(len, gains)), gains, strict=True)
    return [tensor * gain for group, its in groups for tensor, gain in zip(standardize(group)[0], its, strict=True)]


def normalize_gradient(gradients: Sequence[tf.Tensor], tensors: Sequence[tf.Tensor], gains: Groups) -> list[tf.Tensor]:
    """The gradients of the tensors from those of the normalised."""
    found = []
    for given, group, its in zip(
        grouped(gradients, map(len, gains)), grouped(tensors, map(len, gains)), gains, strict=True
    ):
        standard, scale = standardize(group)
        scaled = [gradient * gain for gradient, gain in zip(given, its, strict=True)]
        products = [gradient * value for gradient, value in zip(scaled, standard, strict=True)]
        shift, slope = _mean(scaled), _mean(products)
        found += [(gradient - shift - value * slope) * scale for gradient, value in zip(scaled, standard, strict=True)]
    return found


def gain_gradients(gradients: Sequence[tf.Tensor], tensors: Sequence[tf.Tensor], gains: Groups) -> Groups:
    """The gradients of the gains from those of the normalised, (time, batch, units) each."""
    found = []
    for given, group in zip(grouped(gradients, map(len, gains)), grouped(tensors, map(len, gains)), strict=True):
        pairs = zip(given, standardize(group)[0], strict=True)
        found.append([tf.reduce_sum(gradient * value, axis=(0, 1)) for gradient, value in pairs])
    return found


def standardize(tensors: Sequence[tf.Tensor]) -> tuple[list[tf.Tensor], tf.Tensor]:
    """The tensors, together, with mean 0 and variance 1; and the factor (…, 1) that made it 1."""
    mean = _mean(tensors)
    centred = [tensor - mean for tensor in tensors]
    scale = tf.math.rsqrt(_mean([tensor * tensor for tensor in centred]) + EPSILON)
    return [tensor * scale for tensor in centred], scale


def _mean(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    total = tf.add_n([tf.reduce_sum(tensor, axis=-1, keepdims=True) for tensor in tensors])
    return total / sum(tensor.shape[-1] for tensor in tensors)


def grouped(tensors: Sequence[tf.Tensor], sizes: Iterable[int]) -> Groups:
    """So many of the tensors in each group."""
    members = iter(tensors)
    return [list(islice(members, size)) for size in sizes]
