"""The columns of a list of videos: what people call them, and which would be dropped or misread."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.column_names import plain_name
from pipelines.video.frames import VideoDataError
from pipelines.video.unnamed_lists import row_error

COLUMNS = ("path", "label", "start", "end", "split", "group")
OTHER_NAMES = {
    "path": (
        *("file", "filename", "file_name", "filepath", "file_path", "video", "video_name", "video_path", "clip"),
        *("media_file", "media_file_name", "video_url", "youtube_id", "video_id", "vid_name", "id"),
    ),
    "label": (
        *("class", "tag", "category", "action", "class_name", "label_name", "class_label", "target", "behavior"),
        *("behaviour", "annotation", "choice", "category_name", "classname"),
    ),
    "start": (
        *("start_time", "time_start", "begin", "begin_time", "t_start", "start_timestamp"),
        "from",
    ),
    "end": (
        *("end_time", "time_end", "stop", "stop_time", "t_end", "end_timestamp"),
        *("stop_timestamp", "to"),
    ),
    "split": ("subset", "set", "partition", "fold"),
    "group": ("subject", "person", "recording", "session", "participant_id"),
}
"""What people call the columns, the most usual first, as `_plain` writes them."""

RATE = "fps"
"""The column of frames a second, as we call it, which parts need that are counted in frames."""

RATES = (RATE, "frame_rate", "framerate", "frames_per_second", "video_fps")

FRAMES, MILLISECONDS = "frame", "ms"

OTHER_CLOCKS = re.compile(
    r"(?:(start|begin|first)|end|stop|last)_?(?:time_?)?(?:(frames?|idx|index)|ms|msec|milliseconds)"
    r"|frame_?(?:(start)|end)"
)
"""Columns of parts that are counted in frames or milliseconds."""

IN_SECONDS = re.compile(r"\s*([(\[](s|secs?|seconds)[)\]]|- (ss\.msec|hh:mm:ss\S*))$", re.IGNORECASE)
"""The unit that programs for annotation write after the name of a column."""

LENGTH = re.compile(r"(duration|length|dur)(_?(s|sec|seconds))?", re.IGNORECASE)
"""Columns of how long a part is."""

CLOCKS = {f"{ours} ({unit})": (ours, unit) for ours in ("start", "end") for unit in (FRAMES, MILLISECONDS)}
"""Such columns as we call them, and what they mean in which unit."""

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
    clocks = {name: OTHER_CLOCKS.fullmatch(_plain(name)) for name in names}
    if not {"start", "end"} & set(renamed):
        for place, name in enumerate(names):
            if (clock := clocks[name]) and not renamed[place]:
                side = "start" if clock[1] or clock[3] else "end"
                unit = MILLISECONDS if _plain(name).endswith(("ms", "msec", "milliseconds")) else FRAMES
                renamed[place] = f"{side} ({unit})"
            elif _plain(name) in RATES and RATE not in renamed and any(clocks.values()):
                renamed[place] = RATE
    if changed := [f"{ours} from {name}" for ours, name in zip(renamed, names, strict=True) if ours not in ("", name)]:
        print(f"{path}: {', '.join(changed)}", flush=True)
    return [ours or name for ours, name in zip(renamed, names, strict=True)]


def in_seconds(path: Path, place: str, values: Mapping[str, str]) -> dict[str, str]:
    """Returns the values of a row with start and end in seconds, also where they are counted otherwise.

    Raises:
        VideoDataError: one is no number.
    """
    found = dict(values)
    for name, (ours, unit) in CLOCKS.items():
        if not values.get(name):
            continue
        rate = "1000" if unit == MILLISECONDS else values.get(RATE, "")
        try:
            count, each = float(values[name].replace(",", ".")), float(rate.replace(",", "."))
            if not (math.isfinite(count) and 0 < each < math.inf):
                raise ValueError
        except ValueError:
            expected = f"a number, and one above 0 as its {RATE}" if unit == FRAMES else "a number"
            raise row_error(path, place, f"has no number as its {name}", expected, f"{values[name]}, {rate}") from None
        found[ours] = f"{count / each:.6f}"
    return found


def _plain(name: str) -> str:
    """The name of a column in small letters, without the unit of seconds, with underscores between its words.

    >>> _plain("Start (s)"), _plain("endSec"), _plain("Begin Time - hh:mm:ss.ms"), _plain("Start (frame)")
    ('start', 'end', 'begin_time', 'start_frame')
    """
    return re.sub(r"_(s|secs?|seconds)$", "", plain_name(IN_SECONDS.sub("", name.strip())))


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
    used = [name for name in unknown if name in CLOCKS]
    if RATE not in names and (frames := [name for name in used if CLOCKS[name][1] == FRAMES]):
        raise VideoDataError(
            f"{path} counts parts in frames, in a column {written[names.index(frames[0])]!r}; expected a column {RATE} "
            f"beside it, the frames a second with which they were counted, or start and end in seconds. Add it. "
            f"{received}"
        )
    unknown = [name for name in unknown if name not in used and not (used and name == RATE)]
    for name in (each for each in unknown if not OTHER_CLOCKS.fullmatch(_plain(each))):
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
