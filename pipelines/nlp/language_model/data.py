"""From documents to batches: a vocabulary learned from the training split, and windows that go on where they ended."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.nlp.language_model.sources import Corpus, DataConfiguration, open_corpus
from pipelines.nlp.subwords import START, SubwordConfiguration, Subwords
from pipelines.nlp.text_files import Document, TextDataError
from pipelines.nlp.unicode_forms import canonical
from pipelines.rows import make_batches

BOUNDARY = START  # stands before a document, and after the last one


class Sets(NamedTuple):
    """The documents of each split, the vocabulary, and the training documents as numbers of subwords."""

    corpus: Corpus
    subwords: Subwords
    training: list[np.ndarray]


def load(configuration: DataConfiguration, vocabulary: SubwordConfiguration, known: Subwords | None = None) -> Sets:
    """Opens the documents and writes them in subwords.

    Raises:
        TextDataError: there is too little text to train, to validate or to test.
    """
    corpus = open_corpus(configuration)
    for split, documents in corpus._asdict().items():
        if not documents:
            raise TextDataError(
                f"The {split} split has no text. Give more text, or raise --data.validation_fraction and "
                f"--data.test_fraction. Received: {', '.join(str(len(each)) for each in corpus)} documents to train, "
                "validate and test"
            )
    subwords = known or Subwords.learn([document.text for document in corpus.train], vocabulary)
    training = encode(subwords, corpus.train)
    have, need = sum(map(len, training)) + len(training), configuration.batch_size * configuration.window + 1
    if have < need:
        raise TextDataError(
            f"There is too little text for one batch: {configuration.batch_size} windows of {configuration.window} "
            f"subwords. Give more text, or lower --data.batch_size or --data.window. Received: {have} subwords, {need} "
            "needed"
        )
    return Sets(corpus, subwords, training)


def encode(subwords: Subwords, documents: Sequence[Document]) -> list[np.ndarray]:
    """Returns the numbers of the subwords of each document, int32 (subwords,)."""
    return subwords.encode_each((each.text for each in documents), canonical)


def training_batches(
    documents: Sequence[np.ndarray], configuration: DataConfiguration, seed: int, epoch: int
) -> tf.data.Dataset:
    """The batches of an epoch, the same each time they are asked for; windows go on where those before ended.

    The documents, in an order drawn anew, and a boundary before each make one long text, which begins at a place drawn
    anew and is divided into as many equal parts as a batch has rows. A batch has the next window of each part.

    Returns:
        Dictionaries of `numbers` int32 (batch, window + 1), and `begins` bool (batch,), whether a part begins here.
    """
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(documents))
    stream = np.concatenate([part for place in order for part in ([BOUNDARY], documents[place])]).astype(np.int32)
    stream = np.roll(stream, -random.integers(len(stream)))
    rows, window = configuration.batch_size, configuration.window
    steps = (len(stream) - 1) // (rows * window)
    # What does not fill a window is left out; the places drawn make it another part of the text in every epoch.
    starts = np.arange(rows)[:, np.newaxis] * (steps * window) + np.arange(steps) * window  # (rows, steps)
    begins = np.zeros((steps, rows), bool)
    begins[0] = True
    text = tf.constant(stream)

    def batch(drawn: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        numbers = tf.gather(text, drawn["starts"][:, tf.newaxis] + tf.range(window + 1, dtype=tf.int64))
        return {"begins": drawn["begins"], "numbers": numbers}

    return make_batches(tf.data.Dataset.from_tensor_slices({"begins": begins, "starts": starts.T}), batch)
