"""Recordings from TFDS builders: what is read, in which order, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from benchmarks.speech_scale import write_librispeech
from pipelines.speech import sources
from pipelines.speech.audio_files import SpeechDataError, resample

ReadRecordings = Callable[..., list[tuple[str, str, np.ndarray]]]


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
def test_builder_of_any_type_and_channels(
    tmp_path: Path, dtype: type, channels: int, read_recordings: ReadRecordings
) -> None:
    random = np.random.default_rng(0)
    integers = [random.integers(-9000, 9000, (1001 + n, channels)) for n in range(5)]
    given: list[np.ndarray] = [(part / 32768 if dtype is np.float32 else part).astype(dtype) for part in integers]
    shape = (None,) if channels == 1 else (None, channels)
    feature = tfds.features.Audio(sample_rate=16000, dtype=dtype, shape=shape)
    builder = spoken(tmp_path, [part[:, 0] if channels == 1 else part for part in given], feature)
    source = sources.DatasetSource(builder, 16000)
    recordings = {key: (text, audio) for key, text, audio in read_recordings(source.recordings("train"))}
    for number, part in enumerate(integers):
        text, audio = recordings[f"id{number}"]
        assert text == f"text {'abcdef'[number]}"
        np.testing.assert_allclose(audio, part.mean(1) / 32768, atol=1e-6)


def test_builder_is_resampled_in_a_stable_order(tmp_path: Path, read_recordings: ReadRecordings) -> None:
    recordings = [np.round(8000 * np.sin(np.arange(3001 + n) / 7)).astype(np.int64) for n in range(6)]
    builder = spoken(tmp_path, recordings, tfds.features.Audio(sample_rate=16000))
    source = sources.DatasetSource(builder, 8000, {"train": "train[:4]", "test": "train[4:]"})
    utterances, once = source.utterances("train"), read_recordings(source.recordings("train"))
    assert [(key, text, len(audio)) for key, text, audio in once] == [u[:3] for u in utterances]
    assert len(once) == 4
    assert [key for key, _, _ in read_recordings(source.recordings("train"))] == [key for key, _, _ in once]
    chosen = [utterances[1].key, utterances[3].key]
    some = read_recordings(source.recordings("train", chosen[::-1]))
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
        with pytest.raises(SpeechDataError, match="mnist is not transcribed speech"):
            sources.DatasetSource(builder, 8000)


def test_public_librispeech_on_mock_data(tmp_path: Path, read_recordings: ReadRecordings) -> None:
    """In several files, as the published set is, and with splits that are joined."""
    splits = {"train_clean100": 5, "train_clean360": 5, "dev_clean": 5, "test_clean": 5}

    def made(number: int) -> np.ndarray:
        return (np.arange(400 + 9 * number) % 99).astype(np.int16)

    write_librispeech(tmp_path, splits, made, shards=3)
    source = sources.librispeech_dataset(8000, "train_clean100+train_clean360", tmp_path)
    assert source.original_rate == 16000
    for split, count in zip(sources.SPLITS, (10, 5, 5), strict=True):
        utterances, recordings = source.utterances(split), read_recordings(source.recordings(split))
        assert [(key, text, len(audio)) for key, text, audio in recordings] == [u[:3] for u in utterances]
        assert len({u.key for u in utterances}) == count
        for number, (key, _, audio) in enumerate(recordings):
            samples = made(int(key.rpartition("-")[2])) / np.float32(2**15)
            np.testing.assert_array_equal(audio, resample(samples, 16000, 8000))
            np.testing.assert_array_equal(source.read(split, number), audio)
