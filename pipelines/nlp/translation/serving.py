"""What a server runs: texts in, translations out, subwords and beam search in stock TensorFlow operations."""

from typing import Any

import tensorflow as tf

from pipelines.nlp.translation.model import Translator
from pipelines.nlp.translation.network import SearchConfiguration


def served(translator: Translator, search: SearchConfiguration) -> tuple[tf.Module, dict[str, Any]]:
    """Returns a module that holds the weights and the subwords, and the functions to serve by name.

    `serving_default` takes `text`, string (batch,), and returns `translation`, string (batch,), and `score`, float32
    (batch,): the logarithm of the translation's probability, divided by what grows with its length.
    """
    module = tf.Module()
    # The variables alone: a tracked Keras model would bring objects that a loader without Keras cannot make.
    module.served = [weight.value for weight in translator.variables]
    module.subwords = [translator.source, translator.target]

    def translate(text: tf.Tensor) -> dict[str, tf.Tensor]:
        found = translator.translate(text, search)
        return {"translation": found.text, "score": found.score}

    specification = tf.TensorSpec((None,), tf.string, name="text")
    return module, {"serving_default": tf.function(translate).get_concrete_function(specification)}
