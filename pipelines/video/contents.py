"""What belongs together in the user's own videos: one class for a content, and one split for each group."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from data.splits import assign_split, stable_fraction
from pipelines.hints import counted
from pipelines.video.frames import VideoDataError
from pipelines.video.video_folders import SPLITS, Entry

SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}  # of the videos that nobody has split
SALT = "videos"


def contradictions(entries: Sequence[Entry], contents: Sequence[str]) -> list[str]:
    """Returns for each entry why it cannot be learned: the same part of the same video has another class; else "".

    Args:
        contents: of each what is the same for copies of its video.
    """
    parts = defaultdict(list)
    for entry, content in zip(entries, contents, strict=True):
        parts[content, entry.part[1:]].append(entry)
    reasons = []
    for entry, content in zip(entries, contents, strict=True):
        others = [each for each in parts[content, entry.part[1:]] if each.label != entry.label]
        named = ", ".join(f"{each.key} ({each.label})" for each in others)
        reasons.append(f"{entry.label} here, but the same video is of another class in {named}" if others else "")
    return reasons


def grouped(entries: Sequence[Entry], pattern: str) -> list[Entry]:
    """Returns entries whose groups are what a pattern finds in their names, where they have none yet.

    Args:
        pattern: a regular expression; of one with parentheses, what these find.

    Raises:
        VideoDataError: the pattern is no regular expression, or fits no name.

    >>> from pipelines.video.shards import Part
    >>> from pathlib import Path
    >>> [each.group for each in grouped([Entry("v_left_g01_c02.avi", Part(Path("v")), "left")], r"g(\\d+)_c")]
    ['01']
    """
    try:
        matches = [re.search(pattern, entry.key) for entry in entries]
    except re.error as error:
        raise VideoDataError(
            f"data.group: expected a regular expression, such as g(\\d+)_c. Correct it. Received: {pattern!r} ({error})"
        ) from error
    if not any(matches):
        raise VideoDataError(
            "data.group: the pattern fits no name; expected one that finds what videos of one recording have in "
            f"common. Correct it. Received: {pattern!r}, and names such as {entries[0].key if entries else 'none'}"
        )
    found = [" ".join(filter(None, match.groups())) or match[0] if match else "" for match in matches]
    return [entry if entry.group else entry._replace(group=group) for entry, group in zip(entries, found, strict=True)]


def splits_of(entries: Sequence[Entry], contents: Sequence[str]) -> list[str]:
    """Returns the split of each entry; all parts and copies of a video, and all of a group, are on one side.

    What no entry has split is put, class by class, in the order of a hash of its content or of its group, and cut
    where the hash passes the shares. Where that would leave a split without any of the class, the cut moves by as many
    as it must. If entries are split, but none for validation or none for test, that is cut out of training alike.

    Args:
        contents: of each what is the same for copies of its video.

    Raises:
        VideoDataError: two entries put one video, or one group, into two splits.
    """
    units = _units(entries, contents)
    stated: dict[str, Entry] = {}
    for entry, unit in zip(entries, units, strict=True):
        if entry.split and stated.setdefault(unit, entry).split != entry.split:
            other = stated[unit]
            what = "a group" if entry.group and entry.group == other.group else "a video"
            raise VideoDataError(
                f"{entry.row or entry.key} puts {what} into {entry.split} that {other.row or other.key} puts into "
                f"{other.split}; expected all parts and copies of a video, and all of a group, in one split, else it "
                f"would be tested on what it learned. Correct one. Received: {entry.key}"
            )
    found = {unit: entry.split for unit, entry in stated.items()}
    shares = SHARES
    missing = [split for split in SPLITS if split not in found.values()]
    if found and "train" not in missing and missing and len(found) == len(set(units)):
        learned = [unit for unit in found if found[unit] == "train"]
        if len(learned) > len(missing):
            found = {unit: split for unit, split in found.items() if split != "train"}
            rest = sum(SHARES[split] for split in ("train", *missing))
            shares = {split: SHARES[split] / rest if split in ("train", *missing) else 0.0 for split in SPLITS}
            print(f"No video is in the split {' and '.join(missing)}: cut out of train.", flush=True)
    classes = defaultdict(set)
    for entry, unit in zip(entries, units, strict=True):
        classes[unit].add(entry.label)
    strata = defaultdict(list)
    for unit in sorted(set(units) - found.keys(), key=lambda unit: stable_fraction(SALT + unit)):
        strata[tuple(sorted(classes[unit]))].append(unit)
    counts = Counter(found.values())
    for labels, ordered in sorted(strata.items()):
        taken = {split for unit, split in found.items() if classes[unit] & set(labels)}
        taken |= {split for split in SPLITS if not shares[split]}
        wanted = [
            split for split in ("train", *sorted(SPLITS[1:], key=lambda split: counts[split])) if split not in taken
        ]
        cut = _cut(ordered, wanted[: len(ordered)], shares)
        found |= zip(ordered, cut, strict=True)
        counts.update(cut)
    return [found[unit] for unit in units]


def alike_names(keys: dict[str, list[str]]) -> str:
    """Returns a notice if names on both sides of a split differ in their last number only, as parts of a recording do.

    >>> alike_names({"train": ["g01_c01.avi", "g02_c01.avi"], "test": ["g01_c02.avi", "g02_c02.avi"]})
    '2 names differ in their last number only from one in another split, such as g01_c01.avi and g01_c02.avi. ...'
    """
    stems: dict[str, dict[str, str]] = defaultdict(dict)
    for split, names in keys.items():
        for name in names:
            stem = re.sub(r"\d+(?=\D*$)", "", name.rpartition(" [")[0] or name)
            if re.search(r"\d", stem.rpartition("/")[2]):  # a number is left that may be that of a recording
                stems[stem].setdefault(split, name)
    both = [list(each.values()) for each in stems.values() if len(each) > 1]
    if not both:
        return ""
    return (
        f"{counted(len(both), 'name')} differ in their last number only from one in another split, such as "
        f"{both[0][0]} and {both[0][1]}. If they are cut from one recording, keep them together: --data.group with a "
        "regular expression such as g(\\d+)_c, or a column group."
    )


def _units(entries: Sequence[Entry], contents: Sequence[str]) -> list[str]:
    """What decides the split of each entry: its content, or its group, closed over copies in several groups."""
    leaders: dict[str, str] = {}

    def leader(name: str) -> str:
        while leaders.setdefault(name, name) != name:
            name = leaders[name]
        return name

    groups = [f"group {entry.group}" if entry.group else "" for entry in entries]
    names = [(content, group or content) for group, content in zip(groups, contents, strict=True)]
    for content, group in names:
        first, second = sorted((leader(content), leader(group)), key=lambda name: (not name.startswith("group "), name))
        leaders[second] = first
    return [leader(content) for content, _ in names]


def _cut(ordered: list[str], least: list[str], shares: dict[str, float]) -> list[str]:
    """The splits of units in the order of their hashes, with one at least of each that is wanted."""
    natural = [assign_split(unit, shares, SALT) for unit in ordered]
    train, test = int("train" in least), int("test" in least)
    validation = int("validation" in least)
    first = min(max(natural.count("train"), train), len(ordered) - validation - test)
    second = len(ordered) - natural.count("test")
    second = min(max(second, first + validation), len(ordered) - test)
    return ["train"] * first + ["validation"] * (second - first) + ["test"] * (len(ordered) - second)
