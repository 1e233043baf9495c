"""Where pairs come from: the built-in data sets, public TFDS sets, and the user's own files."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import tensorflow_datasets as tfds
from pydantic import Field

import data
from data.bible_verses import BibleVerses
from data.king_james_verses import KingJamesVerses
from data.modern_pairs import ModernPairs
from data.splits import assign_split
from pipelines.configuration import ConfigurationError
from pipelines.nlp.splits import SPLITS, Split, public_builder
from pipelines.nlp.text_files import FileConfiguration
from pipelines.nlp.translation.pairs import Pair, read_files, read_table
from pipelines.nlp.unicode_forms import canonical_strings

Embedded = Literal["bible_verses", "king_james_verses", "modern_pairs"]


class DataConfiguration(FileConfiguration):
    """Which pairs to learn from, and how they are batched."""

    RENAMED: ClassVar = {"longest": "maximum_subwords", "respelled": "subword_regularisation"}
    BEFORE: ClassVar = {"similarity": 1.0, "misfits": "ignore"}

    source: Embedded | Literal["dataset", "files", "table"] = Field(
        "bible_verses", description="built-in data set, public TFDS set, or your own two files or table"
    )
    more: tuple[Embedded, ...] = Field((), description="further built-in data sets for training")
    languages: tuple[str, str] = Field(("en", "es"), description="codes of the languages, the one to translate first")
    dataset: str = Field("", description="name of a public TFDS set, such as ted_hrlr_translate/pt_to_en")
    source_path: str = Field("", description="your file of sentences, one per line, also compressed")
    target_path: str = Field("", description="your file of their translations, as many lines")
    path: str = Field(
        "", description="your table of pairs or translator's file: .csv, .jsonl, .parquet, .tmx, .xlf, .po, …"
    )
    validation: tuple[str, ...] = Field(
        (), description="your pairs for validation: a table, or two files; default: a part of all"
    )
    test: tuple[str, ...] = Field((), description="your pairs for the test, likewise")
    source_column: str = Field("1", description="column of the sentences: its name, or its number if none has a name")
    target_column: str = Field("2", description="column of the translations")
    misfits: Literal["report", "leave_out", "ignore"] = Field(
        "report", description="your pairs that hardly belong together; shifted lines are refused unless ignored"
    )
    similarity: float = Field(
        0.8,
        gt=0,
        le=1,
        description="similarity to a held-out text at which a training pair is left out; 1: equal texts",
    )
    validation_fraction: float = Field(0.05, gt=0, lt=0.5, description="share of your pairs")
    test_fraction: float = Field(0.05, gt=0, lt=0.5, description="share of your pairs")
    maximum_subwords: int = Field(64, ge=2, description="maximum length of each side of a training pair")
    too_long: Literal["leave_out", "truncate"] = Field(
        "leave_out", description="how training treats longer pairs; the other splits keep them whole"
    )
    subword_regularisation: float = Field(
        0.0, ge=0, lt=1, description="share of subwords split in two in training, at random in each epoch"
    )
    batch_tokens: int = Field(2000, ge=1, description="target subwords in a batch, padding included")


def read(configuration: DataConfiguration) -> dict[Split, list[Pair]]:
    """Returns the configured pairs by split, downloaded and prepared if that has not been done.

    Raises:
        ConfigurationError: a setting is missing, or does not belong to the source.
        TextDataError: a file cannot be used.
    """
    _refuse_what_does_not_belong(configuration)
    match configuration.source:
        case "dataset":
            expected = "a name of its catalogue, with its configuration, such as ted_hrlr_translate/pt_to_en"
            splits = _dataset(public_builder(configuration.dataset, "data.dataset", expected), configuration)
        case "files":
            splits = _own((configuration.source_path, configuration.target_path), configuration)
        case "table":
            splits = _own((configuration.path,), configuration)
        case "bible_verses" | "king_james_verses" | "modern_pairs" as name:
            splits = _dataset(_embedded(name, configuration), configuration)
    for name in configuration.more:
        splits["train"] += _dataset(_embedded(name, configuration), configuration, ("train",))["train"]
    return splits


def split_key(text: str) -> str:
    """What sentences have in common that must not be divided by a split: their letters and digits.

    >>> split_key("Good morning!") == split_key("good  morning")
    True
    """
    return " ".join(re.findall(r"\w+", text.casefold()))


def read_own(paths: Sequence[str], configuration: DataConfiguration) -> list[Pair]:
    """Returns the pairs of a user's table or translation memory, or of two files of lines.

    Raises:
        ConfigurationError: there are neither one nor two files.
        TextDataError: a file cannot be read.
    """
    files = [Path(path).expanduser() for path in paths]
    if len(files) == 2:
        return _composed(read_files(files[0], files[1], configuration.encoding), " and ".join(paths))
    if len(files) != 1:
        raise ConfigurationError(
            "Pairs are in one table or in two files of lines. Expected one or two files. Give them, with a space "
            f"between two. Received: {', '.join(paths) or 'none'}"
        )
    columns = configuration.source_column, configuration.target_column
    pairs = read_table(files[0], *columns, languages=configuration.languages, files=configuration)
    return _composed(pairs, paths[0])


def _composed(pairs: Sequence[Pair], name: str) -> list[Pair]:
    """Pairs whose characters are composed as those of translations are, so that both can be compared."""
    texts = canonical_strings([text for pair in pairs for text in pair[1:]], name)
    return [
        Pair(pair.where, *both) for pair, both in zip(pairs, zip(texts[::2], texts[1::2], strict=True), strict=True)
    ]


def _own(paths: tuple[str, ...], configuration: DataConfiguration) -> dict[Split, list[Pair]]:
    """The user's pairs by split; what has no files of its own is divided off."""
    held_out: dict[Split, tuple[str, ...]] = {"validation": configuration.validation, "test": configuration.test}
    given = {split: read_own(files, configuration) for split, files in held_out.items() if files}
    return {**_divided(read_own(paths, configuration), configuration, tuple(given)), **given}


def _divided(
    pairs: list[Pair], configuration: DataConfiguration, given: Sequence[Split] = ()
) -> dict[Split, list[Pair]]:
    """Pairs by split, by a stable hash of the source: a pair stays where it is when others are added."""
    held_out = {"validation": configuration.validation_fraction, "test": configuration.test_fraction}
    held_out = {split: share for split, share in held_out.items() if split not in given}
    shares = {"train": 1 - sum(held_out.values()), **held_out}
    splits: dict[Split, list[Pair]] = {split: [] for split in SPLITS}
    for pair in pairs:
        splits[assign_split(split_key(pair.source), shares, "pairs")].append(pair)  # type: ignore[index]
    return splits


def _embedded(name: Embedded, configuration: DataConfiguration) -> tfds.core.DatasetBuilder:
    if name == "bible_verses":
        return BibleVerses()
    if name == "king_james_verses":
        return KingJamesVerses()
    others = [language for language in configuration.languages if language != "en"]
    if len(others) != 1 or others[0] not in ModernPairs.builder_configs:
        raise ConfigurationError(
            "data.languages: the data set modern_pairs has English and another language, in either order. Expected one "
            f"of: {', '.join(ModernPairs.builder_configs)}. Received: {configuration.languages}"
        )
    return ModernPairs(config=others[0])


def _dataset(
    builder: tfds.core.DatasetBuilder, configuration: DataConfiguration, splits: tuple[Split, ...] = SPLITS
) -> dict[Split, list[Pair]]:
    builder = data.prepare(builder)
    features = builder.info.features or {}
    if lacking := [language for language in configuration.languages if language not in features]:
        raise ConfigurationError(
            f"data.languages: the data set {builder.name} has no texts in {', '.join(lacking)}. Expected two of: "
            f"{', '.join(features)}. Received: {configuration.languages}"
        )
    if lacking := [split for split in splits if split not in builder.info.splits]:
        raise ConfigurationError(
            f"data.dataset: {builder.name} has no split {', '.join(lacking)}; expected {', '.join(splits)}. Take "
            f"another set, or save its pairs as a table. Received: {', '.join(builder.info.splits)}"
        )
    return {split: list(_pairs_of(builder, split, configuration)) for split in splits}


def _pairs_of(builder: tfds.core.DatasetBuilder, split: str, configuration: DataConfiguration) -> Iterable[Pair]:
    examples = builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator()
    for number, example in enumerate(examples):
        texts = (example[language].decode("utf-8", "replace") for language in configuration.languages)
        yield Pair(example["key"].decode() if "key" in example else f"{builder.name}, {split} {number}", *texts)


def _refuse_what_does_not_belong(configuration: DataConfiguration) -> None:
    needed = {"dataset": ("dataset",), "files": ("source_path", "target_path"), "table": ("path",)}
    wanted = needed.get(configuration.source, ())
    for name in wanted:
        if not getattr(configuration, name):
            raise ConfigurationError(
                f"data.{name}: the source {configuration.source!r} needs it. Give two files with a sentence a line, "
                "--data.source files --data.source_path en.txt --data.target_path es.txt, a table, --data.source table "
                "--data.path pairs.tsv, or the name of a public set, --data.source dataset --data.dataset "
                f"ted_hrlr_translate/pt_to_en. Received: no {name}"
            )
    for name in ("validation", "test"):
        if getattr(configuration, name) and configuration.source not in ("files", "table"):
            raise ConfigurationError(
                f"data.{name}: a data set has splits of its own. Expected no file beside it. Leave it out, or give all "
                f"pairs as files. Received: {configuration.source!r} and {', '.join(getattr(configuration, name))}"
            )
    for names in needed.values():
        for name in names:
            if name not in wanted and getattr(configuration, name):
                raise ConfigurationError(
                    f"data.{name} belongs to another source. Name the source that you mean, --data.source "
                    f"{' or '.join(source for source in needed if name in needed[source])}, or leave it out. Received: "
                    f"{configuration.source!r} and {getattr(configuration, name)!r}"
                )
