"""The columns of a list of videos: what people call them, and which would be dropped or misread."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.column_names import plain_name
from pipelines.video.frames import VideoDataError

COLUMNS = ("path", "label", "start", "end", "split", "group")
OTHER_NAMES = {
    "path": (
        *("file", "filename", "file_name", "filepath", "file_path", "video", "video_name", "video_path", "clip"),
        *("media_file", "media_file_name", "youtube_id", "video_id", "vid_name", "id"),
    ),
    "label": (
        *("class", "tag", "category", "action", "class_name", "label_name", "class_label", "target", "behavior"),
        *("behaviour", "annotation"),
    ),
    "start": (
        *("start_time", "time_start", "begin", "begin_time", "t_start", "start_seconds", "start_timestamp"),
        "from",
    ),
    "end": (
        *("end_time", "time_end", "stop", "stop_time", "t_end", "end_seconds", "end_timestamp"),
        *("stop_timestamp", "to"),
    ),
    "split": ("subset", "set", "partition", "fold"),
    "group": ("subject", "person", "recording", "session", "participant_id"),
}
"""What people call the columns, the most usual first, as `_plain` writes them."""

OTHER_CLOCKS = re.compile(
    r"(start|begin|end|stop|first|last)_?(time_?)?(frames?|idx|index|ms|msec|milliseconds)|frame_?(start|end)"
)
"""Columns of parts that are counted in frames or milliseconds."""

IN_SECONDS = re.compile(r"\s*([(\[](s|secs?|seconds)[)\]]|- (ss\.msec|hh:mm:ss\S*))$", re.IGNORECASE)
"""The unit that programs for annotation write after the name of a column."""

LENGTH = re.compile(r"(duration|length|dur)(_?(s|sec|seconds))?", re.IGNORECASE)
"""Columns of how long a part is."""

ALIKE = 0.75  # of its letters make a column another one, misspelt


class UnlabelledError(VideoDataError):
    """A list has no labels."""


def meanings_of(columns: Sequence[str]) -> dict[str, str]:
    """Returns which of our columns each of a list means, as the user says.

    Args:
        columns: pairs such as `path=video_name`.

    Raises:
        VideoDataError: one is no pair.
    """
    meanings = {}
    for each in columns:
        ours, equals, theirs = each.partition("=")
        if not equals or ours not in COLUMNS or not theirs:
            raise VideoDataError(
                f"data.columns: expected pairs such as path=video_name, of {', '.join(COLUMNS)}. Correct it. "
                f"Received: {each!r}"
            )
        meanings[theirs] = ours
    return meanings


def is_known(name: str) -> bool:
    """Returns whether a column of this name is one of ours."""
    return any(_plain(name) in (ours, *others) for ours, others in OTHER_NAMES.items())


def columns_of(path: Path, names: Sequence[str], meanings: Mapping[str, str], needed: Sequence[str]) -> list[str]:
    """Returns the names of a list's columns with ours where they mean these; reports it, and which do not count.

    Args:
        path: the list, for messages.
        names: as they are written there.
        meanings: what the user says of them.
        needed: of ours.

    Raises:
        VideoDataError: one lacks, is there twice, or seems to be misspelt or counted in another unit.
    """
    renamed = _renamed(path, names, meanings)
    _check(path, renamed, needed, names)
    return renamed


def _renamed(path: Path, names: Sequence[str], meanings: Mapping[str, str]) -> list[str]:
    """Names of columns as we call them: as the user names them, else as people do."""
    if missing := [name for name in meanings if name not in names]:
        received = ", ".join(names)
        raise VideoDataError(
            f"{path} has no column {' or '.join(missing)}; expected those of --data.columns. Correct it. "
            f"Received: {received}"
        )
    renamed = [meanings.get(name, name if name in COLUMNS and name not in meanings.values() else "") for name in names]
    for ours, others in OTHER_NAMES.items():
        if ours not in renamed:
            called = {_plain(name): place for place, name in reversed(list(enumerate(names))) if not renamed[place]}
            if same := [called[other] for other in (ours, *others) if other in called]:
                renamed[same[0]] = ours
    if changed := [f"{ours} from {name}" for ours, name in zip(renamed, names, strict=True) if ours not in ("", name)]:
        print(f"{path}: {', '.join(changed)}", flush=True)
    return [ours or name for ours, name in zip(renamed, names, strict=True)]


def _plain(name: str) -> str:
    """The name of a column in small letters, without the unit of seconds, with underscores between its words.

    >>> _plain("Start (s)"), _plain("Begin Time - hh:mm:ss.ms"), _plain("Start (frame)"), _plain("endTime")
    ('start', 'begin_time', 'start_frame', 'end_time')
    """
    return plain_name(IN_SECONDS.sub("", name.strip()))


def _check(path: Path, names: Sequence[str], needed: Sequence[str], written: Sequence[str]) -> None:
    """Refuses a table that lacks a column, or has one that seems to be misspelt; reports which others do not count."""
    received = f"Received: {', '.join(written) or 'an empty first line'}"
    if missing := [name for name in needed if name not in names]:
        error = UnlabelledError if missing == ["label"] else VideoDataError
        raise error(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {' and '.join(missing)}; expected {', '.join(COLUMNS)} "
            f"(those after {needed[-1]} if wanted). Add what is missing, or name it: --data.columns "
            f"{missing[0]}=NAME. {received}"
        )
    if twice := [name for name in COLUMNS if names.count(name) > 1]:
        raise VideoDataError(
            f"{path} has several columns {twice[0]!r}; expected one. Rename the others, or remove them. {received}"
        )
    unknown = [name for name in names if name and name not in COLUMNS]
    absent = [name for name in COLUMNS if name not in names]
    counts = [name for name in unknown if OTHER_CLOCKS.fullmatch(_plain(name))]
    if counts and not {"start", "end"} & set(names):
        what, divisor = "frames", "the frames a second"
        if re.search("m(illi)?s", _plain(counts[0])):
            what, divisor = "milliseconds", "1000"
        raise VideoDataError(
            f"{path} has a column {counts[0]!r}, which counts {what}; expected the parts' start and end in seconds. "
            f"Divide them by {divisor}, or remove the column. {received}"
        )
    for name in (each for each in unknown if each not in counts):
        if near := difflib.get_close_matches(_plain(name), absent, n=1, cutoff=ALIKE):
            raise VideoDataError(
                f"{path} has a column {name!r}, which seems to be meant as {near[0]!r}; expected {', '.join(COLUMNS)}. "
                f"Rename it, or remove it. {received}"
            )
    lengths = [name for name in unknown if LENGTH.fullmatch(_plain(name))]
    if lengths and "start" in names and "end" not in names:
        raise VideoDataError(
            f"{path} has a column {lengths[0]!r} beside the start of each part; expected its end. Add the duration to "
            f"the start, or remove the column if parts go to the end of their videos. {received}"
        )
    if unknown:
        print(
            f"{path}: columns that do not count: {', '.join(unknown)}; those that do: {', '.join(COLUMNS)}", flush=True
        )
