"""From labelled texts to batches: usable texts, their labels, their order."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.hints import counted, listed
from pipelines.nlp.batches import draw_batches, padded_length
from pipelines.nlp.sentiment.labels import contradictions, label_names, labels_in, odd_labels, one_name_a_number
from pipelines.nlp.sentiment.sources import DataConfiguration, open_source
from pipelines.nlp.sentiment.splitting import Example, near_duplicates
from pipelines.nlp.sentiment.words import Words, count_words
from pipelines.nlp.splits import SPLITS
from pipelines.nlp.text_files import TextDataError
from pipelines.rows import make_batches

FEW = 30  # labelled texts of a split, below which its figures are rough


class Sets(NamedTuple):
    """Usable examples of each split, the `labels`, and `notes`, lines for the user on what was found.

    Where there are no labels, ratings alone are learned.
    """

    splits: dict[str, list[Example]]
    labels: tuple[str, ...]
    notes: list[str]

    @property
    def rated(self) -> bool:
        """Whether there are ratings to learn from."""
        return any(np.isfinite(example.rating) for example in self.splits["train"])

    @property
    def multiple(self) -> bool:
        """Whether a text may have several labels, or none."""
        return any(example.labels is not None for example in self.splits["train"])


def load(configuration: DataConfiguration) -> Sets:
    """Opens the texts, leaves out those without words or without anything to learn, and finds their labels.

    Raises:
        TextDataError: a text is too long, where that is refused; fewer than two labels; an empty split; or a label
            that no text of the training split has.
    """
    notes: list[str] = []
    opened = one_name_a_number(open_source(configuration, notes), notes)
    splits = {split: usable(members, split, configuration, notes) for split, members in opened.items()}
    some_labelled = any(example.is_labelled for members in splits.values() for example in members)
    for split in SPLITS:
        if not any(example.is_labelled or not some_labelled for example in splits[split]):
            raise TextDataError(
                f"The {split} split has no {'labelled' if some_labelled else 'rated'} text. "
                f"{_remedy(splits, split, configuration)} Received: "
                f"{', '.join(f'{len(splits[each])} in {each}' for each in SPLITS)}"
            )
    labels = label_names(splits)
    notes += [*odd_labels(splits, labels, configuration.label_weights == "balanced"), *few_texts(splits, not labels)]
    return Sets(splits, labels, notes + contradictions(splits))


def few_texts(splits: dict[str, list[Example]], rated: bool = False) -> list[str]:
    """Returns notes on splits that are too small for more than rough figures, of labels or of ratings."""
    sizes = {split: sum(rated or each.is_labelled for each in splits[split]) for split in SPLITS[1:]}
    kind = "rated text" if rated else "labelled text"
    return [
        f"the {split} split has {counted(size, kind)}, fewer than {FEW}: what is measured on it is rough. "
        f"Give more texts, or raise --data.{split}_fraction"
        for split, size in sizes.items()
        if size < FEW
    ]


def _remedy(splits: dict[str, list[Example]], empty: str, configuration: DataConfiguration) -> str:
    """Returns how to fix an empty split: not with more texts where most are near duplicates."""
    examples = [example for split in SPLITS for example in splits[split]]
    most = max(Counter(itertools.chain.from_iterable(map(labels_in, examples))).values(), default=len(SPLITS))
    if most < len(SPLITS):
        return f"No label has more than {counted(most, 'text')}; expected one for each split. Give more of each label."
    groups = near_duplicates([each.text for each in examples], configuration.similarity, [])
    for group, size in Counter(groups).most_common(1):
        alike, distinct = size > max(1, len(examples) // 2), len(set(groups))
        if alike or 2 * distinct <= len(examples):
            one, other = [each.where for each, key in zip(examples, groups, strict=True) if key == group][:2]
            found = f"{size} of {len(examples)}" if alike else f"All but {distinct} of {len(examples)}"
            return (
                f"{found} texts are near duplicates of {'each other' if alike else 'others'}, such as {one} and "
                f"{other}, and near duplicates stay in one split. Give texts that differ."
            )
    change = "lower" if empty == "train" else "raise"
    return f"Give more texts, or {change} --data.validation_fraction or --data.test_fraction."


def usable(examples: list[Example], split: str, configuration: DataConfiguration, notes: list[str]) -> list[Example]:
    """The examples that have words, and a label or a rating; notes what is left out or cut off."""
    empty, unlabelled, cut, kept = [], [], [], []
    lengths = count_words([example.text for example in examples])
    for example, length in zip(examples, lengths, strict=True):
        if not length:
            empty.append(example.where)
        elif not example.is_labelled and not np.isfinite(example.rating):
            unlabelled.append(example.where)
        else:
            kept.append(example)
            if length > configuration.maximum_words:
                cut.append(f"{example.where} ({length} words)")
    if cut and configuration.too_long == "refuse":
        raise TextDataError(
            f"{len(cut)} texts of the {split} split have more than {configuration.maximum_words} words. Raise "
            "--data.maximum_words, or let them be read in windows, --data.too_long windows, or cut off, truncate. "
            f"Received: {listed(cut, '; ')}"
        )
    read = "read in windows" if configuration.too_long == "windows" else "the rest is not read"
    for found, what in (
        (empty, "without words: left out"),
        (unlabelled, "without a label: left out"),
        (cut, f"of more than {configuration.maximum_words} words: {read}"),
    ):
        if found:
            notes.append(f"{split}: {counted(len(found), 'text')} {what}: {listed(found, '; ')}")
    return kept


def training_batches(
    examples: Sequence[Example],
    labels: Sequence[str],
    words: Words,
    batch_size: int,
    seed: int,
    epoch: int,
    weighted: bool = False,
) -> tf.data.Dataset:
    """The batches of an epoch, the same each time they are asked for, of texts of similar length.

    Of a text that is longer than a window, each epoch has another stretch, where long texts are read whole.

    Returns:
        Dictionaries of `words`, `pieces` and `lengths` as of `Encoded`, `label` and `rating` as of `truth`, and
        `weight` float32, as `label`: 1, or as of `label_weights`.
    """
    lengths = np.array([len(example.text) for example in examples])
    chosen = draw_batches(lengths, batch_size, seed, epoch)
    starts = np.random.default_rng((seed, epoch, 1)).uniform(size=len(examples)).astype(np.float32)
    texts = tf.constant([example.text for example in examples])
    numbers, ratings = truth(examples, labels)
    weights = label_weights(numbers) if weighted else np.ones(numbers.shape, np.float32)
    columns = {"label": numbers, "rating": ratings, "weight": weights, "start": starts * words.whole}

    def batch(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        found = {name: tf.gather(tf.constant(column), rows) for name, column in columns.items()}
        encoded = words(tf.gather(texts, rows), found.pop("start"))
        time = tf.shape(encoded.words)[1]
        more = [[0, 0], [0, padded_length(time, words.maximum_words) - time]]
        return {
            "words": tf.pad(encoded.words, more),
            "pieces": tf.pad(encoded.pieces, [*more, [0, 0]]),
            "lengths": encoded.lengths,
            **found,
        }

    return make_batches(tf.data.Dataset.from_tensor_slices(chosen), batch, ahead=8)


def label_weights(labels: np.ndarray) -> np.ndarray:
    """Returns for each text a weight, float32, by which all labels count alike; the mean of the labelled is 1.

    Args:
        labels: as of `truth`. Where texts may have several, having a label and not having it count alike.

    >>> label_weights(np.array([0, 0, 0, 1, -1])).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0, 0.0]
    >>> label_weights(np.array([[0], [0], [0], [1], [-1]])).round(2).tolist()
    [[0.67], [0.67], [0.67], [2.0], [0.0]]
    """
    if labels.ndim == 2:
        return np.stack([label_weights(column) for column in labels.T], axis=1)
    counts = np.bincount(labels[labels >= 0])
    share = counts[np.maximum(labels, 0)] * np.count_nonzero(counts) / max(1, counts.sum())
    return np.where(labels >= 0, 1 / np.maximum(share, 1e-9), 0.0).astype(np.float32)


def truth(examples: Sequence[Example], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the true labels and the ratings of texts.

    Returns:
        The number of each text's label, int32 (texts,), −1 for none; or, where texts may have several, 1 at each
        text's labels and 0 at the others, int32 (texts, labels), −1 for unknown ones. And the ratings, float32
        (texts,), NaN for none.
    """
    ratings = np.array([example.rating for example in examples], np.float32)
    if any(example.labels is not None for example in examples):
        held = [[label in (each.labels or ()) for label in labels] for each in examples]
        known = np.array([each.labels is not None for each in examples])[:, np.newaxis]
        return np.where(known, np.array(held, np.int32), -1).astype(np.int32), ratings
    numbers = {label: number for number, label in enumerate(labels)}
    return np.array([numbers.get(example.label, -1) for example in examples], np.int32), ratings
