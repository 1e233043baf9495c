"""Splits that are made once: by a stable hash, near duplicates together."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from rapidfuzz import fuzz, process
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from data.transcripts import normalise, parts

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""The splits by the names that people give them, in lower case."""
SIMILARITY = 0.8  # of texts that are nearly equal
CONTAINED_WORDS = 3


def named_split(name: str) -> str:
    """Returns the split that a word in the name of a file or folder is, "" if none is.

    >>> named_split("ptb.valid.txt"), named_split("train-00000-of-00002.parquet"), named_split("trains.txt")
    ('validation', 'train', '')
    """
    return next((SPLIT_NAMES[word] for word in re.split(r"[^a-z]+", name.lower()) if word in SPLIT_NAMES), "")


def stable_fraction(key: str) -> float:
    """Returns a number in [0, 1) that depends on `key` alone, on every machine and in every run (BLAKE2b).

    >>> round(stable_fraction("hello"), 3) == round(stable_fraction("hello"), 3)
    True
    """
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") / 2**64


def assign_split(group_key: str, shares: Mapping[str, float], salt: str = "") -> str:
    """Returns the name of the split that a group belongs to.

    Args:
        group_key: What the members of the group have in common, such as the key from `group_near_duplicates`.
        shares: Share of every split, in a fixed order; they sum to 1.
        salt: Names the data set, so that two data sets are cut independently.

    Raises:
        ValueError: The shares do not sum to 1, or one is negative.

    >>> assign_split("hello", {"train": 1.0, "test": 0.0})
    'train'
    """
    if min(shares.values(), default=-1) < 0 or abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"The shares of the splits must be at least 0 and sum to 1. Received: {dict(shares)}")
    fraction, upper = stable_fraction(salt + group_key), 0.0
    for name, share in shares.items():
        upper += share
        if fraction < upper:
            return name
    return next(name for name in reversed(list(shares)) if shares[name] > 0)  # rounding of the last bound


def group_near_duplicates(texts: Sequence[str], language: str) -> list[str]:
    """Returns one group key per text; nearly equal texts have the same key.

    Two texts are in one group if they, or any sentence or clause of theirs, are at least 80% alike
    (2 · longest common subsequence / sum of the lengths, in characters), or if the words of the whole shorter
    one, three or more, follow each other in the longer one: single common words would tie everything together.
    Groups are closed: if a is like b, and b like c, then all three are together.

    Args:
        texts: Transcripts as written; punctuation separates sentences and clauses.
        language: Passed on to `normalise`.

    Returns:
        The alphabetically first normalised text of each text's group.

    >>> group_near_duplicates(["Hello.", "Hello world.", "Hello world!  Goodbye."], "en")
    ['hello', 'hello world', 'hello world']
    """
    whole = [normalise(text, language) for text in texts]
    leaders = list(range(len(texts)))

    def leader(index: int) -> int:
        while leaders[index] != index:
            leaders[index] = leaders[leaders[index]]  # halve the path on the way
            index = leaders[index]
        return index

    owners: dict[str, int] = {}  # of a whole text, a sentence or a clause: the first text that has it
    for index, text in enumerate(texts):
        for part in (whole[index], *parts(text, language)):
            leaders[leader(index)] = leader(owners.setdefault(part, index))

    distinct = list(owners)
    for first, second in zip(*_similarities(distinct, distinct).nonzero(), strict=True):
        leaders[leader(owners[distinct[first]])] = leader(owners[distinct[second]])

    for index, short in enumerate(whole):
        for other, long in enumerate(whole):
            if _contains(long, short):
                leaders[leader(other)] = leader(index)

    members = defaultdict(list)
    for index, text in enumerate(whole):
        members[leader(index)].append(text)
    return [min(members[leader(index)]) for index in range(len(texts))]


def group_alike(
    texts: Sequence[str], sources: Sequence[str] | None = None, similarity: float = SIMILARITY
) -> list[str]:
    """Returns one group key per text; texts that are alike as a whole, or come from one source, have the same key.

    It is `group_near_duplicates` for many short written texts, in any language, some ten thousand a minute. Groups are
    closed: if a is like b, and b like c, then all three are together.

    Args:
        texts: As written; case, punctuation and spaces do not count, unless a text has nothing else.
        sources: Of each text where it is from, such as a review of several sentences. None: from nowhere in common.
        similarity: In (0, 1], of letters: 2 · longest common subsequence / sum of the lengths.

    Returns:
        The alphabetically first text of each text's group.

    >>> group_alike(["A lame comedy.", "Fine!", "A lame comedy...", "One more."], ["1", "2", "3", "2"])
    ['A lame comedy.', 'Fine!', 'A lame comedy.', 'Fine!']
    """
    plain = [" ".join(re.findall(r"\w+", text.lower())) or text for text in texts]
    pairs = [*_similarities(plain, plain, similarity).nonzero()]
    if sources is not None:
        first = {source: index for index, source in reversed(list(enumerate(sources)))}
        pairs = [np.append(pairs[0], [first[source] for source in sources]), np.append(pairs[1], range(len(texts)))]
    ties = coo_matrix((np.ones(len(pairs[0]), bool), pairs), (len(texts), len(texts)))
    groups = connected_components(ties, directed=False)[1]
    members = defaultdict(list)
    for text, group in zip(texts, groups, strict=True):
        members[group].append(text)
    return [min(members[group]) for group in groups]


def without_near_duplicates(
    texts: Sequence[str], held_out: Sequence[str], language: str, clauses: bool = True
) -> list[str]:
    """Returns those of `texts` that `group_near_duplicates` would not put into a group with one of `held_out`.

    It keeps a second source of training texts clear of the sentences that a model is tested on.

    >>> without_near_duplicates(["Hello world!", "Goodbye, hello world."], ["Goodbye."], "en")
    ['Hello world!']
    """
    whole = [normalise(text, language) for text in held_out]
    held_parts = list(
        dict.fromkeys(
            part for text in held_out for part in (normalise(text, language), *parts(text, language, clauses))
        )
    )
    cut = [list(dict.fromkeys((normalise(text, language), *parts(text, language, clauses)))) for text in texts]
    flat = list(dict.fromkeys(part for text_parts in cut for part in text_parts))
    refused = {flat[row] for row in _similarities(flat, held_parts).nonzero()[0]}
    return [
        text
        for text, text_parts in zip(texts, cut, strict=True)
        if not refused.intersection(text_parts)
        and not any(_contains(text_parts[0], held) or _contains(held, text_parts[0]) for held in whole)
    ]


def _similarities(left: Sequence[str], right: Sequence[str], cutoff: float = SIMILARITY) -> np.ndarray:
    """Returns the similarity in percent of every pair of texts, 0 below the cutoff: (left, right) uint8."""
    return process.cdist(left, right, scorer=fuzz.ratio, score_cutoff=100 * cutoff, dtype=np.uint8, workers=-1)


def _contains(long: str, short: str) -> bool:
    return f" {short} " in f" {long} " and len(short.split()) >= CONTAINED_WORDS
