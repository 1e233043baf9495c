"""Which of the user's recordings are learned from, and which are held out, where the lists do not say."""

from collections import Counter
from collections.abc import Sequence
from os.path import commonpath
from typing import Literal

from data.splits import assign_split, stable_fraction
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recording_entries import Entry

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
MANY_SPEAKERS = 10  # so many are kept apart; of fewer, each would be too large a part
FEWEST_GROUPS = 10  # of train, from which a missing split is set aside

SplitBy = Literal["auto", "speaker", "text", "recording"]


def with_splits(entries: Sequence[Entry], by: SplitBy = "auto") -> tuple[list[Entry], list[str]]:
    """Returns the recordings with a split each, and what was done.

    What the lists say stays. If no row names a split, 10 % each are set aside for validation and test by a stable hash;
    if only one of the two is missing, 10 % for that. They are 10 % of the speakers where there are many, else of the
    texts. Where a few texts occur again and again, as commands do, they are 10 % of the speakers however few, or of the
    recordings if the speakers are unknown.

    Args:
        entries: the recordings.
        by: what is kept on one side. auto: as above.

    Raises:
        SpeechDataError: some rows name a split and others do not, or the speakers are unknown.

    Example:
        >>> from pathlib import Path
        >>> found, notes = with_splits([Entry(f"{n}", Path(f"{n}.wav"), f"text {n}") for n in range(100)])
        >>> sorted({entry.split for entry in found})
        ['test', 'train', 'validation']
    """
    given = {entry.split for entry in entries}
    if "" in given and len(given) > 1:
        wrong = next(entry for entry in entries if not entry.split)
        raise SpeechDataError(
            f"{wrong.row}: expected a `split` of {', '.join(SHARES)} in every row, or in none. Correct it. "
            "Received: None"
        )
    pool = [entry for entry in entries if entry.split in ("", "train")]
    missing = [split for split in SHARES if split not in given]
    if not missing or not pool or given == {"train"}:
        return list(entries), []
    what, groups = _groups(pool, by)
    if given != {""} and len(set(groups)) < FEWEST_GROUPS:
        return list(entries), []
    wanted = (
        SHARES
        if given == {""}
        else {"train": 1 - sum(SHARES[name] for name in missing)} | {name: SHARES[name] for name in missing}
    )
    splits = dict(zip((id(entry) for entry in pool), _assigned(groups, wanted), strict=True))
    found = [entry._replace(split=splits.get(id(entry), entry.split)) for entry in entries]
    return found, [_note(found, what, dict(zip((entry.key for entry in pool), groups, strict=True)), list(wanted))]


def _groups(entries: Sequence[Entry], by: SplitBy) -> tuple[str, list[str]]:
    """Returns what is kept on one side, and each recording's group."""
    speakers = [entry.speaker for entry in entries]
    origin = "speaker"
    if not all(speakers):
        speakers, origin = _folders(entries), "speaker, by folder"
    texts = [entry.text for entry in entries]
    few_texts = len(texts) >= 10 * len(set(texts)) or (len(set(texts)) < 10 and len(texts) >= 3 * len(set(texts)))
    if by == "speaker" and not all(speakers):
        raise SpeechDataError(
            "The recordings are to be split by speaker, and the speakers are unknown. Expected a column `speaker`, a "
            "file utt2spk, or a folder a speaker. Add them, or choose --data.split_by text. Received: no speakers"
        )
    is_many = all(speakers) and len(set(speakers)) >= (len(SHARES) if few_texts else MANY_SPEAKERS)
    if by == "speaker" or (by == "auto" and is_many):
        return origin, speakers
    if by == "text" or (by == "auto" and not few_texts):
        return "text", texts
    return "recording", [entry.key for entry in entries]


def _folders(entries: Sequence[Entry]) -> list[str]:
    """Returns the first folder in which the recordings differ, of each; "" if that tells no speakers.

    A folder of one text only stands for the text, and one of a single recording for the recording.
    """
    parents = [entry.path.absolute().parent for entry in entries]
    common = commonpath(parents)
    folders = [(*parent.relative_to(common).parts, "")[0] for parent in parents]
    texts = {(folder, entry.text) for folder, entry in zip(folders, entries, strict=True)}
    distinct = set(folders)
    tells = "" not in distinct and len(entries) >= 2 * len(distinct) and len(texts) >= 2 * len(distinct)
    return folders if tells else [""] * len(entries)


def _assigned(groups: Sequence[str], shares: dict[str, float]) -> list[str]:
    """Returns the split of each recording: by the hash of its group, or by rank where that is uneven."""
    sizes = Counter(groups)
    splits = {group: assign_split(group, shares) for group in sizes}
    counts = Counter(splits[group] for group in groups)
    uneven = any(not share / 2 <= counts[split] / len(groups) <= 2 * share for split, share in shares.items())
    if uneven and len(sizes) >= len(shares):
        splits = dict.fromkeys(sizes, "train")
        ranked = sorted(sizes, key=stable_fraction)
        for split in [name for name in shares if name != "train"]:
            target, filled = shares[split] * len(groups), 0
            free = [group for group in ranked if splits[group] == "train"]
            for group in free[: len(free) - 1]:
                if not filled or (filled < target and filled + sizes[group] <= 1.5 * target):
                    if not filled and sizes[group] > 1.5 * target:
                        group = min(free, key=lambda each: (sizes[each], stable_fraction(each)))
                    splits[group], filled = split, filled + sizes[group]
    return [splits[group] for group in groups]


def _note(entries: Sequence[Entry], what: str, groups: dict[str, str], splits: Sequence[str]) -> str:
    parts = []
    for split in splits:
        inside = [entry for entry in entries if entry.split == split]
        number = len({groups[entry.key] for entry in inside if entry.key in groups})
        parts.append(f"{split} {len(inside)} recordings of {number}")
    texts = {split: {entry.text for entry in entries if entry.split == split} for split in ("train", "test")}
    shared = len(texts["train"] & texts["test"])
    both = f" {shared} of {len(texts['test'])} texts of test are also in train." if shared else ""
    advice = " Name the speakers, so that they can be kept apart." if what == "recording" else ""
    return f"Split by {what}: {', '.join(parts)}.{both}{advice}"
