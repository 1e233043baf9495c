"""Folders and trees of recordings as people have them: lists, texts and recordings are found in them."""

import json
from pathlib import Path

import pytest

from pipelines.speech.audio_files import SpeechDataError, load_audio
from pipelines.speech.given_recordings import given_recordings
from pipelines.speech.recording_entries import SPLIT_NAMES
from pipelines.speech.recording_folders import read_own
from pipelines.speech.user_recordings import manifest
from tests.pipelines.speech.written_lists import TEXTS, WriteTone, common_voice, kaldi, lines


def test_kaldi_segments(folder: Path) -> None:
    kaldi(folder)
    (folder / "segments").write_text("a utt3 0.1 0.25\nb utt3 0.3 -1\nc utt2 0 0.1\nd utt1 0 0.1\n")
    (folder / "text").write_text("a one\nb two\nc\n")
    entries, notes = read_own(folder)
    assert [(entry.key, entry.text) for entry in entries] == [("a", "one"), ("b", "two"), ("c", "")]
    assert [len(load_audio(entry.path, 8000, entry.offset, entry.duration)) for entry in entries] == [1200, 800, 800]
    assert notes[1] == "Without a row in `text`, left out: 1 (d …)."


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("wav.scp", "utt0 sox clips/0.wav -t wav - speed 1.1 |\n", r"wav\.scp, line 1 is a command.*not run.*speed"),
        ("wav.scp", "utt0 all.ark:17\n", r"wav\.scp, line 1 is a place in a Kaldi archive.*expected a file"),
        ("wav.scp", "utt0 clips/0.wav\nutt0 clips/1.wav\n", r"wav\.scp, line 2: expected a key of its own"),
        ("wav.scp", "utt0 clips/0.wav\n", r"text, line 2: .*wav\.scp does not have it.*'utt1'"),
        ("segments", "utt0 utt0 0.2 0.1\nutt1 utt1 0 1\nutt2 utt2 0 1\nutt3 utt3 0 1\n", r"segments, line 1: expected"),
        ("segments", "utt0 utt0 0 0.1\n", r"text, line 2: .*segments does not have it.*'utt1'"),
    ],
)  # fmt: skip
def test_each_bad_row_of_kaldi_is_named(folder: Path, file: str, content: str, message: str) -> None:
    kaldi(folder)
    (folder / file).write_text(content)
    with pytest.raises(SpeechDataError, match=message):
        read_own(folder)


def test_splits_of_trees(tmp_path: Path, write_tone: WriteTone) -> None:
    for n, split in enumerate(("train", "dev", "test")):
        write_tone(tmp_path / "aishell" / "wav" / split / f"S{n}" / f"{n}.wav", 0.1)
        write_tone(tmp_path / "tedlium" / split / "sph" / f"talk{n}.wav", 0.5)
        (tmp_path / "tedlium" / split / "stm").mkdir()
        (tmp_path / "tedlium" / split / "stm" / f"talk{n}.stm").write_text(f"talk{n} 1 s{n} 0.1 0.4 <o,f0> {split}\n")
        write_tone(tmp_path / "sphinx" / "wav" / f"{n}.wav", 0.1)
        for kind, text in (("fileids", f"{n}"), ("transcription", f"<s> {split} </s> ({n})")):
            (tmp_path / "sphinx" / "etc").mkdir(exist_ok=True)
            (tmp_path / "sphinx" / "etc" / f"an4_{split}.{kind}").write_text(f"{text}\n")
    (tmp_path / "aishell" / "all.txt").write_text("0 train\n1 dev\n2 test\n3 dev\n")
    for name, missing in (("aishell", 1), ("tedlium", 0), ("sphinx", 0)):
        entries = read_own(tmp_path / name)[0]
        assert len(entries) == 3 + missing
        assert all(entry.split == SPLIT_NAMES[entry.text] for entry in entries if entry.path.is_file())
    write_tone(tmp_path / "words" / "yes" / "a_nohash_0.wav")
    write_tone(tmp_path / "words" / "no" / "b_nohash_0.wav")
    write_tone(tmp_path / "words" / "_background_noise_" / "c.wav")
    (tmp_path / "words" / "validation_list.txt").write_text("")
    (tmp_path / "words" / "testing_list.txt").write_text("no/b_nohash_0.wav\n")
    found = [(entry.text, entry.split, entry.speaker) for entry in read_own(tmp_path / "words")[0]]
    assert found == [("no", "test", "b"), ("yes", "train", "a")]


def test_folders_and_lists_of_one_split_each(folder: Path, write_tone: WriteTone) -> None:
    for name in ("train", "dev", "test"):
        (folder / f"{name}.tsv").write_text(f"path\tsentence\n{'012'[len(name) % 3]}.wav\t{name}\n")
    (folder / "other.tsv").write_text("path\tsentence\n3.wav\tmore\n")
    entries, notes = read_own(folder)
    assert {(entry.text, entry.split) for entry in entries} == {
        ("train", "train"), ("dev", "validation"), ("test", "test"),
    }  # fmt: skip
    assert notes[-1] == "Other lists in the folder are not used: other.tsv."
    for name in ("train", "validation", "test"):
        write_tone(folder / "data" / name / "a.wav")
        (folder / "data" / name / "a.txt").write_text(name)
    entries, _ = read_own(folder / "data")
    assert {entry.text: entry.split for entry in entries} == {name: name for name in ("train", "validation", "test")}
    assert len({entry.key for entry in entries}) == 3
    for name in ("train", "validation", "test"):  # as in VoxPopuli and SPGISpeech, which name them from there
        (folder / "data" / name / "a.txt").unlink()
        (folder / "data" / f"{name}.csv").write_text(f"wav_filename|wav_filesize|transcript\na.wav|1|{name}\n")
    assert {(entry.text, entry.path.parent.name) for entry in read_own(folder / "data")[0]} == {
        (name, name) for name in ("train", "validation", "test")
    }


def test_recordings_without_texts_and_unknown_folders_are_named(folder: Path) -> None:
    with pytest.raises(SpeechDataError, match=r"holds no recordings with texts.*Received: \['clips'\]"):
        read_own(folder)
    (folder / "clips" / "0.txt").write_text("one")
    assert read_own(folder)[1][1].startswith("Without a text, left out: clips/1.wav, clips/2.wav, ")


@pytest.mark.parametrize(
    "name",
    [
        "C:\\data\\clips\\Übung 1.wav",
        "/home/other/clips/Übung 1.wav",
        "{uri}",
        "clips/%C3%9Cbung%201.wav",
        "clips/U\u0308bung 1.WAV",
        "clips/Übung 1.mp3",
        "$CORPUS_OF_TEST/clips/Übung 1.wav",
    ],
)
def test_a_recording_is_found_under_every_spelling_of_its_name(
    tmp_path: Path, write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "clips" / "Übung 1.wav"
    write_tone(path, 0.1)
    monkeypatch.setenv("CORPUS_OF_TEST", str(tmp_path))
    (tmp_path / "all.tsv").write_text(f"path\ttext\n{name.replace('{uri}', path.as_uri())}\tone\n", encoding="utf-8")
    assert [entry.path for entry in read_own(tmp_path / "all.tsv")[0]] == [path]


def test_of_recordings_of_one_name_none_is_guessed(tmp_path: Path, write_tone: WriteTone) -> None:
    for path in ("x/a.wav", "y/a.wav", "y/b.wav"):
        write_tone(tmp_path / path, 0.1)
    (tmp_path / "all.csv").write_text("path,text\na.wav,one\nb.wav,two\n")
    assert [entry.path for entry in read_own(tmp_path)[0]] == [tmp_path / "a.wav", tmp_path / "y" / "b.wav"]


def test_recordings_may_lie_in_a_folder_of_their_own(folder: Path) -> None:
    (folder / "lists").mkdir()
    common_voice(folder).rename(folder / "lists" / "validated.tsv")
    for root, found in (("", 0), (folder / "clips", 4)):
        assert sum(each.path.is_file() for each in manifest(folder / "lists", 8000, root=root).entries) == found


def test_folders_of_hugging_face_and_fairseq(folder: Path) -> None:
    (folder / "clips" / "train").mkdir()
    for number in range(3):
        (folder / "clips" / f"{number}.wav").rename(folder / "clips" / "train" / f"{number}.wav")
    (folder / "clips" / "test").mkdir()
    (folder / "clips" / "3.wav").rename(folder / "clips" / "test" / "3.wav")
    places = [f"{'test' if number == 3 else 'train'}/{number}.wav" for number in range(4)]
    rows = [json.dumps({"file_name": place, "text": text}) for place, text in zip(places, TEXTS, strict=True)]
    (folder / "clips" / "metadata.jsonl").write_text(lines(*rows))
    entries = read_own(folder)[0]  # the only folder in which is read
    assert [entry.split for entry in entries] == ["train", "train", "train", "test"]
    (folder / "data").mkdir()
    (folder / "clips").rename(folder / "data" / "clips")
    rows = [json.dumps({"file_name": f"./data/clips/{place}", "text": "one"}) for place in places]
    (folder / "metadata.ndjson").write_text(lines(*rows))
    assert [entry.split for entry in read_own(folder)[0]] == ["train", "train", "train", "test"]
    (folder / "data" / "clips").rename(folder / "clips")
    (folder / "train.tsv").write_text(lines(str(folder / "clips"), *(f"{place}\t800" for place in places)))
    (folder / "train.wrd").write_text(lines(*TEXTS))
    entries = read_own(folder / "train.tsv")[0]
    assert [entry.text for entry in entries] == TEXTS and all(entry.path.is_file() for entry in entries)
    (folder / "train.wrd").write_text("one\n")
    with pytest.raises(SpeechDataError, match=r"expected a text for each recording.*Received: 1 texts, 4 recordings"):
        read_own(folder / "train.tsv")


def test_kaldi_folders_of_splits_with_longer_names(tmp_path: Path) -> None:
    for name in ("train_clean", "train_dev", "test_other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "wav.scp").write_text(f"{name} {name}.wav\n")
        (tmp_path / name / "text").write_text(f"{name} words\n")
    found = {entry.key: entry.split for entry in read_own(tmp_path)[0]}
    assert found == {"train_clean": "train", "train_dev": "validation", "test_other": "test"}


def test_kaldi_folders_none_of_which_is_to_train_on_are_named(tmp_path: Path) -> None:
    for name in ("tr_no_dev", "dev"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "wav.scp").write_text("u u.wav\n")
        (tmp_path / name / "text").write_text("u one\n")
    with pytest.raises(SpeechDataError, match=r"folders of Kaldi.*--data\.path .*tr_no_dev.*Received: dev, tr_no_dev"):
        read_own(tmp_path)


def test_texts_in_a_folder_of_their_own(tmp_path: Path, write_tone: WriteTone) -> None:
    (tmp_path / "txt").mkdir()
    for name in "ab":
        write_tone(tmp_path / "wav" / f"{name}.wav", 0.1)
        (tmp_path / "txt" / f"{name}.TXT").write_text(f"text {name}")
    assert [entry.text for entry in read_own(tmp_path)[0]] == ["text a", "text b"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_recordings_to_transcribe_are_found_by_lists_and_through_links(
    tmp_path: Path, write_tone: WriteTone, encoding: str
) -> None:
    path = write_tone(tmp_path / "elsewhere" / "a b.wav", 0.1)
    (tmp_path / "talks").mkdir()
    (tmp_path / "talks" / "link").symlink_to(path.parent)
    (path.parent / "loop").symlink_to(tmp_path / "talks")
    content = '#EXTM3U\r\n"elsewhere/a b.wav"\r\nelsewhere\\a b.wav\r\n/other/elsewhere/a%20b.wav\r\n'
    (tmp_path / "all.m3u").write_bytes(content.encode(encoding))
    assert [each.path for each in given_recordings([tmp_path / "all.m3u"])] == [path] * 3
    inside = [each.name for each in given_recordings([tmp_path / "talks"])]
    assert inside == [Path("link/a b")]
    (tmp_path / "all.csv").write_text("path,text\na.wav,one\n")
    with pytest.raises(SpeechDataError, match=r"all\.csv is a table.*a text file with the path of a recording"):
        given_recordings([tmp_path / "all.csv"])
