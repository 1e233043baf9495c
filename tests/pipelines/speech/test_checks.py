"""What cannot be learned is refused by name, or left out and counted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.speech import checks, user_recordings
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.sources import Utterance

WriteTone = Callable[..., Path]
WriteManifest = Callable[..., Path]
ReadRecordings = Callable[..., list[tuple[str, str, np.ndarray]]]


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
    assert "… (12 in all)" in message
    kept, skipped = checks.check_learnable(utterances, frames, skip=True)
    assert kept == utterances[:3]
    assert skipped == [(f"empty{n}", "the transcript is empty") for n in range(12)]
    with pytest.raises(SpeechDataError, match="12 of 12"):
        checks.check_learnable(utterances[3:], frames, skip=True)


def test_unreadable_and_repeated_files_of_a_manifest(
    tmp_path: Path, write_tone: WriteTone, read_recordings: ReadRecordings, write_manifest: WriteManifest
) -> None:
    write_tone(tmp_path / "good.wav")
    (tmp_path / "broken.wav").write_bytes(b"no audio at all")
    names = ["good.wav", "broken.wav", "absent.wav", "good.wav"]
    texts = ["fine", "fine", "fine", "not what another row says"]
    rows = [{"audio_filepath": name, "text": text, "split": "train"} for name, text in zip(names, texts, strict=True)]
    path = write_manifest(tmp_path / "all.jsonl", rows)
    source = user_recordings.manifest(path, 8000)
    with pytest.raises(SpeechDataError, match="3 of 4 recordings"):
        checks.check_learnable(source.utterances("train"), frames)
    kept, skipped = checks.check_learnable(source.utterances("train"), frames, skip=True)
    assert [key for key, _ in skipped] == ["broken.wav", "absent.wav", "good.wav"]
    assert f"{path}, line 2: {tmp_path / 'broken.wav'} cannot be decoded" in skipped[0][1]
    assert f"{path}, line 3: {tmp_path / 'absent.wav'} does not exist" in skipped[1][1]
    assert skipped[2][1] == "another recording has the same key"
    # What was kept can be read, each once.
    assert len(read_recordings(source.recordings("train", {utterance.key for utterance in kept}))) == 1
    # Whoever reads the others all the same is told which one it was.
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"broken\.wav cannot be decoded"):
        read_recordings(source.recordings("train"))


def test_alphabet_comes_from_training_and_foreign_characters_are_named() -> None:
    training = [Utterance("a", "žába", 1), Utterance("b", "don't", 1)]
    alphabet = checks.alphabet_of(training)
    assert alphabet == (" ", "'", "a", "b", "d", "n", "o", "t", "á", "ž")
    test = [Utterance("c", "ñandú a ñ", 1)]
    with pytest.warns(UserWarning, match=r"'ñ' \(LATIN SMALL LETTER N WITH TILDE\) 2 times, 'ú'"):
        assert checks.unknown_characters(test, alphabet) == {"ñ": 2, "ú": 1}
    assert checks.unknown_characters(training, alphabet) == {}
