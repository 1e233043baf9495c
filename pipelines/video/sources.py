"""Where videos come from: class folders, a CSV file, and TFDS data sets; decoded once, and split by video."""

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from pydantic import Field

import data
from data.packages import cache_directory
from data.real_clips import RealClips
from data.splits import assign_split
from pipelines import hints
from pipelines.configuration import ConfigurationError
from pipelines.hints import counted, listed_problems
from pipelines.progress import shown
from pipelines.video import shards
from pipelines.video.contents import SHARES, alike_names, contradictions, grouped, splits_of
from pipelines.video.decoding import decode_all, with_range
from pipelines.video.frames import DecodingConfiguration, Timed, VideoDataError, fit, resample
from pipelines.video.recordings import Recordings, recordings_of
from pipelines.video.shards import Part, Shard
from pipelines.video.video_files import is_video, several_in
from pipelines.video.video_folders import SPLITS, Entry, Found, folder_entries, passed_over, unlabelled_entries
from pipelines.video.video_lists import list_entries

OF_FILES = ("path", "root", "columns", "group", "layout", "variable", "value_range", "array_channels", "skip_unusable")
"""Settings of the user's own files, which data sets do not have."""


class VideoConfiguration(DecodingConfiguration):
    """Which videos, what they are decoded to, and how they are cut into clips."""

    source: str = Field("folder", description="folder, csv, real_clips, moving_mnist or ucf101; a task names its own")
    path: str = Field("", description="folder with a folder for each class, or list of path, label, start, end, split")
    root: str = Field("", description="folder of the paths in a list; default: the list's own folder")
    columns: tuple[str, ...] = Field((), description="other names of columns of a list: path=video_name")
    group: str = Field(
        "", description="regular expression; videos whose names give the same match stay in one split: g(\\d+)_c"
    )
    clip_frames: int = Field(16, ge=1, description="frames of a clip")
    clip_stride: int = Field(0, ge=0, description="frames between the starts of two clips; 0: the length of a clip")
    skip_unusable: bool = Field(False, description="leave out unusable videos instead of stopping with an error")


class Video(NamedTuple):
    """A decoded video."""

    key: str  # its unique name
    label: str  # its class; "" without one
    shard: Shard  # its frames


class Videos(NamedTuple):
    """The videos of each split, key and reason of each that was left out, and how they were recorded."""

    splits: dict[str, list[Video]]
    skipped: list[tuple[str, str]]
    recordings: Recordings = Recordings()


def open_source(configuration: VideoConfiguration, labelled: bool = True) -> Videos:
    """Returns the configured videos, downloaded, prepared and decoded if that has not been done.

    Args:
        labelled: whether they have classes; else the user's own may lie in any folder, and a CSV needs no labels.

    Raises:
        ConfigurationError: the source needs a path, or has none.
        VideoDataError: videos cannot be used, and are not to be skipped; or none is left.
    """
    own = configuration.source in ("folder", "csv")
    if own and not configuration.path:
        raise ConfigurationError(
            f"data.path: the source {configuration.source} reads videos of yours, and none are named. Name them: "
            f"{hints.option('--data.path clips.csv' if configuration.source == 'csv' else '--data.path clips/')}. "
            "Received: no path"
        )
    if not own:
        refuse_settings_of_files(configuration)
    path = Path(configuration.path).expanduser()
    match configuration.source:
        case "folder":
            if not labelled and is_video(path):  # an array of many videos
                return own_videos(Found([Entry(path.name, Part(path), "")], [], []), configuration)
            return own_videos(folder_entries(path) if labelled else unlabelled_entries(path), configuration)
        case "csv":
            root = Path(configuration.root).expanduser() if configuration.root else None
            entries = list_entries(path, labelled, configuration.columns, root)
            return own_videos(Found(entries, [], []), configuration)
        case "real_clips":
            return real_videos(data.prepare(RealClips()), configuration)
        case "moving_mnist":  # which has one split only
            builder = data.prepare(tfds.builder("moving_mnist"))
            return dataset_videos(builder, {"test": ""}, configuration)
        case "ucf101":
            builder = data.prepare(tfds.builder("ucf101/ucf101_1_256"))
            return dataset_videos(builder, {"train": "train validation", "test": "test"}, configuration)
        case other:
            raise ConfigurationError(
                "data.source: there is no such source of videos. Expected folder, csv, real_clips, moving_mnist or "
                f"ucf101. Correct it. Received: {other!r}"
            )


def refuse_settings_of_files(configuration: VideoConfiguration, but: Collection[str] = ()) -> None:
    """Refuses settings that a data set has no use for, so that none is dropped.

    Args:
        but: what it has a use for.

    Raises:
        ConfigurationError: one is set.
    """
    defaults = type(configuration)()
    others = [name for name in OF_FILES if name not in but]
    if wrong := [name for name in others if getattr(configuration, name) != getattr(defaults, name)]:
        first = getattr(configuration, wrong[0])
        raise ConfigurationError(
            f"data.{wrong[0]}: the source {configuration.source} needs no {wrong[0]}, for it is a data set. Leave "
            f"--data.{wrong[0]} out, or set --data.source folder (or csv) for your own videos. Received: {first!r}"
        )


def own_videos(found: Found, configuration: VideoConfiguration) -> Videos:
    """Decodes the user's videos that have not been decoded, and splits those that nobody has split.

    The split is by a hash of the video's content, or of its group: all parts and copies of one are on one side.
    """
    problems = list(found.unusable)
    if passed := passed_over(found.passed):
        print(f"Passed over: {passed}.", flush=True)
    entries = _each_video(found.entries, configuration, problems)
    if configuration.group:
        entries = grouped(entries, configuration.group)
    parts = [entry.part for entry in entries]
    decoding = with_range(parts, configuration)
    whole: list[tuple[Entry, Shard]] = []
    for entry, shard in zip(entries, decode_all(parts, decoding), strict=True):
        if isinstance(shard, VideoDataError):
            reason = str(shard).removeprefix(str(entry.path)).lstrip(" /")  # the key names the path
            problems.append((entry.key, f"{entry.row}: {reason}" if entry.row else reason))
        elif reason := _too_short(shard, configuration):
            problems.append((entry.key, reason))
        else:
            whole.append((entry, shard))
    if notices := [(entry.key, notice) for entry, shard in whole for notice in shard.notices]:
        print(f"Noticed in {counted(len({key for key, _ in notices}), 'video')}:{listed_problems(notices)}", flush=True)
    if longer := [(entry.key, reason) for entry, shard in whole if (reason := _ends_before(entry, shard))]:
        print(f"Used up to their end, which comes before that of their rows:{listed_problems(longer)}", flush=True)

    contents = [f"{shards.identity(entry.path)}{entry.part.item or ''}" for entry, _ in whole]
    reasons = contradictions([entry for entry, _ in whole], contents)
    problems += [(entry.key, reason) for (entry, _), reason in zip(whole, reasons, strict=True) if reason]
    usable = [each for each, reason in zip(whole, reasons, strict=True) if not reason]
    contents = [content for content, reason in zip(contents, reasons, strict=True) if not reason]
    splits: dict[str, list[Video]] = {split: [] for split in SPLITS}
    for (entry, shard), split in zip(usable, splits_of([entry for entry, _ in usable], contents), strict=True):
        splits[split].append(Video(entry.key, entry.label, shard))
    ungrouped = {video.key for each in splits.values() for video in each} - {e.key for e, _ in usable if e.group}
    if notice := alike_names({split: [v.key for v in each if v.key in ungrouped] for split, each in splits.items()}):
        print(notice, flush=True)
    recordings = recordings_of([(entry.label, shard) for entry, shard in usable], decoding)
    return checked(splits, problems, configuration)._replace(recordings=recordings)


def _each_video(
    entries: Iterable[Entry], configuration: VideoConfiguration, problems: list[tuple[str, str]]
) -> list[Entry]:
    """The entries, each of an array or a stack that holds several videos as one for each of them."""
    every: list[Entry] = []
    for entry in entries:
        videos = None
        if entry.path.is_dir() or (entry.path.exists() and entry.path.stat().st_size):
            try:
                videos = several_in(entry.path, configuration)
            except VideoDataError as error:
                problems.append((entry.key, str(error).removeprefix(str(entry.path)).lstrip(" /")))
                continue
        if videos is None:
            every.append(entry)
        else:
            every += [
                entry._replace(key=f"{entry.key}#{item}", part=entry.part._replace(item=item)) for item in range(videos)
            ]
    return every


def dataset_videos(
    builder: tfds.core.DatasetBuilder, splits: Mapping[str, str], configuration: VideoConfiguration
) -> Videos:
    """Decodes the videos of a prepared TFDS data set that have not been decoded.

    Args:
        builder: with a feature `tfds.features.Video`, and maybe a `ClassLabel` and a `name`.
        splits: which of ours the videos of each of its splits go to, by a hash of their number; "": to any.
    """
    features = builder.info.features
    video = _only(features, tfds.features.Video)
    if video is None:
        raise VideoDataError(
            f"The data set {builder.name} holds no videos; expected a feature Video. Choose another. "
            f"Received: {features}"
        )
    found: dict[str, list[Video]] = {split: [] for split in SPLITS}
    problems = []
    for split, wanted in splits.items():
        for number, each in enumerate(_decoded_split(builder, split, video, configuration)):
            if reason := _too_short(each.shard, configuration):
                problems.append((each.key, reason))
                continue
            names = wanted.split() or SPLITS
            total = sum(SHARES[name] for name in names)
            shares = {name: SHARES[name] / total for name in names}
            found[assign_split(f"{split}/{number}", shares, builder.name)].append(each)
    return checked(found, problems, configuration)


def real_videos(builder: tfds.core.DatasetBuilder, configuration: VideoConfiguration) -> Videos:
    """Decodes the built-in clips, each of which is in every split, with another part of its time."""
    splits: dict[str, list[Video]] = {split: [] for split in SPLITS}
    problems = []
    for split, videos in splits.items():
        for example in builder.as_dataset(split=split).as_numpy_iterator():
            name, content = example["name"].decode(), example["file"]
            path = cache_directory() / "videos" / "real_clips" / f"{name}.mp4"
            if not path.exists() or path.read_bytes() != content:
                with shards.written(path) as file:
                    file.write(content)
            shard = shards.decoded(Part(path, float(example["start"]), float(example["end"])), configuration)
            if reason := _too_short(shard, configuration):
                problems.append((f"{name}, {split}", reason))
            else:
                videos.append(Video(name, "", shard))
        videos.sort()
    return checked(splits, problems, configuration)


def checked(
    splits: dict[str, list[Video]], problems: list[tuple[str, str]], configuration: VideoConfiguration
) -> Videos:
    """Refuses unusable videos unless they are to be skipped, and splits without any video."""
    if problems and not configuration.skip_unusable:
        raise VideoDataError(
            f"{counted(len(problems), 'video')} cannot be used. Expected usable ones. Repair or remove them, or leave "
            f"them out: --data.skip_unusable. Received:{listed_problems(problems)}"
        )
    if empty := [split for split in SPLITS if not splits[split]]:
        counts = ", ".join(f"{len(videos)} {split}" for split, videos in splits.items())
        raise VideoDataError(
            f"No video is in the split {' and '.join(empty)}; expected some in each. Add videos (three are enough, if "
            "they are different), or name those that belong there: a CSV file with a column split. "
            f"Received: {counts}, {len(problems)} that cannot be used"
        )
    return Videos(splits, problems)


def _too_short(shard: Shard, configuration: VideoConfiguration) -> str:
    if shard.frames >= configuration.clip_frames:
        return ""
    frames = counted(shard.frames, "frame")
    return f"shorter than a clip: it has {frames}, and a clip takes {configuration.clip_frames}"


def _ends_before(entry: Entry, shard: Shard) -> str:
    """What to report of a part that is to end, by more than a frame, after its video."""
    start, end = entry.part.start, entry.part.end
    if end == math.inf or end - start - shard.seconds <= shard.seconds / shard.frames:
        return ""
    return f"{entry.row}: the video ends at {start + shard.seconds:.6g} s, the row at {end:g} s"


def _decoded_split(
    builder: tfds.core.DatasetBuilder, split: str, video: str, configuration: VideoConfiguration
) -> list[Video]:
    """The videos of a split of a data set; a list of them lies beside their shards once all are decoded."""
    features = builder.info.features
    known = (str(builder.data_path), split, shards.decoding_key(configuration))
    list_file = shards.shard_path(*known).with_suffix(".json")
    if list_file.exists():
        rows = json.loads(list_file.read_text(encoding="utf-8"))
        found = [(key, label, shards.opened(shards.shard_path(*known, key))) for key, label in rows]
        whole = [Video(key, label, shard) for key, label, shard in found if shard]
        if len(whole) == len(found):
            return whole
    label, name = _only(features, tfds.features.ClassLabel), "name" if "name" in features else None
    reading = tfds.ReadConfig(try_autocache=False)  # memory stays bounded
    examples = builder.as_dataset(split=split, shuffle_files=False, read_config=reading).as_numpy_iterator()
    total = builder.info.splits[split].num_examples if split in builder.info.splits else None
    videos = []
    for number, example in enumerate(shown(examples, f"Decoding {builder.name}", total)):
        key = f"{split}/{example[name].decode() if name else number}"
        frames = (fit(frame, configuration) for frame in _resampled(example[video], configuration))
        shard = shards.write(shards.shard_path(*known, key), frames, configuration)
        videos.append(Video(key, features[label].int2str(int(example[label])) if label else "", shard))
    with shards.written(list_file) as file:
        file.write(json.dumps([(each.key, each.label) for each in videos]).encode())
    return videos


def _resampled(frames: np.ndarray, configuration: DecodingConfiguration) -> Iterator[np.ndarray]:
    seconds = 1 / configuration.image_rate
    timed = (Timed(number * seconds, frame, seconds) for number, frame in enumerate(frames))
    return (each.frame for each in resample(timed, configuration.frame_rate))


def _only(features: Mapping[str, Any], kind: type) -> str | None:
    return next((name for name, feature in features.items() if isinstance(feature, kind)), None)
