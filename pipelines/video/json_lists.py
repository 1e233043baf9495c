"""Lists of videos in JSON, as data sets publish them: each annotation of each video becomes a row of a table."""

import re
import reprlib
from pathlib import Path
from typing import Any

from data.files import plain_suffix
from pipelines.hints import counted
from pipelines.json_lines import JSON, parsed_in_a_row
from pipelines.video.frames import VideoDataError
from pipelines.video.video_folders import SPLIT_NAMES

BEGIN = re.compile(r"\s*(\{\s*[\"}]|\[\s*[\[{\]])")

ANNOTATIONS = "annotations"
TIMES = ("segment", "interval", "timestamp", "timestamps")
"""Names of a pair of seconds, from and to."""

Row = tuple[str, dict[str, Any]]  # where it stands, and its values by name


def is_json(path: Path, text: str) -> bool:
    """Returns whether a list is JSON: by its name, or by how it begins."""
    return plain_suffix(path) in JSON or BEGIN.match(text) is not None


def json_rows(path: Path, text: str, labelled: bool) -> list[Row]:
    """Returns the rows of a list: their values are texts, or lists and objects that JSON has within them.

    The list is a project of VGG's image annotator, or holds objects, one for each video: JSON lines, a list, an object
    by names of videos, or these in an object by splits or beside other things. A video may hold annotations, one or a
    list, each with a label, and with a `segment` of two times.

    Args:
        labelled: whether videos without annotations are left out, which is reported.

    Raises:
        VideoDataError: the text is no JSON, or of another shape.
    """
    values = parsed_in_a_row(text, str(path), VideoDataError)
    videos = _segments(values[0]) or _videos(path, values[0] if len(values) == 1 else values) or _videos(path, values)
    if not videos:
        raise VideoDataError(
            f"{path} has an unknown shape; expected a list of objects such as "
            '{"path": "a.mp4", "label": "run"}, or an object of objects by names of videos such as '
            '{"a": {"subset": "train", "annotations": [{"label": "run", "segment": [1.5, 4]}]}}. Convert it. '
            f"Received: {reprlib.repr(values)}"
        )
    rows = [row for video in videos for row in _annotations(*video)]
    empty = [place for place, values in rows if values.get(ANNOTATIONS) == []] if labelled else []
    if 0 < len(empty) < len(rows):
        print(f"{path}: {counted(len(empty), 'video')} without annotations left out, such as {empty[0]}", flush=True)
        rows = [(place, values) for place, values in rows if values.get(ANNOTATIONS) != []]
    if any("template" in values and "label" in values for _, values in rows):
        print(f"{path}: the classes are the templates, of which the labels are examples", flush=True)
    return [(place, _plain_values(path, place, values)) for place, values in rows]


def _segments(project: Any) -> list[Row]:
    """The stretches that a project of VGG's image annotator marks, a column for each attribute; none for others.

    The only attribute is the label.
    """
    match project:
        case {"attribute": dict() as attributes, "file": dict() as files, "metadata": dict() as marks, "view": views}:
            pass
        case _:
            return []
    names = {key: each["aname"] if len(attributes) > 1 else "label" for key, each in attributes.items()}
    rows = []
    for place, mark in marks.items():
        values = {names[key]: attributes[key].get("options", {}).get(each, each) for key, each in mark["av"].items()}
        times = {"segment": mark["z"]} if len(mark["z"]) == 2 else {}
        rows += [
            (f"metadata {place!r}", {"path": files[str(file)]["fname"], **times, **values})
            for file in views[mark["vid"]]["fid_list"]
            if not mark["xy"]  # regions of a frame are no stretches
        ]
    return rows


def _videos(path: Path, value: Any) -> list[Row]:
    """The object of each video, wherever they are; none if that is unclear."""
    if isinstance(value, list):
        return [(f"item {n}", _of_task(each)) for n, each in enumerate(value, 1)] if _are_objects(value) else []
    if not isinstance(value, dict) or not value:
        return []
    if all(map(_is_video, value.values())):
        return [(f"item {name!r}", {"video_id": name, **each}) for name, each in value.items()]
    if all(name.lower() in SPLIT_NAMES for name in value):
        parts = [(split, _videos(path, each)) for split, each in value.items()]
        return [(f"{split}, {place}", {"split": split, **each}) for split, part in parts for place, each in part]
    for kind in (dict, list):  # ActivityNet has a list of its classes beside the object of its videos
        found = {
            name: videos for name, each in value.items() if isinstance(each, kind) and (videos := _videos(path, each))
        }
        if len(found) == 1:
            ((name, videos),) = found.items()
            print(f"{path}: the videos are those of {name!r}", flush=True)
            return videos
        if found:
            break
    return []


def _is_video(value: Any) -> bool:
    return isinstance(value, dict) and (
        ANNOTATIONS in value or any(not isinstance(each, dict) for each in value.values())
    )


def _are_objects(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(each, dict) for each in values)


def _annotations(place: str, video: dict[str, Any]) -> list[Row]:
    """A row for each annotation of a video; one for a video that has none."""
    lists = {name: [each] if isinstance(each, dict) else each for name, each in video.items()}
    names = [name for name, each in lists.items() if isinstance(each, list) and _are_objects(each)]
    if len(names) != 1 or "label" in video:  # else what one calls otherwise
        names = [name for name in names if name == ANNOTATIONS]
    if not names:
        return [(place, video)]
    (name,) = names
    rest = {other: each for other, each in video.items() if other != name}
    several = len(lists[name]) > 1
    return [
        (f"{place}, {name} {number}" if several else place, rest | mark)
        for number, each in enumerate(lists[name], 1)
        for mark in _marks(each)
    ]


def _of_task(video: dict[str, Any]) -> dict[str, Any]:
    """A task of Label Studio as a video with annotations; others as they are."""
    match video:
        case {"data": dict() as values, "annotations": list() as annotations}:
            finished = [each for each in annotations if not each.get("was_cancelled")]
            results = [result["value"] for each in finished for result in each.get("result", [])]
            return values | {ANNOTATIONS: [each for each in results if _marks(each) != [each]]}
    return video


def _marks(annotation: dict[str, Any]) -> list[dict[str, Any]]:
    """What an annotation of Label Studio marks, each stretch and class apart; others as they are.

    Frames are counted from 1, and the last one belongs to the stretch.
    """
    match annotation:
        case {"ranges": list() as ranges, "timelinelabels": list() as labels}:
            stretches = [{"start_frame": each["start"] - 1, "end_frame": each["end"]} for each in ranges]
            return [stretch | {"label": label} for stretch in stretches for label in labels]
        case {"choices": list() as labels}:
            return [{"label": label} for label in labels]
    return [annotation]


def _plain_values(path: Path, place: str, values: dict[str, Any]) -> dict[str, Any]:
    """Values as a table has them, with start and end, and with the template of a sentence as its class."""
    values = {name: each if isinstance(each, list | dict) else _written(each) for name, each in values.items()}
    for name in TIMES:
        match values.get(name):
            case [int() | float() as start, int() | float() as end]:
                values |= {"start": f"{start:.6f}", "end": f"{end:.6f}"}
                del values[name]
            case list() as received:
                raise VideoDataError(
                    f"{path}, {place} has no time from and to as its {name}; expected two numbers, seconds, and an "
                    f"object for each {name}. Correct it. Received: {received!r}"
                )
    if isinstance(template := values.pop("template", None), str):
        values["label"] = re.sub(r"[\[\]]", "", template)
    return values


def _written(value: object) -> str:
    return "" if value is None else str(value).strip()
