"""Sources of labelled texts: the rated snippets, the user's table or folder, and public TFDS data sets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

import data
from data.rated_snippets import FILES, RatedSnippets
from pipelines import hints
from pipelines.configuration import ConfigurationError, Names
from pipelines.nlp.sentiment.labels import with_several
from pipelines.nlp.sentiment.own_texts import own_splits, read_own
from pipelines.nlp.sentiment.splitting import Example, balanced_splits
from pipelines.nlp.splits import SPLITS, public_builder, split_texts
from pipelines.nlp.text_files import FileConfiguration, TextDataError

EMBEDDED = "rated_snippets"
TEXT_FEATURES = ("text", "sentence", "review", "content")
LABEL_FEATURES = ("label", "sentiment", "polarity")


class DataConfiguration(FileConfiguration):
    """Which texts to learn from, what is learned of them, and how they are divided."""

    RENAMED: ClassVar = {"longest": "maximum_words"}
    BEFORE: ClassVar = {"splits": "hash", "label_separator": "none", "too_long": "truncate"}

    source: str = Field(
        f"{EMBEDDED}/movies", description="built-in data set, `own`, or a public TFDS name such as imdb_reviews"
    )
    path: str = Field("", description="your table, lines of fastText, or folder or archive (SPLIT/)LABEL/name.txt")
    validation: str = Field("", description="separate file or folder for validation; default: a part of the path")
    test: str = Field("", description="separate file or folder for the test; default: a part of the path")
    text: Names = Field((), description="columns of the texts, by name or number; by default `text`")
    label: Names = Field(
        (),
        description="column of the labels, by default `label`; or several, each of which is a label and holds 1 or 0",
    )
    label_separator: str = Field(
        "auto",
        pattern=r"^(auto|none|[^\w\s])$",
        description="separator of the labels of a text, such as |; auto: detected; none: one label per text",
    )
    rating: str = Field("", description="column of a number to predict, with or without a column of labels")
    maximum_words: int = Field(400, ge=1, description="maximum number of words that are read at once")
    too_long: Literal["windows", "truncate", "refuse"] = Field(
        "windows", description="how longer texts are read: whole, in windows of that size; cut off; or refused"
    )
    validation_fraction: float = Field(0.1, gt=0, lt=0.5, description="share of the texts, where there are no splits")
    test_fraction: float = Field(0.15, gt=0, lt=0.5, description="share of the texts, where there are no splits")
    splits: Literal["balanced", "hash"] = Field(
        "balanced", description="how splits are drawn; hash: as in 0.1.0, regardless of labels"
    )
    similarity: float = Field(
        0.8,
        gt=0,
        le=1,
        description="similarity of letters above which two texts are near duplicates and stay in one split",
    )
    label_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: all labels have the same weight in training, however few texts they have"
    )
    batch_size: int = Field(32, ge=1, description="texts in a batch")


def open_source(configuration: DataConfiguration, notes: list[str]) -> dict[str, list[Example]]:
    """Returns the examples of each split, in a stable order; what is found is added to the notes.

    Where the data have no splits, they are divided, the same way every time, near duplicates together.

    Raises:
        ConfigurationError: a setting does not fit the data.
        TextDataError: the data cannot be read.
    """
    name, _, part = configuration.source.partition("/")
    given = configuration.path or configuration.validation or configuration.test
    if given and configuration.source != "own":
        raise ConfigurationError(
            "data.path: texts of your own are given, but another source is wanted. Expected `own` for a path. Use "
            f"--data.source own, as the preset `own-sentiment` does, or remove the path. "
            f"Received: {configuration.source!r} and {given!r}"
        )
    if configuration.source == "own":
        return _own(configuration, notes)
    if name == EMBEDDED:
        return rated_snippets(part or "movies")
    return _public(configuration, notes)


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


def divided(
    examples: list[Example], configuration: DataConfiguration, notes: list[str], wanted: Sequence[str] = SPLITS
) -> dict[str, list[Example]]:
    """Divides examples into some splits; what is found is added to the notes."""
    held_out = {"validation": configuration.validation_fraction, "test": configuration.test_fraction}
    held_out = {split: share for split, share in held_out.items() if split in wanted}
    if configuration.splits == "hash":
        names = split_texts([example.text for example in examples], held_out)
        return {split: [each for each, name in zip(examples, names, strict=True) if name == split] for split in wanted}
    shares = {"train": 1 - sum(held_out.values()), **held_out}
    return balanced_splits(examples, shares, configuration.similarity, notes)


def read_more(path: str, configuration: DataConfiguration) -> list[Example]:
    """Returns the examples of a user's file or folder that is read as that of the configuration."""
    found = read_own(Path(path), _columns(configuration), configuration.label, configuration.rating, configuration)
    return [example for members in found.values() for example in members]


def _own(configuration: DataConfiguration, notes: list[str]) -> dict[str, list[Example]]:
    if not configuration.path:
        raise ConfigurationError(
            "data.path: the source `own` reads texts of yours, and none are named. Give a table with columns of texts "
            f"and labels: {hints.option('--data.path reviews.csv --data.text review --data.label stars')}. "
            "Received: no path"
        )
    held_out = {"validation": configuration.validation, "test": configuration.test}
    columns = _columns(configuration)
    splits = own_splits(configuration.path, held_out, columns, configuration.label, configuration.rating, configuration)
    splits = with_several(splits, configuration.label_separator, notes)
    if configuration.splits == "hash":  # 0.1.0 knew none
        splits = {"train": [example for members in splits.values() for example in members]}
    return _completed(splits, configuration, notes)


def _columns(configuration: DataConfiguration) -> tuple[str, ...]:
    """The columns of the texts."""
    return configuration.text or ("text",)


def _completed(
    splits: dict[str, list[Example]], configuration: DataConfiguration, notes: list[str]
) -> dict[str, list[Example]]:
    """Divides the training split where there is no validation or no test split."""
    missing = [split for split in SPLITS if split not in splits]
    return splits | divided(splits["train"], configuration, notes, ("train", *missing)) if missing else splits


def _public(configuration: DataConfiguration, notes: list[str]) -> dict[str, list[Example]]:
    """A public TFDS data set; a split that it lacks, or has without labels, is taken from others."""
    expected = f"{EMBEDDED}/movies, `own`, or a name that it knows, such as imdb_reviews"
    builder = public_builder(configuration.source, "data.source", expected)
    features = builder.info.features
    for name, columns in {"text": configuration.text, "label": configuration.label}.items():
        if len(columns) > 1:
            raise ConfigurationError(
                f"data.{name}: a public data set has its {name} in one column. Expected one name. Leave the others "
                f"out. Received: {', '.join(columns)}"
            )
    text = _feature(features, "".join(configuration.text), TEXT_FEATURES, configuration.source)
    label = _feature(features, "".join(configuration.label), LABEL_FEATURES, configuration.source)
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

    splits: dict[str, list[Example]] = {split: examples(split) for split in SPLITS if split in builder.info.splits}
    splits = {split: members for split, members in splits.items() if any(each.label for each in members)}
    if "validation" in splits and "test" not in splits:
        splits["test"] = splits.pop("validation")
    if "train" not in splits:
        raise TextDataError(
            f"The data set {configuration.source} has no labelled texts to learn from; expected a split `train`. "
            f"Choose another. Received: the splits {', '.join(builder.info.splits)}"
        )
    return _completed(splits, configuration, notes)


def _feature(features: Mapping[str, object], wanted: str, usual: tuple[str, ...], source: str) -> str:
    names = [wanted] if wanted else [name for name in usual if name in features]
    if not names or names[0] not in features:
        raise ConfigurationError(
            f"The data set {source} has no such column; expected {wanted or ' or '.join(usual)}. Name another with "
            f"--data.text and --data.label. Received: {', '.join(features)}"
        )
    return names[0]
