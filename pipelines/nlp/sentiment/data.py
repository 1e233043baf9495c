"""From labelled texts to batches: usable texts, their labels, their order."""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.configuration import did_you_mean
from pipelines.counting import counted
from pipelines.nlp.batches import draw_batches, padded_length
from pipelines.nlp.sentiment.sources import DataConfiguration, open_source
from pipelines.nlp.sentiment.splitting import Example, near_duplicates
from pipelines.nlp.sentiment.words import Words, count_words
from pipelines.nlp.splits import SPLITS
from pipelines.nlp.text_files import TextDataError
from pipelines.nlp.texts import listed

RARE = 0.2  # share of the texts that a label would have if all had equally many
FEW = 30  # labelled texts of a split, below which its figures are rough


class Sets(NamedTuple):
    """Usable examples of each split, the `labels`, and `notes`, lines for the user on what was found."""

    splits: dict[str, list[Example]]
    labels: tuple[str, ...]
    notes: list[str]

    @property
    def rated(self) -> bool:
        """Whether there are ratings to learn from."""
        return any(np.isfinite(example.rating) for example in self.splits["train"])


def load(configuration: DataConfiguration) -> Sets:
    """Opens the texts, leaves out those without words or without anything to learn, and finds their labels.

    Raises:
        TextDataError: a text is too long, where that is refused; fewer than two labels; an empty split; or a label
            that no text of the training split has.
    """
    notes: list[str] = []
    opened = one_name_a_number(open_source(configuration, notes), notes)
    splits = {split: usable(members, split, configuration, notes) for split, members in opened.items()}
    for split in SPLITS:
        if not any(example.label for example in splits[split]):
            raise TextDataError(
                f"The {split} split has no labelled text. {_remedy(splits, split, configuration)} Received: "
                f"{', '.join(f'{len(splits[each])} in {each}' for each in SPLITS)}"
            )
    labels = labels_of(splits)
    notes += [*alike_labels(splits), *uneven_labels(splits, configuration), *few_texts(splits)]
    return Sets(splits, labels, notes + contradictions(splits))


def one_name_a_number(splits: dict[str, list[Example]], notes: list[str]) -> dict[str, list[Example]]:
    """Returns examples whose labels that are one number, such as `1` and `1.0` of pandas, have one name; notes them."""
    names: defaultdict[float, Counter[str]] = defaultdict(Counter)
    for example in itertools.chain(*splits.values()):
        if np.isfinite(_number_first(example.label)[1]) and _number_first(example.label)[0] == 0:
            names[float(example.label)][example.label] += 1
    renamed: dict[str, str] = {}
    for counts in names.values():
        shortest, *others = sorted(counts, key=lambda name: (len(name), name))
        renamed |= dict.fromkeys(others, shortest)
        if others:
            found = " and ".join(f"{name!r} ({counts[name]})" for name in (shortest, *others))
            notes.append(f"the labels {found} are one number, and one label: {shortest!r}")
    if not renamed:
        return splits
    return {
        split: [each._replace(label=renamed.get(each.label, each.label)) for each in members]
        for split, members in splits.items()
    }


def alike_labels(splits: dict[str, list[Example]]) -> list[str]:
    """Returns notes on labels that differ in case, spaces or signs alone, and that are learned as several."""
    counts = Counter(each.label for each in itertools.chain(*splits.values()) if each.label)
    alike = defaultdict(list)
    for label in sorted(counts):
        alike["".join(re.findall(r"[\w+-]", label.casefold())) or label].append(f"{label!r} ({counts[label]})")
    return [
        f"the labels {' and '.join(names)} differ in case, spaces or signs alone, and are learned as {len(names)} "
        "labels; if they are one, give them one name"
        for names in alike.values()
        if len(names) > 1
    ]


def few_texts(splits: dict[str, list[Example]]) -> list[str]:
    """Returns notes on splits that are too small for more than rough figures."""
    sizes = {split: sum(bool(each.label) for each in splits[split]) for split in SPLITS[1:]}
    return [
        f"the {split} split has {counted(size, 'labelled text')}, fewer than {FEW}: what is measured on it is rough. "
        f"Give more texts, or raise --data.{split}_fraction"
        for split, size in sizes.items()
        if size < FEW
    ]


def uneven_labels(splits: dict[str, list[Example]], configuration: DataConfiguration) -> list[str]:
    """Returns a note on labels that few training texts have, unless they are weighted."""
    counts = Counter(each.label for each in splits["train"] if each.label)
    rare = sorted(label for label, count in counts.items() if count < RARE * counts.total() / len(counts))
    if not rare or configuration.label_weights == "balanced":
        return []
    named = listed([f"{label!r} ({counts[label]} of {counts.total()})" for label in rare])
    return [f"few texts have the labels {named}; --data.label_weights balanced lets all labels count alike"]


def _remedy(splits: dict[str, list[Example]], empty: str, configuration: DataConfiguration) -> str:
    """Returns how to fix an empty split: not with more texts where most are near duplicates."""
    examples = [example for split in SPLITS for example in splits[split]]
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


def contradictions(splits: dict[str, list[Example]]) -> list[str]:
    """Returns a note on texts that occur more than once with different labels, if there are any."""
    known: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for split in SPLITS:
        for example in splits[split]:
            if example.label:
                known[" ".join(example.text.split())].setdefault(example.label, example.where)
    found = [
        " and ".join(f"{where} ({label})" for label, where in labels.items())
        for labels in known.values()
        if len(labels) > 1
    ]
    return [f"{counted(len(found), 'text')} with different labels: {listed(found, '; ')}"] * bool(found)


def labels_of(splits: dict[str, list[Example]]) -> tuple[str, ...]:
    """Returns the labels of the training split, numbers by their size, others alphabetically.

    Raises:
        TextDataError: there are fewer than two, or another split has one more.
    """
    labels = {example.label for example in splits["train"] if example.label}
    for split in SPLITS[1:]:
        if unseen := [example for example in splits[split] if example.label and example.label not in labels]:
            raise TextDataError(
                f"{unseen[0].where}: no text of the training split has the label {unseen[0].label!r}, so it "
                f"cannot be learned; expected one of {listed(sorted(labels))}."
                f"{did_you_mean(unseen[0].label, labels)} Give more texts of this label, at "
                f"least some ten, or remove it. Received: {unseen[0].label!r}, in {len(unseen)} {split} texts"
            )
    if len(labels) < 2:
        raise TextDataError(
            "All texts have one label, so there is nothing to learn; expected two labels or more. Add texts with "
            f"another label, or name another column: --data.label. Received: {', '.join(map(repr, labels))}"
        )
    return tuple(sorted(labels, key=_number_first))


def _number_first(label: str) -> tuple[int, float, str]:
    try:
        return 0, float(label), label
    except ValueError:
        return 1, 0.0, label


def usable(examples: list[Example], split: str, configuration: DataConfiguration, notes: list[str]) -> list[Example]:
    """The examples that have words, and a label or a rating; notes what is left out or cut off."""
    empty, unlabelled, cut, kept = [], [], [], []
    lengths = count_words([example.text for example in examples])
    for example, length in zip(examples, lengths, strict=True):
        if not length:
            empty.append(example.where)
        elif not example.label and not np.isfinite(example.rating):
            unlabelled.append(example.where)
        else:
            kept.append(example)
            if length > configuration.maximum_words:
                cut.append(f"{example.where} ({length} words)")
    if cut and configuration.too_long == "refuse":
        raise TextDataError(
            f"{len(cut)} texts of the {split} split have more than {configuration.maximum_words} words. Raise "
            f"--data.maximum_words, or let them be cut off: --data.too_long truncate. Received: {listed(cut, '; ')}"
        )
    for found, what in (
        (empty, "without words: left out"),
        (unlabelled, "without a label: left out"),
        (cut, f"of more than {configuration.maximum_words} words: the rest is not read"),
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

    Returns:
        Dictionaries of `words`, `pieces` and `lengths` as of `Encoded`, `label` int32 (batch,), −1 where there is
        none, `rating` float32 (batch,), NaN where there is none, and `weight` float32 (batch,), of the text's label:
        1, or the inverse of its share.
    """
    lengths = np.array([len(example.text) for example in examples])
    chosen = draw_batches(lengths, batch_size, seed, epoch)
    texts = tf.constant([example.text for example in examples])
    numbers, ratings = (tf.constant(each) for each in truth(examples, labels))
    weights = tf.constant(label_weights(numbers.numpy()) if weighted else np.ones(len(examples), np.float32))

    def batch(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        encoded = words(tf.gather(texts, rows))
        time = tf.shape(encoded.words)[1]
        more = [[0, 0], [0, padded_length(time, words.maximum_words) - time]]
        return {
            "words": tf.pad(encoded.words, more),
            "pieces": tf.pad(encoded.pieces, [*more, [0, 0]]),
            "lengths": encoded.lengths,
            "label": tf.gather(numbers, rows),
            "rating": tf.gather(ratings, rows),
            "weight": tf.gather(weights, rows),
        }

    dataset = tf.data.Dataset.from_tensor_slices(chosen)
    return dataset.map(batch, num_parallel_calls=2, deterministic=True).prefetch(8)


def label_weights(labels: np.ndarray) -> np.ndarray:
    """Returns for each text a weight float32 (texts,) by which all labels count alike; the mean of the labelled is 1.

    >>> label_weights(np.array([0, 0, 0, 1, -1])).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0, 0.0]
    """
    counts = np.bincount(labels[labels >= 0])
    share = counts[np.maximum(labels, 0)] * np.count_nonzero(counts) / max(1, counts.sum())
    return np.where(labels >= 0, 1 / np.maximum(share, 1e-9), 0.0).astype(np.float32)


def truth(examples: Sequence[Example], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the number of each example's label, int32, −1 for none, and its rating, float32, NaN for none."""
    numbers = {label: number for number, label in enumerate(labels)}
    return (
        np.array([numbers.get(example.label, -1) for example in examples], np.int32),
        np.array([example.rating for example in examples], np.float32),
    )
