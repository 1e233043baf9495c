"""Splits of a user's texts: by a stable hash, near duplicates together."""

from collections.abc import Mapping, Sequence

from data.splits import assign_split, group_alike

SPLITS = ("train", "validation", "test")
COMPARED = 12_000  # texts that are compared with each other; of more, only equal ones are kept together


def split_texts(texts: Sequence[str], held_out: Mapping[str, float]) -> list[str]:
    """Returns the name of the split of each text; near duplicates, of very many texts equal ones, stay together.

    Args:
        texts: in any order.
        held_out: the share of each split but `train`, which gets the rest.

    Example:
        >>> split_texts(["One.", "one", "Two."], {})
        ['train', 'train', 'train']
    """
    shares = {"train": 1 - sum(held_out.values()), **held_out}
    return [assign_split(group, shares) for group in groups_of(texts)]


def groups_of(texts: Sequence[str]) -> list[str]:
    """Returns one key per text; texts that stay together have the same."""
    return group_alike(texts) if len(texts) <= COMPARED else [" ".join(text.lower().split()) for text in texts]
