"""Lists of videos without a header: lines of a path and a label."""

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pipelines.video.frames import VideoDataError
from pipelines.video.video_files import VIDEO_ENDINGS

COMMENT = "#"  # begins a line, in lists without a header

OF_A_CLASS = re.compile(r"(.+)_test_(split\d+)\.txt")
"""Name of HMDB51's list of a class in one of its splits."""

PARTS_OF_A_CLASS = {"0": "", "1": "train", "2": "test"}
"""What the numbers in it mean; "": the video is left out."""

Row = tuple[str, dict[str, str]]  # where it stands, such as "line 2", and its values by column


def unnamed_rows(path: Path, lines: list[tuple[int, str]], separator: str, needed: Sequence[str]) -> list[Row]:
    """Returns the rows of lines of a path, the number of its frames in some lists of folders, and a label.

    Args:
        lines: each with its number.
        separator: between the values of a line; a space where a path may hold spaces itself.
        needed: of path and label.

    Raises:
        VideoDataError: a line holds more.
    """
    rows = []
    for number, line in lines:
        if not line.strip() or line[0] == COMMENT:
            continue
        if separator != " " and separator in line:
            values = [value.strip() for value in next(csv.reader([line], delimiter=separator, skipinitialspace=True))]
        else:
            match = re.fullmatch(r"(.*?\S)(?:\s+(\d+))?(?:\s+(\S+))?", line.strip())
            whole = Path(line.strip()).suffix.lower() in VIDEO_ENDINGS
            values = [line.strip()] if whole or match is None else [each for each in match.groups() if each]
        if len(values) > 3 or (len(values) == 3 and not values[1].isdecimal()):
            expected = "a path and a label; with more, a first line that names the columns"
            raise row_error(path, f"line {number}", "has too many values", expected, line.strip())
        rows.append((f"line {number}", {"path": values[0], "label": values[-1] if len(values) > 1 else ""}))
    if "label" in needed:
        rows = _named_by_folder(path, rows)
    return rows


def _named_by_folder(path: Path, rows: list[Row]) -> list[Row]:
    """Rows with the names of folders as labels, where these tell the same as numbers, or where there are none."""
    folders = [Path(values["path"]).parent.name for _, values in rows]
    classes, numbers = defaultdict(set), defaultdict(set)
    for folder, (_, values) in zip(folders, rows, strict=True):
        classes[values["label"]].add(folder)
        numbers[folder].add(values["label"])
    alike = all(len(each) == 1 for each in (*classes.values(), *numbers.values()))
    numbered = all(values["label"].isdecimal() for _, values in rows)
    unlabelled = not any(values["label"] for _, values in rows)
    if not all(folders) or not (unlabelled or (numbered and alike)):
        return rows
    print(f"{path}: the classes are named after the folders of the videos", flush=True)
    return [(place, values | {"label": folder}) for folder, (place, values) in zip(folders, rows, strict=True)]


def are_of_a_class(lines: Sequence[str]) -> bool:
    """Returns whether most lines are those of a list of HMDB51, which `rows_of_a_class` reads."""
    return 2 * sum(line.split()[-1] in PARTS_OF_A_CLASS for line in lines) > len(lines)


def rows_of_a_class(path: Path, text: str) -> list[Row]:
    """Returns the rows of a list of HMDB51: lines of a video of a class and the number of its part in the split.

    Raises:
        VideoDataError: a line is none.
    """
    label, rows = path.name.rpartition("_test_")[0], []
    for number, line in enumerate(text.splitlines(), 1):
        name, _, part = line.strip().rpartition(" ")
        if line.strip() and (not name or part not in PARTS_OF_A_CLASS):
            expected = "a video and 1 for training, 2 for testing, or 0 for neither, as in lists of this name"
            raise row_error(path, f"line {number}", "has no part of the split", expected, line)
        if split := PARTS_OF_A_CLASS.get(part):
            rows.append((f"line {number}", {"path": f"{label}/{name.strip()}", "label": label, "split": split}))
    return rows


def row_error(path: Path, place: str, what: str, expected: str, received: object) -> VideoDataError:
    """Returns the error of a row of a list."""
    return VideoDataError(f"{path}, {place} {what}; expected {expected}. Correct the row. Received: {received!r}")
