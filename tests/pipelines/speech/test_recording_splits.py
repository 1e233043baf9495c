"""How recordings are split where their lists do not tell, and splits that the user names."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.data import DataConfiguration, open_source
from pipelines.speech.recording_entries import Entry
from pipelines.speech.recording_splits import with_splits
from pipelines.speech.user_recordings import FileSource
from tests.pipelines.speech.written_lists import lines


def entries_of(speakers: int, texts: int, number: int = 300, known: bool = True) -> list[Entry]:
    random = np.random.default_rng(0)
    return [
        Entry(str(n), Path(f"{n}.wav"), f"text {n % texts}", speaker=f"s{random.integers(speakers)}" if known else "")
        for n in range(number)
    ]


@pytest.mark.parametrize(
    ("entries", "apart", "said"),
    [
        (entries_of(60, 300), "speaker", "Split by speaker: "),
        (entries_of(12, 300), "speaker", "Split by speaker: "),
        (entries_of(1, 300), "text", "Split by text: "),
        (entries_of(3, 100), "text", "Split by text: "),
        (entries_of(40, 100, known=False), "text", "Split by text: "),
        (entries_of(60, 2), "speaker", "Split by speaker: "),
        (entries_of(4, 2), "speaker", "Split by speaker: "),
        (entries_of(60, 2, known=False), "key", "Split by recording: "),
        (entries_of(1, 12, 12), "text", "Split by text: "),
    ],
)
def test_what_is_kept_on_one_side(entries: list[Entry], apart: str, said: str) -> None:
    found, (note,) = with_splits(entries)
    assert note.startswith(said)
    sides: dict[str, set[str]] = {}
    for entry in found:
        sides.setdefault(getattr(entry, apart), set()).add(entry.split)
    assert all(len(splits) == 1 for splits in sides.values())
    shares = [sum(entry.split == split for entry in found) / len(found) for split in ("train", "validation", "test")]
    assert min(shares) > 0.03
    if len(entries) == 300 and len(sides) > 10:
        assert shares[0] > 0.6
    assert {entry.key: entry.split for entry in with_splits(entries[::-1])[0]} == {e.key: e.split for e in found}


def test_folders_of_speakers_are_kept_apart_and_folders_of_words_are_not_taken_for_them() -> None:
    words = ["yes", "no"]
    by_speaker = [
        Entry(f"{s}{w}{n}", Path(f"c/s{s}/{w}{n}.wav"), w) for s in range(12) for w in words for n in range(4)
    ]
    found, (note,) = with_splits(by_speaker)
    assert note.startswith("Split by speaker, by folder: ")
    assert all(len({entry.split for entry in found if entry.path.parts[1] == f"s{s}"}) == 1 for s in range(12))
    by_word = [Entry(f"{w}{n}", Path(f"c/{w}/{n}.wav"), w) for w in words for n in range(40)]
    assert with_splits(by_word)[1][0].startswith("Split by recording: ")
    with pytest.raises(SpeechDataError, match="the speakers are unknown"):
        with_splits(by_word, "speaker")


def test_a_missing_split_is_set_aside_and_the_given_ones_stay() -> None:
    given = [entry._replace(split="test" if n % 10 == 0 else "train") for n, entry in enumerate(entries_of(1, 300))]
    found, (note,) = with_splits(given)
    assert [entry for entry in found if entry.split == "test"] == [entry for entry in given if entry.split == "test"]
    assert 0.05 < sum(entry.split == "validation" for entry in found) / 300 < 0.2
    assert note.startswith("Split by text: train ")
    assert with_splits(found) == (found, [])


def test_a_run_of_the_version_before_keeps_its_split() -> None:
    assert DataConfiguration().split_by == "auto"
    assert DataConfiguration.from_json('{"source": "manifest", "path": "all.jsonl"}').split_by == "text"
    assert DataConfiguration.from_json(DataConfiguration().to_json()).split_by == "auto"


def test_lists_of_ones_own_to_validate_and_to_test_on(folder: Path) -> None:
    def write(name: str, texts: list[str]) -> str:
        rows = [f"{n % 4}.wav,{text}" for n, text in enumerate(texts)]
        (folder / f"{name}.csv").write_text(lines("path,text", *rows))
        return str(folder / f"{name}.csv")

    path = write("all", [f"{letter} {other}" for letter in "abcdef" for other in "abcdef"])
    configuration = DataConfiguration(source="manifest", path=path, test=write("mine", ["x", "y"]))
    source = open_source(configuration, 8000)
    assert isinstance(source, FileSource)
    assert [entry.text for entry in source.entries if entry.split == "test"] == ["x", "y"]
    assert {entry.split for entry in source.entries} == {"train", "validation", "test"}
    configuration = DataConfiguration(source="manifest", path=path, test=path, validation=write("other", ["z"]))
    with pytest.warns(UserWarning, match="36 sentences are in train and in test"):
        open_source(configuration, 8000)
    with pytest.raises(ConfigurationError, match=r"data\.test: the source telephone_prompts has recordings of its own"):
        open_source(DataConfiguration(test=path), 8000)
