"""Recordings from files and from TFDS: what is read, in which order, and the error for each bad input."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf
import tensorflow_datasets as tfds

from pipelines.speech import checks, sources, user_recordings
from pipelines.speech.audio_files import SpeechDataError, count_samples, load_audio
from pipelines.speech.sources import Utterance

WriteTone = Callable[..., Path]
TEXTS = ["The first one.", "Und  NOCH eins,", "číslo tři!", "don't stop", "last of all", "one more"]


def write_manifest(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(dataset: tf.data.Dataset) -> list[tuple[str, str, np.ndarray]]:
    return [
        (example["key"].decode(), example["text"].decode(), example["audio"]) for example in dataset.as_numpy_iterator()
    ]


@pytest.fixture
def small_manifest(tmp_path: Path, write_tone: WriteTone) -> Path:
    """Six recordings in three splits, of different formats, lengths and rates."""
    rows = []
    for number, (text, split) in enumerate(zip(TEXTS, ["train"] * 3 + ["dev", "test", "test"], strict=True)):
        name = f"audio/{number}.{('wav', 'flac', 'ogg')[number % 3]}"
        write_tone(tmp_path / name, 0.3 + 0.013 * number, rate=(8000, 16000, 22050)[number // 2])
        rows.append({"audio_filepath": name, "text": text, "split": split, "duration": 1, "lang": "xx"})
    return write_manifest(tmp_path / "all.jsonl", rows)


# Audio files


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 2), (44100, 1)])
def test_audio_of_any_format_is_the_same_tone(
    tmp_path: Path, write_tone: WriteTone, ending: str, rate: int, channels: int
) -> None:
    path = write_tone(tmp_path / f"tone.{ending}", 0.5, rate, hertz=1000.0, channels=channels)
    audio = load_audio(path, 8000)
    assert audio.dtype == np.float32
    assert audio.shape == (count_samples(path, 8000),)
    assert audio.size == pytest.approx(4000, abs=1)
    middle = audio[500:3500]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    assert np.argmax(spectrum) * 8000 / middle.size == pytest.approx(1000, abs=3)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.1)


def test_wav_at_the_wanted_rate_is_read_unchanged(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-30000, 30000, 777).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 8000)
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav", 8000), samples / np.float32(32768))


def test_stereo_is_averaged(tmp_path: Path) -> None:
    left, right = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 500)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 8000, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav", 8000), (left + right) / 2, atol=1e-7)


def broken_file(folder: Path, kind: str, write_tone: WriteTone) -> Path:
    path = folder / f"broken.{kind.split()[-1]}"
    tone = np.sin(np.arange(40000) / 5).astype(np.float32)
    match kind.split()[0]:
        case "truncated":
            write_tone(path, 5.0)
            content = path.read_bytes()
            path.write_bytes(content[: len(content) * 3 // 5])
        case "garbage":
            path.write_bytes(b"this is no audio at all, whatever its name says")
        case "nothing":
            path.write_bytes(b"")
        case "empty":
            soundfile.write(path, np.zeros(0, np.float32), 8000)
        case "silent":
            soundfile.write(path, np.zeros(40000, np.float32), 8000)
        case "opposite":  # channels that cancel each other
            soundfile.write(path, np.stack([tone, -tone], 1), 8000, subtype="FLOAT")
        case "not-a-number":
            tone[30000] = np.nan
            soundfile.write(path, tone, 8000, subtype="FLOAT")
        case "infinite":
            tone[-1] = np.inf
            soundfile.write(path, tone, 8000, subtype="DOUBLE")
    return path


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("truncated wav", "is truncated"),
        ("truncated flac", "truncated"),
        ("truncated ogg", "is truncated"),
        ("truncated mp3", "is truncated"),
        ("garbage wav", "cannot be decoded"),
        ("garbage mp3", "cannot be decoded"),
        ("garbage raw", "cannot be decoded"),
        ("nothing wav", "is empty"),
        ("empty wav", "is empty"),
        ("empty flac", "is empty"),
        ("silent wav", "is silent"),
        ("silent mp3", "is silent"),
        ("opposite wav", "is silent"),
        ("not-a-number wav", "holds NaN or infinity"),
        ("infinite wav", "holds NaN or infinity"),
        ("missing wav", "does not exist"),
    ],
)
@pytest.mark.parametrize("function", [load_audio, count_samples])
def test_broken_file_is_refused_by_name(
    tmp_path: Path, write_tone: WriteTone, kind: str, what: str, function: Callable[..., Any]
) -> None:
    path = broken_file(tmp_path, kind, write_tone)
    with pytest.raises(SpeechDataError) as caught:
        function(path, 8000)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert what in message
    assert "expected a whole recording" in message
    assert message.count("Received: ") == 1


def test_wav_of_unknown_length_is_not_truncated(tmp_path: Path, write_tone: WriteTone) -> None:
    path = write_tone(tmp_path / "piped.wav")
    content = bytearray(path.read_bytes())
    start = content.index(b"data")
    content[start + 4 : start + 8] = content[4:8] = b"\xff\xff\xff\xff"  # as programs write into a pipe
    path.write_bytes(content)
    assert load_audio(path, 8000).size == 4000


@pytest.mark.parametrize("ending", ["flac", "ogg", "mp3"])
def test_whole_files_of_any_length_pass(tmp_path: Path, ending: str) -> None:
    random = np.random.default_rng(0)
    for samples in (3, 255, 256, 1151, 1152, 9000, *range(20000, 30000, 512)):
        bursts = random.normal(scale=0.3, size=samples) * (np.sin(np.arange(samples) / 1500) >= 0)
        path = tmp_path / f"{samples}.{ending}"
        soundfile.write(path, bursts, 22050)
        assert count_samples(path, 22050) == load_audio(path, 22050).size == samples


def test_looking_at_a_file_does_not_read_it_whole(
    tmp_path: Path, write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tone(tmp_path / "long.flac", seconds=60)
    decoded = []
    original = soundfile.SoundFile.read

    def counting(self: soundfile.SoundFile, *arguments: Any, **named: Any) -> np.ndarray:
        decoded.append(original(self, *arguments, **named))
        return decoded[-1]

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    assert count_samples(path, 8000) == 480000
    assert sum(len(block) for block in decoded) < 48000


# Lists of recordings


def test_manifest_with_splits(small_manifest: Path) -> None:
    source = user_recordings.manifest(small_manifest, 8000)
    assert [utterance.text for utterance in source.utterances("train")] == [
        "the first one", "und noch eins", "číslo tři",
    ]  # fmt: skip
    assert [utterance.key for utterance in source.utterances("validation")] == ["audio/3.wav"]
    assert [utterance.key for utterance in source.utterances("test")] == ["audio/4.flac", "audio/5.ogg"]
    for split in sources.SPLITS:
        utterances, recordings = source.utterances(split), read(source.recordings(split))
        assert [(key, text, len(audio)) for key, text, audio in recordings] == [u[:3] for u in utterances]


def test_recordings_are_the_same_each_time(small_manifest: Path) -> None:
    source = user_recordings.manifest(small_manifest, 8000)
    once = read(source.recordings("train"))
    for again in (source.recordings("train"), user_recordings.manifest(small_manifest, 8000).recordings("train")):
        for first, second in zip(once, read(again), strict=True):
            assert first[:2] == second[:2]
            np.testing.assert_array_equal(first[2], second[2])
    assert source.recordings("train").element_spec == {
        "audio": tf.TensorSpec((None,), tf.float32),
        "text": tf.TensorSpec((), tf.string),
        "key": tf.TensorSpec((), tf.string),
    }


def test_chosen_recordings_keep_their_order(small_manifest: Path) -> None:
    source = user_recordings.manifest(small_manifest, 8000)
    chosen = read(source.recordings("train", {"audio/2.ogg", "audio/0.wav"}))
    assert [key for key, _, _ in chosen] == ["audio/0.wav", "audio/2.ogg"]
    with pytest.raises(SpeechDataError, match=r"1 keys belong to no recording.*Received: \['audio/9.wav'\]"):
        source.recordings("train", {"audio/9.wav"})


def test_only_consumed_files_are_opened(tmp_path: Path, write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tone(tmp_path / "a.wav", 0.1)
    rows = [{"audio_filepath": f"./{'./' * n}a.wav", "text": "a", "split": "train"} for n in range(100)]
    opened, lock = [], threading.Lock()

    def counting(path: Path, sample_rate: int) -> np.ndarray:
        with lock:
            opened.append(path)
        return load_audio(path, sample_rate)

    monkeypatch.setattr(user_recordings, "load_audio", counting)
    source = user_recordings.manifest(write_manifest(tmp_path / "all.jsonl", rows), 8000)
    dataset = source.recordings("train")
    assert not opened
    iterator = iter(dataset)
    for _ in range(10):
        next(iterator)
    assert 10 <= len(opened) <= 10 + 2 * sources.LOADERS
    del iterator
    assert len(read(dataset)) == 100


def test_manifest_without_splits_is_split_by_text(tmp_path: Path) -> None:
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


def test_three_manifests(tmp_path: Path, write_tone: WriteTone) -> None:
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
    with pytest.raises(SpeechDataError, match="come in threes"):
        user_recordings.manifest(lists[0], 8000, test=lists[2])


def test_ljspeech_folder(tmp_path: Path, write_tone: WriteTone) -> None:
    rows = [f"LJ-{n}|Dr. {'ab'[n % 2]}, {n}|Doctor {'ab'[n % 2]} {'xyzw'[n % 4] * (n + 1)}" for n in range(40)]
    rows[7] = "LJ-7|Only, one text"
    (tmp_path / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    for number in range(40):
        write_tone(tmp_path / "wavs" / f"LJ-{number}.wav", 0.1, rate=22050)
    source = user_recordings.ljspeech(tmp_path, 8000)
    assert [entry.key for entry in source.entries] == [f"LJ-{n}" for n in range(40)]
    assert source.entries[0].text == "doctor a x"
    assert source.entries[7].text == "only one text"
    total = sum(len(read(source.recordings(split))) for split in sources.SPLITS)
    assert total == 40


def test_librispeech_tree(tmp_path: Path, write_tone: WriteTone) -> None:
    for number, subset in enumerate(("train-other-500", "train-clean-100", "dev-clean", "test-other")):
        chapter = tmp_path / subset / "61" / "7"
        names = [f"61-7-000{number}{n}" for n in range(2)]
        for name in names:
            write_tone(chapter / f"{name}.flac", 0.2, rate=16000)
        lines = [f"{name} HE'S SAID {'ABCDEFGH'[2 * number + n]}" for n, name in enumerate(names)]
        (chapter / "61-7.trans.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = user_recordings.librispeech(tmp_path, 16000)
    assert [utterance.text[-1] for utterance in source.utterances("train")] == ["c", "d", "a", "b"]
    assert source.utterances("validation")[0] == Utterance("61-7-00020", "he's said e", 3200)
    assert [key for key, _, _ in read(source.recordings("test"))] == ["61-7-00030", "61-7-00031"]
    (tmp_path / "dev-clean").rename(tmp_path / "holdout")
    with pytest.raises(SpeechDataError, match="holdout belongs to no split"):
        user_recordings.librispeech(tmp_path, 16000)


GOOD_ROW = '{"audio_filepath": "a.wav", "text": "fine", "split": "train"}'


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"audio_filepath": "b.wav", "text": ', "no JSON"),
        ('["b.wav", "text"]', "JSON object"),
        ('{"audio_filepath": "b.wav", "split": "train"}', "expected a string `text`"),
        ('{"audio_filepath": "b.wav", "text": 3, "split": "train"}', "expected a string `text`"),
        ('{"text": "where", "split": "train"}', "expected a string `audio_filepath`"),
        ('{"audio_filepath": "b.wav", "text": "b", "split": "holdout"}', "Received: 'holdout'"),
        ('{"audio_filepath": "b.wav", "text": "b"}', "in every row, or in none"),
        ('{"audio_filepath": "b.wav", "text": "b", "split": "train", "offset": 2.5}', "one recording a file"),
        ('{"audio_filepath": "b.wav", "text": "room 12", "split": "train"}', "no number words"),
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


def test_numbers_are_spelled_out_in_the_language_given(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "all.jsonl", [{"audio_filepath": "a.wav", "text": "Zimmer 12"}])
    assert user_recordings.manifest(path, 8000, language="de").entries[0].text == "zimmer zwölf"


@pytest.mark.parametrize("reader", [user_recordings.manifest, user_recordings.ljspeech])
def test_wrong_encoding_names_the_row(tmp_path: Path, reader: Callable[..., Any]) -> None:
    path = tmp_path / "metadata.csv"
    line = GOOD_ROW if reader is user_recordings.manifest else "a|Fine|fine"
    path.write_bytes(f"{line}\n{line.replace('fine', 'naïve')}\n".encode("latin-1"))
    with pytest.raises(SpeechDataError, match=r"metadata.csv, line 2 is not UTF-8.*iconv.*Received: .*\\xef"):
        reader(path if reader is user_recordings.manifest else tmp_path, 8000)


def test_missing_and_empty_lists(tmp_path: Path) -> None:
    with pytest.raises(SpeechDataError, match=r"metadata\.csv does not exist"):
        user_recordings.ljspeech(tmp_path, 8000)
    with pytest.raises(SpeechDataError, match="holds no transcripts"):
        user_recordings.librispeech(tmp_path, 8000)
    (tmp_path / "all.jsonl").write_text("\n \n")
    with pytest.raises(SpeechDataError, match="is empty"):
        user_recordings.manifest(tmp_path / "all.jsonl", 8000)
    (tmp_path / "metadata.csv").write_text("a|b|c|d\n")
    with pytest.raises(SpeechDataError, match=r"metadata\.csv, line 1: expected id"):
        user_recordings.ljspeech(tmp_path, 8000)


def test_split_without_recordings(small_manifest: Path) -> None:
    rows = [json.loads(line) for line in small_manifest.read_text().splitlines()][:3]
    source = user_recordings.manifest(write_manifest(small_manifest, rows), 8000)
    with pytest.raises(SpeechDataError, match=r"no recordings in the split 'test'.*Received: {'train': 3}"):
        source.utterances("test")


# What can be learned


def frames(samples: int) -> int:
    return samples // 100


def test_transcript_must_fit_its_frames() -> None:
    fits, doubled = Utterance("a", "abc", 300), Utterance("b", "abb", 300)  # the blank between b and b
    assert checks.check_learnable([fits], frames) == ([fits], [])
    assert checks.check_learnable([doubled]) == ([doubled], [])  # any length will do
    with pytest.raises(SpeechDataError, match="b: the transcript needs 4 label frames, the 300 samples give 3"):
        checks.check_learnable([fits, doubled], frames, "my list")


def test_unlearnable_recordings_are_named_and_counted() -> None:
    utterances = [Utterance(f"good{n}", "a", 500) for n in range(3)]
    utterances += [Utterance(f"empty{n}", "", 500) for n in range(12)]
    with pytest.raises(SpeechDataError) as caught:
        checks.check_learnable(utterances, frames, "my list")
    message = str(caught.value)
    assert message.startswith("12 of 15 recordings of my list cannot be learned")
    assert all(f"empty{n}: the transcript is empty" in message for n in range(10))
    assert "empty10" not in message
    assert "and 2 more" in message
    kept, skipped = checks.check_learnable(utterances, frames, skip=True)
    assert kept == utterances[:3]
    assert skipped == [(f"empty{n}", "the transcript is empty") for n in range(12)]
    with pytest.raises(SpeechDataError, match="12 of 12"):
        checks.check_learnable(utterances[3:], frames, skip=True)


def test_unreadable_and_repeated_files_of_a_manifest(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone(tmp_path / "good.wav")
    broken_file(tmp_path, "truncated wav", write_tone)
    names = ["good.wav", "broken.wav", "absent.wav", "good.wav"]
    rows = [{"audio_filepath": name, "text": "fine", "split": "train"} for name in names]
    path = write_manifest(tmp_path / "all.jsonl", rows)
    source = user_recordings.manifest(path, 8000)
    with pytest.raises(SpeechDataError, match="3 of 4 recordings"):
        checks.check_learnable(source.utterances("train"), frames)
    kept, skipped = checks.check_learnable(source.utterances("train"), frames, skip=True)
    assert [key for key, _ in skipped] == ["broken.wav", "absent.wav", "good.wav"]
    assert f"{path}, line 2: {tmp_path / 'broken.wav'} is truncated" in skipped[0][1]
    assert f"{path}, line 3: {tmp_path / 'absent.wav'} does not exist" in skipped[1][1]
    assert skipped[2][1] == "another recording has the same key"
    # What was kept can be read, each once.
    assert len(read(source.recordings("train", {utterance.key for utterance in kept}))) == 1
    # Whoever reads the others all the same is told which one it was.
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"broken\.wav is truncated"):
        read(source.recordings("train"))


def test_alphabet_comes_from_training_and_foreign_characters_are_named() -> None:
    training = [Utterance("a", "žába", 1), Utterance("b", "don't", 1)]
    alphabet = checks.alphabet_of(training)
    assert alphabet == (" ", "'", "a", "b", "d", "n", "o", "t", "á", "ž")
    test = [Utterance("c", "ñandú a ñ", 1)]
    with pytest.warns(UserWarning, match=r"'ñ' \(LATIN SMALL LETTER N WITH TILDE\) 2 times, 'ú'"):
        assert checks.unknown_characters(test, alphabet) == {"ñ": 2, "ú": 1}
    assert checks.unknown_characters(training, alphabet) == {}


def test_sentences_on_both_sides_are_named(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    splits = ["train", "train", "test", "test", "dev"]
    texts = ["Hello there!", "only here", "hello THERE", "something else", "quite new"]
    rows = [
        {"audio_filepath": f"{n}.wav", "text": text, "split": split}
        for n, (text, split) in enumerate(zip(texts, splits, strict=True))
    ]
    user_recordings.manifest(write_manifest(tmp_path / "clean.jsonl", rows[1:]), 8000)
    assert not recwarn.list
    with pytest.warns(UserWarning, match=r"1 sentences stand in train and in test.*'hello there'$"):
        user_recordings.manifest(write_manifest(tmp_path / "all.jsonl", rows), 8000)


# TFDS


class Spoken(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Five recordings in one split, as the user's own builder might give them."""

    VERSION = tfds.core.Version("1.0.0")
    audio: tfds.features.Audio
    recordings: tuple[np.ndarray, ...]

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text()
        features = tfds.features.FeaturesDict({"sound": self.audio, "transcript": text, "id": text})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Any:
        for number, recording in enumerate(self.recordings):
            yield number, {"sound": recording, "transcript": f"Text {'abcdef'[number]}!", "id": f"id{number}"}


def spoken(folder: Path, recordings: list[np.ndarray], feature: tfds.features.Audio) -> Spoken:
    Spoken.audio, Spoken.recordings = feature, tuple(recordings)
    builder = Spoken(data_dir=folder)
    builder.download_and_prepare()
    return builder


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.float32])
@pytest.mark.parametrize("channels", [1, 2])
def test_builder_of_any_type_and_channels(tmp_path: Path, dtype: type, channels: int) -> None:
    random = np.random.default_rng(0)
    integers = [random.integers(-9000, 9000, (1001 + n, channels)) for n in range(5)]
    given: list[np.ndarray] = [(part / 32768 if dtype is np.float32 else part).astype(dtype) for part in integers]
    shape = (None,) if channels == 1 else (None, channels)
    feature = tfds.features.Audio(sample_rate=16000, dtype=dtype, shape=shape)
    builder = spoken(tmp_path, [part[:, 0] if channels == 1 else part for part in given], feature)
    source = sources.DatasetSource(builder, 16000)
    recordings = {key: (text, audio) for key, text, audio in read(source.recordings("train"))}
    for number, part in enumerate(integers):
        text, audio = recordings[f"id{number}"]
        assert text == f"text {'abcdef'[number]}"
        np.testing.assert_allclose(audio, part.mean(1) / 32768, atol=1e-6)


def test_builder_is_resampled_in_a_stable_order(tmp_path: Path) -> None:
    recordings = [np.round(8000 * np.sin(np.arange(3001 + n) / 7)).astype(np.int64) for n in range(6)]
    builder = spoken(tmp_path, recordings, tfds.features.Audio(sample_rate=16000))
    source = sources.DatasetSource(builder, 8000, {"train": "train[:4]", "test": "train[4:]"})
    utterances, once = source.utterances("train"), read(source.recordings("train"))
    assert [(key, text, len(audio)) for key, text, audio in once] == [u[:3] for u in utterances]
    assert len(once) == 4
    assert [key for key, _, _ in read(source.recordings("train"))] == [key for key, _, _ in once]
    chosen = [utterances[1].key, utterances[3].key]
    some = read(source.recordings("train", chosen[::-1]))
    assert [key for key, _, _ in some] == chosen
    np.testing.assert_array_equal(some[0][2], once[1][2])
    both = {utterance.key for split in ("train", "test") for utterance in source.utterances(split)}
    assert both == {f"id{n}" for n in range(6)}
    with pytest.raises(SpeechDataError, match="no split validation"):
        source.utterances("validation")


def test_broken_recordings_of_a_builder_are_reported(tmp_path: Path) -> None:
    tone = np.sin(np.arange(500) / 5).astype(np.float32)
    broken = tone.copy()
    broken[250] = np.nan
    builder = spoken(
        tmp_path,
        [tone, np.zeros(500, np.float32), np.zeros(0, np.float32), broken, 99 * tone],
        tfds.features.Audio(sample_rate=16000, dtype=np.float32),
    )
    utterances = {u.key: u for u in sources.DatasetSource(builder, 16000).utterances("train")}
    reasons = [utterances[f"id{n}"].problem for n in range(5)]
    assert reasons[0] == ""
    for reason, part in zip(reasons[1:], ("silent", "empty", "NaN", "16 bits"), strict=True):
        assert part in reason


def test_builder_without_speech_is_refused() -> None:
    with tfds.testing.mock_data(policy=tfds.testing.MockPolicy.USE_CODE):
        builder = tfds.builder("mnist")
        with pytest.raises(SpeechDataError, match="mnist is no transcribed speech"):
            sources.DatasetSource(builder, 8000)


def test_public_librispeech_on_mock_data(tmp_path: Path) -> None:
    with tfds.testing.mock_data(num_examples=5, policy=tfds.testing.MockPolicy.USE_CODE):
        source = sources.librispeech_dataset(8000, data_dir=tmp_path)
        assert source.original_rate == 16000
        for split in sources.SPLITS:
            utterances, recordings = source.utterances(split), read(source.recordings(split))
            assert len(recordings) == 5
            assert [(key, text, len(audio)) for key, text, audio in recordings] == [u[:3] for u in utterances]
            assert all(audio.dtype == np.float32 and np.abs(audio).max() <= 1 for _, _, audio in recordings)
