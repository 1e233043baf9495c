"""Data sets of texts by name, and splits of a user's texts: files of their own, or by a stable hash."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import tensorflow_datasets as tfds
from pydantic import Field

from data.splits import assign_split, group_alike
from pipelines.configuration import Configuration, ConfigurationError

Example = TypeVar("Example")

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
COMPARED = 12_000  # texts that are compared with each other; of more, only equal ones are kept together


class OwnFiles(Configuration):
    """Base of a task's `DataConfiguration`: the user's files, and how they are divided."""

    path: str = Field("", description="your file, also compressed")
    validation: str = Field("", description="your file for validation; by default a share of the first one")
    test: str = Field("", description="your file for the test; by default a share of the first one")
    encoding: str = Field("", description="encoding of your files; detected by default")
    validation_fraction: float = Field(0.1, gt=0, lt=0.5, description="share of your file, without one for validation")
    test_fraction: float = Field(0.1, gt=0, lt=0.5, description="share of your file, without one for the test")

    def splits(
        self, read: Callable[[Path], list[Example]], text_of: Callable[[Example], str], is_wanted: bool = True
    ) -> dict[str, list[Example]]:
        """Returns the examples of each split; none where own files are not wanted.

        Raises:
            ConfigurationError: there is no path where own files are wanted, or one where they are not.
        """
        given = {"validation": self.validation, "test": self.test}
        if is_wanted != bool(self.path) or (not self.path and any(given.values())):
            wanted = "a file, --data.path FILE" if is_wanted else "--data.source own for files of your own, or no path"
            raise ConfigurationError(
                f"data.path: it does not fit the source. Expected {wanted}. Correct it. Received: {self.path!r}"
            )
        if not is_wanted:
            return {}
        shares = {"validation": self.validation_fraction, "test": self.test_fraction}
        whole = read(Path(self.path).expanduser())
        held_out = {split: share for split, share in shares.items() if not given[split]}
        names = split_texts([text_of(each) for each in whole], held_out, alike=False)
        parts = {split: [each for each, name in zip(whole, names, strict=True) if name == split] for split in SPLITS}
        return parts | {split: read(Path(path).expanduser()) for split, path in given.items() if path}


def public_builder(name: str, setting: str, expected: str) -> tfds.core.DatasetBuilder:
    """Returns the builder of a public data set, not prepared yet.

    Raises:
        ConfigurationError: TensorFlow Datasets has none of that name.
    """
    try:
        return tfds.builder(name)
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        raise ConfigurationError(
            f"{setting}: TensorFlow Datasets has no such data set. Expected {expected}. "
            f"Received: {name!r} ({str(error).splitlines()[0]})"
        ) from None


def report_splits(learned: str, splits: Mapping[str, Sequence[object]], notes: Sequence[str]) -> None:
    """Prints what is learned, such as "Learning 3 tags", from how many examples of each split, and the notes."""
    print(f"{learned}: {', '.join(f'{len(members)} for {split}' for split, members in splits.items())}.")
    for note in notes:
        print(f"Note: {note}")


def split_texts(texts: Sequence[str], held_out: Mapping[str, float], alike: bool = True) -> list[str]:
    """Returns the name of the split of each text; near duplicates, of very many texts equal ones, stay together.

    Args:
        held_out: the share of each split but `train`, which gets the rest.
        alike: whether near duplicates stay together, or equal ones alone. Texts of one pattern, such as commands that
            differ by a name, are all near duplicates of each other.

    Example:
        >>> split_texts(["One.", "one", "Two."], {})
        ['train', 'train', 'train']
    """
    shares = {"train": 1 - sum(held_out.values()), **held_out}
    groups = groups_of(texts) if alike else [_plain(text) for text in texts]
    return [assign_split(group, shares) for group in groups]


def groups_of(texts: Sequence[str], similarity: float = 0.8) -> list[str]:
    """Returns one key per text; texts that stay together have the same.

    Args:
        similarity: of letters, from which two are together; 1: equal ones alone.
    """
    if len(texts) <= COMPARED and similarity < 1:
        return group_alike(texts, similarity=similarity)
    return [_plain(text) for text in texts]


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
