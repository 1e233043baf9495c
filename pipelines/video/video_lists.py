"""The user's own videos and their labels, in the formats that people have."""

import csv
import difflib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.counting import counted
from pipelines.video.video_files import VIDEO_ENDINGS, VideoDataError, images_of, natural_key

SPLITS = ("train", "validation", "test")
COLUMNS = ("path", "label", "start", "end", "split")
SEPARATORS = ",;\t|"
ALIKE = 0.75  # of its letters make a column another one, misspelt
_NO_VIDEO = "no video, by the ending of its name"


class Entry(NamedTuple):
    """A video, or a part of one.

    Attributes:
        key: its unique name.
        path: file or folder of images.
        label: its class; "" without one.
        start: seconds.
        end: seconds; infinite: to the end.
        split: train, validation or test; "": by a hash of the video.
        row: where it is named, for messages; "" in a folder.
    """

    key: str
    path: Path
    label: str
    start: float = 0.0
    end: float = math.inf
    split: str = ""
    row: str = ""


def folder_entries(folder: Path) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Returns the videos of class folders, `folder/class/video.mp4` or `folder/class/video/frame_1.png`.

    Returns:
        The videos, and name and reason of each file or folder that is none.

    Raises:
        VideoDataError: the folder is not there, or holds no class folder.
    """
    _refuse_no_folder(folder, "one with a folder for each class")
    classes = [path for path in _visible(folder) if path.is_dir()]
    if not classes:
        files = counted(len(list(_visible(folder))), "file")
        raise VideoDataError(
            f"{folder} holds no class folders; expected one folder for each class, with its videos in it. Sort the "
            f"videos into folders, or give a CSV file of path and label. Received: {files}"
        )
    entries: list[Entry] = []
    unusable = [
        (path.name, "lies beside the class folders: it has no class. Move it into one")
        for path in _visible(folder)
        if _is_video_file(path)
    ]
    for each in classes:
        before = len(entries)
        if images := images_of(each):
            unusable.append((each.name, _loose(images)))
        for path in _visible(each):
            name = f"{each.name}/{path.name}"
            if path.is_dir() or _is_video_file(path):
                entries.append(Entry(name, path, each.name))
            elif path not in images:
                unusable.append((name, _NO_VIDEO))
        if len(entries) == before:
            unusable.append((each.name, "an empty class folder: no video is in it"))
    return entries, unusable


def unlabelled_entries(folder: Path) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Returns the videos of a folder and of all folders in it; one that holds images alone is a video.

    Returns:
        The videos, and name and reason of each file or folder that is none.

    Raises:
        VideoDataError: the folder is not there, or holds nothing.
    """
    _refuse_no_folder(folder, "one with videos in it")
    entries: list[Entry] = []
    unusable: list[tuple[str, str]] = []

    def look_into(inside: Path) -> None:
        if images := images_of(inside):
            unusable.append((inside.relative_to(folder.parent).as_posix(), _loose(images)))
        for path in _visible(inside):
            name = path.relative_to(folder).as_posix()
            if _is_video_file(path) or (path.is_dir() and _is_frames(path)):
                entries.append(Entry(name, path, ""))
            elif path.is_dir():
                look_into(path)
            elif path not in images:
                unusable.append((name, _NO_VIDEO))

    look_into(folder)
    if not entries and not unusable:
        raise VideoDataError(
            f"{folder} holds no videos; expected some, in it or in folders in it. Put videos there, or correct "
            "--data.path. Received: nothing but folders"
        )
    return entries, unusable


def csv_entries(path: Path, labelled: bool = True) -> list[Entry]:
    """Returns the videos of a CSV file with the columns path and label and, if wanted, start, end and split.

    A path is absolute, or relative to the folder of the CSV file; start and end are seconds. The separator is found.

    Args:
        path: of the CSV file.
        labelled: whether it needs labels; else they do not count.

    Raises:
        VideoDataError: the file or a row of it cannot be used; it is named.
    """
    entries, keys = [], set()
    for number, values in _rows(path, ("path", "label") if labelled else ("path",)):
        row = f"{path.name}, line {number}"
        name = values["path"]
        if not name:
            raise _row_error(path, number, "names no video", "a path", name)
        start = _seconds(values, "start", path, number, 0.0)
        end = _seconds(values, "end", path, number, math.inf)
        if not 0 <= start < end:
            received = f"{start:g} and {end:g}"
            raise _row_error(path, number, "has no time between start and end", "0 ≤ start < end", received)
        split = values.get("split", "")
        if split not in ("", *SPLITS):
            raise _row_error(path, number, "has an unknown split", f"{', '.join(SPLITS)}, or nothing", split)
        key = name if (start, end) == (0, math.inf) else f"{name} [{start:g}, {end:g})"
        if key in keys:
            raise _row_error(path, number, "names what an earlier one names", "each part of a video once", key)
        keys.add(key)
        label = values["label"] if labelled else ""
        entries.append(Entry(key, path.parent / Path(name).expanduser(), label, start, end, split, row))
    return entries


def _rows(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file that say something, each with the number of its line."""
    if not path.is_file():
        received = "a folder" if path.is_dir() else "no file of this name"
        raise VideoDataError(f"{path} does not exist, or is no file; expected a CSV. Correct it. Received: {received}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = max(SEPARATORS, key=file.readline().count)
            file.seek(0)
            reader = csv.DictReader(file, delimiter=separator, skipinitialspace=True, restval="")
            names = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = names
            _check_columns(path, names, needed)
            rows = [(reader.line_num, values) for values in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise VideoDataError(
            f"{path} cannot be read; expected a CSV in UTF-8 with the columns {', '.join(COLUMNS)}. Save it as such. "
            f"Received: {error}"
        ) from error
    for number, values in rows:
        if more := values.pop(None, None):
            expected = (
                f"{counted(len(names), 'value')}, as in the first line, each in quotes that holds a {separator!r}"
            )
            raise _row_error(path, number, "has too many values", expected, separator.join([*values.values(), *more]))
    if not rows:
        raise VideoDataError(f"{path} has no rows; expected a video in each. Add some. Received: 0 rows")
    return [(number, {name: value.strip() for name, value in values.items()}) for number, values in rows]


def _check_columns(path: Path, names: list[str], needed: Sequence[str]) -> None:
    """Refuses a table that lacks a column, or has one that seems to be misspelt; says which others do not count."""
    received = f"Received: {', '.join(names) or 'an empty first line'}"
    if missing := [name for name in needed if name not in names]:
        raise VideoDataError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {' and '.join(missing)}; expected {', '.join(COLUMNS)} "
            f"(those after {needed[-1]} if wanted) in its first line. Add what is missing. {received}"
        )
    unknown = [name for name in names if name not in COLUMNS]
    absent = [name for name in COLUMNS if name not in names]
    for name in unknown:
        if near := difflib.get_close_matches(name.lower(), absent, n=1, cutoff=ALIKE):
            raise VideoDataError(
                f"{path} has a column {name!r}, which seems to be meant as {near[0]!r}; expected {', '.join(COLUMNS)}. "
                f"Rename it, or remove it. {received}"
            )
    if unknown:
        print(
            f"{path}: columns that do not count: {', '.join(unknown)}; those that do: {', '.join(COLUMNS)}", flush=True
        )


def _seconds(values: dict[str, str], name: str, path: Path, number: int, default: float) -> float:
    text = values.get(name, "")
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        raise _row_error(path, number, f"has no number as its {name}", "seconds, such as 12.5, or nothing", text)
    return seconds


def _row_error(path: Path, number: int, what: str, expected: str, received: object) -> VideoDataError:
    return VideoDataError(f"{path}, line {number} {what}; expected {expected}. Correct the row. Received: {received!r}")


def _refuse_no_folder(folder: Path, expected: str) -> None:
    if not folder.is_dir():
        raise VideoDataError(
            f"{folder} does not exist, or is no folder; expected {expected}. Correct --data.path, or say --data.source "
            f"csv for a CSV file. Received: {'a file' if folder.exists() else 'nothing of this name'}"
        )


def _is_video_file(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_ENDINGS and path.is_file()


def _is_frames(folder: Path) -> bool:
    """Whether a folder holds the frames of a video: images, and neither folders nor videos."""
    return bool(images_of(folder)) and not any(path.is_dir() or _is_video_file(path) for path in _visible(folder))


def _loose(images: list[Path]) -> str:
    return f"{counted(len(images), 'image')} without a folder of their own: each video's frames need one"


def _visible(folder: Path) -> Iterator[Path]:
    """What lies in a folder, without hidden files, in the order of the numbers in the names."""
    yield from sorted(
        (path for path in folder.iterdir() if path.name[0] != "."), key=lambda path: natural_key(path.name)
    )
