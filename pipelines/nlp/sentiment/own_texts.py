"""The user's labelled texts: tables, lines of fastText, and folders or archives whose folders are the labels."""

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from unicodedata import normalize

import numpy as np

from data.files import Member, is_folder, members, only_file, plain_suffix, read_bytes
from data.splits import SPLIT_NAMES, named_split
from pipelines.configuration import ConfigurationError
from pipelines.hints import counted, listed
from pipelines.nlp.sentiment.labels import MISSING, of_columns
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.splits import SPLITS
from pipelines.nlp.text_files import Document, FileConfiguration, TextDataError, decoded, documents_of, lines_of
from pipelines.nlp.text_tables import TABLE_SUFFIXES, read_rows

FASTTEXT = "__label__"
DESCRIPTIONS = ("dataset_dict.json", "dataset_info.json", "dataset_infos.json", "state.json")  # of Hugging Face
LABEL = "label"  # the column of labels, unless another is named
_THOUSANDS = re.compile(r"[1-9]\d{0,2},\d{3}")  # or a number with three decimals
UNLABELLED = ("unsup", "unlabeled", "unlabelled", "unsupervised")  # names of folders


def read_own(
    path: Path, columns: Sequence[str], label: Sequence[str], rating: str, files: FileConfiguration
) -> dict[str, list[Example]]:
    """Returns the examples of a user's file or folder: by split if it has splits, else all under "".

    Args:
        path: a table; lines of fastText; or a folder or an archive of these, with names such as `train.csv` where they
            are splits, or with LABEL/name.txt, or SPLIT/LABEL/name.txt.
        columns: of the texts; several are joined by a line break.
        label: column of the labels, or several columns that hold 1 or 0. Without any, a column `label` is read if
            there is one beside the rating.
        rating: column of a number; "": there is none.
        files: how files are written.

    Raises:
        TextDataError: a file cannot be read, or a rating is no number.
    """
    path, read = path.expanduser(), partial(_of_file, columns=columns, label=label, rating=rating, files=files)
    if not is_folder(path):
        return {"": read(path)}
    found = members(path)
    found = [each for each in found if PurePosixPath(each.name).name not in DESCRIPTIONS]
    if tables := [each for each in found if plain_suffix(Path(each.name)) in TABLE_SUFFIXES]:
        return _of_tables(path, tables, read)
    texts = [each for each in found if "/" not in each.name and plain_suffix(Path(each.name)) == ".txt"]
    if texts and all(_is_fasttext(_lines(Path(each.name), files, each.content)) for each in texts):
        return _of_tables(path, texts, read)
    return _of_folder(path, documents_of(path, found, files.encoding))


def _of_file(
    path: Path,
    content: bytes | None = None,
    *,
    columns: Sequence[str],
    label: Sequence[str],
    rating: str,
    files: FileConfiguration,
) -> list[Example]:
    """The examples of a table, or of lines of fastText; `content` is that of a file in an archive."""
    if plain_suffix(path) not in TABLE_SUFFIXES:
        lines = _lines(path, files, content) if content is not None or path.is_file() else []
        if _is_fasttext(lines):
            print(f"{path} is read as lines of fastText, as it seems.", file=sys.stderr)
            return [each for number, line in enumerate(lines, start=1) for each in _fasttext(path, number, line)]
    labels = list(label) or [LABEL]
    wanted = [*columns, *labels, *[rating] * bool(rating)]
    absent = labels if rating and not label else ()  # a rating alone is enough
    rows = read_rows(path, wanted, wanted, files, absent, labels, content)
    examples, nans, grouped = [], [], []
    for row in rows:
        texts, cells = row.values[: len(columns)], row.values[len(columns) : len(columns) + len(labels)]
        number = _number(row.values[-1], row.where) if rating else np.nan
        grouped += [row.where] * bool(rating and _THOUSANDS.fullmatch(row.values[-1].strip()))
        if rating and np.isnan(number) and row.values[-1].strip():
            nans.append(row.where)
        several = of_columns(cells, labels, row.where) if len(labels) > 1 else None
        name = cells[0].strip() if several is None else ""
        text = "\n".join(text for text in texts if text.strip())
        examples.append(Example(row.where, text, _label(name), number, several))
    if nans:
        print(f"Note: {counted(len(nans), 'rating')} given as nan or so, taken as missing: {listed(nans, '; ')}")
    if grouped:
        print(
            f"Note: {counted(len(grouped), 'rating')} such as 1,234 read with a decimal comma: {listed(grouped, '; ')}"
        )
    return examples


def _of_folder(folder: Path, documents: Sequence[Document]) -> dict[str, list[Example]]:
    """The labels of documents are the names of their folders; those of splits may be above."""
    splits: dict[str, list[Example]] = {}
    names = [PurePosixPath(each.name).parts for each in documents]
    while any(len(parts) > 2 for parts in names) and all(
        len(parts) > 1 and parts[0] == names[0][0] and parts[0].lower() not in SPLIT_NAMES for parts in names
    ):
        names = [parts[1:] for parts in names]  # the folder that an archive has around all
    divided = any(len(parts) > 2 and SPLIT_NAMES.get(parts[0].lower()) == "train" for parts in names)
    others = []
    for parts, document in zip(names, documents, strict=True):
        split = SPLIT_NAMES.get(parts[0].lower(), "") if divided else ""
        labels = parts[bool(split) : -1]
        if (divided and not split) or not labels:
            others.append(document.name)
            continue
        label = "" if labels[-1].lower() in UNLABELLED else normalize("NFC", labels[-1])
        splits.setdefault(split, []).append(Example(str(folder / document.name), document.text, label))
    if not splits:
        raise TextDataError(
            f"{folder} has no folders of labels; expected LABEL/name.txt, TRAIN/LABEL/name.txt, or tables. Put the "
            f"texts of each label into a folder of its name. Received: {listed(others)}"
        )
    if others:
        print(f"Note: {counted(len(others), 'file')} in no folder of a label, left out: {listed(others)}")
    if divided:
        sizes = ", ".join(f"{len(members)} for {split}" for split, members in sorted(splits.items()))
        print(f"{folder} has splits of its own: {sizes}.")
    return splits


def _of_tables(folder: Path, files: Sequence[Member], read: Callable[..., list[Example]]) -> dict[str, list[Example]]:
    """The examples of the tables of a folder; splits are in their names, as in `train-00000-of-00002.parquet`."""
    names = [named_split(each.name) for each in files]
    divided = "train" in names
    splits: dict[str, list[Example]] = {}
    for each, name in zip(files, names, strict=True):
        if divided and not name:
            print(f"Note: {each.name} of {folder} is left out, for its name has no split.", file=sys.stderr)
            continue
        print(f"{each.name} of {folder} is read{f' for {name}' if divided else ''}.", file=sys.stderr)
        splits.setdefault(name if divided else "", []).extend(read(folder / each.name, each.content))
    return splits


def _lines(path: Path, files: FileConfiguration, content: bytes | None) -> list[str]:
    """The lines of a file; `content` is that of a file in an archive."""
    content = read_bytes(path) if content is None else only_file(content, str(path)).content
    return lines_of(decoded(content, str(path), files.encoding))


def _is_fasttext(lines: Sequence[str]) -> bool:
    some = [line for line in lines if line.strip()][:100]
    return 2 * sum(any(word.startswith(FASTTEXT) for word in line.split()) for line in some) > len(some)


def _fasttext(path: Path, number: int, line: str) -> list[Example]:
    if not line.strip():
        return []
    words = line.split()
    labels = tuple(_label(word.removeprefix(FASTTEXT)) for word in words if word.startswith(FASTTEXT))
    text = " ".join(word for word in words if not word.startswith(FASTTEXT))
    text = text.removeprefix(", ")  # which fastText's own sets have behind a label
    where = f"{path}, line {number}"
    return [Example(where, text, labels[0] if labels else "", labels=labels if len(labels) > 1 else None)]


def _label(name: str) -> str:
    """Returns a label without the spaces and invisible marks around it."""
    return normalize("NFC", name).strip(" \t\r\n\u00a0\u200b\u200e\u200f\ufeff")


def _number(text: str, where: str) -> float:
    if text.strip().lower() in MISSING:
        return np.nan
    try:
        text = text.translate({0x2212: "-", 0x066B: "."})  # the minus sign, and the decimal sign of Arabic
        text = re.sub(r"(?<=\d)\s*(?:stars?|[*★])\s*$", "", text, flags=re.IGNORECASE)
        is_decimal = re.fullmatch(r"\s*[-+]?\d+,\d+\s*", text)  # as many languages write it
        number = float(text.replace(",", ".") if is_decimal else text) if text.strip() else np.nan
    except ValueError:
        number = np.inf
    if np.isinf(number):
        raise TextDataError(
            f"{where}: the rating is no number; expected one such as 3.5, or nothing. Correct it. Received: {text!r}"
        )
    return number


def own_splits(
    path: str,
    held_out: dict[str, str],
    columns: Sequence[str],
    label: Sequence[str],
    rating: str,
    files: FileConfiguration,
) -> dict[str, list[Example]]:
    """Returns the examples of a user's files by split; those that are still to be divided under "train".

    Args:
        path: of all texts, or of those to learn from.
        held_out: paths of files for validation and test by the names of these splits; "": none.
        columns: as of `read_own`.
        label: as of `read_own`.
        rating: as of `read_own`.
        files: as of `read_own`.

    Raises:
        ConfigurationError: a split is given twice.
        TextDataError: a file cannot be read.
    """
    found = read_own(Path(path), columns, label, rating, files)
    splits = {split or "train": members for split, members in found.items()}
    for split, file in held_out.items():
        if not file:
            continue
        if split in splits:
            raise ConfigurationError(
                f"data.{split}: the folder of data.path has a {split} split, too. Expected one of them. Leave "
                f"--data.{split} out, or give --data.path the training folder alone. Received: {file!r}"
            )
        there = read_own(Path(file), columns, label, rating, files)
        splits[split] = [example for members in there.values() for example in members]
    return {split: splits[split] for split in SPLITS if split in splits}
