"""From tagged sentences to batches: splits, tags, and the order of an epoch."""

from collections import Counter
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf
from pydantic import Field

from data.brown_corpus import brown_sentences
from pipelines.nlp.batches import draw_batches, padded_length
from pipelines.nlp.splits import SPLITS, OwnFiles
from pipelines.nlp.tagged_files import Sentence, read_sentences
from pipelines.nlp.text_files import TextDataError
from pipelines.nlp.texts import listed
from pipelines.nlp.words import Words
from pipelines.rows import make_batches


class DataConfiguration(OwnFiles):
    """Which sentences to learn from, and how they are divided."""

    source: Literal["brown_corpus", "own"] = Field("brown_corpus", description="embedded data set, or your own files")
    words: str = Field("", description="number of the column of the words, or JSON's key; by default the usual one")
    tags: str = Field("", description="number of the column of the tags, or JSON's key; by default the usual one")
    batch_size: int = Field(32, ge=1, description="sentences in a batch")


class Sets(NamedTuple):
    """The sentences of each split, the `tags` of the training split, and `notes`, lines for the user."""

    splits: dict[str, list[Sentence]]
    tags: tuple[str, ...]
    notes: list[str]


class Learned(NamedTuple):
    """Training sentences by the places of their words in `numbers`, int32 (words, 10), whose first row is zeros."""

    numbers: np.ndarray
    words: tf.RaggedTensor
    tags: tf.RaggedTensor


def load(configuration: DataConfiguration) -> Sets:
    """Opens the sentences, and notes the tags of other splits that training does not have.

    Raises:
        ConfigurationError: a setting does not fit the source.
        TextDataError: a file cannot be read, a split is empty, or there is nothing to tell apart.
    """
    notes: list[str] = []
    read = partial(read_sentences, configuration.words, configuration.tags, configuration.encoding, notes)
    splits = configuration.splits(read, lambda each: " ".join(each.words), configuration.source == "own")
    splits = splits or {split: [Sentence(*each) for each in brown_sentences(split)] for split in SPLITS}
    counts = {split: Counter(tag for each in splits[split] for tag in each.tags if tag) for split in SPLITS}
    tags = tuple(sorted(counts["train"]))
    if len(tags) < 2 or not all(counts.values()):
        sizes = ", ".join(f"{len(splits[split])} in {split}" for split in SPLITS)
        raise TextDataError(
            "Expected tagged sentences in each split, and two tags or more. Give more sentences, or files of other "
            f"splits: --data.validation, --data.test. Received: sentences {sizes}; the tags {listed(tags)}"
        )
    for split in SPLITS[1:]:
        if unseen := [f"{tag} ({count}×)" for tag, count in counts[split].items() if tag not in counts["train"]]:
            notes.append(f"{split}: tags that no training sentence has, and that count as errors: {listed(unseen)}")
    return Sets(splits, tags, notes)


def numbered(sets: Sets, words: Words) -> Learned:
    """Returns the training sentences as numbers; each distinct word is looked up once."""
    sentences, places = sets.splits["train"], {tag: place for place, tag in enumerate(sets.tags)}
    distinct, inverse = np.unique([word for each in sentences for word in each.words], return_inverse=True)
    numbers = words.encode(tf.constant(distinct)).numpy()
    tags = [places.get(tag, -1) for each in sentences for tag in each.tags]
    lengths = [len(each.words) for each in sentences]
    ragged = (tf.RaggedTensor.from_row_lengths(tf.constant(v, tf.int32), lengths) for v in (1 + inverse, tags))
    return Learned(np.pad(numbers, ((1, 0), (0, 0))), *ragged)


def training_batches(learned: Learned, batch_size: int, seed: int, epoch: int) -> tf.data.Dataset:
    """The batches of an epoch, the same each time they are asked for, of sentences of similar length.

    Returns:
        Dictionaries of `numbers`, int32 (batch, time, 10), `lengths` (batch,), and `tags`, int32 (batch, time), −1
        where there is none.
    """
    sizes = learned.words.row_lengths().numpy()
    chosen, longest = draw_batches(sizes, batch_size, seed, epoch), int(sizes.max())
    numbers = tf.constant(learned.numbers)

    def batch(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        words, tags = tf.gather(learned.words, rows), tf.gather(learned.tags, rows)
        shape = tf.stack([-1, padded_length(tf.cast(words.bounding_shape(axis=1), tf.int32), longest)])
        padded = tf.gather(numbers, words.to_tensor(0, shape=shape))
        return {
            "numbers": padded,
            "lengths": tf.cast(words.row_lengths(), tf.int32),
            "tags": tags.to_tensor(-1, shape=shape),
        }

    return make_batches(tf.data.Dataset.from_tensor_slices(chosen), batch, ahead=8)
