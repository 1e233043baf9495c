"""Where documents come from: the built-in data sets, public ones by their TFDS name, and the user's own text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

import data
from data.bible_text import BibleText
from data.files import is_folder, plain_suffix
from data.splits import assign_split, named_split
from data.state_of_the_union import StateOfTheUnion
from pipelines.configuration import ConfigurationError
from pipelines.nlp.splits import SPLITS, Split, public_builder
from pipelines.nlp.text_files import Document, FileConfiguration, TextDataError, read_documents
from pipelines.nlp.text_tables import TABLE_SUFFIXES, read_rows
from pipelines.nlp.unicode_forms import canonical_strings

EMBEDDED = {"bible_text": BibleText, "state_of_the_union": StateOfTheUnion}
MINIMUM_DOCUMENTS = 30  # that are split whole, by a hash of their text; fewer are divided


class DataConfiguration(FileConfiguration):
    """Which documents to learn from, and how they are split and cut into windows."""

    source: Literal["bible_text", "state_of_the_union", "tfds", "own"] = Field(
        "bible_text", description="built-in data set, a public one by its TFDS name, or text of your own"
    )
    name: str = Field("", description="TFDS name of a public data set, such as tiny_shakespeare")
    path: str = Field(
        "", description="your text: a file, a folder or archive of text files, or a table; also compressed"
    )
    column: str = Field("text", description="column of a table, key of JSON lines, or feature of a public data set")
    validation_fraction: float = Field(0.05, gt=0, lt=0.5, description="share of your own text")
    test_fraction: float = Field(0.1, gt=0, lt=0.5, description="share of your own text")
    window: int = Field(64, ge=2, description="number of subwords through which gradients are propagated")
    batch_size: int = Field(64, ge=1, description="number of texts in a batch")


class Corpus(NamedTuple):
    """The documents of each split."""

    train: Sequence[Document]
    validation: Sequence[Document]
    test: Sequence[Document]

    def texts(self, split: str) -> list[str]:
        """Returns the texts of a split."""
        return [document.text for document in getattr(self, split)]


def open_corpus(configuration: DataConfiguration) -> Corpus:
    """Returns the configured documents, downloaded and prepared if that has not been done.

    A user's documents, if there are at least 30, are split by a hash of their text, so that equal ones stay
    together; fewer are each divided at the end of a line: the last tenth is for testing.

    Raises:
        ConfigurationError: no path or no name was given.
        TextDataError: a file cannot be read, or there is no text.
    """
    if configuration.source in EMBEDDED:
        builder = data.prepare(EMBEDDED[configuration.source]())
        return Corpus(*(_examples(builder, split) for split in SPLITS))
    if configuration.source == "tfds":
        return _public(configuration)
    documents = read_own(configuration)
    if is_folder(Path(configuration.path).expanduser()) and (named := _split_by_names(documents, configuration)):
        return named
    return split_own(documents, configuration)


def read_own(configuration: DataConfiguration) -> list[Document]:
    """Returns the user's documents that have text; reports how many have none."""
    if not configuration.path:
        raise ConfigurationError(
            "There is no text to learn from. Name a file or a folder: --data.path my.txt. Received: --data.path ''"
        )
    path = Path(configuration.path).expanduser()
    if path.is_file() and plain_suffix(path) in TABLE_SUFFIXES and not is_folder(path):
        rows = read_rows(path, [configuration.column], [configuration.column], configuration)
        documents = [Document(row.where, row.values[0]) for row in rows]
    else:
        documents = read_documents(path, configuration.encoding)
    found = [document for document in documents if document.text.strip()]
    if not found:
        raise TextDataError(
            f"{path} holds no text; expected some to learn from. Fill it, or give another file. "
            f"Received: {len(documents)} empty texts"
        )
    if empty := len(documents) - len(found):
        print(f"Left out of {path}: {empty} texts without a word.")
    texts = canonical_strings([document.text for document in found], str(path))
    return [document._replace(text=text) for document, text in zip(found, texts, strict=True)]


def split_own(documents: Sequence[Document], configuration: DataConfiguration) -> Corpus:
    """Splits the user's documents: many of them whole, by a hash of their text; few are each divided.

    >>> few = [Document("a.txt", "".join(f"line {number}\\n" for number in range(100)))]
    >>> [split[0].text.count("\\n") for split in split_own(few, DataConfiguration(source="own"))]
    [85, 5, 10]
    """
    held_out = {"validation": configuration.validation_fraction, "test": configuration.test_fraction}
    if len(documents) >= MINIMUM_DOCUMENTS:
        shares = {"train": 1 - sum(held_out.values()), **held_out}
        names = [assign_split(document.text, shares, "language_model") for document in documents]
        parts = [[each for each, name in zip(documents, names, strict=True) if name == split] for split in SPLITS]
        return Corpus(*parts)
    divided = [_divide(document, tuple(held_out.values())) for document in documents]
    return Corpus(*([part for part in parts if part.text] for parts in zip(*divided, strict=True)))


def _split_by_names(documents: Sequence[Document], configuration: DataConfiguration) -> Corpus | None:
    """The documents of a folder whose names all state a split, such as `ptb.train.txt`; None: they do not.

    A split that no name states is divided off the training split.
    """
    names = [named_split(document.name) for document in documents]
    if "train" not in names or "" in names or len(set(names)) == 1:
        return None
    parts = {split: [each for each, name in zip(documents, names, strict=True) if name == split] for split in SPLITS}
    stated = ", ".join(f"{len(parts[split])} for {split}" for split in SPLITS)
    print(f"The names of the files state their splits: {stated}.")
    if lacking := [split for split in SPLITS if not parts[split]]:
        for split, members in zip(SPLITS, split_own(parts["train"], configuration), strict=True):
            if split == "train":
                parts["train"] = [*members]
            else:
                parts[split if split in lacking else "train"] += members
    return Corpus(*parts.values())


def _divide(document: Document, shares: tuple[float, ...]) -> list[Document]:
    """Cuts a document into training, validation and test, at the ends of lines or, where there are none, of words."""
    text, ends = document.text, [0]
    for left in (sum(shares), shares[-1]):
        wanted = round(len(text) * (1 - left))
        line_end = max(text.rfind("\n", ends[-1], wanted + 1), 0)
        word_end = max(text.rfind(" ", ends[-1], wanted + 1), 0)
        near = line_end if wanted - line_end < 0.05 * len(text) else word_end
        ends.append(max(near + 1 if near else wanted, ends[-1]))
    bounds = zip(ends, [*ends[1:], len(text)], strict=True)
    return [Document(document.name, text[start:end]) for start, end in bounds]


def _public(configuration: DataConfiguration) -> Corpus:
    """The splits of a public data set; what it lacks is split off its training split by a hash."""
    if not configuration.name:
        raise ConfigurationError(
            "A public data set needs its name: --data.name tiny_shakespeare. Received: --data.name ''"
        )
    builder = data.prepare(public_builder(configuration.name, "data.name", "a name such as tiny_shakespeare"))
    if configuration.column not in builder.info.features:
        raise ConfigurationError(
            f"The data set {configuration.name} has no feature of that name. Expected one of: "
            f"{', '.join(builder.info.features)}; name it by --data.column. Received: {configuration.column!r}"
        )
    if "train" not in builder.info.splits:
        raise ConfigurationError(
            f"The data set {configuration.name} has no training split. Expected train, and better validation and test. "
            f"Received: {', '.join(builder.info.splits)}"
        )
    found: dict[str, list[Document]] = {
        split: _examples(builder, split, configuration.column) for split in SPLITS if split in builder.info.splits
    }
    if len(found) == len(SPLITS):
        return Corpus(**found)
    missing: dict[str, float] = {split: 0.1 for split in SPLITS if split not in found}
    shares = {"train": 1 - sum(missing.values()), **missing}
    parts: dict[str, list[Document]] = {split: [] for split in shares}
    for document in found["train"]:
        parts[assign_split(document.text, shares, configuration.name)].append(document)
    return Corpus(**{**found, **parts})


def _examples(builder: Any, split: Split, column: str = "text") -> list[Document]:
    """The documents of a split of a builder, in their order where they have one."""
    examples = list(builder.as_dataset(split=split).as_numpy_iterator())
    examples.sort(key=lambda example: int(np.asarray(example.get("number", 0))))
    return [
        Document(example.get("title", f"{split} {place}".encode()).decode(), example[column].decode())
        for place, example in enumerate(examples)
        if example[column].strip()
    ]
