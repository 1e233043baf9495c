"""What is said of the user's own videos, put together by their content: one class each, and one split each."""

from collections import defaultdict
from collections.abc import Sequence

from data.splits import assign_split, stable_fraction
from pipelines.video.video_files import VideoDataError
from pipelines.video.video_lists import SPLITS, Entry

SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}  # of the videos that nobody has split
SALT = "videos"


def contradictions(entries: Sequence[Entry], contents: Sequence[str]) -> list[str]:
    """Returns for each entry why it cannot be learned: the same part of the same video has another class; else "".

    Args:
        entries: videos, or parts of them.
        contents: of each what is the same for copies of its video.
    """
    parts = defaultdict(list)
    for entry, content in zip(entries, contents, strict=True):
        parts[content, entry.start, entry.end].append(entry)
    reasons = []
    for entry, content in zip(entries, contents, strict=True):
        others = [each for each in parts[content, entry.start, entry.end] if each.label != entry.label]
        named = ", ".join(f"{each.key} ({each.label})" for each in others)
        reasons.append(f"{entry.label} here, but the same video is of another class in {named}" if others else "")
    return reasons


def splits_of(entries: Sequence[Entry], contents: Sequence[str]) -> list[str]:
    """Returns the split of each entry; all parts and all copies of a video are on one side.

    Videos that no entry has split are put in the order of a hash of their content, and cut where the hash passes the
    shares. Where that would leave a split without any video, the cut moves by as many as it must.

    Args:
        entries: videos, or parts of them.
        contents: of each what is the same for copies of its video.

    Raises:
        VideoDataError: two entries put one video into two splits.
    """
    said: dict[str, Entry] = {}
    for entry, content in zip(entries, contents, strict=True):
        if entry.split and said.setdefault(content, entry).split != entry.split:
            raise VideoDataError(
                f"{entry.row} puts a video into {entry.split} that {said[content].row} puts into "
                f"{said[content].split}; expected all parts and copies of a video in one split, else it would be "
                f"tested on what it learned. Correct one. Received: {entry.key}"
            )
    found = {content: entry.split for content, entry in said.items()}
    free = sorted(set(contents) - found.keys(), key=lambda content: stable_fraction(SALT + content))
    found |= zip(free, _cut(free, set(found.values())), strict=True)
    return [found[content] for content in contents]


def _cut(ordered: list[str], taken: set[str]) -> list[str]:
    """The splits of contents in the order of their hashes, none empty but those already taken, if there are enough."""
    natural = [assign_split(content, SHARES, SALT) for content in ordered]
    least = [int(split not in taken) for split in SPLITS]
    if sum(least) > len(ordered):
        return natural
    first = min(max(natural.count("train"), least[0]), len(ordered) - least[1] - least[2])
    second = len(ordered) - natural.count("test")
    second = min(max(second, first + least[1]), len(ordered) - least[2])
    return ["train"] * first + ["validation"] * (second - first) + ["test"] * (len(ordered) - second)
