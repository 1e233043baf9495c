"""A trained translator, as it lies in a run folder."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from pipelines.checkpoints import load_trained
from pipelines.nlp.subwords import Subwords
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.model import Translator
from pipelines.nlp.translation.network import SearchConfiguration
from pipelines.runs import Run

SUBWORDS = "subwords.json"
TEXTS_AT_ONCE = 32


def build(configuration: TranslationConfiguration, source: Subwords, target: Subwords) -> Translator:
    """Returns an untrained translator, its weights made."""
    keras.config.set_dtype_policy(configuration.training.dtype_policy)
    translator = Translator(configuration.network, source, target, configuration.seed)
    decoded = translator(tf.ones((1, 2), tf.int32), tf.ones((1, 2), tf.int32))
    translator.logits(decoded.hidden)
    return translator


def subwords_to_json(source: Subwords, target: Subwords) -> dict[str, list[str]]:
    """Returns both vocabularies, one only where they are the same."""
    return {"source": source.to_json()} | ({} if source is target else {"target": target.to_json()})


def load_translator(run: Run) -> Translator:
    """Returns the translator of a finished run, with its trained weights.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit the translator.
    """

    def untrained() -> Translator:
        pieces = run.read_json(SUBWORDS)
        source = Subwords(pieces["source"])
        target = Subwords(pieces["target"]) if "target" in pieces else source
        return build(run.read_configuration(TranslationConfiguration), source, target)

    return load_trained(run, untrained)


def translate_texts(
    translator: Translator, texts: Sequence[str], search: SearchConfiguration
) -> tuple[list[str], np.ndarray]:
    """Returns translations and their scores, of texts of similar length at once, in the order of the texts."""
    translate = tf.function(
        lambda text: translator.translate(text, search), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    order = np.argsort([len(text) for text in texts], kind="stable")
    translations, scores = [""] * len(texts), np.zeros(len(texts))
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        places = order[first : first + TEXTS_AT_ONCE]
        found = translate(tf.constant([texts[place] for place in places]))
        for place, text in zip(places, found.text.numpy(), strict=True):
            translations[place] = text.decode()
        scores[places] = found.score.numpy()
    return translations, scores
