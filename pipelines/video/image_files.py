"""Folders of images, TIFF stacks and animated images (gif, webp, apng), read frame by frame."""

import io
import itertools
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import ExifTags, Image, ImageSequence

from pipelines.hints import counted, listed
from pipelines.video.containers import Notice, refused
from pipelines.video.frames import Timed, VideoDataError

IMAGE_ENDINGS = (
    *(".avif", ".bmp", ".dib", ".exr", ".gif", ".hdr", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pfm"),
    *(".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
STACK_ENDINGS = (".btf", ".lsm", ".stk", ".tf8", ".tif", ".tiff")
ANIMATED_ENDINGS = (".apng", ".gif", ".png", ".webp")
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""What their content begins with."""

UNSURE_ENDINGS = (".avif", ".gif")  # of what is a video more often than an image

LEAST_DURATION = 0.02
"""Seconds; browsers show frames of gifs that state less, or nothing, for a tenth of a second."""

MOST_CHANNELS = 5
"""Pages that may be the channels of one picture, if nothing else is their time."""

ORIENTATION_MARKS = (b"eXIf", b"type exif", b"EXIF", b"irot", b"imir")
"""What stands before the orientation of the camera in PNG, WebP and AVIF images."""

UNREADABLE = (OSError, ValueError, SyntaxError, EOFError)
"""What Pillow raises of images that are damaged or of another kind."""

LAST_NUMBER = re.compile(r"(-?)\d+(?=\D*$)")


def images_of(folder: Path) -> list[Path]:
    """Returns the images of a folder in the order of the numbers in their names: frame_2 before frame_10.

    A dash is a sign where some names have one before their last number, and others have none there: t-2 before t1.
    """
    images = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_ENDINGS and path.name[0] != "."]
    ends = [LAST_NUMBER.search(path.stem) for path in images]
    if {end and end[1] for end in ends} == {"", "-"} and len({LAST_NUMBER.sub("", path.stem) for path in images}) == 1:
        return sorted(images, key=lambda path: [int(end[0]) for end in LAST_NUMBER.finditer(path.stem)])
    return sorted(images, key=lambda path: natural_key(path.name))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Returns what sorts names as people do: by the numbers in them.

    >>> sorted(["b10", "b9", "a11"], key=natural_key)
    ['a11', 'b9', 'b10']
    """
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def missing_numbers(images: list[Path]) -> list[int]:
    """Returns the numbers that a sequence of images lacks between its first and its last, if it has one number each.

    >>> missing_numbers([Path(f"frame_{number}.png") for number in (1, 2, 5, 6)])
    [3, 4]
    >>> missing_numbers([Path(f"{number:04}.png") for number in (0, 5, 10, 15)])  # each fifth frame was written
    []
    >>> missing_numbers([Path(f"{number}.png") for number in (1, 3, 4)])
    [2]
    >>> missing_numbers([Path(f"{milliseconds}.png") for milliseconds in (0, 33, 67, 100, 133)])
    []
    """
    texts = [re.findall(r"\d+", path.stem) for path in images]
    if not all(texts) or len({re.sub(r"\d+$|\d+(?=\D*$)", "", path.stem) for path in images}) != 1:
        return []
    numbers = [int(each[-1]) for each in texts]
    steps = np.diff(numbers)
    step = int(steps.min()) if len(steps) else 0
    if step < 1 or (steps % step).any():
        return []
    return sorted(set(range(numbers[0], numbers[-1], step)) - set(numbers))


def folder_values(folder: Path, notice: Notice) -> Iterator[np.ndarray]:
    """Yields the images of a folder, (height, width, channels), grey or RGB, of the type that they are stored in."""
    images = images_of(folder)
    if missing := missing_numbers(images):
        notice(f"{counted(len(missing), 'image')} missing in the sequence, number {listed([*map(str, missing)])}")
    for path in images:
        yield read_image(path)


def read_image(path: Path) -> np.ndarray:
    """Returns an image, (height, width, channels), grey or RGB, of its stored type, as the camera was held.

    Raises:
        VideoDataError: it is empty, truncated, damaged or no image.
    """
    data = path.read_bytes()
    if data[:4] in TIFF:
        return next(stack_values(path))
    is_jpeg = data[:2] == b"\xff\xd8"
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR if is_jpeg else cv2.IMREAD_UNCHANGED
    frame = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if frame is None or not _whole(data):
        what = "cannot be decoded: it is empty, truncated, damaged or no image"
        raise refused(path, what, f"{len(data)} bytes", "Restore or convert it (to png), or leave it out.")
    if not is_jpeg and any(mark in data for mark in ORIENTATION_MARKS):  # OpenCV turns none that may be transparent
        with suppress(*UNREADABLE), Image.open(io.BytesIO(data)) as image:
            frame = _turned(frame, _orientation(image))
    return _rgb(frame)


def is_stack(path: Path) -> bool:
    """Returns whether a file is a TIFF of several pages, or an image that moves or is damaged."""
    try:
        if path.suffix.lower() in STACK_ENDINGS:
            with tifffile.TiffFile(path) as file:
                return _pages_of_time(file, file.series[0]) > 1
        if path.suffix.lower() in (*ANIMATED_ENDINGS, *UNSURE_ENDINGS):
            with Image.open(path) as image:
                return bool(getattr(image, "is_animated", False))
    except (OSError, ValueError, tifffile.TiffFileError, IndexError):
        return path.suffix.lower() in UNSURE_ENDINGS
    return False


def stacks_in(path: Path) -> int | None:
    """Returns how many videos a TIFF holds, such as the positions of a microscope; None: one, or the file is none.

    Raises:
        VideoDataError: it is damaged.
    """
    if path.suffix.lower() not in STACK_ENDINGS or not path.is_file():
        return None
    try:
        with tifffile.TiffFile(path) as file:
            several = len(_stacks(file))
    except (tifffile.TiffFileError, OSError, ValueError, IndexError) as error:
        raise refused(path, "cannot be decoded: it is truncated or damaged", str(error)) from error
    return several if several > 1 else None


def stack_values(path: Path, keep_alpha: bool = False, item: int = 0) -> Iterator[np.ndarray]:
    """Yields the pictures of a TIFF stack, (height, width, channels), of the type that they are stored in.

    Args:
        keep_alpha: whether transparency stays a fourth channel. Default: colours are shown on black.
        item: which of several stacks.

    Raises:
        VideoDataError: it is damaged, or has two axes that may be its time.
    """
    try:
        with tifffile.TiffFile(path) as file:
            series = _stacks(file)[item]
            times = _pages_of_time(file, series)
            if times == 0:
                received = f"axes {series.axes} of {series.shape}"
                raise refused(path, "has two axes that may be its time", received, "Write one stack for each of one.")
            first = series.keyframe
            singly = _written_singly(file)
            pages = [each.pages[0] for each in singly] or series.pages
            memory: np.ndarray | None = None
            if series.dataoffset is not None and not singly:
                number = file.series.index(series)
                memory = tifffile.memmap(path, series=number, mode="r").reshape(-1, *first.shape)
            for of_one in np.arange(times)[:, np.newaxis] if singly else _numbers(series, times):
                found = [
                    _page(path, pages[n], first) if memory is None else _shown(np.array(memory[n]), first)
                    for n in of_one
                ]
                picture = _channels_last(found[0] if len(found) == 1 else np.stack(found, axis=-1))
                with_alpha = first.photometric == tifffile.PHOTOMETRIC.RGB and first.samplesperpixel == 4
                yield _on_black(picture) if with_alpha and not keep_alpha else picture
    except (tifffile.TiffFileError, OSError, ValueError, IndexError) as error:
        if isinstance(error, VideoDataError):
            raise
        raise refused(path, "cannot be decoded: it is truncated or damaged", str(error)) from error


def animated_frames(path: Path) -> Iterator[Timed]:
    """Yields the frames of an animated image, RGB on black, as the camera was held, each as long as the file states.

    Raises:
        VideoDataError: it is truncated or damaged.
    """
    time = 0.0
    try:
        with Image.open(path) as image:
            orientation = _orientation(image)
            apart = bool(getattr(image, "default_image", False))  # shown by what cannot play the others
            for each in itertools.islice(ImageSequence.Iterator(image), int(apart), None):
                canvas = Image.new("RGBA", each.size, (0, 0, 0, 255))
                canvas.alpha_composite(each.convert("RGBA"))
                stated = each.info.get("duration", 0) / 1000
                duration = stated if stated >= LEAST_DURATION else 0.1
                yield Timed(time, _turned(np.array(canvas.convert("RGB")), orientation), duration)
                time += duration
    except UNREADABLE as error:
        if isinstance(error, VideoDataError):
            raise
        raise refused(path, "is truncated, damaged, or no image", f"{path.stat().st_size} bytes ({error})") from error


def _stacks(file: tifffile.TiffFile) -> list[Any]:
    """The series of a TIFF that are videos: one, but for several positions; thumbnails are of another size."""
    first = file.series[0]
    if _written_singly(file):
        return [first]
    alike = (each for each in file.series if each.keyframe.shape == first.keyframe.shape)
    return [each for each in alike if _pages_of_time(file, each) > 1] or [first]


def _pages_of_time(file: tifffile.TiffFile, series: Any) -> int:
    """How many pictures of a series of a TIFF follow each other; 0 if two of its axes may be the time."""
    if singly := _written_singly(file):
        return len(singly)
    along = [size for axis, size in zip(series.axes, series.shape, strict=True) if axis not in "YXSC" and size > 1]
    if not along and _planes(series) > MOST_CHANNELS:
        return _planes(series)  # ImageJ takes the first axis for channels
    return 0 if len(along) > 1 else (along or [1])[0]


def _written_singly(file: tifffile.TiffFile) -> list[Any]:
    """The pictures that were appended each alone, none of which knows that others follow; thumbnails are none."""
    alike = [each for each in file.series if each.shape == file.series[0].shape]
    return alike if len(alike) > 1 and set(file.series[0].axes) <= set("YXS") else []


def _numbers(series: Any, times: int) -> np.ndarray:
    """The numbers of the pages of each picture, (times, pages), whichever axis is the time."""
    axes = series.axes[: len(series.shape) - len(series.keyframe.shape)]
    pages = np.arange(math.prod(series.shape[: len(axes)])).reshape(series.shape[: len(axes)])
    if "C" in axes and times != _planes(series):
        pages = np.moveaxis(pages, axes.index("C"), -1)
    return pages.reshape(times, -1)


def _planes(series: Any) -> int:
    """How many pages of a TIFF are the channels of one picture."""
    place = series.axes.find("C")
    return int(series.shape[place]) if 0 <= place < series.axes.find("Y") else 1


def _page(path: Path, page: Any, first: Any) -> np.ndarray:
    """A page of a TIFF; OpenCV reads the compressions that tifffile leaves to another package."""
    try:
        return _shown(page.asarray(), first)
    except ValueError:
        found, pages = cv2.imreadmulti(str(path), start=int(page.index), count=1, flags=cv2.IMREAD_UNCHANGED)
        if not found:
            raise
        return _rgb(pages[0])


def _shown(values: np.ndarray, page: Any) -> np.ndarray:
    """What the numbers of a page mean: colours of a palette, or grey of which white may be zero."""
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        colours = page.colormap.T  # of 16 bits, or in some files of 8
        return (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)[values]
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and values.dtype.kind in "ub":
        return ~values if values.dtype == np.bool_ else (1 << page.bitspersample) - 1 - values
    return values


def _channels_last(picture: np.ndarray) -> np.ndarray:
    if picture.ndim == 2:
        return picture[..., np.newaxis]
    if picture.shape[0] in (3, 4) and picture.shape[2] > 4:  # planes of colours
        picture = np.moveaxis(picture, 0, -1)
    return picture


def _orientation(image: Image.Image) -> int:
    """How the camera was held, as EXIF counts it; 1: upright, or not to be read."""
    with suppress(*UNREADABLE):
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    return 1


def _turned(frame: np.ndarray, orientation: int) -> np.ndarray:
    """The frame of an image as the camera was held."""
    if orientation in (5, 6, 7, 8):
        frame = frame.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        frame = frame[::-1]
    return np.ascontiguousarray(frame[:, ::-1] if orientation in (2, 3, 6, 7) else frame)


def _rgb(frame: np.ndarray) -> np.ndarray:
    """OpenCV's blue, green, red and transparency as RGB on black, or one channel."""
    if frame.ndim == 2:
        return frame[..., np.newaxis]
    return np.ascontiguousarray((_on_black(frame) if frame.shape[2] == 4 else frame)[..., ::-1])


def _on_black(frame: np.ndarray) -> np.ndarray:
    """The colours of a picture with transparency, its last channel."""
    opaque = np.iinfo(frame.dtype).max if frame.dtype.kind == "u" else 1.0
    colours, alpha = frame[..., :3], frame[..., 3:]
    return (colours * (alpha / opaque)).astype(frame.dtype) if (alpha != opaque).any() else colours


def _whole(data: bytes) -> bool:
    """Whether an image has its end: decoders fill up what is missing in grey."""
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data[-64:] or b"IEND" in data
    return True
