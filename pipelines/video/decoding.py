"""Many videos decoded at once, on the processors there are, with what that needs on the disk stated before."""

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

from data.packages import cache_directory
from pipelines.hints import counted
from pipelines.versions import cores
from pipelines.video import shards
from pipelines.video.frames import DecodingConfiguration, VideoDataError
from pipelines.video.shards import Part, Shard
from pipelines.video.video_files import Extremes, extremes_of, found_range, is_container, properties_of

Got = TypeVar("Got")

GIGABYTE = 1e9
WORTH_SAYING = 0.5  # gigabytes


def decode_all(parts: Sequence[Part], configuration: DecodingConfiguration) -> list[Shard | VideoDataError]:
    """Returns the shard of each video, decoded now or before, or what is wrong with it.

    Raises:
        VideoDataError: the disk is too small for all of them.
    """
    processors = cores()
    with ThreadPoolExecutor(processors) as pool:
        found = list(pool.map(lambda part: _attempt(lambda: shards.known(part, configuration)), parts))
        missing = [place for place, each in enumerate(found) if each is None]
        if not missing:
            return [each for each in found if each is not None]
        seconds = list(pool.map(lambda place: _seconds(parts[place], configuration), missing))
        _refuse_full_disk(sum(frames for _, frames in seconds), len(missing), configuration)
        start, lock = time.perf_counter(), threading.Lock()
        threads = 1 if len(missing) >= processors else 0
        with Progress(transient=True, disable=not Console().is_terminal) as progress:
            task = progress.add_task(
                f"Decoding {counted(len(missing), 'video')}", total=sum(each for each, _ in seconds)
            )

            def decode(place: int) -> Shard | VideoDataError:
                done = 0.0

                def reached(now: float) -> None:
                    nonlocal done
                    with lock:
                        progress.advance(task, now - done)
                    done = now

                return _attempt(lambda: shards.decoded(parts[place], configuration, threads, reached))

            for place, each in zip(missing, pool.map(decode, missing), strict=True):
                found[place] = each
    print(f"Decoded {counted(len(missing), 'video')} in {time.perf_counter() - start:.0f} s.", flush=True)
    return [each for each in found if each is not None]


def with_range(parts: Sequence[Part], configuration: DecodingConfiguration) -> DecodingConfiguration:
    """Returns a configuration with the range of all videos of more than 8 bits together, if there are any."""
    if configuration.value_range:
        return configuration
    ranges = [each for each in (_extremes(part, configuration) for part in parts) if each is not None]
    if not ranges:
        return configuration
    low, high = found_range(ranges, "The videos")
    print(
        f"Values from {low:g} (black) to {high:g} (white), as found in {counted(len(ranges), 'video')}; "
        "--data.value_range states others.",
        flush=True,
    )
    return configuration.replace(value_range=(low, high))


def _extremes(part: Part, configuration: DecodingConfiguration) -> Extremes | None:
    """The extremes of a video, found once; None of what has 8 bits or cannot be read, which decoding reports."""
    if is_container(part.path):
        return None
    try:
        key = ("extremes", str(part.path), shards.changed(part.path), part.item, configuration.variable)
        found = shards.remembered(key, lambda: extremes_of(part.path, configuration, part.item))
    except (VideoDataError, OSError):
        return None
    return None if found is None else Extremes(*found)


def _attempt(get: Callable[[], Got]) -> Got | VideoDataError:
    """What is got, or the error that states why it cannot be."""
    try:
        return get()
    except VideoDataError as error:
        return error


def _seconds(part: Part, configuration: DecodingConfiguration) -> tuple[float, float]:
    """About how many seconds and frames a part has; none of what cannot be opened."""
    try:
        stated = properties_of(part.path, configuration)
    except VideoDataError:
        return 0.0, 0.0
    seconds = max(0.0, min(part.end, stated.seconds) - part.start)
    return seconds, seconds * (configuration.frame_rate or stated.rate)


def _refuse_full_disk(frames: float, videos: int, configuration: DecodingConfiguration) -> None:
    height, width, channels = configuration.frame_shape
    needed = frames * height * width * channels / GIGABYTE
    if needed < WORTH_SAYING:
        return
    folder = cache_directory()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(there).free / GIGABYTE
    stated = f"{counted(videos, 'video')} decoded to {height} × {width} pixels: about {needed:.1f} GB in {folder}"
    if needed > free:
        raise VideoDataError(
            f"{stated}; expected as much free. Choose a lower --data.frame_rate, --data.height and --data.width, or "
            f"another disk: set UNROLLED_CACHE. Received: {free:.1f} GB free"
        )
    print(f"{stated}, of which {free:.1f} GB are free.", flush=True)
