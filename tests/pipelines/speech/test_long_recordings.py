"""Long recordings: cutting them changes nothing where there are pauses, nor the times of words."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipelines.runs import Run
from pipelines.speech import long_recordings
from pipelines.speech.audio_files import SpeechDataError, load_audio, read_audio
from pipelines.speech.long_recordings import Pieces, Transcript, Word, joined, windows
from pipelines.speech.predictor import Predictor, load

Say = Callable[..., np.ndarray]
ALPHABET = ("a", "b", " ")


@pytest.fixture(scope="module")
def predictor(trained_run: Run) -> Predictor:
    return load(trained_run)


def logits_of(text: str) -> np.ndarray:
    """Logits (frames, labels) of a frame a character; - is the blank."""
    return 9.0 * np.eye(4, dtype=np.float32)[["-ab ".index(character) for character in text]]


@pytest.mark.parametrize("sizes", [[10**9], [8000], [1, 3, 70_000, 5, 0], [479_999, 1, 320]])
@pytest.mark.parametrize("seconds", [0, 0.01, 30, 60, 61, 200.02])
def test_windows_count_each_frame_once_and_hear_what_is_around(seconds: float, sizes: list[int]) -> None:
    rate, frame = 1000, 40
    audio = np.random.default_rng(0).normal(size=round(seconds * rate)).astype(np.float32)
    parts, at, number = [], 0, 0
    while at < len(audio):
        parts.append(audio[at : at + sizes[number % len(sizes)]])
        at, number = at + sizes[number % len(sizes)], number + 1
    counted: list[np.ndarray] = []
    for window in windows(parts, rate, frame):
        frames = window.audio[: len(window.audio) // frame * frame].reshape(-1, frame)
        start = sum(map(len, counted))
        before, behind = window.counted.start, len(frames) - (window.counted.stop or len(frames))
        assert before == (min(start, 100) if start else 0) and behind in (0, 100)
        counted.append(frames[window.counted])
        assert len(window.audio) <= 64 * rate
    whole = len(audio) // frame * frame
    np.testing.assert_array_equal(np.concatenate(counted).reshape(-1), audio[:whole])


def test_pieces_end_in_pauses_however_the_logits_come() -> None:
    text = "a-b-" + "-" * 30 + "bb" + " " * 6 + "a-b" * 9 + "-" * 12 + "a"
    logits = logits_of(text)
    found = None
    for size in (1, 3, len(text)):
        pieces = Pieces(ALPHABET, frame_seconds=0.1, minimum_seconds=0.8)
        ended = [piece for at in range(0, len(text), size) for piece in pieces.feed(logits[at : at + size])]
        ended.append(pieces.open)
        np.testing.assert_array_equal(np.concatenate([piece.logits for piece in ended]), logits)
        assert [piece.start for piece in ended] == np.cumsum([0, *(len(each.logits) for each in ended[:-1])]).tolist()
        starts = [piece.start for piece in ended]
        for start in starts[1:]:
            assert set(text[start - 4 : start + 4]) <= set("- "), "half of the pause before the cut, half behind it"
        found = found or starts
        assert starts == found and len(starts) > 2
    long = Pieces(ALPHABET, frame_seconds=0.1, minimum_seconds=6.0)
    assert [piece.start for piece in long.feed(logits)] == [0], "the first pauses come too soon"


@pytest.mark.parametrize("form", ["wav", "mp3"])
def test_cutting_changes_nothing(
    form: str, predictor: Predictor, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = ["ab cad", "dbc", "cab dab ad", "da", "bad cab"] * 3
    audio = np.concatenate([say(f"{sentence}{' ' * 12}", number) for number, sentence in enumerate(sentences)])
    path = tmp_path / f"long.{form}"
    soundfile.write(path, np.stack([audio, audio], axis=1), 8000)
    whole = predictor.transcribe(path, n_best=2)
    assert len(whole.words) >= 20
    for window, piece in ((5.0, 3.0), (11.0, 0.8), (2.0, 20.0)):
        monkeypatch.setattr(long_recordings, "WINDOW_SECONDS", window)
        monkeypatch.setattr(long_recordings, "CONTEXT_SECONDS", 1.0)
        monkeypatch.setattr("pipelines.speech.audio_files.PART_SECONDS", 1.3 * window)
        monkeypatch.setattr("pipelines.speech.streaming.PIECE_SECONDS", piece)
        heard: dict[float, int] = {}
        (cut,) = predictor.try_each(
            [path], n_best=2, progress=lambda place, seconds, to=heard: to.update({seconds: place})
        )
        assert isinstance(cut, Transcript)
        assert cut.text == whole.text
        np.testing.assert_allclose(
            [word[1:] for word in cut.words], [word[1:] for word in whole.words], atol=0.021, err_msg=str(window)
        )
        assert len(heard) > 1 and set(heard.values()) == {0}
        assert max(heard) == pytest.approx(len(audio) / 8000, abs=0.1)
        assert all(each.text != cut.text for each in cut.alternatives)


def test_joined_readings_are_the_most_probable_combinations() -> None:
    random = np.random.default_rng(0)
    for n_best in (1, 3):
        parts = []
        for _ in range(4):
            shares = sorted(random.dirichlet(np.ones(3)), reverse=True)
            texts = [Transcript(f"{share:.6f}", float(share), [Word("a", 0, 1, 1)], []) for share in shares]
            parts.append(texts[0]._replace(alternatives=texts[1:]))
        all_readings = [[part, *part.alternatives] for part in parts]
        expected = sorted(
            itertools.product(*all_readings), key=lambda path: -np.prod([each.confidence for each in path])
        )[:n_best]
        best = joined(parts, " ", n_best)
        found = [best, *best.alternatives]
        assert [each.text for each in found] == [" ".join(each.text for each in path) for path in expected]
        for each, path in zip(found, expected, strict=True):
            assert each.confidence == pytest.approx(np.prod([part.confidence for part in path]) ** 0.25)
            assert len(each.words) == 4


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (11025, 1)])
def test_a_recording_in_parts_is_the_whole(
    rate: int, channels: int, write_tone: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tone(tmp_path / "a.flac", seconds=3.3, rate=rate, channels=channels)
    expected = load_audio(path, 8000)
    for seconds in (0.5, 60.0):
        monkeypatch.setattr("pipelines.speech.audio_files.PART_SECONDS", seconds)
        parts = list(read_audio(path, 8000, []))
        assert len(parts) == (1 if seconds == 60.0 else len(parts)) and len(parts) > (seconds < 1)
        np.testing.assert_allclose(np.concatenate(parts), expected, atol=2e-5)


def test_what_is_wrong_far_behind_is_found(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.speech.audio_files.PART_SECONDS", 1.0)
    audio = np.concatenate([np.zeros(20000, np.float32), say("ab cad " * 3)])
    soundfile.write(tmp_path / "late.wav", audio, 8000)
    assert sum(map(len, read_audio(tmp_path / "late.wav", 8000, []))) == len(audio), "not silent: it has a late sound"
    notes: list[str] = []
    soundfile.write(tmp_path / "cancels.wav", np.stack([audio, -audio], axis=1), 8000)
    heard = np.concatenate(list(read_audio(tmp_path / "cancels.wav", 8000, notes)))
    np.testing.assert_allclose(np.abs(heard), np.abs(audio), atol=1e-4)
    assert notes == ["the channels cancel each other out; the loudest is read"]
    soundfile.write(tmp_path / "silent.wav", 0 * audio, 8000)
    audio[-5] = np.nan
    soundfile.write(tmp_path / "nan.wav", audio, 8000, "FLOAT")
    for name, message in (("silent", "is silent"), ("nan", "NaN")):
        with pytest.raises(SpeechDataError, match=message):
            list(read_audio(tmp_path / f"{name}.wav", 8000, []))


def test_one_bad_recording_keeps_no_other_from_its_answer(
    predictor: Predictor, say: Say, tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    soundfile.write(tmp_path / "a.wav", say("ab"), 8000)
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    names: list[Any] = [tmp_path / name for name in ("a.wav", "bad.wav", "missing.wav", "a.wav")]
    found = list(predictor.try_each(names))
    assert [isinstance(each, SpeechDataError) for each in found] == [False, True, True, False]
    assert isinstance(found[0], Transcript) and found[0].text == "ab"
    assert "missing.wav" in str(found[2])
