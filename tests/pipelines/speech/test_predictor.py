"""The predictor: the same answers from a run and its export, alone and in batches, whole and streamed."""

import io
import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from models.decoding.search_stream import PAUSE_SECONDS
from pipelines.configuration import ConfigurationError
from pipelines.run_files import plain
from pipelines.runs import Run, RunError
from pipelines.served import Served
from pipelines.speech import predictor as predictor_module
from pipelines.speech.audio_files import SpeechDataError, audio_of
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.decoder import load_decoder
from pipelines.speech.live import LiveAudio, listen
from pipelines.speech.long_recordings import Pieces
from pipelines.speech.model import load_model
from pipelines.speech.predictor import Predictor, Transcript
from pipelines.speech.readings import transcribe_split
from pipelines.speech.resampling import resample
from pipelines.speech.train import train
from pipelines.speech.user_recordings import manifest

Say = Callable[..., np.ndarray]
Both = tuple[Predictor, Predictor]
TEXTS = ("ab cad", "dbc", "a", "cab dab ad")


@pytest.fixture(scope="module")
def both(trained_run: Run, loaded_both_ways: Callable[[Run], tuple[Any, Any]]) -> Both:
    """The predictors of the run and of its export."""
    return loaded_both_ways(trained_run)


@pytest.fixture(scope="module")
def forwards(
    corpus: Path, configure: Callable[..., SpeechConfiguration], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A run of a network of one direction, whose language model is a lexicon."""
    words = ["-1\tab\t-0.5", "-1\tcad", "-1.5\tdbc", "-0.7\t</s>", "-99\t<s>", "-1\t<unk>"]  # others are spelled
    lines = ["\\data\\", "ngram 1=6", "ngram 2=1", "\\1-grams:", *words, "\\2-grams:", "-0.2\tab cad", "\\end\\"]
    folder = tmp_path_factory.mktemp("forwards")
    lexicon = folder / "words.arpa"
    lexicon.write_text("\n".join(lines))
    configuration = configure(
        corpus,
        network={"bidirectional": False},
        training={"epochs": 1},
        decoding={"arpa": str(lexicon)},
        steps_per_epoch=40,
    )
    run = Run.create("speech", "forwards", configuration, folder / "runs")
    train(run, configuration)
    return run


@pytest.fixture(scope="module")
def streaming(forwards: Run, loaded_both_ways: Callable[[Run], tuple[Any, Any]]) -> Both:
    """The predictors of that run and of its export."""
    return loaded_both_ways(forwards)


def assert_alike(one: Transcript, other: Transcript) -> None:
    assert one.text == other.text
    assert one.confidence == pytest.approx(other.confidence, abs=1e-5)
    assert [word.text for word in one.words] == [word.text for word in other.words]
    np.testing.assert_allclose(
        np.array([word[1:] for word in one.words]), np.array([word[1:] for word in other.words]), atol=1e-5
    )
    for mine, theirs in zip(one.alternatives, other.alternatives, strict=True):
        assert_alike(mine, theirs)


def test_run_and_export_answer_alike_alone_and_in_batches(
    both: Both, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "file.flac", say("dab"), 8000)
    recordings = [*map(say, TEXTS), tmp_path / "file.flac", str(tmp_path / "file.flac")]
    alone = [both[0].transcribe(each, 8000 if isinstance(each, np.ndarray) else None) for each in recordings]
    assert [each.text for each in alone] == [*TEXTS, "dab", "dab"]
    for seconds, ahead in ((120.0, 32), (1.0, 32), (120.0, 2)):
        monkeypatch.setattr(predictor_module, "BATCH_SECONDS", seconds)
        monkeypatch.setattr(predictor_module, "READ_AHEAD", ahead)
        for predictor in both:
            for one, other in zip(alone, predictor.transcribe(recordings, 8000), strict=True):
                assert_alike(one, other)
    assert both[0].transcribe([]) == []
    (single,) = both[1].transcribe([recordings[0]], 8000)
    assert_alike(single, alone[0])


def test_batches_are_bounded_and_of_similar_length(both: Both) -> None:
    lengths = np.random.default_rng(0).integers(1, 60 * 8000, 100).tolist()
    lengths.append(500 * 8000)
    batches = list(both[0]._batches(lengths))
    assert sorted(place for batch in batches for place in batch) == list(range(101))
    for batch in batches[:-1]:
        assert len(batch) * max(lengths[place] for place in batch) <= predictor_module.BATCH_SECONDS * 8000
    assert batches[-1] == [100], "longer than a batch, hence alone"
    for before, after in itertools.pairwise(batches):
        assert max(lengths[place] for place in before) <= min(lengths[place] for place in after)


@pytest.mark.slow
@pytest.mark.parametrize(("run", "predictors"), [("trained_run", "both"), ("forwards", "streaming")])
def test_the_answer_is_that_of_the_row_model(
    run: str, predictors: str, request: pytest.FixtureRequest, corpus: Path
) -> None:
    """The answer of a predictor, and that of the search in the graph of an export."""
    run, predictors = request.getfixturevalue(run), request.getfixturevalue(predictors)
    recogniser, decoder = load_model(run), load_decoder(run)
    for one in transcribe_split(recogniser, manifest(corpus, 8000), "test"):
        expected = decoder(one.logits, recogniser.alphabet, recogniser.frame_seconds)[0]
        for predictor in predictors:
            found = predictor.transcribe(one.audio, 8000)
            assert (found.text, len(found.words)) == (expected.text, len(expected.words))
            assert found.confidence == pytest.approx(expected.confidence, abs=1e-4)
        answer = predictors[1]._served("serving_default", audio=one.audio[np.newaxis], lengths=[len(one.audio)])
        assert answer["text"][0].decode() == expected.text
        assert answer["confidence"][0] == pytest.approx(expected.confidence, abs=1e-4)


def test_alternatives_are_less_probable_texts(both: Both, say: Say) -> None:
    audio = say("ab cad")
    best = both[0].transcribe(audio, 8000, n_best=4)
    texts = [best.text, *(each.text for each in best.alternatives)]
    assert len(set(texts)) == len(texts) and 1 < len(texts) <= 4
    shares = [best.confidence, *(each.confidence for each in best.alternatives)]
    assert shares == sorted(shares, reverse=True) and sum(shares) <= 1 + 1e-9
    assert_alike(best, both[1].transcribe(audio, 8000, n_best=4))
    assert both[0].transcribe(audio, 8000) == best._replace(alternatives=[])


def test_arrays_of_any_rate_type_and_channels_are_heard_the_same(both: Both, say: Say) -> None:
    audio = say("ab cad")
    expected = both[0].transcribe(audio, 8000)
    wide = resample(audio, 8000, 22050)
    for samples, rate in (
        (np.stack([audio, audio], axis=1), 8000),
        (np.stack([2 * audio, 0 * audio], axis=1).astype(np.float64), 8000),
        (np.round(audio * 32767).astype(np.int16), 8000),
        (np.round(audio.astype(np.float64) * (2**31 - 1)).astype(np.int32)[:, np.newaxis], 8000),
        (wide, 22050.0),
    ):
        found = both[0].transcribe(samples, rate)
        assert found.text == expected.text == "ab cad"
        assert found.words[1].start == pytest.approx(expected.words[1].start, abs=0.021)


def test_a_file_is_heard_from_its_path_its_content_or_open(both: Both, say: Say, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", say("ab cad"), 8000)
    content = (tmp_path / "a.flac").read_bytes()
    expected = both[0].transcribe(tmp_path / "a.flac")
    with (tmp_path / "a.flac").open("rb") as file:
        for found in both[0].transcribe([content, file, io.BytesIO(content)]):
            assert_alike(found, expected)
    with pytest.raises(SpeechDataError, match=r"^The recording cannot be decoded"):
        both[0].transcribe(content[:40])
    with pytest.raises(SpeechDataError, match=r"open as text.*open\(path, 'rb'\)"):
        both[0].transcribe(io.StringIO("a.flac"))


def test_what_cannot_be_transcribed_is_refused(both: Both, say: Say, tmp_path: Path) -> None:
    audio = say("ab")
    for wrong, message in (
        ((audio,), "does not tell its sample rate.*Received: sample_rate=None"),
        ((audio, 0), "No audio has this sample rate.*Received: sample_rate=0"),
        ((audio, 16), "Expected samples a second, a whole number, 1000 to 1000000.*Received: sample_rate=16"),
        ((audio, 8000.5), "No audio has this sample rate.*Received: sample_rate=8000.5"),
        ((np.zeros(0, np.float32), 8000), r"The array is empty.*Received: float32 \(0,\)"),
        (("https://example.org/a.wav",), "on the network.*Download it, and name the file"),
        ((["a.wav"], 8000), "a file has its own.*Received: sample_rate=8000"),
        (([0.1, 0.2], 8000), "neither a file nor an array.*Received: float"),
        (((audio, 8000),), "neither a file nor an array.*sample_rate=.*Received: int"),
        (("",), "A path is empty.*Received: ''"),
        ((np.stack([audio, audio]), 8000), r"transpose it. Received: float32 \(2, 1600\)"),
        ((np.zeros(800, np.uint8), 8000), "signed integers.*Received: uint8"),
        (((30000 * audio).astype(np.int64), 8000), r"astype\(numpy.int16\).*Received: int64"),
        (((30000 * audio).astype(np.int32), 8000), r"astype\(numpy.int16\).*Received: samples of at most"),
        ((np.full(800, np.nan), 8000), "The array holds NaN or infinity"),
        ((30000 * audio, 8000), "The array is louder than audio can be"),
        ((tmp_path / "missing.wav",), "missing.wav does not exist"),
    ):
        with pytest.raises(SpeechDataError, match=message):
            both[0].transcribe(*wrong)
    with pytest.raises(ConfigurationError, match=r"^n_best: expected at least 1\..*Received: 0$"):
        both[0].transcribe(audio, 8000, 0)
    assert audio_of(np.zeros(0, np.float32)).shape == (0,)
    assert audio_of(np.array([0, 1, -1])).tolist() == [0, 1, -1]  # as JSON has whole floats


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [[1], [37, 400, 3], [160], [100000]])
def test_a_stream_ends_with_the_answer_of_the_whole(streaming: Both, say: Say, sizes: list[int]) -> None:
    audio = np.concatenate([say("ab cad dbc"), say("a")[:77]])
    whole = streaming[0].transcribe(audio, 8000)
    assert whole.text
    if sizes == [1]:
        audio, whole = audio[:500], streaming[0].transcribe(audio[:500], 8000)
    for predictor in streaming:
        stream, start, number, texts = predictor.stream(), 0, 0, [""]
        while start < len(audio):
            size = sizes[number % len(sizes)]
            texts.append(stream.feed(audio[start : start + size]))
            start, number = start + size, number + 1
        assert texts[-1] == whole.text, "the text so far is that of the search"
        assert_alike(stream.finish(), whole)


def test_utterances_end_in_pauses_and_have_their_times(streaming: Both, say: Say) -> None:
    audio = np.concatenate([say(f"{text}{' ' * 12}", number) for number, text in enumerate(TEXTS)])
    blocks = np.array_split(audio, 50)
    predictor = streaming[0]
    found = list(listen(predictor.stream(), LiveAudio(8000, iter(blocks)), 8000))
    (logits,) = predictor._logits([audio])
    pieces = Pieces(predictor.alphabet, predictor.frame_seconds, PAUSE_SECONDS)
    cut = [*pieces.feed(logits), pieces.open]
    expected = [each for each in (predictor.decode_piece(piece, 1, {}) for piece in cut) if each.text]
    assert len(found) == len(expected) > 1
    for one, other in zip(found, expected, strict=True):
        assert_alike(one, other)


def test_a_stream_of_nothing_says_nothing(streaming: Both) -> None:
    stream = streaming[1].stream()
    assert stream.feed(np.zeros(0, np.float32)) == stream.feed(np.zeros(50, np.float32)) == ""
    with pytest.raises(SpeechDataError, match="NaN"):
        stream.feed(np.array([np.nan]))
    said = stream.finish()
    assert (said.text, said.words) == ("", [])
    for late in (lambda: stream.feed(np.zeros(50, np.float32)), stream.finish):
        with pytest.raises(ConfigurationError, match=r"The stream has finished.*Open another one"):
            late()


class Before(Served):
    """An export of 0.1: it has no search, and a step says what the best labels have that is new."""

    def __init__(self, now: Served) -> None:
        super().__init__({})
        self._now, self._inputs = now, {name: kinds for name, kinds in now._inputs.items() if "hot" not in name}

    def _ask(self, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._now._ask(name, inputs)
        return {key: value for key, value in answer.items() if key not in ("open", "confidence")}


def test_an_export_without_a_search_still_answers(forwards: Run, streaming: Both, say: Say) -> None:
    before = Predictor(forwards, Before(streaming[1]._served))
    audio = say("ab cad dbc")
    for hot_words in ((), {"cad": 3.0}):
        expected = streaming[0].transcribe(audio, 8000, hot_words=hot_words)
        assert_alike(before.transcribe(audio, 8000, hot_words=hot_words), expected)
        stream = before.stream(hot_words)
        assert stream.feed(audio[:4000]) in expected.text
        stream.feed(audio[4000:])
        assert_alike(stream.finish(), expected)


def test_the_text_so_far_prefers_hot_words(streaming: Both, say: Say) -> None:
    audio, words = say("ab cad dbc"), {"cad": 60.0, "ab cad": 60.0}
    for predictor in streaming:
        assert predictor.stream(words).feed(audio) == predictor.transcribe(audio, 8000, hot_words=words).text


def test_a_network_of_both_directions_cannot_stream(both: Both) -> None:
    for predictor in both:
        with pytest.raises(RunError, match=r"both directions.*train speech streaming.*Received: .*bidirectional"):
            predictor.stream()


def test_a_job_has_the_same_answers(both: Both, write_tone: Callable[..., Path], tmp_path: Path) -> None:
    files = [str(write_tone(tmp_path / name, seconds)) for name, seconds in (("a.wav", 0.5), ("b.wav", 0.7))]
    found = json.loads(json.dumps(plain(both[0].answers(files))))
    expected = both[0].transcribe(Path(file) for file in files)
    assert [each["text"] for each in found] == [each.text for each in expected]
    assert [len(each["words"]) for each in found] == [len(each.words) for each in expected]


@pytest.mark.slow
def test_devices_answer_alike(forwards: Run, judged_on_devices: Callable[..., Any]) -> None:
    judged_on_devices(forwards)  # of one epoch, too little to judge int8 by
