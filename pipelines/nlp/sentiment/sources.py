"""Sources of labelled texts: the rated snippets, the user's table or folder, and public TFDS data sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

import data
from data.rated_snippets import FILES, RatedSnippets
from pipelines.configuration import Configuration, ConfigurationError
from pipelines.counting import counted
from pipelines.nlp.public_data import public_builder
from pipelines.nlp.splits import SPLITS, split_texts
from pipelines.nlp.text_files import TextDataError, read_documents
from pipelines.nlp.text_tables import read_rows
from pipelines.nlp.texts import listed

EMBEDDED = "rated_snippets"
TEXT_FEATURES = ("text", "sentence", "review", "content")
LABEL_FEATURES = ("label", "sentiment", "polarity")


class DataConfiguration(Configuration):
    """Which texts to learn from, what is learned of them, and how they are divided."""

    RENAMED: ClassVar = {"longest": "maximum_words"}

    source: str = Field(
        f"{EMBEDDED}/movies", description="embedded data set, `own`, or a public TFDS name such as imdb_reviews"
    )
    path: str = Field("", description="your table (.csv, .tsv, .jsonl) or a folder LABEL/name.txt; also gzipped")
    text: str = Field("", description="column of the texts, its name or its number; by default `text`")
    label: str = Field("", description="column of the labels, of any names; by default `label`")
    rating: str = Field("", description="column of a number that is predicted too, if there is one")
    encoding: str = Field("", description="of your files; detected by default")
    maximum_words: int = Field(400, ge=1, description="words of a text that are read; the rest is cut off")
    too_long: Literal["truncate", "refuse"] = Field(
        "truncate", description="whether longer texts are cut off or refused"
    )
    validation_fraction: float = Field(0.1, gt=0, lt=0.5, description="share of the texts, where there are no splits")
    test_fraction: float = Field(0.15, gt=0, lt=0.5, description="share of the texts, where there are no splits")
    batch_size: int = Field(32, ge=1, description="texts in a batch")


class Example(NamedTuple):
    """A text; `where` it is, such as a file and a line; its `label`, "" without one; its `rating`, NaN without one."""

    where: str
    text: str
    label: str
    rating: float = np.nan


def open_source(configuration: DataConfiguration) -> dict[str, list[Example]]:
    """Returns the examples of each split, in a stable order.

    Where the data have no splits, a stable hash makes them, near duplicates together.

    Raises:
        ConfigurationError: a setting does not fit the data.
        TextDataError: the data cannot be read.
    """
    name, _, part = configuration.source.partition("/")
    if configuration.path and configuration.source != "own":
        raise ConfigurationError(
            "data.path: texts of your own are given, but another source is wanted. Expected `own` for a path. Use "
            f"--data.source own, as the preset `own-sentiment` does, or remove the path. "
            f"Received: {configuration.source!r} and {configuration.path!r}"
        )
    if configuration.source == "own":
        return split_by_hash(_own(configuration), configuration)
    if name == EMBEDDED:
        return rated_snippets(part or "movies")
    return _public(configuration)


def rated_snippets(name: str) -> dict[str, list[Example]]:
    """Returns the splits of one of the rated sets: movies, tweets, products or editorials."""
    if name not in FILES:
        known = ", ".join(f"{EMBEDDED}/{each}" for each in FILES)
        raise ConfigurationError(f"data.source: there is no such set; expected one of {known}. Received: {name!r}")
    builder = data.prepare(RatedSnippets(config=name))
    names = builder.info.features["label"].names
    return {
        split: sorted(
            Example(
                f"{name}, {example['key'].decode()}",
                example["text"].decode(),
                names[example["label"]] if example["label"] >= 0 else "",
                float(example["rating"]),
            )
            for example in builder.as_dataset(split=split).as_numpy_iterator()
        )
        for split in SPLITS
    }


def split_by_hash(
    examples: list[Example],
    configuration: DataConfiguration,
    wanted: tuple[str, ...] = SPLITS,
) -> dict[str, list[Example]]:
    """Divides examples by a stable hash of their texts; near duplicates, of very many texts equal ones, stay together.

    Args:
        examples: in any order.
        configuration: the shares of validation and test.
        wanted: the splits to make.
    """
    held_out = {"validation": configuration.validation_fraction, "test": configuration.test_fraction}
    names = split_texts([example.text for example in examples], {k: v for k, v in held_out.items() if k in wanted})
    return {split: [each for each, name in zip(examples, names, strict=True) if name == split] for split in wanted}


def _own(configuration: DataConfiguration) -> list[Example]:
    if not configuration.path:
        raise ConfigurationError(
            "data.path: texts of your own are wanted, but there is no path. Expected one. Give a table with "
            'columns of texts and labels: ARGS="--data.path reviews.csv --data.text review --data.label stars". '
            "Received: no path"
        )
    path = Path(configuration.path).expanduser()
    if path.is_dir():
        documents = read_documents(path, configuration.encoding)
        return [Example(f"{path / each.name}", each.text, Path(each.name).parent.name) for each in documents]
    columns = [configuration.text or "text", configuration.label or "label"]
    columns += [configuration.rating] * bool(configuration.rating)
    rows = read_rows(path, columns, configuration.encoding, may_lack=columns)
    ratings = [[_number(each, row.where) for each in row.values[2:]] for row in rows]
    nans = [
        row.where for row, found in zip(rows, ratings, strict=True) if np.isnan(found).any() and row.values[2].strip()
    ]
    if nans:
        print(f"Note: {counted(len(nans), 'rating')} given as nan, taken as missing: {listed(nans, '; ')}")
    return [
        Example(row.where, row.values[0], row.values[1].strip(), *found)
        for row, found in zip(rows, ratings, strict=True)
    ]


def _number(text: str, where: str) -> float:
    try:
        number = float(text) if text.strip() else np.nan
    except ValueError:
        number = np.inf
    if np.isinf(number):
        raise TextDataError(
            f"{where}: the rating is no number; expected one such as 3.5, or nothing. Correct it. Received: {text!r}"
        )
    return number


def _public(configuration: DataConfiguration) -> dict[str, list[Example]]:
    """A public TFDS data set; a split that it lacks, or has without labels, is taken from others."""
    expected = f"{EMBEDDED}/movies, `own`, or a name that it knows, such as imdb_reviews"
    builder = public_builder(configuration.source, "data.source", expected)
    features = builder.info.features
    text = _feature(features, configuration.text, TEXT_FEATURES, configuration.source)
    label = _feature(features, configuration.label, LABEL_FEATURES, configuration.source)
    names = getattr(features[label], "names", None)
    data.prepare(builder)

    def name_of(value: bytes | int) -> str:
        if isinstance(value, bytes):
            return value.decode()
        return str(value) if names is None else names[value] if value >= 0 else ""

    def examples(split: str) -> list[Example]:
        read = builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator()
        return [
            Example(f"{builder.name}, {split} {number}", example[text].decode(), name_of(example[label]))
            for number, example in enumerate(read)
        ]

    splits = {split: examples(split) for split in SPLITS if split in builder.info.splits}
    splits = {split: members for split, members in splits.items() if any(each.label for each in members)}
    if "validation" in splits and "test" not in splits:
        splits["test"] = splits.pop("validation")
    if "train" not in splits:
        raise TextDataError(
            f"The data set {configuration.source} has no labelled texts to learn from; expected a split `train`. "
            f"Choose another. Received: the splits {', '.join(builder.info.splits)}"
        )
    missing = tuple(split for split in SPLITS if split not in splits)
    return splits | split_by_hash(splits["train"], configuration, ("train", *missing)) if missing else splits


def _feature(features: Mapping[str, object], wanted: str, usual: tuple[str, ...], source: str) -> str:
    names = [wanted] if wanted else [name for name in usual if name in features]
    if not names or names[0] not in features:
        raise ConfigurationError(
            f"The data set {source} has no such column; expected {wanted or ' or '.join(usual)}. Name another with "
            f"--data.text and --data.label. Received: {', '.join(features)}"
        )
    return names[0]
