"""The user's own recordings: what is read, in which order and split, and the error for each bad list."""

import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.speech import sources, user_recordings
from pipelines.speech.audio_files import SpeechDataError, load_audio
from pipelines.speech.sources import Utterance

WriteTone = Callable[..., Path]
WriteManifest = Callable[..., Path]
ReadRecordings = Callable[..., list[tuple[str, str, np.ndarray]]]
ljspeech, librispeech = (
    partial(user_recordings.manifest, read=user_recordings.READERS[name]) for name in ("ljspeech", "librispeech")
)
TEXTS = ["The first one.", "Und  NOCH eins,", "číslo tři!", "don't stop", "last of all", "one more"]


@pytest.fixture
def small_manifest(tmp_path: Path, write_tone: WriteTone, write_manifest: WriteManifest) -> Path:
    """Six recordings in three splits, of different formats, lengths and rates."""
    rows = []
    for number, (text, split) in enumerate(zip(TEXTS, ["train"] * 3 + ["dev", "test", "test"], strict=True)):
        name = f"audio/{number}.{('wav', 'flac', 'ogg')[number % 3]}"
        write_tone(tmp_path / name, 0.3 + 0.013 * number, rate=(8000, 16000, 22050)[number // 2])
        rows.append({"audio_filepath": name, "text": text, "split": split, "duration": 1, "lang": "xx"})
    return write_manifest(tmp_path / "all.jsonl", rows)


def test_manifest_with_splits(small_manifest: Path, read_recordings: ReadRecordings) -> None:
    source = user_recordings.manifest(small_manifest, 8000)
    assert [utterance.text for utterance in source.utterances("train")] == [
        "the first one", "und noch eins", "číslo tři",
    ]  # fmt: skip
    assert [utterance.key for utterance in source.utterances("validation")] == ["audio/3.wav"]
    assert [utterance.key for utterance in source.utterances("test")] == ["audio/4.flac", "audio/5.ogg"]
    for split in sources.SPLITS:
        utterances, recordings = source.utterances(split), read_recordings(source.recordings(split))
        assert [(key, text, len(audio)) for key, text, audio in recordings] == [u[:3] for u in utterances]


def test_recordings_are_the_same_each_time(small_manifest: Path, read_recordings: ReadRecordings) -> None:
    source = user_recordings.manifest(small_manifest, 8000)
    once = read_recordings(source.recordings("train"))
    for again in (source.recordings("train"), user_recordings.manifest(small_manifest, 8000).recordings("train")):
        for first, second in zip(once, read_recordings(again), strict=True):
            assert first[:2] == second[:2]
            np.testing.assert_array_equal(first[2], second[2])
    assert source.recordings("train").element_spec == {
        "audio": tf.TensorSpec((None,), tf.float32),
        "text": tf.TensorSpec((), tf.string),
        "key": tf.TensorSpec((), tf.string),
    }


def test_chosen_recordings_keep_their_order(small_manifest: Path, read_recordings: ReadRecordings) -> None:
    source = user_recordings.manifest(small_manifest, 8000)
    chosen = read_recordings(source.recordings("train", {"audio/2.ogg", "audio/0.wav"}))
    assert [key for key, _, _ in chosen] == ["audio/0.wav", "audio/2.ogg"]
    with pytest.raises(SpeechDataError, match=r"1 keys belong to no recording.*Received: 'audio/9.wav'"):
        source.recordings("train", {"audio/9.wav"})


def test_only_consumed_files_are_opened(
    tmp_path: Path,
    write_tone: WriteTone,
    monkeypatch: pytest.MonkeyPatch,
    read_recordings: ReadRecordings,
    write_manifest: WriteManifest,
) -> None:
    write_tone(tmp_path / "a.wav", 0.1)
    rows = [{"audio_filepath": f"./{'./' * n}a.wav", "text": "a", "split": "train"} for n in range(100)]
    opened, lock = [], threading.Lock()

    def counting(path: Path, *arguments: Any) -> np.ndarray:
        with lock:
            opened.append(path)
        return load_audio(path, *arguments)

    monkeypatch.setattr(user_recordings, "load_audio", counting)
    source = user_recordings.manifest(write_manifest(tmp_path / "all.jsonl", rows), 8000)
    dataset = source.recordings("train")
    assert not opened
    iterator = iter(dataset)
    for _ in range(10):
        next(iterator)
    assert 10 <= len(opened) <= 10 + 2 * sources.LOADERS
    del iterator
    assert len(read_recordings(dataset)) == 100


def test_manifest_without_splits_is_split_by_text(tmp_path: Path, write_manifest: WriteManifest) -> None:
    rows = [{"audio_filepath": f"{n}.wav", "text": f"{'abcdefghij'[n % 10]} {'xyz' * (n // 30)}"} for n in range(300)]
    entries = user_recordings.manifest(write_manifest(tmp_path / "a" / "all.jsonl", rows), 8000).entries
    splits_of_text: dict[str, set[str]] = {}
    for entry in entries:
        splits_of_text.setdefault(entry.text, set()).add(entry.split)
    assert all(len(splits) == 1 for splits in splits_of_text.values())
    assert {entry.split for entry in entries} == set(sources.SPLITS)
    # Elsewhere, in another order, beside other recordings: the same.
    again = user_recordings.manifest(write_manifest(tmp_path / "b" / "other.jsonl", rows[::-2]), 8000).entries
    split_of_key = {entry.key: entry.split for entry in entries}
    assert {entry.key: entry.split for entry in again}.items() <= split_of_key.items()


def test_three_manifests(tmp_path: Path, write_tone: WriteTone, write_manifest: WriteManifest) -> None:
    lists = []
    for number, name in enumerate(("learn", "tune", "final")):
        write_tone(tmp_path / name / "a.wav", 0.2 + 0.1 * number)
        row = {"audio_filepath": "a.wav", "text": name, "split": "train"}  # the list counts
        lists.append(write_manifest(tmp_path / name / "list.json", [row]))
    source = user_recordings.manifest(lists[0], 8000, validation=lists[1], test=lists[2])
    found = {split: source.utterances(split) for split in sources.SPLITS}
    assert {split: [(u.text, u.samples) for u in utterances] for split, utterances in found.items()} == {
        "train": [("learn", 1600)],
        "validation": [("tune", 2400)],
        "test": [("final", 3200)],
    }
    with pytest.raises(SpeechDataError, match="no recordings in the split 'validation'"):  # one is too few to divide
        user_recordings.manifest(lists[0], 8000, test=lists[2]).utterances("validation")


def test_ljspeech_folder(tmp_path: Path, write_tone: WriteTone, read_recordings: ReadRecordings) -> None:
    rows = [f"LJ-{n}|Dr. {'ab'[n % 2]}, {n}|Doctor {'ab'[n % 2]} {'xyzw'[n % 4] * (n + 1)}" for n in range(40)]
    rows[7] = "LJ-7|Only, one text"
    (tmp_path / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    for number in range(40):
        write_tone(tmp_path / "wavs" / f"LJ-{number}.wav", 0.1, rate=22050)
    source = ljspeech(tmp_path, 8000)
    assert [entry.key for entry in source.entries] == [f"LJ-{n}" for n in range(40)]
    assert source.entries[0].text == "doctor a x"
    assert source.entries[7].text == "only one text"
    total = sum(len(read_recordings(source.recordings(split))) for split in sources.SPLITS)
    assert total == 40


def test_librispeech_tree(tmp_path: Path, write_tone: WriteTone, read_recordings: ReadRecordings) -> None:
    for number, subset in enumerate(("train-other-500", "train-clean-100", "dev-clean", "test-other")):
        chapter = tmp_path / subset / "61" / "7"
        names = [f"61-7-000{number}{n}" for n in range(2)]
        for name in names:
            write_tone(chapter / f"{name}.flac", 0.2, rate=16000)
        lines = [f"{name} HE'S SAID {'ABCDEFGH'[2 * number + n]}" for n, name in enumerate(names)]
        (chapter / "61-7.trans.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = librispeech(tmp_path, 16000)
    assert [utterance.text[-1] for utterance in source.utterances("train")] == ["c", "d", "a", "b"]
    assert source.utterances("validation")[0] == Utterance("61-7-00020", "he's said e", 3200)
    assert [key for key, _, _ in read_recordings(source.recordings("test"))] == ["61-7-00030", "61-7-00031"]
    (tmp_path / "dev-clean").rename(tmp_path / "holdout")
    with pytest.raises(SpeechDataError, match=r"holdout.*7.*trans.txt, line 1: expected a `split`"):
        librispeech(tmp_path, 16000)


GOOD_ROW = '{"audio_filepath": "a.wav", "text": "fine", "split": "train"}'


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"audio_filepath": "b.wav", "text": ', "not JSON"),
        ('["b.wav", "text"]', "JSON object"),
        ("[", "JSON object in braces per line. Correct it; a list of all is converted by `jq -c '.[]'`"),
        ('{"audio_filepath": "b.wav", "text": "b", "text": "c", "split": "train"}', "Received: 'text' more than once"),
        ('{"audio_filepath": "b.wav", "split": "train"}', "expected a string `text`"),
        ('{"audio_filepath": "b.wav", "text": 3.5, "split": "train"}', "expected a string `text`"),
        ('{"text": "where", "split": "train"}', "expected a string `audio_filepath`"),
        ('{"audio_filepath": "b.wav", "text": "b", "split": "holdout"}', "Received: 'holdout'"),
        ('{"audio_filepath": "b.wav", "text": "b"}', "in every row, or in none"),
        ('{"audio_filepath": "b.wav", "text": "b", "split": "train", "offset": -2.5}', "0 or more"),
        ('{"audio_filepath": "b.wav", "text": "b", "split": "train", "offset": "late"}', "Received: 'late'"),
        ('{"audio_filepath": "b.wav", "text": "room 12", "split": "train"}', "no language is named"),
    ],
)
def test_bad_row_of_a_manifest_is_named(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(f"{GOOD_ROW}\n\n{row}\n{GOOD_ROW}\n", encoding="utf-8")
    with pytest.raises(SpeechDataError) as caught:
        user_recordings.manifest(path, 8000)
    assert str(caught.value).startswith(f"{path}, line 3")
    assert message in str(caught.value)
    assert "Received: " in str(caught.value)


@pytest.mark.parametrize("times", ['"duration": 0', '"offset": 2, "end": 1', '"start": 0.05, "end": 0.05'])
def test_a_piece_without_length_can_be_left_out(tmp_path: Path, write_tone: WriteTone, times: str) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(f'{GOOD_ROW}\n{{"audio_filepath": "a.wav", "text": "b", "split": "train", {times}}}\n')
    write_tone(tmp_path / "a.wav", 0.1)
    good, bad = user_recordings.manifest(path, 8000).utterances("train")
    assert not good.problem and bad.problem.startswith(f"{path}, line 2: {tmp_path / 'a.wav'} has a piece at ")


def test_numbers_are_spelled_out_in_the_language_given(tmp_path: Path, write_manifest: WriteManifest) -> None:
    path = write_manifest(tmp_path / "all.jsonl", [{"audio_filepath": "a.wav", "text": "Zimmer 12"}])
    assert user_recordings.manifest(path, 8000, language="de").entries[0].text == "zimmer zwölf"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "cp850"])
def test_lists_of_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    text = "Größe und Gewicht für alle Häuser"
    (tmp_path / "metadata.csv").write_bytes(f"path,text\r\na.wav,{text}\r\n".encode(encoding))
    assert user_recordings.manifest(tmp_path / "metadata.csv", 8000).entries[0].text == text.lower()
    (tmp_path / "metadata.csv").write_bytes(f"a|{text}|{text}\n".encode(encoding))
    assert ljspeech(tmp_path, 8000).entries[0].text == text.lower()


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    with pytest.raises(SpeechDataError, match=r"all.csv.*Received: "):
        user_recordings.manifest(tmp_path / "all.csv", 8000)


def test_a_long_row_is_not_shown_whole(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(json.dumps([json.loads(GOOD_ROW) | {"text": 3, "more": "x" * 10_000}]), encoding="utf-8")
    with pytest.raises(SpeechDataError) as caught:
        user_recordings.manifest(path, 8000)
    assert len(str(caught.value)) < 500 + len(str(path))


def test_missing_and_empty_lists(tmp_path: Path) -> None:
    with pytest.raises(SpeechDataError, match=r"metadata\.csv does not exist"):
        ljspeech(tmp_path, 8000)
    with pytest.raises(SpeechDataError, match="holds no recordings with texts"):
        librispeech(tmp_path, 8000)
    (tmp_path / "all.jsonl").write_text("\n \n")
    with pytest.raises(SpeechDataError, match="is empty"):
        user_recordings.manifest(tmp_path / "all.jsonl", 8000)
    (tmp_path / "metadata.csv").write_text("a,b,c,d\n")
    with pytest.raises(SpeechDataError, match=r"metadata\.csv, line 1: expected a recording and its text"):
        ljspeech(tmp_path, 8000)


def test_split_without_recordings(small_manifest: Path, write_manifest: WriteManifest) -> None:
    rows = [json.loads(line) for line in small_manifest.read_text().splitlines()][:3]
    source = user_recordings.manifest(write_manifest(small_manifest, rows), 8000)
    with pytest.raises(SpeechDataError, match=r"no recordings in the split 'test'.*Received: {'train': 3}"):
        source.utterances("test")


def test_sentences_on_both_sides_are_named(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, write_manifest: WriteManifest
) -> None:
    splits = ["train", "train", "test", "test", "dev"]
    texts = ["Hello there!", "only here", "hello THERE", "something else", "quite new"]
    rows = [
        {"audio_filepath": f"{n}.wav", "text": text, "split": split}
        for n, (text, split) in enumerate(zip(texts, splits, strict=True))
    ]
    user_recordings.manifest(write_manifest(tmp_path / "clean.jsonl", rows[1:]), 8000)
    assert not recwarn.list
    with pytest.warns(UserWarning, match=r"1 sentences are in train and in test.*'hello there'$"):
        user_recordings.manifest(write_manifest(tmp_path / "all.jsonl", rows), 8000)
