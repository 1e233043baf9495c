"""What every data set of translated text here has in common: its features, its folder, and splits clear of copies."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from rapidfuzz import fuzz, process

from data.builder import Builder

SIMILARITY = 80  # percent, from which two texts count as nearly equal
LONGEST_RATIO = 2.0  # of the two lengths in characters, beyond which a pair is no translation but a shifted verse
COMPARED_AT_ONCE = 1000


class Pair(NamedTuple):
    """A text in two languages: `group` is what is never divided by a split, such as a book."""

    key: str
    group: str
    source: str
    target: str


class ParallelText(Builder, skip_registration=True):  # type: ignore[call-arg]
    """A TFDS builder of pairs of texts, prepared in our cache directory unless `data_dir` names another.

    An example has the two texts under the codes of their languages, such as `en` and `es`, its `key`, and its `group`.
    The splits are train, validation and test. `info.metadata` has the `languages`, source first, and the keys of the
    training pairs that were left out, by reason.
    """

    def text_info(self, languages: tuple[str, str], **about: Any) -> tfds.core.DatasetInfo:
        """Returns the `DatasetInfo` of pairs.

        Args:
            languages: ISO 639-1 codes of source and target.
            about: Description, homepage, citation and license.
        """
        names = (*languages, "key", "group")
        return self.info_of(
            {name: tfds.features.Text() for name in names},
            metadata=tfds.core.MetadataDict(languages=list(languages)),
            **about,
        )

    def _generate_examples(self, pairs: list[Pair]) -> Iterator[tuple[str, dict[str, Any]]]:
        source, target = self.info.metadata["languages"]
        for pair in pairs:
            yield pair.key, {source: pair.source, target: pair.target, "key": pair.key, "group": pair.group}


def clear_splits(splits: dict[str, list[Pair]]) -> tuple[dict[str, list[Pair]], dict[str, list[str]]]:
    """Returns the splits train, validation and test with what must not be learned from taken out of the first two.

    That are near copies of what a later split holds, on either side; and from train pairs of so different lengths
    that they cannot be translations. Returned as well: the keys of what was taken out, by reason.
    """
    test, validation, train = splits["test"], splits["validation"], splits["train"]
    uneven = {pair.key for pair in train if not 1 / LONGEST_RATIO < _ratio(pair) < LONGEST_RATIO}
    copies = near_copies(validation, test) | near_copies(train, test + validation)
    left_out = copies | uneven
    clear = {name: [pair for pair in splits[name] if pair.key not in left_out] for name in ("train", "validation")}
    return {**clear, "test": test}, {"also_held_out": sorted(copies), "uneven": sorted(uneven - copies)}


def near_copies(pairs: Sequence[Pair], held_out: Sequence[Pair], similarity: int = SIMILARITY) -> set[str]:
    """Returns the keys of the pairs that are nearly the same, by so many percent, as one of `held_out` on either side.

    >>> held_out = [Pair("a", "", "In the beginning", "En el principio")]
    >>> near_copies([Pair("b", "", "in a beginning", "Al comienzo"), Pair("c", "", "the end", "el fin")], held_out)
    {'b'}
    """
    found: set[str] = set()
    for side in ("source", "target"):
        others = [getattr(pair, side).casefold() for pair in held_out]
        for start in range(0, len(pairs), COMPARED_AT_ONCE):
            some = pairs[start : start + COMPARED_AT_ONCE]
            texts = [getattr(pair, side).casefold() for pair in some]
            alike = process.cdist(
                texts, others, scorer=fuzz.ratio, score_cutoff=similarity, dtype=np.uint8, workers=-1
            )  # (some, held out), 0 below the cutoff
            copied = np.any(alike, axis=1).tolist()
            found.update(pair.key for pair, copy in zip(some, copied, strict=True) if copy)
    return found


def _ratio(pair: Pair) -> float:
    return (len(pair.target) + 1) / (len(pair.source) + 1)
