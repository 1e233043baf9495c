"""From tagged sentences to batches: splits, tags, and the order of an epoch."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf
from pydantic import Field

from data.brown_corpus import brown_sentences
from pipelines.hints import listed
from pipelines.nlp.batches import draw_batches, padded_length
from pipelines.nlp.splits import SPLITS, OwnFiles
from pipelines.nlp.tagged_files import Sentence, read_sentences
from pipelines.nlp.text_files import TextDataError
from pipelines.nlp.words import Words
from pipelines.rows import make_batches


class DataConfiguration(OwnFiles):
    """Which sentences to learn from, and how they are divided."""

    source: Literal["brown_corpus", "own"] = Field("brown_corpus", description="built-in data set, or your own files")
    words: str = Field("", description="column number or JSON key of the words; default: the usual one")
    tags: str = Field("", description="column number or JSON key of the tags; default: the usual one")
    batch_size: int = Field(32, ge=1, description="sentences in a batch")


class Sets(NamedTuple):
    """The sentences of each split, the `tags` of the training split, and `notes`, lines for the user."""

    splits: dict[str, list[Sentence]]
    tags: tuple[str, ...]
    notes: list[str]


class Learned(NamedTuple):
    """Training `sentences`, int32 (sentences, words, 2): of each word its row in `numbers`, and its tag from 1, or 0.

    The first row of `numbers`, int32 (words, 10), is zeros: padding.
    """

    numbers: np.ndarray
    sentences: tf.RaggedTensor


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


def identities(sentences: Sequence[Sentence]) -> list[str]:
    """Returns what tells each sentence from others, of any version of a file."""
    return [" ".join(sentence.words) for sentence in sentences]


def numbered(sets: Sets, words: Words) -> Learned:
    """Returns the training sentences as numbers; each distinct word is looked up once."""
    sentences, places = sets.splits["train"], {tag: place for place, tag in enumerate(sets.tags, start=1)}
    distinct, inverse = np.unique([word for each in sentences for word in each.words], return_inverse=True)
    numbers = words.encode(tf.constant(distinct)).numpy()
    pairs = np.stack([1 + inverse, [places.get(tag, 0) for each in sentences for tag in each.tags]], axis=1)
    ragged = tf.RaggedTensor.from_row_lengths(pairs.astype(np.int32), [len(each.words) for each in sentences])
    return Learned(np.pad(numbers, ((1, 0), (0, 0))), ragged)


def training_batches(learned: Learned, batch_size: int, seed: int, epoch: int) -> tf.data.Dataset:
    """The batches of an epoch, the same each time they are asked for, of sentences of similar length.

    Returns:
        Dictionaries of `numbers`, int32 (batch, time, 10), `lengths` (batch,), and `tags`, int32 (batch, time), −1
        where there is none.
    """
    sizes = learned.sentences.row_lengths().numpy()
    chosen, longest = draw_batches(sizes, batch_size, seed, epoch), int(sizes.max())
    numbers = tf.constant(learned.numbers)

    def batch(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        sentences = tf.gather(learned.sentences, rows)
        lengths = tf.cast(sentences.row_lengths(), tf.int32)
        padded = sentences.to_tensor(shape=tf.stack([-1, padded_length(tf.reduce_max(lengths), longest), 2]))
        return {"numbers": tf.gather(numbers, padded[..., 0]), "lengths": lengths, "tags": padded[..., 1] - 1}

    return make_batches(tf.data.Dataset.from_tensor_slices(chosen), batch, ahead=8)
