"""What a server runs: texts in, their labels, probabilities and ratings out, in stock TensorFlow operations."""

from functools import partial

import tensorflow as tf

from pipelines.nlp.sentiment.model import Classifier
from pipelines.served import Signature, Tensors


def signatures(classifier: Classifier) -> dict[str, Signature]:
    """Returns the functions to serve by name.

    `serving_default` takes `text`, strings (batch,), and returns `label` (batch,), `probabilities` (batch, labels), in
    the order of the model card, and, where ratings were learned, `rating` (batch,). Where texts have several labels,
    `label` names all of them, with commas between, and `chosen`, bool (batch, labels), marks them. Words and
    vocabulary are in the graph.
    """
    return {"serving_default": Signature(partial(classify, classifier), {"text": tf.TensorSpec((None,), tf.string)})}


def classify(classifier: Classifier, text: tf.Tensor) -> Tensors:
    """Classifies texts (batch,) of any length."""
    prediction = classifier.classify(text)
    answer = {"rating": prediction.rating} if classifier.rated else {}
    if not classifier.labels:
        return answer
    names, probabilities = tf.constant(classifier.labels), prediction.probabilities
    answer = {"label": tf.gather(names, tf.argmax(probabilities, axis=1)), "probabilities": probabilities, **answer}
    if not classifier.multiple:
        return answer
    chosen = probabilities >= classifier.thresholds
    found = tf.ragged.boolean_mask(tf.repeat(names[tf.newaxis], tf.shape(chosen)[0], axis=0), chosen)
    return answer | {"label": tf.strings.reduce_join(found, axis=1, separator=", "), "chosen": chosen}
