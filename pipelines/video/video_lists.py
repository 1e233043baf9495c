"""The user's own videos and their labels, in the formats that people have."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pipelines.video.video_files import IMAGE_ENDINGS, VIDEO_ENDINGS, VideoDataError, images_of, natural_key

SPLITS = ("train", "validation", "test")
COLUMNS = ("path", "label", "start", "end", "split")


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
    if not folder.is_dir():
        raise VideoDataError(
            f"{folder} does not exist, or is no folder; expected one with a folder for each class. Correct "
            f"--data.path, or give a CSV file. Received: {'a file' if folder.exists() else 'nothing of this name'}"
        )
    classes = [path for path in _visible(folder) if path.is_dir()]
    if not classes:
        raise VideoDataError(
            f"{folder} holds no class folders; expected one folder for each class, with its videos in it. Sort the "
            f"videos into folders, or give a CSV file of path and label. Received: {len(list(_visible(folder)))} files"
        )
    entries: list[Entry] = []
    unusable: list[tuple[str, str]] = []
    for each in classes:
        before = len(entries)
        if images := images_of(each):
            reason = f"{len(images)} images without a folder of their own: each video's frames need one"
            unusable.append((each.name, reason))
        for path in _visible(each):
            name = f"{each.name}/{path.name}"
            if path.is_dir() or path.suffix.lower() in VIDEO_ENDINGS:
                entries.append(Entry(name, path, each.name))
            elif path.suffix.lower() not in IMAGE_ENDINGS:
                unusable.append((name, "no video, by the ending of its name"))
        if len(entries) == before:
            unusable.append((each.name, "an empty class folder: no video is in it"))
    return entries, unusable


def csv_entries(path: Path) -> list[Entry]:
    """Returns the videos of a CSV file with the columns path and label and, if wanted, start, end and split.

    A path is absolute, or relative to the folder of the CSV file; start and end are seconds.

    Raises:
        VideoDataError: the file or a row of it cannot be used; it is named.
    """
    table = _table(path)
    entries, keys = [], set()
    for number, values in enumerate(table.to_dict("records"), start=2):  # the first line has the names
        row = f"{path}, line {number}"
        name = values["path"]
        if not name:
            raise _row_error(row, "names no video", "a path", name)
        start, end = _seconds(values, "start", row, 0.0), _seconds(values, "end", row, math.inf)
        if not 0 <= start < end:
            raise _row_error(row, "has no time between start and end", "0 ≤ start < end", f"{start:g} and {end:g}")
        split = values.get("split", "")
        if split not in ("", *SPLITS):
            raise _row_error(row, "has an unknown split", f"{', '.join(SPLITS)}, or nothing", split)
        key = name if (start, end) == (0, math.inf) else f"{name} [{start:g}, {end:g})"
        if key in keys:
            raise _row_error(row, "names what an earlier one names", "each part of a video once", key)
        keys.add(key)
        entries.append(Entry(key, path.parent / Path(name).expanduser(), values["label"], start, end, split, row))
    return entries


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        received = "a folder" if path.is_dir() else "no file of this name"
        raise VideoDataError(f"{path} does not exist, or is no file; expected a CSV. Correct it. Received: {received}")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True, encoding="utf-8-sig")
    except (ValueError, UnicodeDecodeError) as error:  # pandas' own errors are values, too
        raise VideoDataError(
            f"{path} cannot be read; expected a CSV in UTF-8 with the columns {', '.join(COLUMNS)}. Save it as such. "
            f"Received: {error}"
        ) from error
    names = list(table.columns)
    if missing := [name for name in ("path", "label") if name not in names]:
        raise VideoDataError(
            f"{path} lacks the column {' and '.join(missing)}; expected {', '.join(COLUMNS)} (the last three if "
            f"wanted) in its first line. Add it. Received: {', '.join(names)}"
        )
    if table.empty:
        raise VideoDataError(f"{path} has no rows; expected a video in each. Add some. Received: 0 rows")
    return table.map(str.strip)


def _seconds(values: dict[str, str], name: str, row: str, default: float) -> float:
    text = values.get(name, "")
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        raise _row_error(row, f"has no number as its {name}", "seconds, such as 12.5, or nothing", text)
    return seconds


def _row_error(row: str, what: str, expected: str, received: object) -> VideoDataError:
    return VideoDataError(f"{row} {what}; expected {expected}. Correct the row. Received: {received!r}")


def _visible(folder: Path) -> Iterator[Path]:
    """What lies in a folder, without hidden files, in the order of the numbers in the names."""
    yield from sorted(
        (path for path in folder.iterdir() if path.name[0] != "."), key=lambda path: natural_key(path.name)
    )
