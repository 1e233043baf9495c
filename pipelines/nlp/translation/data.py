"""From pairs to batches: subwords learned from the training split, lengths, buckets, batches scheduled by tokens."""

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data import parallel_text as near
from pipelines.nlp.splits import SPLITS, Split
from pipelines.nlp.subwords import END, PADDING, START, SubwordConfiguration, Subwords
from pipelines.nlp.text_files import TextDataError
from pipelines.nlp.translation.misfits import misfits, refuse_shifted, refuse_unrelated
from pipelines.nlp.translation.model import normalised
from pipelines.nlp.translation.pairs import LeftOut, Pair, usable
from pipelines.nlp.translation.sources import DataConfiguration, read, split_key
from pipelines.rows import make_batches

MINIMUM_BUCKET = 8  # subwords
BUCKET_GROWTH = 1.25  # each bucket's longest pair over the one's before: few shapes are compiled, little is padded
ENCODED_AT_ONCE = 20_000  # texts; a word that several of them have is divided once

MAXIMUM_LISTED = 3  # misfits that are printed
MOST_COPIES = 0.2  # share of the training that may be left out as near copies
MOST_COMPARED = 500_000_000  # comparisons of pairs

Numbers = list[np.ndarray]  # of each text int32 (subwords,)


class Corpus(NamedTuple):
    """Pairs by split, and those that cannot be used."""

    pairs: dict[Split, list[Pair]]
    left_out: list[LeftOut]


class Encoded(NamedTuple):
    """Pairs as numbers: sources with their end, targets with start and end."""

    source: Numbers
    target: Numbers


class SubwordRegularisation(NamedTuple):
    """How training divides words into other subwords in each epoch: a `share` of the subwords is cut in two.

    A word that is divided in several ways shows the network what its parts have in common (Kudo 2018,
    https://arxiv.org/abs/1804.10959; Provilkov et al. 2020, https://arxiv.org/abs/1910.13267).
    """

    source: list[np.ndarray]  # `Subwords.halves`
    target: list[np.ndarray]
    share: float


class Plan(NamedTuple):
    """How the pairs of a bucket are cut into batches: all of `batches` have `size` pairs of at most `length`."""

    length: int
    pairs: np.ndarray  # numbers of the pairs
    batches: int
    size: int


def load(configuration: DataConfiguration) -> Corpus:
    """Returns the configured pairs that have text on both sides; of the user's own, no split knows another's.

    Raises:
        ConfigurationError: a setting is missing, or does not belong to the source.
        TextDataError: a file cannot be used, or a split has no pairs.
    """
    splits = read(configuration)
    if configuration.source in ("files", "table") and configuration.misfits != "ignore":
        refuse_shifted(in_order(splits))
        refuse_unrelated(in_order(splits))
    pairs: dict[Split, list[Pair]] = {}
    left_out = []
    for split in SPLITS:
        pairs[split], unusable = usable(splits[split])
        left_out += unusable
    if configuration.source in ("files", "table"):
        left_out += _without_misfits(pairs, configuration)
        left_out += _without_held_out(pairs)
        left_out += _without_near_copies(pairs, configuration.similarity)
    if lacking := [split for split in SPLITS if not pairs[split]]:
        raise TextDataError(
            f"There are no pairs for {' and '.join(lacking)}; expected some with text on both sides in each split. "
            f"Give more pairs, or fill the empty lines. Received: {sum(map(len, pairs.values()))} pairs, "
            f"{len(left_out)} left out" + "".join(f"; {each.where}: {each.reason}" for each in left_out[:1])
        )
    return Corpus(pairs, left_out)


def in_order(splits: dict[Split, list[Pair]]) -> list[Pair]:
    """Returns the pairs of all splits in the order of their files and lines."""
    every = [pair for split in SPLITS for pair in splits[split]]
    return sorted(every, key=lambda pair: [int(each) if each.isdecimal() else each for each in _place(pair.where)])


def _place(where: str) -> list[str]:
    """Parts of where a pair is, so that line 10 comes after line 9."""
    return re.split(r"(\d+)", where)


def learn_subwords(pairs: Sequence[Pair], subwords: SubwordConfiguration, shared: bool) -> tuple[Subwords, Subwords]:
    """Returns the subwords of sources and of targets, learned from pairs of the training split; the same if shared."""
    sources = _normalised([pair.source for pair in pairs], joiners=False)
    targets = _normalised([pair.target for pair in pairs], joiners=True)
    if shared:
        both = Subwords.learn(sources + targets, subwords)
        return both, both
    return Subwords.learn(sources, subwords), Subwords.learn(targets, subwords)


def encode(pairs: Sequence[Pair], source: Subwords, target: Subwords) -> Encoded:
    """Returns pairs as numbers."""
    without_joiners = partial(normalised, joiners=False)
    sources = source.encode_each((pair.source for pair in pairs), without_joiners, ENCODED_AT_ONCE)
    targets = target.encode_each((pair.target for pair in pairs), normalised, ENCODED_AT_ONCE)
    return Encoded(
        [np.append(numbers, np.int32(END)) for numbers in sources],
        [np.concatenate([[START], numbers, [END]]).astype(np.int32) for numbers in targets],
    )


def limited(encoded: Encoded, pairs: Sequence[Pair], configuration: DataConfiguration) -> tuple[Encoded, list[LeftOut]]:
    """Returns the training pairs that are short enough or have been cut, and a list of the others with reasons.

    Raises:
        TextDataError: none is short enough.
    """
    maximum, cut = configuration.maximum_subwords, configuration.too_long == "truncate"
    kept, changed = Encoded([], []), []
    for pair, source, target in zip(pairs, *encoded, strict=True):
        size = max(len(source) - 1, len(target) - 2)
        if size > maximum:
            changed.append(LeftOut(pair.where, f"{size} subwords" + (", truncated" if cut else "")))
            if not cut:
                continue
            source, target = _cut(source, maximum + 1), _cut(target, maximum + 2)
        kept.source.append(source)
        kept.target.append(target)
    if not kept.source:
        raise TextDataError(
            f"All {len(pairs)} pairs of train are longer than {maximum} subwords; expected sentences. Divide them, "
            "raise --data.maximum_subwords, or add --data.too_long truncate. Received: "
            f"{changed[0].where}: {changed[0].reason}"
        )
    return kept, changed


def plan(encoded: Encoded, tokens: int) -> list[Plan]:
    """Divides pairs into buckets by the longer side, and each bucket into batches of at most so many padded tokens.

    All batches of a bucket have one size, so that few shapes are compiled; see `training_batches` for the remainder.
    """
    sides = zip(encoded.source, encoded.target, strict=True)
    sizes = np.array([max(len(source), len(target) - 1) for source, target in sides])
    lengths = [MINIMUM_BUCKET]
    while lengths[-1] < sizes.max():
        lengths.append(int(np.ceil(lengths[-1] * BUCKET_GROWTH)))
    buckets = np.searchsorted(lengths, sizes)
    plans = []
    for bucket, length in enumerate(lengths):
        members = np.flatnonzero(buckets == bucket)
        if len(members):
            batches = -(-len(members) // max(1, tokens // length))
            plans.append(Plan(min(length, int(sizes.max())), members, batches, -(-len(members) // batches)))
    return plans


def training_batches(
    encoded: Encoded, plans: Sequence[Plan], seed: int, epoch: int, regularisation: SubwordRegularisation | None = None
) -> tf.data.Dataset:
    """Returns the batches of an epoch, the same on every call: every pair once, a few twice to fill a batch.

    With a regularisation subwords are cut in two, as far as the length of the batch leaves room.

    Returns:
        Dictionaries of `source` (batch, source) and `target` (batch, target), int32, padded.
    """
    random = np.random.default_rng((seed, epoch))
    planned = []
    for bucket in plans:
        order = np.resize(random.permutation(bucket.pairs), (bucket.batches, bucket.size))
        planned += [(bucket.length, members) for members in order]
    order = random.permutation(len(planned))
    sizes = tf.constant([len(planned[number][1]) for number in order], tf.int64)

    def draw(number: tf.Tensor) -> tf.Tensor:
        places = tf.range(sizes[number])
        return tf.stack([tf.fill(tf.shape(places), number), places], axis=1)

    def make(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        length, members = planned[order[rows[0, 0]]]
        source, target = ([side[member] for member in members[rows[:, 1]]] for side in encoded)
        if regularisation:
            for place, row in enumerate(rows):
                own, share = np.random.default_rng((seed, epoch, *row)), regularisation.share
                source[place] = resegmented(source[place], regularisation.source, share, length, own)
                target[place] = resegmented(target[place], regularisation.target, share, length + 1, own)
        return padded(source, length), padded(target, length + 1)

    def batch(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        source, target = tf.numpy_function(make, [rows], (tf.int32, tf.int32))
        return {"source": tf.ensure_shape(source, (None, None)), "target": tf.ensure_shape(target, (None, None))}

    return make_batches(tf.data.Dataset.range(len(planned)).map(draw), batch)


def resegmented(
    numbers: np.ndarray, halves: Sequence[np.ndarray], share: float, maximum: int, random: np.random.Generator
) -> np.ndarray:
    """Returns a text (subwords,) with a share of its subwords cut in two, at most `maximum` subwords in all."""
    chosen = np.flatnonzero(random.random(len(numbers)) < share)
    chosen = np.array([place for place in chosen if len(halves[numbers[place]])], int)
    chosen = random.permutation(chosen)[: max(0, maximum - len(numbers))]
    parts = numbers.copy()
    seconds = np.empty(len(chosen), np.int32)
    for each, place in enumerate(chosen):
        parts[place], seconds[each] = random.choice(halves[numbers[place]])
    return np.insert(parts, chosen + 1, seconds)


def padded(numbers: Sequence[np.ndarray], length: int = 0) -> np.ndarray:
    """Returns texts as one array (texts, length), padded; by default as long as the longest.

    >>> padded([np.array([3]), np.array([4, 5])]).tolist()
    [[3, 0], [4, 5]]
    """
    length = length or max(map(len, numbers))
    array = np.full((len(numbers), length), PADDING, np.int32)
    for row, each in enumerate(numbers):
        array[row, : len(each)] = each
    return array


def _without_held_out(pairs: dict[Split, list[Pair]]) -> list[LeftOut]:
    """Takes out of each split the pairs whose source or translation a later split has, too, and returns them."""
    known: set[str] = set()
    left_out = []
    for split in reversed(SPLITS):
        keys = [{split_key(pair.source), split_key(pair.target)} for pair in pairs[split]]
        copies = [bool(each & known) for each in keys]
        left_out += [
            LeftOut(pair.where, "its source or its translation is held out")
            for pair, copy in zip(pairs[split], copies, strict=True)
            if copy
        ]
        pairs[split] = [pair for pair, copy in zip(pairs[split], copies, strict=True) if not copy]
        known |= set().union(*keys)
    return left_out


def _without_misfits(pairs: dict[Split, list[Pair]], configuration: DataConfiguration) -> list[LeftOut]:
    """Reports the pairs that hardly belong together, and takes them out of training and returns them, if wanted."""
    if configuration.misfits == "ignore":
        return []
    every = [pair for split in SPLITS for pair in pairs[split]]
    found = misfits(every)
    if found:
        named = "; ".join(f"{each.where}: {each.reason}" for each in found[:MAXIMUM_LISTED])
        remedy = "left out of training" if configuration.misfits == "leave_out" else "kept; --data.misfits leave_out"
        print(f"Note: {len(found)} of {len(every)} pairs hardly belong together ({named}): {remedy}.")
    if configuration.misfits == "report":
        return []
    wrong = {each.where for each in found}
    kept = [pair for pair in pairs["train"] if pair.where not in wrong]
    removed = {pair.where for pair in pairs["train"]} & wrong
    pairs["train"] = kept
    return [each for each in found if each.where in removed]


def _without_near_copies(pairs: dict[Split, list[Pair]], similarity: float) -> list[LeftOut]:
    """Takes out of training, and returns, what is nearly the same as held-out pairs, on either side.

    Where that would be more than a fifth of the training, the texts are of one form: then they must be more alike.
    """
    held_out = [near.Pair("", "", pair.source, pair.target) for split in SPLITS[1:] for pair in pairs[split]]
    training = [near.Pair(str(place), "", pair.source, pair.target) for place, pair in enumerate(pairs["train"])]
    if similarity == 1 or not training:
        return []
    if len(held_out) * len(training) > MOST_COMPARED:
        print(
            f"Note: near copies of held-out pairs are not searched in {len(training)} pairs; equal ones are left out."
        )
        return []
    for tried in (similarity, *(each for each in (0.9, 0.95) if each > similarity)):
        copies = near.near_copies(training, held_out, round(100 * tried))
        if len(copies) <= MOST_COPIES * len(training):
            break
    else:
        print(f"Note: {len(copies)} of {len(training)} training pairs are near copies of held-out ones, and are kept.")
        return []
    left_out = [
        LeftOut(pair.where, f"nearly the same as a held-out pair ({tried:.0%} alike)")
        for place, pair in enumerate(pairs["train"])
        if str(place) in copies
    ]
    pairs["train"] = [pair for place, pair in enumerate(pairs["train"]) if str(place) not in copies]
    return left_out


def _normalised(texts: list[str], joiners: bool) -> list[str]:
    return [text.decode() for text in normalised(tf.constant(texts), joiners).numpy()]


def _cut(numbers: np.ndarray, length: int) -> np.ndarray:
    return numbers if len(numbers) <= length else np.append(numbers[: length - 1], np.int32(END))
