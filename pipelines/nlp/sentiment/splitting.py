"""Splits of labelled texts: each with the labels' shares, near duplicates together, the same every time."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from data.splits import stable_fraction
from pipelines.hints import counted, listed
from pipelines.nlp.splits import groups_of

LARGEST = 0.1  # share of the texts that a group of near duplicates may have: more are no copies but of one kind
SIMILARITIES = (0.9, 0.95, 1.0)  # that are tried one after the other where groups are too large
BOILERPLATE = 0.1  # share of the texts that has a sentence, so that it does not count
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")


class Example(NamedTuple):
    """A text."""

    where: str  # it is, such as a file and a line
    text: str  # as written
    label: str  # "" without one; where a text may have several, the rarest of its own
    rating: float = float("nan")  # NaN without one
    labels: tuple[str, ...] | None = None  # where a text may have several, all of them, or none; None where it has one

    @property
    def is_labelled(self) -> bool:
        """Whether it is known which labels the text has."""
        return bool(self.label) or self.labels is not None


def balanced_splits(
    examples: Sequence[Example], shares: dict[str, float], similarity: float, notes: list[str]
) -> dict[str, list[Example]]:
    """Divides examples so that each split has the labels' shares, as far as near duplicates, kept together, allow.

    Within each label, the groups of near duplicates are in the order of a hash: the first ones that have room are held
    out. Those that are too large for a held-out split are learned from. A label of three groups or more is in every
    split.

    Args:
        shares: of the splits, training first; they sum to 1.
        similarity: of letters, from which texts are near duplicates.
    """
    groups = defaultdict(list)
    for example, key in zip(
        examples, near_duplicates([each.text for each in examples], similarity, notes), strict=True
    ):
        groups[key].append(example)
    kinds = defaultdict(list)
    for key, members in groups.items():
        label = min(Counter(each.label for each in members).items(), key=lambda item: (-item[1], item[0]))[0]
        kinds[label].append((stable_fraction(key), key))
    splits: dict[str, list[Example]] = {split: [] for split in shares}
    held_out = list(shares)[1:]
    rare = []
    for label, keys in sorted(kinds.items()):
        left, size = sorted(keys), sum(len(groups[key]) for _, key in keys)
        if label and len(keys) <= len(held_out):
            rare.append(f"{label!r} ({size})")
            left, chosen = [], left
            splits["train"] += [each for _, key in chosen for each in groups[key]]
        for number, split in enumerate(held_out):
            wanted = max(1, round(shares[split] * size)) if label else round(shares[split] * size)
            kept = []
            for each in left:
                members = groups[each[1]]
                has_room = len(members) <= wanted and len(left) > len(held_out) - number
                if has_room:
                    splits[split] += members
                    wanted -= len(members)
                else:
                    kept.append(each)
            left = kept
        splits["train"] += [each for _, key in left for each in groups[key]]
    if rare:
        notes.append(f"labels with too few texts for every split, all of which are learned from: {listed(rare)}")
    places = {id(each): place for place, each in enumerate(examples)}
    return {split: sorted(members, key=lambda each: places[id(each)]) for split, members in splits.items()}


def near_duplicates(texts: Sequence[str], similarity: float, notes: list[str]) -> list[str]:
    """Returns a key for each text; near duplicates have the same.

    Sentences that many texts have, such as a notice at the end of mails, do not count. Where a group is larger than a
    tenth of the texts, texts must be more alike to be together, at last equal; among more than 12,000, equal at once.

    Args:
        similarity: of letters, from which texts are near duplicates; 1: equal ones alone.
    """
    counts = Counter(sentence for text in texts for sentence in set(_sentences(text)))
    common = {sentence for sentence, count in counts.items() if count > max(5, BOILERPLATE * len(texts))}
    own = [" ".join(each for each in _sentences(text) if each not in common) or text for text in texts]
    if common and (removed := sum(one != other for one, other in zip(own, texts, strict=True))):
        shown = min(common, key=lambda sentence: (-counts[sentence], sentence))
        if len(shown.split()) > 2:
            notes.append(
                f"a sentence that {counts[shown]} texts have is not compared when near duplicates are looked for: "
                f"{shown[:60]!r}; such sentences are in {counted(removed, 'text')}"
            )
    for tried in (similarity, *(each for each in SIMILARITIES if each > similarity)):
        keys = groups_of(own, tried)
        sizes = Counter(keys)
        if max(sizes.values(), default=0) <= max(2, LARGEST * len(texts)):
            break
    together = sum(size for size in sizes.values() if size > 1)
    raised = f", compared at --data.similarity {tried} because too many are alike at {similarity}"
    if together or tried != similarity:
        notes.append(
            f"{together} of {len(texts)} texts are near duplicates of others{raised * (tried != similarity)}; each "
            "group of them is in one split"
        )
    return keys


def _sentences(text: str) -> list[str]:
    return [each for each in map(str.strip, _SENTENCE.split(text)) if each]
