"""Lists of the user's own videos and their labels, in the formats that people have."""

import csv
import io
import math
import re
import reprlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from data.encodings import decoded
from data.files import FileError, missing_file, read_bytes, stated_delimiter
from pipelines.hints import counted, listed
from pipelines.video.arrays import ARRAY_ENDINGS
from pipelines.video.frames import VideoDataError
from pipelines.video.json_lists import is_json, json_rows
from pipelines.video.list_columns import COLUMNS, UnlabelledError, columns_of, in_seconds, is_known, meanings_of
from pipelines.video.shards import Part
from pipelines.video.unnamed_lists import (
    COMMENT,
    OF_A_CLASS,
    Row,
    are_of_a_class,
    row_error,
    rows_of_a_class,
    unnamed_rows,
)
from pipelines.video.video_files import VIDEO_ENDINGS
from pipelines.video.video_folders import SPLIT_NAMES, SPLITS, Entry

LEFT_OUT = (".mp4", ".avi", ".webm", ".mkv", ".mov")  # endings that lists of known data sets do without
SEPARATORS = ",;\t|"
FOREIGN = {
    "<": "Export it as text with a row for each stretch (ELAN: Export As, Tab-delimited Text), or write such rows",
    "# Exported using VGG Image Annotator": "Give the project itself, which names the classes: Save, as JSON",
}
"""How to get a list from what annotation programs write and no list is, by how it begins."""
TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?|[.,]\d+)\s*s?", re.IGNORECASE)


def list_entries(
    path: Path, labelled: bool = True, columns: Sequence[str] = (), root: Path | None = None
) -> list[Entry]:
    """Returns the videos of a list, and of those beside it that are named as the lists of the other splits or classes.

    A list is a table with a header whose columns are, or mean, path, label, start, end, split and group; JSON of such
    rows; or lines of a path and a label without a header. A path is absolute, or relative to the root.

    Args:
        labelled: whether it needs labels; else they do not count.
        columns: names of columns that are called otherwise, such as `path=video_name`.
        root: the folder of the videos. Default: that of the list.

    Raises:
        VideoDataError: the list or a row of it cannot be used; it is named.
    """
    entries: list[Entry] = []
    named: dict[str, Entry] = {}
    of_a_class = _is_of_a_class(path, root)
    lists = _lists(path, of_a_class)
    if len(lists) > 1:
        names = [f"{each.name} ({split})" if split else each.name for each, split in lists]
        print(f"Lists: {listed(names)}", flush=True)
    for each, split in lists:
        try:
            entries += _entries(each, split, labelled, meanings_of(columns), root, named, of_a_class)
        except UnlabelledError:
            if each == path:
                raise
            print(f"{each} is passed over: it has no labels, as those of benchmarks for testing", flush=True)
    return _of_one_class(entries)


def seconds_of(text: str) -> float:
    """Returns a time in seconds; not a number if it is none.

    >>> seconds_of("12.5"), seconds_of("1:02:03.5"), seconds_of("02:30"), seconds_of("1,5"), seconds_of("soon")
    (12.5, 3723.5, 150.0, 1.5, nan)
    """
    match = TIME.fullmatch(text.strip())
    if match is None or (match[2] and float(match[3].replace(",", ".")) >= 60) or (match[1] and int(match[2]) >= 60):
        return math.nan
    return 3600 * int(match[1] or 0) + 60 * int(match[2] or 0) + float(match[3].replace(",", "."))


def _is_of_a_class(path: Path, root: Path | None) -> bool:
    """Whether a list is one of HMDB51: by its name and its lines, the first of which names no video of the root."""
    if not OF_A_CLASS.fullmatch(path.name) or not path.is_file():
        return False
    lines = [line for line in _text(path).splitlines() if line.strip()]
    return are_of_a_class(lines) and not _located(lines[0].strip().rpartition(" ")[0], path, "", root).exists()


def _lists(path: Path, of_a_class: bool) -> list[tuple[Path, str]]:
    """A list and those beside it for the other splits or classes, as their names tell, each with its split."""
    if of_a_class:
        _, _, ending = path.name.rpartition("_test_")
        return [(each, "") for each in sorted(path.parent.glob(f"*_test_{ending}"))]
    match = re.search(r"train(ing)?", path.name, re.IGNORECASE)
    if not path.is_file() or match is None:
        return [(path, "")]
    others: list[tuple[Path, str]] = []
    for name, split in SPLIT_NAMES.items():
        for spelt in (name, name.capitalize(), name.upper()):
            other = path.with_name(path.name[: match.start()] + spelt + path.name[match.end() :])
            if split != "train" and other.is_file() and split not in {split for _, split in others}:
                others.append((other, split))
    return [(path, "train"), *others] if others else [(path, "")]


def _entries(
    path: Path,
    split: str,
    labelled: bool,
    meanings: Mapping[str, str],
    root: Path | None,
    named: dict[str, Entry],
    of_a_class: bool,
) -> list[Entry]:
    entries = []
    locate = partial(_located, path=path, split=split, root=root)
    needed = ("path", "label") if labelled else ("path",)
    for place, values in rows_of_a_class(path, _text(path)) if of_a_class else _table(path, meanings, needed, locate):
        values, name = in_seconds(path, place, values), values["path"]
        if not name:
            raise row_error(path, place, "names no video", "a path", name)
        if labelled and not values["label"]:
            raise row_error(path, place, "has no label", "the class of the video", values["label"])
        start, end = _seconds(values, "start", path, place, 0.0), _seconds(values, "end", path, place, math.inf)
        if not 0 <= start < end:
            received = f"{start:g} and {end:g}"
            raise row_error(path, place, "has no time between start and end", "0 ≤ start < end", received)
        stated = values.get("split", "")
        if stated.lower() not in ("", *SPLIT_NAMES):
            raise row_error(path, place, "has an unknown split", f"{', '.join(SPLITS)}, or nothing", stated)
        key = name if (start, end) == (0, math.inf) else f"{name} [{start:g}, {end:g})"
        part = Part(locate(name), start, end)
        if not part.path.exists() and end < math.inf:  # Kinetics names so the clips that are cut out
            cut = locate(f"{name}_{start:06.0f}_{end:06.0f}")
            part = Part(cut, 0.0, math.inf) if cut.exists() else part
        label = unicodedata.normalize("NFC", values.get("label", "")) if labelled else ""
        group, row = values.get("group", ""), f"{path.name}, {place}"
        entry = Entry(key, part, label, SPLIT_NAMES.get(stated.lower(), split), group, row)
        first = named.setdefault(key, entry)
        if first is not entry and (key == name or first.split != entry.split):
            raise row_error(path, place, "names what an earlier one names", "each video once, or its parts", key)
        entries.append(entry)
    return entries


def _of_one_class(entries: list[Entry]) -> list[Entry]:
    """Each part of a video once, without those that have several classes, as in THUMOS14; these are reported."""
    by_class: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        by_class.setdefault(entry.key, {}).setdefault(entry.label, entry)
    found = [entry for each in by_class.values() if len(each) == 1 for entry in each.values()]
    if several := {key: each for key, each in by_class.items() if len(each) > 1}:
        key, classes = next(iter(several.items()))
        lost = sorted({label for each in several.values() for label in each} - {entry.label for entry in found})
        print(
            f"{counted(len(several), 'part')} of videos left out, for each has several classes and a clip has one, "
            f"such as {key} ({', '.join(classes)}){'; nothing is left of ' * bool(lost)}{', '.join(lost)}",
            flush=True,
        )
    return found


def _located(name: str, path: Path, split: str, root: Path | None) -> Path:
    """Where a video is: below the root, the list's folder, or one beside the list that is named as its split."""
    places = [root or path.parent]
    if root is None and split:
        places += [each for each in path.parent.iterdir() if SPLIT_NAMES.get(each.name.lower()) == split]
    names = [name] + [name.replace("\\", "/")] * ("\\" in name)  # as Windows writes them
    names += [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]  # macOS splits letters and accents
    names += _tails(name)
    names += [begin + name + ending for begin in ("", "v_") for ending in LEFT_OUT]  # ActivityNet leaves out both
    found = (place / Path(each).expanduser() for each in names for place in places)
    return next((each for each in found if each.exists()), places[0] / Path(name).expanduser())


def _tails(name: str) -> list[str]:
    """The ends of a path from the root of a machine, or of an address, the longest first; Label Studio's uploads last.

    >>> _tails("/data/upload/1/0a1b2c3d-a.mp4"), _tails("/data/local-files/?d=clips%2Fa.mp4"), _tails("clips/a.mp4")
    (['upload/1/0a1b2c3d-a.mp4', '1/0a1b2c3d-a.mp4', '0a1b2c3d-a.mp4', 'a.mp4'], ['clips/a.mp4', 'a.mp4'], [])
    """
    if not re.match(r"[\\/]|[A-Za-z]:|\w+://", name):
        return []
    address = urlsplit(name.replace("\\", "/"))
    served = parse_qs(address.query).get("d", [])
    parts = PurePosixPath(*served or (unquote(address.path),)).parts
    tails = ["/".join(parts[start:]) for start in range(0 if served else min(2, len(parts) - 1), len(parts))]
    return [*dict.fromkeys([*tails, re.sub(r"^[0-9a-f]{8}-", "", parts[-1])])] if parts else []


def _text(path: Path) -> str:
    if not path.is_file():
        raise VideoDataError(str(missing_file(path, "a list of videos, CSV or JSON")))
    try:
        return decoded(read_bytes(path), str(path))
    except FileError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> VideoDataError:
    return VideoDataError(
        f"{path} cannot be read; expected a CSV with the columns {', '.join(COLUMNS)}. Save it as such. "
        f"Received: {error}"
    )


def _table(path: Path, meanings: Mapping[str, str], needed: Sequence[str], locate: Callable[[str], Path]) -> list[Row]:
    """The rows of a list that are not empty."""
    text = _text(path)
    try:
        if is_json(path, text):
            return _of_json(path, json_rows(path, text, "label" in needed), meanings, needed)
        if foreign := next((how for begin, how in FOREIGN.items() if text.lstrip().startswith(begin)), ""):
            raise VideoDataError(
                f"{path} is no table; expected columns such as path, label, start, end. {foreign}. "
                f"Received: {reprlib.repr(text)}"
            )
        top, end, _ = text.partition("\n")
        told = stated_delimiter(top)
        above, begin = (1, len(top + end)) if told else (0, 0)
        file = io.StringIO(text[begin:], newline="")
        first = next((line for line in file if line.strip() and line[0] != COMMENT), "")
        file.seek(0)
        if not meanings and (found := _separator_without_names(first.strip(), told or SEPARATORS, locate)):
            return unnamed_rows(path, list(enumerate(file, 1 + above)), found, needed)
        separator = told or max(SEPARATORS, key=first.count)
        reader = csv.DictReader(file, delimiter=separator, skipinitialspace=True, restval="")
        names = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns_of(path, names, meanings, needed)
        rows = [(f"line {reader.line_num + above}", values) for values in reader]
    except csv.Error as error:
        raise _unreadable(path, error) from error
    for place, values in rows:
        if more := values.pop(None, None):
            expected = (
                f"{counted(len(names), 'value')}, as in the first line, each in quotes that holds a {separator!r}"
            )
            raise row_error(path, place, "has too many values", expected, separator.join([*values.values(), *more]))
    if not rows:
        raise VideoDataError(f"{path} has no rows; expected a video in each. Add some. Received: 0 rows")
    return [(place, {name: value.strip() for name, value in values.items()}) for place, values in rows]


def _of_json(
    path: Path, rows: list[tuple[str, dict[str, Any]]], meanings: Mapping[str, str], needed: Sequence[str]
) -> list[Row]:
    names = list(dict.fromkeys(name for _, values in rows for name in values))
    renamed = dict(zip(names, columns_of(path, names, meanings, needed), strict=True))
    found = [(place, {renamed[name]: values.get(name, "") for name in names}) for place, values in rows]
    for place, values in found:
        for name in COLUMNS:
            if not isinstance(values.get(name, ""), str):
                raise row_error(path, place, f"has no single {name}", "a text, or a number", values[name])
    return found


def _separator_without_names(first: str, separators: str, locate: Callable[[str], Path]) -> str:
    """What separates a video from its label in the first line, a space perhaps; "" if the line names columns."""
    for separator in separators:
        begin, *others = next(csv.reader([first], delimiter=separator, skipinitialspace=True))
        if others and _is_video(begin.strip(), locate):
            return separator
    begins = (first, re.split(r"\s+(?:\d+\s+)?\S+$", first)[0])  # without a label, or with one
    return " " if any(_is_video(each, locate) for each in begins) else ""


def _is_video(text: str, locate: Callable[[str], Path]) -> bool:
    """Whether a first line begins with a video, which may be a folder, rather than with the name of a column."""
    is_column = not text or is_known(text)
    return Path(text).suffix.lower() in (*VIDEO_ENDINGS, *ARRAY_ENDINGS) or (not is_column and locate(text).exists())


def _seconds(values: dict[str, str], name: str, path: Path, place: str, default: float) -> float:
    text = values.get(name, "")
    seconds = seconds_of(text) if text else default
    if math.isnan(seconds):
        expected = "seconds, such as 12.5, hours, minutes and seconds, such as 0:01:12.5, or nothing"
        raise row_error(path, place, f"has no number as its {name}", expected, text)
    return seconds
