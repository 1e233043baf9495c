"""Videos in folders: of classes, of splits, or anyhow; what lies beside them and is no video is passed over."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from data import splits
from pipelines import hints
from pipelines.hints import counted, listed
from pipelines.video.frames import VideoDataError
from pipelines.video.image_files import IMAGE_ENDINGS, images_of, natural_key
from pipelines.video.shards import Part
from pipelines.video.video_files import is_video

SPLITS = ("train", "validation", "test")

SPLIT_NAMES = splits.SPLIT_NAMES | {"eval": "validation", "validate": "validation"}
"""What people call the splits, in small letters."""

JUNK = ("__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information", "lost+found")
"""What systems leave in folders, in small letters, beside names that begin with a dot."""


class Entry(NamedTuple):
    """A video, or a part of one."""

    key: str  # its unique name
    part: Part  # the file or folder of images, and which part of it
    label: str  # its class; "" without one
    split: str = ""  # train, validation or test; "": by a hash of the video
    group: str = ""  # what it has in common with videos that must be in the same split; "": nothing but its content
    row: str = ""  # where it is named, for messages; "" in a folder

    @property
    def path(self) -> Path:
        """The file or folder."""
        return self.part.path


class Found(NamedTuple):
    """The videos of a folder, name and reason of what is none but should be, and names of what was passed over."""

    entries: list[Entry]
    unusable: list[tuple[str, str]]
    passed: list[str]


def folder_entries(folder: Path) -> Found:
    """Returns the videos of class folders, `folder/class/video.mp4`, in folders of splits or not.

    A folder of images is a video, `folder/class/video/frame_1.png`, and so is a stack of them. Videos may lie in
    further folders below that of their class.

    Raises:
        VideoDataError: the folder is not there, or holds no class folder.
    """
    _refuse_no_folder(folder, "one with a folder for each class")
    found = Found([], [], [])
    inside = _unwrapped(folder)
    for split, its_classes in _split_folders(inside, found) or [("", inside)]:
        _classes(its_classes, split, folder, found)
    return found


def unlabelled_entries(folder: Path) -> Found:
    """Returns the videos of a folder and of all folders in it; one that holds images alone is a video.

    Raises:
        VideoDataError: the folder is not there, or holds nothing.
    """
    _refuse_no_folder(folder, "one with videos in it")
    found = Found([], [], [])
    for split, inside in _split_folders(_unwrapped(folder), found, of_a_name=False) or [("", folder)]:
        _look_into(inside, "", split, folder, found)
    if not found.entries and not found.unusable:
        raise VideoDataError(
            f"{folder} holds no videos; expected some, in it or in folders in it. Put videos there, or correct "
            f"--data.path. Received: {passed_over(found.passed) or 'nothing but folders'}"
        )
    return found


def passed_over(names: Sequence[str]) -> str:
    """Returns in words what is no video, by kind; "" if it is nothing.

    >>> passed_over(["run/notes.txt", "walk/a.txt", "Thumbs.db"])
    '3 files that are not videos (.txt 2, .db 1), such as run/notes.txt'
    """
    if not names:
        return ""
    kinds = Counter(Path(name).suffix.lower() or Path(name).name for name in names).most_common(5)
    of = ", ".join(f"{kind} {count}" for kind, count in kinds)
    what = "file that is not a video" if len(names) == 1 else "files that are not videos"
    return f"{len(names)} {what} ({of}), such as {names[0]}"


def _split_folders(folder: Path, found: Found, of_a_name: bool = True) -> list[tuple[str, Path]]:
    """The folders of splits in a folder, such as train or videos_train, if no other folder in it holds videos.

    Args:
        of_a_name: whether their names must be equal but for the split; of other names they are those of classes.
    """
    folders = [path for path in _visible(folder, []) if _is_folder(path)]
    splits = _splits_of_folders(folders)
    others = [path for path in folders if path not in splits]
    names = {name for name, _ in splits.values()}
    if not names or (of_a_name and len(names) > 1) or any(map(_holds_videos, others)):
        return []
    found.passed.extend(path.name for path in others)
    _beside(folder, found, "lies beside the folders of the splits: it has no split. Move it into one")
    return [(split, path) for path, (_, split) in splits.items()]


def _splits_of_folders(folders: Sequence[Path]) -> dict[Path, tuple[str, str]]:
    """The name and split of each folder whose name has a word for a split, if it is there to train and otherwise.

    >>> [*_splits_of_folders([Path("run_train"), Path("run_test"), Path("train ride"), Path("walk")]).values()]
    [('run', 'train'), ('run', 'test')]
    """
    found = {}
    for path in folders:
        words = re.split(r"([\W_]+)", path.name)
        place = next((place for place, word in enumerate(words) if word.lower() in SPLIT_NAMES), None)
        if place is not None:
            rest = "".join(words[: max(place - 1, 0)] + words[place + 1 if place else 2 :])
            found[path] = rest, SPLIT_NAMES[words[place].lower()]
    there = {name: {split for other, split in found.values() if other == name} for name, _ in found.values()}
    whole = {name for name, splits in there.items() if "train" in splits and len(splits) > 1}
    return {path: each for path, each in found.items() if each[0] in whole}


def _unwrapped(folder: Path) -> Path:
    """The folder below one that holds nothing but a folder of folders, as archives do: one class is none."""
    inner = list(_visible(folder, []))
    while len(inner) == 1 and _is_folder(inner[0]) and not _is_frames(inner[0]):
        below = list(_visible(inner[0], []))
        if not sum(_is_folder(path) and not _is_frames(path) for path in below) > 1:
            break
        folder, inner = inner[0], below
    return folder


def _classes(folder: Path, split: str, base: Path, found: Found) -> None:
    """Takes the videos of class folders."""
    classes = [path for path in _visible(folder, found.passed, base) if _is_folder(path)]
    if not classes:
        files = counted(len(list(_visible(folder, []))), "file")
        raise VideoDataError(
            f"{folder} holds no class folders; expected one folder for each class, with its videos in it. Sort the "
            f"videos into folders, or give a CSV file of path and label. Received: {files}"
        )
    _beside(folder, found, "lies beside the class folders: it has no class. Move it into one")
    divided = {} if split else _splits_of_folders(classes)
    if len(divided) < len(classes) or any(map(_holds_classes, classes)):
        divided = {}  # else run_train and run_test are of one class
    for each in classes:
        name, of_class = divided.get(each, (each.name, split))
        before, label = len(found.entries), unicodedata.normalize("NFC", name)
        inner = _split_folders(each, found) if not of_class else []
        for its_split, inside in inner or [(of_class, each)]:
            _look_into(inside, label, its_split, base, found)
        if len(found.entries) == before:
            found.unusable.append((each.relative_to(base).as_posix(), "an empty class folder: no video is in it"))
    repeated = [
        {path.name for path in _visible(each, []) if path.is_dir() and not _is_frames(path)} for each in classes
    ]
    if len(repeated) > 1 and len(repeated[0]) > 1 and all(names == repeated[0] for names in repeated[1:]):
        outer, below = (listed(sorted(names)) for names in ({each.name for each in classes}, repeated[0]))
        print(
            f"{folder}: the classes are its folders, such as {outer}. Each of them holds the folders {below}; if those "
            "are the classes, give a list of path, label and group instead",
            flush=True,
        )


def _look_into(folder: Path, label: str, split: str, base: Path, found: Found) -> None:
    """Takes all videos below a folder, of one class and split."""
    images = [path for path in images_of(folder) if not is_video(path)]
    if images and any(is_video(path) for path in _visible(folder, [])):  # thumbnails of the videos
        found.passed.extend(path.relative_to(base).as_posix() for path in images)
    elif images:
        name = (folder.relative_to(base) if folder != base else Path(base.name)).as_posix()
        reason = f"{counted(len(images), 'image')} without a folder of their own: each video's frames need one"
        found.unusable.append((name, reason))
    for path in _visible(folder, found.passed, base):
        name = path.relative_to(base).as_posix()
        if is_video(path) or (path.is_dir() and _is_frames(path)):
            found.entries.append(Entry(name, Part(path), label, split))
        elif path.is_dir() and path.is_symlink() and folder.resolve().is_relative_to(path.resolve()):
            found.passed.append(name)  # a link to a folder above, without end
        elif path.is_dir():
            _look_into(path, label, split, base, found)
        elif path not in images:
            found.passed.append(name)


def _beside(folder: Path, found: Found, reason: str) -> None:
    for path in _visible(folder, []):
        if is_video(path):
            found.unusable.append((path.name, reason))
        elif path.is_file():
            found.passed.append(path.name)


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder of files, and no array in chunks."""
    return path.is_dir() and not is_video(path)


def _holds_classes(folder: Path) -> bool:
    return any(_is_folder(path) and not _is_frames(path) for path in _visible(folder, []))


def _is_frames(folder: Path) -> bool:
    """Whether a folder holds the frames of a video: images that do not move, and neither folders nor videos."""
    images = images_of(folder)
    others = [path for path in _visible(folder, []) if path not in set(images)]
    return bool(images) and not is_video(images[0]) and not any(path.is_dir() or is_video(path) for path in others)


def _holds_videos(folder: Path) -> bool:
    return any(is_video(path) or path.suffix.lower() in IMAGE_ENDINGS for path in folder.rglob("*"))


def _visible(folder: Path, passed: list[str], base: Path | None = None) -> Iterator[Path]:
    """What lies in a folder, in the order of the numbers in the names, without hidden files and those of systems."""
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        if path.name[0] == "." or path.name.lower() in JUNK:
            passed.append(path.relative_to(base or folder).as_posix())
        else:
            yield path


def _refuse_no_folder(folder: Path, expected: str) -> None:
    if not folder.is_dir():
        kind = "is a file" if folder.exists() else "does not exist"
        raise VideoDataError(
            f"{folder} {kind}; expected {expected}. Correct --data.path, or read a list of videos: "
            f"{hints.option('--data.source csv')}. Received: {str(folder)!r}"
        )
