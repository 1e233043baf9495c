"""Videos of any kind, as files, folders of images or arrays, decoded to frames of one size, colour and rate."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.video import arrays, containers, image_files
from pipelines.video.arrays import is_array
from pipelines.video.containers import REMEDY, Notice, Properties, refused
from pipelines.video.frames import DecodingConfiguration, Timed, VideoDataError, depth_range, fit, resample, to_uint8
from pipelines.video.image_files import images_of, is_stack

VIDEO_ENDINGS = {
    *(".264", ".265", ".3g2", ".3gp", ".3gpp", ".amv", ".apng", ".asf", ".avi", ".avif", ".cine", ".dav", ".divx"),
    *(".dv", ".f4v", ".flc", ".fli", ".flv", ".gif", ".gxf", ".h264", ".h265", ".hevc", ".insv", ".ismv", ".ivf"),
    *(".lrv", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mj2", ".mjpeg", ".mjpg", ".mk3d", ".mkv", ".mod", ".mov"),
    *(".mp4", ".mp4v", ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut", ".obu", ".ogg", ".ogm", ".ogv", ".qt"),
    *(".rm", ".rmvb", ".tod", ".trp", ".ts", ".vob", ".vro", ".webm", ".wm", ".wmv", ".wtv", ".y4m"),
}
"""What names of videos end in, besides arrays and stacks of images; content decides how a file is read."""

HEADS = (b"\x1a\x45\xdf\xa3", b"FLV\x01", b"OggS", b"\x00\x00\x01\xba", b"DHAV", b"YUV4MPEG2", b"DKIF")
"""What the content of videos begins with, beside mp4 (ftyp) and avi, if their names have no ending."""


class Extremes(NamedTuple):
    """The least and the largest of all values of a video that has more than 8 bits, and whether all are whole."""

    low: float
    high: float
    whole: bool


def decode_timed(
    path: str | Path,
    start: float,
    end: float,
    item: int,
    configuration: DecodingConfiguration,
    threads: int = 0,
    notice: Notice | None = None,
) -> Iterator[Timed]:
    """Yields the frames of a video, each uint8 (height, width, channels); one at a time is held in memory.

    Args:
        path: a file of any format that FFmpeg reads, a folder of frame images, in the order of the numbers in their
            names, a TIFF stack, an animated image, or an array (npy, npz, HDF5, NetCDF,
            Zarr).
        start: seconds from the beginning, by the frames' own time stamps.
        end: seconds from the beginning; what lies after the video's end is not missed.
        item: which video of an array or a stack that holds several.
        configuration: what the frames are to be.
        threads: that decode one file; 0: as many as there are processors.
        notice: is told what was passed over or changed. Default: it is printed.

    Raises:
        VideoDataError: the video is missing, empty, truncated, of an unknown codec, or damaged; its frames change
            their size; its layout or range cannot be told; or nothing lies between start and end.

    Example:
        >>> import tempfile, cv2, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for number in range(3):
        ...         _ = cv2.imwrite(f"{folder}/{number}.png", np.full((48, 96, 3), number, np.uint8))
        ...     grey = DecodingConfiguration(height=8, width=8, colour="grey")
        ...     frames = list(decode_timed(folder, 0.0, float("inf"), 0, grey))
        >>> len(frames), frames[2].frame.shape, int(frames[2].frame.max())
        (3, (8, 8, 1), 2)
    """
    path = Path(path)
    refuse_missing(path)
    if item and not is_array(path) and item not in range(count := videos_in(path, configuration)):
        received = f"{count} videos, from 0" if count > 1 else "a file of one video"
        raise refused(path, f"has no video number {item}", received, "Correct the number, or leave it out.")
    notice = notice or (lambda text: print(f"{path}: {text}", flush=True))
    frames = _of_one_size(_frames(path, configuration, start, item, threads, notice), path)
    count = 0
    for each in resample(frames, configuration.frame_rate, start, end):
        yield each._replace(frame=fit(each.frame, configuration))
        count += 1
    if not count:
        span = "" if (start, end) == (0, float("inf")) else f" between {start:g} and {end:g} s"
        raise refused(path, f"holds no frame{span}", "0 frames", REMEDY if not span else "Correct start and end.")


def properties_of(path: Path, configuration: DecodingConfiguration) -> Properties:
    """Returns rate, length and size of a video as it states them; those of images and arrays are configured."""
    if is_container(path):
        found = containers.properties(path)
        return found if found.rate else found._replace(rate=configuration.image_rate)
    if is_array(path):
        with arrays.opened(path, configuration) as stored:
            return Properties(configuration.image_rate, stored.size("T") / configuration.image_rate)
    if path.is_dir():
        return Properties(configuration.image_rate, len(images_of(path)) / configuration.image_rate)
    count, end = 0, 0.0
    for each in _frames(path, configuration.replace(value_range=(0.0, 1.0)), 0.0, 0, 1, _silent):
        count, end = count + 1, each.time + each.duration
    return Properties(count / end if end else configuration.image_rate, end)


def extremes_of(path: Path, configuration: DecodingConfiguration, item: int = 0) -> Extremes | None:
    """Returns the extremes of a video's values; None if they have 8 bits, or if its codec knows their range."""
    if _is_animated(path) or is_container(path):
        return None
    low, high, whole = np.inf, -np.inf, True
    for values in _values(path, configuration, item, _silent):
        if values.dtype in (np.uint8, np.bool_):
            return None
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            whole = whole and (values.dtype.kind in "ui" or bool((finite == np.rint(finite)).all()))
    return Extremes(low, high, whole) if low <= high else None


def found_range(extremes: Iterable[Extremes], name: str) -> tuple[float, float]:
    """Returns what is black and what is white in videos that belong together.

    Whole numbers have the range of the camera with the fewest bits that hold them; others 0 to 1 if they are within.

    Raises:
        VideoDataError: other numbers, whose range must be stated.
    """
    every = list(extremes)
    low, high, whole = min(each.low for each in every), max(each.high for each in every), all(e.whole for e in every)
    if low >= 0 and whole and high > 1:
        return depth_range(high)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    raise VideoDataError(
        f"{name}: the range of the values is unclear; expected whole numbers from 0, or numbers from 0 to 1. State "
        f"what is black and what is white: --data.value_range {low:g} {high:g}. Received: {low:g} … {high:g}"
    )


def refuse_missing(path: Path) -> None:
    """Raises a `VideoDataError` if there is no video at the path, or an empty one."""
    if not path.exists():
        raise refused(path, "does not exist", "nothing of this name", "Correct the path.")
    if path.is_file() and not path.stat().st_size:
        raise refused(path, "is empty", "0 bytes")
    if path.is_dir() and not is_array(path) and not any(not is_video(each) for each in images_of(path)[:1]):
        inside = next((each for each in sorted(path.rglob("*")) if is_video(each)), None)
        if inside:
            remedy = "Move the videos out of the folder, or give each one's own path."
            raise refused(path, "holds videos instead of frame images", str(inside.relative_to(path)), remedy)
        raise refused(path, "holds no frame images", "0 files that end as images do", "Put frames there, or remove it.")


def videos_in(path: Path, configuration: DecodingConfiguration) -> int:
    """Returns how many videos there are at a path: one, but for some arrays and stacks.

    Raises:
        VideoDataError: there is none, or the file is damaged.
    """
    refuse_missing(path)
    return several_in(path, configuration) or 1


def several_in(path: Path, configuration: DecodingConfiguration) -> int | None:
    """Returns how many videos an array or a stack holds; None: it is one.

    Raises:
        VideoDataError: the file is damaged.
    """
    return arrays.videos_in(path, configuration) if is_array(path) else image_files.stacks_in(path)


def refuse_several(path: Path, configuration: DecodingConfiguration, remedy: str) -> None:
    """Refuses a file that holds several videos where one is expected; the remedy follows that word."""
    if (several := videos_in(path, configuration)) > 1:
        raise VideoDataError(f"{path} holds several videos; expected one{remedy}. Received: {several} videos")


def is_video(path: Path) -> bool:
    """Returns whether a file is a video: by its ending; without one, or where images end so too, by its content.

    Of folders a Zarr store is one; that of images is none here.
    """
    ending = path.suffix.lower()
    if is_array(path) or not path.is_file():
        return is_array(path)
    if ending in image_files.ANIMATED_ENDINGS and _is_content_of_video(path):  # as sites for short films name them
        return True
    if ending in image_files.IMAGE_ENDINGS:
        return is_stack(path)
    if ending in VIDEO_ENDINGS:
        return True
    return is_stack(path) if ending else _is_content_of_video(path)


def _head(path: Path) -> bytes:
    """The first bytes of a file, which tell its kind."""
    with path.open("rb") as file:
        return file.read(12)


def _is_content_of_video(path: Path) -> bool:
    head = _head(path)
    return head.startswith(HEADS) or head[4:8] == b"ftyp" or (head.startswith(b"RIFF") and head.endswith(b"AVI "))


def is_container(path: Path) -> bool:
    """Returns whether FFmpeg is to read a video."""
    ending = path.suffix.lower()
    plain = is_array(path) or ending in image_files.STACK_ENDINGS
    return path.is_file() and not plain and not _is_animated(path)


def _is_animated(path: Path) -> bool:
    """Whether a file is an image of a kind that may move, whatever its name."""
    if not path.is_file() or is_array(path):
        return False
    head = _head(path)
    return head.startswith((b"GIF8", b"\x89PNG")) or (head.startswith(b"RIFF") and head.endswith(b"WEBP"))


def _frames(
    path: Path, configuration: DecodingConfiguration, start: float, item: int, threads: int, notice: Notice
) -> Iterator[Timed]:
    """The frames of a video from one at or before the start on, of whatever size."""
    if _is_animated(path):
        yield from image_files.animated_frames(path)
        return
    if is_container(path):
        yield from containers.container_frames(path, start, threads, notice)
        return
    outside, seconds, shown = 0, 1 / configuration.image_rate, configuration.value_range
    for number, values in enumerate(_values(path, configuration, item, notice)):
        if values.dtype == np.bool_:
            values = values.astype(np.uint8) * np.uint8(255)
        if values.dtype != np.uint8 or configuration.value_range:
            if shown is None:
                found = extremes_of(path, configuration, item)
                shown = found_range([found], str(path)) if found else (0.0, 1.0)
                notice(f"values from {shown[0]:g} (black) to {shown[1]:g} (white), as found")
            values, missed = to_uint8(values, shown)
            outside += missed
        yield Timed(number * seconds, values, seconds)
    if outside:
        notice(f"{outside} values are missing or outside of {shown}, and shown as its nearest end")


def _values(path: Path, configuration: DecodingConfiguration, item: int, notice: Notice) -> Iterator[np.ndarray]:
    if is_array(path):
        return arrays.array_values(path, configuration, item, notice)
    if path.is_dir():
        return _of_one_type(image_files.folder_values(path, notice), path)
    return image_files.stack_values(path, bool(configuration.array_channels), item)


def _of_one_type(images: Iterable[np.ndarray], path: Path) -> Iterator[np.ndarray]:
    first = None
    for number, each in enumerate(images, 1):
        if first is not None and each.dtype != first:
            received = f"image {number} of {each.dtype} after {first}"
            raise refused(path, "has images of changing depth", received, "Convert them to one depth.")
        first = each.dtype
        yield each


def _of_one_size(frames: Iterable[Timed], path: Path) -> Iterator[Timed]:
    size = None
    for number, each in enumerate(frames, 1):
        if size is not None and each.frame.shape[:2] != size:
            received = f"frame {number} of {each.frame.shape[1]}×{each.frame.shape[0]} after {size[1]}×{size[0]} pixels"
            raise refused(path, "has frames of changing size", received, "Cut it there, or convert it to one size.")
        size = each.frame.shape[:2]
        yield each


def _silent(text: str) -> None:
    """Takes a notice that another reading of the same video gives."""
