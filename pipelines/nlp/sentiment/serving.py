"""What a server runs: texts in, their labels, probabilities and ratings out, in stock TensorFlow operations."""

from functools import partial

import tensorflow as tf

from pipelines.nlp.sentiment.model import Classifier
from pipelines.served import Signature, Tensors


def signatures(classifier: Classifier) -> dict[str, Signature]:
    """Returns the functions to serve by name.

    `serving_default` takes `text`, strings (batch,), and returns `label` (batch,), `probabilities` (batch, labels), in
    the order of the model card, and, where ratings were learned, `rating` (batch,). Words and vocabulary are in the
    graph.
    """
    return {"serving_default": Signature(partial(classify, classifier), {"text": tf.TensorSpec((None,), tf.string)})}


def classify(classifier: Classifier, text: tf.Tensor) -> Tensors:
    """Classifies texts (batch,) of any length."""
    prediction = classifier.classify(classifier.words(text))
    label = tf.gather(tf.constant(classifier.labels), tf.argmax(prediction.probabilities, axis=1))
    rating = {} if prediction.rating is None else {"rating": prediction.rating}
    return {"label": label, "probabilities": prediction.probabilities, **rating}
