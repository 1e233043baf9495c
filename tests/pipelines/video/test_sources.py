"""Where videos come from: class folders, CSV files and TFDS data sets; splits by video; bad input by name."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from data import real_clips
from data.splits import assign_split
from pipelines.configuration import ConfigurationError
from pipelines.video import sources
from pipelines.video.clips import clips_of, read_clips
from pipelines.video.contents import SHARES, splits_of
from pipelines.video.frames import VideoDataError
from pipelines.video.sources import SPLITS, VideoConfiguration, Videos, open_source
from pipelines.video.video_files import decode_timed
from pipelines.video.video_folders import Entry

Square = Callable[..., np.ndarray]
Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, square: Square, write_video: Write) -> Path:
    """Two classes of twenty videos each, files and folders of images."""
    for number in range(40):
        name = tmp_path / "clips" / ("walk" if number % 2 else "run") / f"video_{number}"
        frames = square(12, seed=number)
        if number % 5:
            write_video(name.with_suffix(".avi"), frames)
            continue
        name.mkdir(parents=True)
        for index, frame in enumerate(frames):
            cv2.imwrite(str(name / f"{index}.png"), frame)
    (tmp_path / "clips" / ".hidden").mkdir()
    return tmp_path / "clips"


def configure(path: Path, **changes: object) -> VideoConfiguration:
    source = "csv" if path.suffix == ".csv" else "folder"
    values = {"source": source, "path": str(path), "height": 24, "width": 32, "clip_frames": 4}
    return VideoConfiguration(**values | changes)


def keys_of(videos: Videos) -> dict[str, list[str]]:
    return {split: [video.key for video in each] for split, each in videos.splits.items()}


def test_class_folders(folder: Path) -> None:
    videos = open_source(configure(folder))
    every = [video for each in videos.splits.values() for video in each]
    assert len(every) == len({video.key for video in every}) == 40
    assert all(video.key.startswith(f"{video.label}/video_") for video in every)
    assert {video.label for video in every} == {"walk", "run"}
    assert all(video.shard.frames == 12 for video in every)
    assert videos.skipped == []


def test_the_split_is_stable_and_by_video(folder: Path, tmp_path: Path, square: Square, write_video: Write) -> None:
    """Names, order and other videos do not matter; copies go together."""
    before = keys_of(open_source(configure(folder)))
    assert all(before.values())
    renamed = folder.rename(tmp_path / "moved")
    for number in range(40, 45):
        write_video(renamed / "run" / f"a_{number}.avi", square(12, seed=number))
    copied = renamed / "run" / "copy.avi"
    copied.write_bytes((renamed / "run" / "video_2.avi").read_bytes())
    after = keys_of(open_source(configure(renamed)))
    for split in SPLITS:
        assert set(before[split]) <= set(after[split])
        assert ("run/copy.avi" in after[split]) == ("run/video_2.avi" in after[split])


def test_all_clips_of_a_video_are_on_one_side(tmp_path: Path, square: Square, write_video: Write) -> None:
    rows = ["path,label,start,end"]
    for number in range(20):
        write_video(tmp_path / "v" / f"{number}.avi", square(25, seed=number))
        rows += [f"v/{number}.avi,{label},{start},{start + 0.4}" for label, start in (("a", 0), ("b", 0.4))]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    videos = open_source(configure(tmp_path / "list.csv"))
    sides: dict[str, set[str]] = {}
    for split, each in videos.splits.items():
        for video in each:
            sides.setdefault(video.key.split(" ")[0], set()).add(split)
            assert video.shard.frames == 10
    assert len(sides) == 20 and all(len(splits) == 1 for splits in sides.values())
    a, b = videos.splits["train"][:2]
    frames = square(25, seed=int(Path(a.key.split(" ")[0]).stem))
    np.testing.assert_array_equal(a.shard.read(), frames[:10])
    np.testing.assert_array_equal(b.shard.read(), frames[10:20])


def test_clips_are_what_was_configured(folder: Path) -> None:
    for length, stride, starts in ((4, 0, [0, 4, 8]), (5, 3, [0, 3, 6]), (12, 0, [0])):
        configuration = configure(folder, clip_frames=length, clip_stride=stride)
        videos = open_source(configuration).splits["train"]
        clips = clips_of(videos, configuration)
        assert [clip.start for clip in clips] == starts * len(videos)
        frames, shape = [clip.read(length) for clip in clips], (length, *configuration.frame_shape)
        read = list(read_clips(frames.__getitem__, len(clips), shape).as_numpy_iterator())
        for clip, frames in zip(clips, read, strict=True):
            np.testing.assert_array_equal(frames, clip.video.shard.read()[clip.start : clip.start + length])


def test_bad_videos_are_refused_by_name_or_skipped(folder: Path, square: Square, write_video: Write) -> None:
    (folder / "walk" / "zero.mp4").write_bytes(b"")
    write_video(folder / "walk" / "short.avi", square(3))
    broken = (folder / "run" / "video_2.avi").read_bytes()
    (folder / "run" / "truncated.avi").write_bytes(broken[: len(broken) // 2])
    (folder / "empty").mkdir()
    (folder / "walk" / "notes.txt").write_text("no video")
    (folder / "run" / "frame_1.png").write_bytes(b"loose")
    write_video(folder / "run" / "more" / "nested.avi", square(12))
    write_video(folder / "loose.avi", square(12))
    said = {
        "walk/zero.mp4": "is empty",
        "walk/short.avi": "shorter than a clip: it has 3 frames, and a clip takes 4",
        "run/truncated.avi": "is truncated",
        "empty": "an empty class folder",
        "loose.avi": "lies beside the class folders: it has no class. Move it into one",
    }
    with pytest.raises(VideoDataError, match=r"^5 videos cannot be used.*--data.skip_unusable") as refused:
        open_source(configure(folder))
    lines = str(refused.value).split("\n")[1:]
    assert len(lines) == 5 and str(folder) not in str(refused.value)  # a line each, and no path twice
    skipped = dict(open_source(configure(folder, skip_unusable=True)).skipped)
    assert skipped.keys() == said.keys()
    for key, reason in said.items():
        assert reason in skipped[key]
        assert any(line.startswith(f"  {key}: ") and reason in line for line in lines)


def test_many_bad_videos_are_counted(tmp_path: Path, square: Square, write_video: Write) -> None:
    for number in range(13):
        write_video(tmp_path / "a" / f"{number}.avi", square(3))
    with pytest.raises(VideoDataError, match=r"^13 videos cannot be used") as refused:
        open_source(configure(tmp_path))
    assert str(refused.value).count("\n") == 10 and str(refused.value).endswith(" … (13 in all)")


def test_a_video_in_two_classes_is_refused_or_left_out(folder: Path) -> None:
    (folder / "walk" / "copy.avi").write_bytes((folder / "run" / "video_2.avi").read_bytes())
    with pytest.raises(VideoDataError, match=r"^2 videos cannot be used") as refused:
        open_source(configure(folder))
    assert "  run/video_2.avi: run here, but the same video is of another class in walk/copy.avi (walk)" in str(
        refused.value
    )
    videos = open_source(configure(folder, skip_unusable=True))
    assert sorted(key for key, _ in videos.skipped) == ["run/video_2.avi", "walk/copy.avi"]
    assert sum(map(len, videos.splits.values())) == 39
    # Who forecasts needs no classes.
    assert sum(map(len, open_source(configure(folder), labelled=False).splits.values())) == 41


@pytest.mark.parametrize("videos", [3, 4, 5, 6, 8])
def test_a_few_videos_are_in_every_split(videos: int, tmp_path: Path, square: Square, write_video: Write) -> None:
    for number in range(videos):
        write_video(tmp_path / "clips" / "a" / f"{number}.avi", square(12, seed=100 * videos + number))
    split = keys_of(open_source(configure(tmp_path / "clips")))
    assert all(split.values())
    names = dict(zip("fedcba987", sorted((tmp_path / "clips" / "a").iterdir()), strict=False))
    for name, path in names.items():  # whatever they are called
        path.rename(path.with_name(f"{name}.avi"))
    renamed = {f"a/{path.name}": f"a/{name}.avi" for name, path in names.items()}
    again = keys_of(open_source(configure(tmp_path / "clips")))
    assert {key: sorted(each) for key, each in again.items()} == {
        key: sorted(renamed[video] for video in each) for key, each in split.items()
    }


def test_the_cut_moves_only_as_far_as_it_must() -> None:
    """The splits of a hundred random sets: those of the hash, or as few as can be moved."""
    random = np.random.default_rng(0)
    moved = 0
    for _ in range(100):
        contents = [str(number) for number in random.integers(1_000_000, size=random.integers(3, 30))]
        entries = [Entry(each, Path(each), "a") for each in contents]
        found = splits_of(entries, contents)
        natural = [assign_split(each, SHARES, "videos") for each in contents]
        empty = [split for split in SPLITS if split not in natural]
        assert set(found) == set(SPLITS)
        different = sum(one != other for one, other in zip(found, natural, strict=True))
        assert different == 0 if not empty else len(empty) <= different <= 2
        moved += bool(empty)
        said = [entries[0]._replace(split="test"), entries[0], *entries[1:]]
        assert splits_of(said, [contents[0], *contents])[:2] == ["test", "test"]
    assert moved > 20


def test_videos_without_classes_lie_anywhere(
    folder: Path, square: Square, write_video: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(folder / "loose.avi", square(12, seed=50))
    write_video(folder / "run" / "more" / "nested.avi", square(12, seed=51))
    videos = open_source(configure(folder), labelled=False)
    keys = [key for each in keys_of(videos).values() for key in each]
    assert len(keys) == 42 and {"loose.avi", "run/more/nested.avi", "run/video_0", "walk/video_1.avi"} <= set(keys)
    (folder / "run" / "more" / "images" / "of" / "a" / "video").mkdir(parents=True)
    (folder / "run" / "more" / "images" / "frame_1.png").write_bytes(b"loose")
    (folder / "run" / "notes.txt").write_text("no video")
    with pytest.raises(VideoDataError, match=r"^1 video cannot be used") as refused:
        open_source(configure(folder), labelled=False)
    assert "  run/more/images: 1 image without a folder" in str(refused.value)
    assert "Passed over: 2 files that are not videos" in capsys.readouterr().out
    (folder / "nothing").mkdir()
    with pytest.raises(VideoDataError, match=r"nothing holds no videos; expected some"):
        open_source(configure(folder / "nothing"), labelled=False)


def test_a_csv_without_labels_and_with_any_separator(
    tmp_path: Path, square: Square, write_video: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        write_video(tmp_path / f"{number}.avi", square(12, seed=number))
    for separator in ",;\t|":
        rows = [["path", "camera", "end"], ["0.avi", "north", "0.4"], ["1.avi", "south", "99"], ["2.avi", "", ""]]
        (tmp_path / "list.csv").write_text("\n\n".join(map(separator.join, rows)))
        videos = open_source(configure(tmp_path / "list.csv"), labelled=False)
        frames = {video.key: video.shard.frames for each in videos.splits.values() for video in each}
        assert frames == {"0.avi [0, 0.4)": 10, "1.avi [0, 99)": 12, "2.avi": 12}
        printed = capsys.readouterr().out
        assert "columns that do not count: camera; those that do: path, label" in printed
        assert "  1.avi [0, 99): list.csv, line 5: the video ends at 0.48 s, the row at 99 s" in printed
        assert "0.avi [" not in printed
    with pytest.raises(VideoDataError, match=r"lacks the column label"):
        open_source(configure(tmp_path / "list.csv"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("path,kind\na.avi,x", "lacks the column label.*--data.columns label=NAME.*Received: path, kind"),
        ("file class\na.avi x", "lacks the columns path and label.*Received: file class"),
        ("path,label,Starts\na.avi,x,0", "has a column 'Starts', which seems to be meant as 'start'"),
        ("path,label\na.avi,x\nb.avi,x,train", r"line 3 has too many values; expected 2 values.*Received: 'b.avi,x,tr"),
        ("path,label\nfolder,x", "folder: list.csv, line 2: holds videos.*give each one's own path. Received: b.avi"),
        ("path,label", "has no rows"),
        ("path,label\n,x", "line 2 names no video"),
        ("path,label\na.avi,", "line 2 has no label; expected the class of the video"),
        ("path,label,start\na.avi,x,soon", "line 2 has no number as its start.*Received: 'soon'"),
        ("path,label,start,end\na.avi,x,2,1", r"line 2 has no time between start and end.*Received: '2 and 1'"),
        ("path,label,split\na.avi,x,tests", "line 2 has an unknown split.*Received: 'tests'"),
        ("path,label\na.avi,x\na.avi,y", "line 3 names what an earlier one names"),
        ("path,label\nmissing.avi,x", r"missing.avi: list.csv, line 2: does not exist.*Correct the path"),
        ("path,label\na.avi,x\ncopy.avi,y", r"a.avi: x here, but .*another class in copy.avi \(y\)"),
        ("path,label,split\na.avi,x,train\ncopy.avi,x,test", "line 3 puts a video into test that .*line 2 puts into"),
        ("path,label,split\na.avi,x,train", "No video is in the split validation and test.*Received: 1 train, 0"),
    ],
)
def test_bad_rows_are_named(rows: str, message: str, tmp_path: Path, square: Square, write_video: Write) -> None:
    video = write_video(tmp_path / "a.avi", square(12))
    (tmp_path / "copy.avi").write_bytes(video.read_bytes())
    write_video(tmp_path / "folder" / "b.avi", square(12, seed=1))
    (tmp_path / "list.csv").write_text(rows)
    with pytest.raises(VideoDataError, match=f"(?s){message}") as refused:
        open_source(configure(tmp_path / "list.csv"))
    assert "Received:" in str(refused.value)


def test_encoding_and_path_are_checked(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"%PDF-1.7 path,label")
    with pytest.raises(VideoDataError, match=r"list.csv cannot be read; expected a CSV .* is a PDF document"):
        open_source(configure(tmp_path / "list.csv"))
    with pytest.raises(VideoDataError, match=r"nothing does not exist; expected.*Correct --data.path"):
        open_source(configure(tmp_path / "nothing"))
    with pytest.raises(VideoDataError, match=r"nothing.csv does not exist; expected a list"):
        open_source(configure(tmp_path / "nothing.csv"))
    (tmp_path / "flat").mkdir()
    with pytest.raises(VideoDataError, match="holds no class folders"):
        open_source(configure(tmp_path / "flat"))
    with pytest.raises(
        ConfigurationError, match=r"data.path: the source folder reads videos of yours.*Name them.* no path$"
    ):
        open_source(VideoConfiguration())
    with pytest.raises(ConfigurationError, match=r"data.path: the source ucf101 needs no path"):
        open_source(VideoConfiguration(source="ucf101", path="clips"))


@pytest.mark.parametrize("name", ["moving_mnist", "ucf101"])
def test_public_data_sets_through_the_same_loader(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources.data, "prepare", lambda builder: builder)
    builder = tfds.builder
    monkeypatch.setattr(sources.tfds, "builder", lambda name: builder(name, data_dir=tmp_path))
    configuration = VideoConfiguration(source=name, height=16, width=20, colour="grey", clip_frames=2)
    with tfds.testing.mock_data(num_examples=30, policy=tfds.testing.MockPolicy.USE_CODE):
        videos = open_source(configuration)
        with monkeypatch.context() as patch:
            patch.setattr(sources.shards, "write", None)  # what is decoded is not decoded again
            assert open_source(configuration).splits == videos.splits
        damaged = videos.splits["test"][0].shard.path
        damaged.write_bytes(damaged.read_bytes()[:500])
        assert open_source(configuration).splits == videos.splits
    every = [video for each in videos.splits.values() for video in each]
    counts = {split: len(each) for split, each in videos.splits.items()}
    if name == "ucf101":
        assert counts["test"] == 30 and counts["train"] + counts["validation"] == 30
        assert {video.label for video in every} <= set(builder(name, data_dir=tmp_path).info.features["label"].names)
    else:
        assert sum(counts.values()) == 30
    assert all(video.shard.read(0, 1).shape == (1, 16, 20, 1) for video in every)


def test_real_clips_are_split_by_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, square: Square, write_video: Write
) -> None:
    frames = square(50)
    for name in real_clips.CLIPS.values():
        write_video(tmp_path / "package" / name, frames, rate=29.97)
    monkeypatch.setattr(real_clips, "fetch", lambda package: tmp_path / "package")
    configuration = VideoConfiguration(source="real_clips", height=24, width=32, clip_frames=10)
    whole = np.stack(
        [each.frame for each in decode_timed(tmp_path / "package" / "bikes.mp4", 0.0, float("inf"), 0, configuration)]
    )
    videos = open_source(configuration).splits
    for split, start, stop in (("train", 0, 30), ("validation", 30, 40), ("test", 40, 50)):
        assert [video.key for video in videos[split]] == sorted(real_clips.CLIPS)
        for video in videos[split]:
            np.testing.assert_array_equal(video.shard.read(), whole[start:stop])
    with pytest.raises(VideoDataError, match=r"bikes, test: shorter than a clip: it has 10 frames"):
        open_source(configuration.replace(clip_frames=11))


def test_a_data_set_without_videos_is_refused(tmp_path: Path) -> None:
    builder = tfds.builder("mnist", data_dir=tmp_path)
    with pytest.raises(VideoDataError, match=r"The data set mnist holds no videos.*Choose another"):
        sources.dataset_videos(builder, {"train": ""}, VideoConfiguration())
