"""The layouts that people have: folders of splits, lists of all kinds, junk beside clips, groups, arrays of videos."""

import csv
import gzip
import json
import shutil
import threading
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.video.contents import splits_of
from pipelines.video.frames import VideoDataError, load_array
from pipelines.video.shards import Part
from pipelines.video.sources import VideoConfiguration, Videos, open_source
from pipelines.video.video_folders import SPLITS, Entry, folder_entries
from pipelines.video.video_lists import list_entries

Square = Callable[..., np.ndarray]
Write = Callable[..., Path]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, square: Square, write_video: Write) -> list[Path]:
    """Twelve different videos."""
    folder = tmp_path_factory.mktemp("clips")
    return [write_video(folder / f"{number}.avi", square(6, seed=number)) for number in range(12)]


def place(clips: list[Path], folder: Path, names: list[str]) -> Path:
    """Copies a video to each name."""
    for clip, name in zip(clips, names, strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, folder / name)
    return folder


def opened(path: Path, labelled: bool = True, **settings: object) -> Videos:
    source = "folder" if path.is_dir() else "csv"
    values = {"source": source, "path": str(path), "height": 24, "width": 32, "clip_frames": 4}
    return open_source(VideoConfiguration(**values | settings), labelled)


def found(videos: Videos) -> dict[str, set[tuple[str, str]]]:
    return {split: {(video.key, video.label) for video in each} for split, each in videos.splits.items()}


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("Training", "validation", "Testing"),
        ("videos_train", "videos_val", "videos_test"),
        ("set/Train set", "set/Dev set", "set/Test set"),
    ],
)
def test_folders_of_splits(names: tuple[str, str, str], clips: list[Path], tmp_path: Path) -> None:
    folder = place(clips, tmp_path, [f"{split}/{label}/{label}.avi" for split in names for label in ("run", "walk")])
    expected = {
        split: {(f"{name}/{label}/{label}.avi", label) for label in ("run", "walk")}
        for split, name in zip(SPLITS, names, strict=True)
    }
    assert found(opened(folder)) == expected
    assert {key for key, _ in found(opened(folder, labelled=False))["test"]} == {key for key, _ in expected["test"]}


def test_beside_and_above_folders_of_splits(clips: list[Path], tmp_path: Path) -> None:
    """What holds no videos is no class, nor is the folder that an archive wraps around all."""
    names = [f"videos/{split}/{label}/1.avi" for split in ("train", "val", "test") for label in "ab"]
    folder = place(clips, tmp_path, names)
    (folder / "videos" / "annotations").mkdir()
    (folder / "videos" / "annotations" / "all.csv").write_text("path")
    assert found(opened(folder))["validation"] == {("videos/val/a/1.avi", "a"), ("videos/val/b/1.avi", "b")}


@pytest.mark.parametrize("form", ["{label}/{split}/1.avi", "{label}_{split}/1.avi", "{split}-{label}/1.avi"])
def test_splits_within_the_classes(form: str, clips: list[Path], tmp_path: Path) -> None:
    names = [form.format(label=label, split=split) for split in ("train", "val", "test") for label in "ab"]
    videos = found(opened(place(clips, tmp_path, names)))
    assert [videos[split] for split in SPLITS] == [
        {(a, "a"), (b, "b")} for a, b in zip(names[::2], names[1::2], strict=True)
    ]
    unlabelled = found(opened(tmp_path, labelled=False))
    assert "/" in form.removesuffix("/1.avi") or {key for key, _ in unlabelled["test"]} == set(names[4:])


def test_words_for_splits_in_the_names_of_classes_are_no_splits(clips: list[Path], tmp_path: Path) -> None:
    folder = place(clips, tmp_path, ["train station/1.avi", "train ride/1.avi", "test drive/1.avi"])
    assert {(each.label, each.split) for each in folder_entries(folder).entries} == {
        ("train station", ""),
        ("train ride", ""),
        ("test drive", ""),
    }


def test_junk_is_passed_over(clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = place(clips, tmp_path, [f"{'ab'[number % 2]}/{number}.avi" for number in range(8)])
    for name in ("Thumbs.db", "a/README.txt", "b/.DS_Store", "__MACOSX/a/._1.avi", "a/._1.avi", "b/subtitles.srt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"junk")
    (folder / "a" / "poster.jpg").write_bytes(b"a thumbnail")
    (folder / "a" / "again").symlink_to(folder)
    videos = opened(folder)
    assert sum(map(len, videos.splits.values())) == 8 and not videos.skipped
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Passed over")]
    assert len(printed) == 1 and "8 files that are not videos" in printed[0]


def test_a_video_without_an_ending_is_one(clips: list[Path], tmp_path: Path) -> None:
    folder = place(clips, tmp_path, [f"a/{number}" for number in range(3)])
    assert sum(map(len, opened(folder).splits.values())) == 3


LISTS = {
    "mmaction": ("{0}.avi 0\n{1}.avi 1\n", [("", "0"), ("", "1")]),
    "slowfast": ("{0}.avi,0\n{1}.avi,1\n", [("", "0"), ("", "1")]),
    "frames": ("{0}.avi 6 0\n{1}.avi 6 1\n", [("", "0"), ("", "1")]),
    "keras": ("video_name,tag\n{0}.avi,jump\n{1}.avi,run\n", [("", "jump"), ("", "run")]),
    "comment": ("# of 2026\n{0}.avi 0\n{1}.avi 1\n", [("", "0"), ("", "1")]),
    "excel": ("sep=;\npath;label\n{0}.avi;jump, high\n{1}.avi;run\n", [("", "jump, high"), ("", "run")]),
    "jester": (
        "0;Drumming Fingers\n1;Sliding Two Fingers Down\n",
        [("", "Drumming Fingers"), ("", "Sliding Two Fingers Down")],
    ),
    # Named as HMDB51's lists of a class are.
    "my_test_split1": ("{0}.avi jump\n{1}.avi run\n", [("", "jump"), ("", "run")]),
    "my_test_split2": ("{0}.avi 0\n{1}.avi 1\n", [("", "0"), ("", "1")]),
    "my_test_split3": ("path,label\n{0}.avi,jump\n{1}.avi,run\n", [("", "jump"), ("", "run")]),
    "frames without endings": ("0 6 jump\n1 6 run\n", [("", "jump"), ("", "run")]),
    "by the usual name": ("id,File Name,Class\n7,{0}.avi,jump\n8,{1}.avi,run\n", [("", "jump"), ("", "run")]),
    "no endings": ("video,label\n{0},jump\n{1},run\n", [("", "jump"), ("", "run")]),
    "windows": (
        "\ufeffFile;Class;Subset\r\n{0}.avi;jump;Training\r\n{1}.avi;run;val\r\n",
        [("train", "jump"), ("validation", "run")],
    ),
    "json rows": (
        '[{{"file": "{0}.avi", "class": "jump"}}, {{"file": "{1}.avi", "class": 7}}]',
        [("", "jump"), ("", "7")],
    ),
    "json lines": (
        '{{"video": "{0}", "label": "jump", "split": "val"}}\n{{"video": "{1}", "label": "run", "xy": [{{}}, {{}}]}}',
        [("validation", "jump"), ("", "run")],
    ),
    "json by splits": (
        '{{"train": [{{"id": "{0}", "label": "jump"}}], "test": [{{"id": "{1}", "label": "run"}}]}}',
        [("train", "jump"), ("test", "run")],
    ),
    "something-something": (
        '[{{"id": "{0}", "label": "pushing a cup", "template": "Pushing [something]", "placeholders": ["a cup"]}},'
        ' {{"id": {1}, "label": "moving a cup up", "template": "Moving [something] up", "placeholders": []}}]',
        [("", "Pushing something"), ("", "Moving something up")],
    ),
    "kinetics": (
        '{{"{0}": {{"annotations": {{"label": "jump", "segment": [84.0, 94.0]}}, "duration": 10.0, "subset": "train"}},'
        ' "{1}": {{"annotations": {{"label": "run", "segment": [0, 10]}}, "duration": 10.0, "subset": "validate"}}}}',
        [("train", "jump"), ("validation", "run")],
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_that_people_have(name: str, clips: list[Path]) -> None:
    text, expected = LISTS[name]
    path = clips[0].parent / f"{name}.txt"
    path.write_text(text.format(0, 1), encoding="utf-8")
    entries = list_entries(path)
    assert [(entry.split, entry.label) for entry in entries] == expected
    assert [entry.path for entry in entries] == clips[:2]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (
            "Observation id,Media file name,Subject,Behavior,Start (s),Stop (s),Duration (s)",
            "o,0.avi,rat,run,0.08,0.2,0.12",
        ),
        (
            "Tier,Begin Time - ss.msec,End Time - ss.msec,Duration - ss.msec,Annotation,File Name",
            "actions,0.08,0.2,0.12,run,0.avi",
        ),
        (
            "narration_id,video_id,start_timestamp,stop_timestamp,start_frame,stop_frame,action",
            "P01_0,0,00:00:00.08,00:00:00.20,2,5,run",
        ),
        ("File Name,Class Label,Start Time,End Time", "0.avi,run,0.08,0.2"),
        ("video,action,start_frame,end_frame,fps", "0.avi,run,2,5,25"),
        ("video,action,begin_ms,end_ms", "0.avi,run,80,200"),
        ("video,category_name,start_sec,endSec", "0.avi,run,0.08,0.2"),
        (
            '[{"data": {"video": "/data/upload/7/0a1b2c3d-0.avi", "fps": 25}, "annotations": [{"result": [{"value":',
            '{"ranges": [{"start": 3, "end": 5}], "timelinelabels": ["run"]}, "type": "timelinelabels"}]}]}]',
        ),
        (
            '[{"video": "/data/local-files/?d=0.avi", "fps": 25, "tricks": [',
            '{"ranges": [{"start": 3, "end": 5}], "timelinelabels": ["run"]}]}]',
        ),
    ],
    ids=[
        "boris",
        "elan",
        "epic-kitchens",
        "titles",
        "frames",
        "milliseconds",
        "seconds",
        "label-studio",
        "label-studio-min",
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_exports_of_programs_for_annotation(
    header: str, row: str, pack: Callable[[bytes], bytes], clips: list[Path]
) -> None:
    path = clips[0].parent / "export.csv"
    path.write_bytes(pack(f"{header}\n{row}\n".encode()))
    (entry,) = list_entries(path)
    assert (entry.part, entry.label) == (Part(clips[0], 0.08, 0.2), "run")


@pytest.mark.parametrize("attributes", [1, 2])
def test_stretches_of_a_project_of_vgg_are_parts(attributes: int, clips: list[Path]) -> None:
    """As version 3 of the annotator saves it: classes are options of an attribute, by number or as text."""
    kinds = {"1": {"aname": "what", "type": 4, "options": {"0": "jump", "1": "run"}}, "2": {"aname": "who", "type": 1}}
    project = {
        "project": {"pid": "__VIA_PROJECT_ID__", "pname": "rats"},
        "config": {"file": {"loc_prefix": {"1": ""}}},
        "attribute": dict(list(kinds.items())[:attributes]),
        "file": {"7": {"fid": "7", "fname": "0.avi", "type": 4}, "8": {"fid": "8", "fname": "1.avi", "type": 4}},
        "view": {"1": {"fid_list": ["7"]}, "2": {"fid_list": [8]}},
        "metadata": {
            "1_a": {"vid": "1", "flg": 0, "z": [0.04, 0.1], "xy": [], "av": {"1": "1"}},
            "1_b": {"vid": "1", "flg": 0, "z": [0.04], "xy": [2, 10, 20, 5, 5], "av": {"1": "0"}},  # a box in a frame
            "2_c": {"vid": "2", "flg": 0, "z": [0.1, 0.2], "xy": [], "av": {"1": "0"} | {"2": "rat 3"}},
        },
    }
    if attributes == 1:
        del project["metadata"]["2_c"]["av"]["2"]  # type: ignore[index]
    path = clips[0].parent / "project.json"
    path.write_text(json.dumps(project))
    entries = list_entries(path, columns=("label=what", "group=who") if attributes == 2 else ())
    assert [entry.part for entry in entries] == [Part(clips[0], 0.04, 0.1), Part(clips[1], 0.1, 0.2)]
    assert [entry.label for entry in entries] == ["run", "jump"]
    assert [entry.group for entry in entries] == ["", "rat 3" * (attributes == 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<?xml version="1.0"?>\n<annotations/>', r"is no table; .* Export it as text.*Received: .*xml"),
        ("# Exported using VGG Image Annotator (http://x)\n# Notes:\n", r"Give the project itself.* as JSON\."),
    ],
    ids=["xml", "vgg"],
)
def test_what_annotation_programs_write_and_no_list_is_names_its_export(
    text: str, message: str, clips: list[Path]
) -> None:
    path = clips[0].parent / "export.csv"
    path.write_text(text)
    with pytest.raises(VideoDataError, match=message):
        list_entries(path)


@pytest.mark.parametrize("labelled", [True, False])
def test_each_annotation_of_a_video_is_a_part(
    labelled: bool, clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As ActivityNet lists them, whose names lack the `v_` of the files, and with the classes beside the videos."""
    place(clips, tmp_path, ["v_a.avi", "v_b.avi"])
    annotations = [{"segment": [0.04, 0.1], "label": "jump"}, {"segment": [0.1, 0.2], "label": "run"}]
    database = {
        "a": {"duration": 0.24, "subset": "training", "annotations": annotations, "url": "https://example.org/a"},
        "b": {"duration": 0.24, "subset": "testing", "annotations": [], "url": "https://example.org/b"},
    }
    taxonomy = [{"nodeName": "jump", "nodeId": 1}]
    path = tmp_path / "activity_net.json"
    path.write_text(json.dumps({"version": "VERSION 1.3", "taxonomy": taxonomy, "database": database}))
    entries = list_entries(path, labelled)
    assert [entry.part for entry in entries[:2]] == [
        Part(tmp_path / "v_a.avi", 0.04, 0.1),
        Part(tmp_path / "v_a.avi", 0.1, 0.2),
    ]
    assert [entry.split for entry in entries] == (["train"] * 2 if labelled else ["train", "train", "test"])
    assert entries[1].row == "activity_net.json, item 'a', annotations 2"
    assert not labelled or [entry.label for entry in entries] == ["jump", "run"]
    printed = capsys.readouterr().out
    assert f"{path}: the videos are those of 'database'" in printed
    assert ("1 video without annotations left out, such as item 'b'" in printed) == labelled


@pytest.mark.parametrize("name", ["a b/0 1.avi", "0.avi", "a, b.avi"])
@pytest.mark.parametrize("label", ["run", "play, guitar"])
@pytest.mark.parametrize("separator", [*",;\t|", " "])
def test_lines_without_a_header(name: str, label: str, separator: str, clips: list[Path], tmp_path: Path) -> None:
    """A path may hold spaces and commas, and so may a class, in quotes where they also separate the two."""
    if separator == " " and " " in label:
        label = "run"
    place(clips, tmp_path, [name])
    with (tmp_path / "list.txt").open("w", newline="") as file:
        if separator == " ":
            file.write(f"{name} {label}\n")
        else:
            csv.writer(file, delimiter=separator).writerow([name, label])
    (entry,) = list_entries(tmp_path / "list.txt")
    assert (entry.part.path, entry.label) == (tmp_path / name, label)


@pytest.mark.parametrize("labelled", [True, False])
def test_parts_of_several_classes_are_left_out(
    labelled: bool, clips: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """As THUMOS14 and ActivityNet have some; where labels do not count, each part counts once."""
    path = clips[0].parent / "double.csv"
    rows = ["0.08,0.2,dive", "0.08,0.2,cliff dive", "0,0.08,dive", "0,0.08,dive", "0,0.2,dive"]
    path.write_text("path,start,end,label\n" + "".join(f"0.avi,{row}\n" for row in rows))
    entries = list_entries(path, labelled)
    parts = [Part(clips[0], 0.0, 0.08), Part(clips[0], 0.0, 0.2)]
    assert [entry.part for entry in entries] == parts if labelled else [Part(clips[0], 0.08, 0.2), *parts]
    said = "1 part of videos left out, for each has several classes and a clip has one, such as 0.avi [0.08, 0.2) "
    assert (f"{said}(dive, cliff dive); nothing is left of cliff dive\n" in capsys.readouterr().out) == labelled
    path.write_text("path,label\n0.avi,dive\n0.avi,cliff dive\n")
    with pytest.raises(VideoDataError, match=r"line 3 names what an earlier one names; expected each video once"):
        list_entries(path, labelled)
    path.write_text("path,label,start,split\n0.avi,dive,0.1,train\n0.avi,dive,0.1,test\n")
    with pytest.raises(VideoDataError, match=r"line 3 names what an earlier one names"):
        list_entries(path, labelled)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"path": "0.avi"', r"refused.json is not JSON: .*Received"),
        ("[]", r"refused.json has an unknown shape; expected .*Received: \[\[\]\]"),
        ('[["0.avi", "run"]]', r"unknown shape; expected a list of objects.*Received: .*0.avi"),
        ('{"images": [{"id": "0"}], "annotations": [{"id": "0"}]}', r"lacks the column label; .*Received: .*images"),
        ('[{"id": "0", "label": "run"}, {"id": "1"}]', r"item 2 has no label; expected the class of the video"),
        ('{"0": {"annotations": []}}', r"lacks the column label; .*Received: video_id, annotations"),
        ('{"run": "0.avi"}', r"lacks the columns path and label; expected path, label, .*Received: run"),
        ('[{"id": "0", "label": ["run", "jump"]}]', r"item 1 has no single label; expected a text.*'run', 'jump'"),
        (
            '{"0": {"annotations": [{"label": "run", "segment": [[1, 2]]}]}}',
            r"item '0' has no time from and to as its seg",
        ),
        ('[{"id": "0", "label": "run", "label": "jump"}]', r"expected each name once"),
    ],
)
def test_json_of_other_shapes_is_refused(text: str, message: str, clips: list[Path]) -> None:
    path = clips[0].parent / "refused.json"
    path.write_text(text)
    with pytest.raises(VideoDataError, match=message):
        list_entries(path)


@pytest.mark.parametrize("inner", [("run", "jump"), ("run/1", "jump/1"), ("run", "walk")])
def test_folders_that_repeat_below_those_of_the_classes_are_named(
    inner: tuple[str, str], clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of persons above those of classes look as those of classes above those of persons do."""
    first, second = inner
    place(clips, tmp_path, [f"p1/{first}/a.avi", "p1/jump/b.avi", "p2/run/c.avi", f"p2/{second}/d.avi"])
    found = folder_entries(tmp_path)
    assert {entry.label for entry in found.entries} == {"p1", "p2"}
    assert ("such as p1, p2. Each of them holds the folders jump, run;" in capsys.readouterr().out) == (
        "walk" not in inner
    )


def test_clips_that_are_cut_out_are_found_by_the_times_in_their_names(clips: list[Path], tmp_path: Path) -> None:
    """As Kinetics has them."""
    place(clips, tmp_path, ["a_b-c_000012_000022.avi", "whole.avi"])
    path = tmp_path / "train.csv"
    path.write_text("label,youtube_id,time_start,time_end,split\nrun,a_b-c,12,22,train\nrun,whole,12,22,train\n")
    cut, whole = list_entries(path)
    assert (cut.part, cut.split) == (Part(tmp_path / "a_b-c_000012_000022.avi"), "train")
    assert whole.part == Part(tmp_path / "whole.avi", 12.0, 22.0)


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_lists_of_other_encodings_and_paths_of_windows(encoding: str, clips: list[Path], tmp_path: Path) -> None:
    place(clips, tmp_path, ["run/0.avi", "höhe/1.avi"])
    text = "path;label\r\nrun\\0.avi;größer\r\nhöhe\\1.avi;höher\r\n"
    (tmp_path / "list.csv").write_bytes(text.encode(encoding))
    entries = list_entries(tmp_path / "list.csv")
    assert [(entry.label, entry.path.exists()) for entry in entries] == [("größer", True), ("höher", True)]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "path,label,start_frame,end_frame\n0.avi,run,10,20",
            "in frames, in a column 'start_frame'; expected a column fps .* seconds",
        ),
        ("path,label,start_frame,end_frame,fps\n0.avi,run,10,20,0", "line 2 has no number as its start .*0 as its fps"),
        ("path,label,start,duration\n0.avi,run,1,2", r"'duration' beside the start of each part; expected its end"),
        ("path,label,label\n0.avi,run,walk", r"several columns 'label'; expected one"),
    ],
)
def test_columns_that_would_be_dropped_are_refused(table: str, message: str, clips: list[Path]) -> None:
    path = clips[0].parent / "refused.csv"
    path.write_text(table)
    with pytest.raises(VideoDataError, match=message):
        list_entries(path)


def test_letters_and_accents_may_be_split(clips: list[Path], tmp_path: Path) -> None:
    """As in archives of macOS: names look alike, and differ."""
    whole, split = (unicodedata.normalize(form, "höhe") for form in ("NFC", "NFD"))
    place(clips, tmp_path, [f"train/{whole}/0.avi", f"val/{split}/1.avi", f"test/{split}/2.avi"])
    (tmp_path / "list.csv").write_text(f"path,label\ntrain/{split}/0.avi,{split}\nval/{whole}/1.avi,{whole}")
    entries = list_entries(tmp_path / "list.csv")
    assert [(entry.label, entry.path.exists()) for entry in entries] == [(whole, True)] * 2
    assert {entry.label for entry in folder_entries(tmp_path).entries} == {whole}


def test_lists_of_the_splits_go_together(clips: list[Path], tmp_path: Path) -> None:
    """As UCF101 has them: numbers or nothing beside paths, whose folders are the classes."""
    names = [f"{label}/v_{label}_g0{number}_c01.avi" for number in range(4) for label in "ab"]
    place(clips, tmp_path / "videos", names)
    (tmp_path / "trainlist01.txt").write_text("".join(f"{name} {1 + 'ab'.index(name[0])}\n" for name in names[:6]))
    (tmp_path / "testlist01.txt").write_text("\n".join(names[6:]))
    (tmp_path / "vallist01.txt").write_text("path\na/unlabelled.avi\n")  # as of a benchmark
    videos = found(opened(tmp_path / "trainlist01.txt", root=str(tmp_path / "videos")))
    assert videos["test"] == {(name, name[0]) for name in names[6:]}
    assert videos["train"] | videos["validation"] == {(name, name[0]) for name in names[:6]}
    assert {label for _, label in videos["train"]} == {label for _, label in videos["validation"]} == {"a", "b"}


def test_the_lists_of_the_classes_go_together(clips: list[Path], tmp_path: Path) -> None:
    """As HMDB51 has them, for each of its three splits, with clips that are in neither part of it."""
    names = {"run": ["(HQ) a,b_run_0.avi", "#20_run_1.avi"], "shoot_bow": ["c_shoot_bow_0.avi", "d_shoot_bow_1.avi"]}
    place(clips, tmp_path / "videos", [f"{label}/{name}" for label, both in names.items() for name in both])
    for label, (first, second) in names.items():
        (tmp_path / f"{label}_test_split1.txt").write_text(f"{first} 1 \n{second} 2 \nunused.avi 0 \n")
        (tmp_path / f"{label}_test_split2.txt").write_text(f"{first} 2 \n{second} 1 \n")
    entries = list_entries(tmp_path / "run_test_split1.txt", root=tmp_path / "videos")
    assert {(entry.key, entry.label, entry.split) for entry in entries} == {
        (f"{label}/{name}", label, split)
        for label, both in names.items()
        for name, split in zip(both, ("train", "test"), strict=True)
    }
    assert all(entry.path.is_file() for entry in entries)
    (tmp_path / "shoot_bow_test_split1.txt").write_text("c_shoot_bow_0.avi\n")
    with pytest.raises(
        VideoDataError, match=r"shoot_bow_test_split1.txt, line 1 .*expected .*1 for training.*Received"
    ):
        list_entries(tmp_path / "run_test_split1.txt", root=tmp_path / "videos")


def test_columns_can_be_named_and_times_written_as_clocks(clips: list[Path]) -> None:
    path = clips[0].parent / "named.csv"
    path.write_text("id,what,begin,stop\n0.avi,run,0:00:00.08,00:00.2\n")
    (entry,) = list_entries(path, columns=("path=id", "label=what"))
    assert entry == Entry("0.avi [0.08, 0.2)", Part(clips[0], 0.08, 0.2), "run", row="named.csv, line 2")
    with pytest.raises(VideoDataError, match=r"has no column nothing.*Received: id, what"):
        list_entries(path, columns=("path=nothing",))
    with pytest.raises(VideoDataError, match=r"expected pairs such as path=video_name.*Received: 'id'"):
        list_entries(path, columns=("id",))
    path.write_text("path,label,start\n0.avi,run,1:75:00\n")
    with pytest.raises(VideoDataError, match=r"line 2 has no number as its start.*hours, minutes"):
        list_entries(path)


@pytest.mark.parametrize("by", ["pattern", "column"])
def test_a_group_is_on_one_side(by: str, clips: list[Path], tmp_path: Path) -> None:
    names = [f"v_run_g{group:02}_c{part:02}.avi" for group in range(4) for part in range(3)]
    place(clips, tmp_path, names)
    rows = ["path,label,subject"] + [f"{name},run,{name[6:9]}" for name in names]
    (tmp_path / "list.csv").write_text("\n".join(rows if by == "column" else [row.rpartition(",")[0] for row in rows]))
    videos = opened(tmp_path / "list.csv", group=r"_(g\d+)_" if by == "pattern" else "")
    sides = {split: {video.key[6:9] for video in each} for split, each in videos.splits.items()}
    assert sum(map(len, sides.values())) == 4 and all(sides.values())


def test_names_that_differ_in_the_last_number_are_noticed(
    clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place(clips, tmp_path, [f"run/v_g{group:02}_c{part:02}.avi" for group in range(3) for part in range(4)])
    opened(tmp_path)
    assert "--data.group with a regular expression" in capsys.readouterr().out


def test_every_class_of_three_videos_is_in_every_split() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        contents = [str(number) for number in random.integers(1_000_000, size=30)]
        entries = [Entry(each, Part(Path(each)), "abc"[place % 3]) for place, each in enumerate(contents)]
        splits = splits_of(entries, contents)
        found = {(entry.label, split) for entry, split in zip(entries, splits, strict=True)}
        assert found == {(label, split) for label in "abc" for split in SPLITS}


def test_validation_is_cut_out_of_training() -> None:
    contents = [str(number) for number in range(40)]
    entries = [
        Entry(each, Part(Path(each)), "ab"[place % 2], "test" if place < 8 else "train", group=str(place // 4))
        for place, each in enumerate(contents)
    ]
    splits = splits_of(entries, contents)
    assert splits[:8] == ["test"] * 8 and set(splits[8:]) == {"train", "validation"}
    assert all(len(set(splits[place : place + 4])) == 1 for place in range(0, 40, 4))


def test_an_array_of_videos_is_as_many(tmp_path: Path) -> None:
    videos = np.random.default_rng(0).integers(0, 256, (10, 6, 24, 32), np.uint8)
    np.save(tmp_path / "videos.npy", videos)
    np.save(tmp_path / "frames_first.npy", 255 - videos.transpose(1, 0, 2, 3))
    (tmp_path / "list.csv").write_text("path\nvideos.npy\n")
    split = opened(tmp_path / "list.csv", labelled=False, layout="NTHW", colour="grey").splits
    shown = {video.key: video.shard.read()[..., 0] for each in split.values() for video in each}
    assert sorted(shown) == sorted(f"videos.npy#{number}" for number in range(10))
    for number, frames in enumerate(videos):
        np.testing.assert_array_equal(shown[f"videos.npy#{number}"], frames)
    (tmp_path / "list.csv").write_text("path\nframes_first.npy\n")
    one = opened(tmp_path / "list.csv", labelled=False, layout="TNHW", colour="grey").splits
    split = opened(tmp_path / "frames_first.npy", False, source="folder", layout="TNHW", colour="grey").splits
    assert {key: len(each) for key, each in one.items()} == {key: len(each) for key, each in split.items()}
    assert sum(len(each) for each in split.values()) == 10
    assert all(video.shard.frames == 6 for each in split.values() for video in each)


def test_arrays_are_opened_by_several_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser of Python 3.11, which reads their headers, fails where two threads enter it."""
    np.save(tmp_path / "videos.npy", np.zeros((3, 4), np.uint8))
    load, alone, others = np.load, threading.Lock(), [1]

    def parse(*arguments: Any, **named: Any) -> Any:
        if (others and others.pop()) or not alone.acquire(blocking=False):
            raise SystemError("AST constructor recursion depth mismatch")
        try:
            time.sleep(0.01)
            return load(*arguments, **named)
        finally:
            alone.release()

    monkeypatch.setattr(np, "load", parse)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(load_array, [tmp_path / "videos.npy"] * 40))
    assert all(each.shape == (3, 4) for each in opened)


def test_two_rates_in_a_set_are_noticed_and_recorded(
    tmp_path: Path, square: Square, write_video: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(8):
        label, rate = ("run", 60.0) if number % 2 else ("walk", 25.0)
        write_video(tmp_path / label / f"{number}.avi", square(30, seed=number), rate=rate)
    videos = opened(tmp_path)
    printed = capsys.readouterr().out
    assert "25 to 60 frames a second" in printed and "The rate alone tells classes apart: walk" in printed
    assert videos.recordings.rates == pytest.approx((25, 60), rel=1e-3)
    assert opened(tmp_path, frame_rate=12.5).recordings.rates == (12.5, 12.5)


def test_image_folders_are_told_apart_by_all_images(tmp_path: Path) -> None:
    """Their first, middle and last images are equal, as of a still camera."""
    from PIL import Image

    for number in range(3):
        (tmp_path / str(number)).mkdir()
        for place in range(9):
            picture = np.full((24, 32, 3), 50 + number if place == 2 else 9, np.uint8)
            Image.fromarray(picture).save(tmp_path / str(number) / f"{place}.png")
    assert sum(map(len, opened(tmp_path, labelled=False).splits.values())) == 3
    assert all(opened(tmp_path, labelled=False).splits.values())
