"""Batches: few shapes, the same for the same seed, right labels, nothing of validation or test, read when needed."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.speech import batching, data, train
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.augmentation import AudioAugmentationConfiguration
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.data import DataConfiguration, Speech
from pipelines.speech.language_models import learned_texts
from pipelines.speech.sources import Source, Utterance

MakeCorpus = Callable[..., Path]
Configure = Callable[..., SpeechConfiguration]
RATE = 8000
BUCKETS = [0.8, 1.04, 1.352, 1.7576, 2.28488, 2.970344, 3.861447]  # seconds, each 1.3 times the one before
EXACT = AudioAugmentationConfiguration(speed=0.0, gain_decibels=0.0, noise_decibels=0.0)
VARIED = AudioAugmentationConfiguration(speed=0.1, noise_share=0.5)


def label_frames(samples: int) -> int:
    return samples // 160


@pytest.fixture(scope="module")
def varied_corpus(make_corpus: MakeCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of 0.3 to 3 seconds."""
    return make_corpus(tmp_path_factory.mktemp("varied") / "tones", recordings=60, maximum_characters=30)


def of_manifest(path: Path, **changes: Any) -> tuple[DataConfiguration, Speech]:
    configuration = DataConfiguration(source="manifest", path=str(path), batch_seconds=6.0).replace(**changes)
    return configuration, data.load(configuration, RATE, label_frames)


def take(
    speech: Speech,
    configuration: DataConfiguration,
    batches: int,
    augmentation: AudioAugmentationConfiguration = VARIED,
    seed: int = 0,
    epoch: int = 1,
) -> list[dict[str, np.ndarray]]:
    stream = data.training_batches(speech, configuration, augmentation, RATE, seed, epoch, epochs=3)
    return list(stream.take(batches).as_numpy_iterator())


def texts_of(batch: dict[str, np.ndarray], alphabet: Sequence[str]) -> list[str]:
    rows = zip(batch["labels"], batch["label_lengths"], strict=True)
    return ["".join(alphabet[label - 1] for label in row[:length]) for row, length in rows]


@pytest.mark.slow
def test_batches_have_few_shapes_and_little_padding(varied_corpus: Path) -> None:
    configuration, speech = of_manifest(varied_corpus)
    batches = take(speech, configuration, 60)
    buckets = [round(seconds * RATE) for seconds in BUCKETS]
    widths = {batch["audio"].shape for batch in batches}
    assert len(widths) <= len(BUCKETS)
    assert len(widths) > 3
    for batch in batches:
        rows, width = batch["audio"].shape
        place = buckets.index(width)
        assert rows == round(6.0 / BUCKETS[place])
        assert batch["audio_lengths"].max() <= width
        assert batch["audio_lengths"].min() > (buckets[place - 1] if place else 0)
        for audio, length in zip(batch["audio"], batch["audio_lengths"], strict=True):
            assert np.any(audio[length - 80 : length] != 0)
            assert not np.any(audio[length:])


def test_batches_follow_from_seed_and_epoch(varied_corpus: Path) -> None:
    configuration, speech = of_manifest(varied_corpus)
    first = take(speech, configuration, 6)
    for batch, again in zip(first, take(speech, configuration, 6), strict=True):
        for name, values in batch.items():
            np.testing.assert_array_equal(values, again[name], err_msg=name)
    for other in ({"epoch": 2}, {"seed": 1}):
        others = take(speech, configuration, 6, **other)
        assert [batch["audio_lengths"].tolist() for batch in others] != [
            batch["audio_lengths"].tolist() for batch in first
        ]


def test_labels_are_the_transcripts(varied_corpus: Path) -> None:
    configuration, speech = of_manifest(varied_corpus)
    assert speech.alphabet == (" ", "a", "b", "c", "d")
    rows = [json.loads(line) for line in varied_corpus.read_text().splitlines()]
    for batch in batching.batches(speech.source, "test", speech.alphabet).as_numpy_iterator():
        assert texts_of(batch, speech.alphabet) == [text.decode() for text in batch["text"]]
    heard = {text for batch in take(speech, configuration, 60) for text in texts_of(batch, speech.alphabet)}
    assert heard == {row["text"] for row in rows if row["split"] == "train"}


def test_unaugmented_batches_hold_the_recordings(varied_corpus: Path, say: Callable[..., np.ndarray]) -> None:
    configuration, speech = of_manifest(varied_corpus)
    rows = [json.loads(line) for line in varied_corpus.read_text().splitlines()]
    spoken = {row["text"]: say(row["text"], number) for number, row in enumerate(rows)}
    for batch in take(speech, configuration, 4, EXACT):
        for audio, length, text in zip(
            batch["audio"], batch["audio_lengths"], texts_of(batch, speech.alphabet), strict=True
        ):
            np.testing.assert_allclose(audio[:length], spoken[text], atol=1 / 32000)


def test_evaluated_batches_keep_order_and_length(varied_corpus: Path) -> None:
    _, speech = of_manifest(varied_corpus)
    expected = [(utterance.key, utterance.samples) for utterance in speech.utterances["test"]]
    found: list[tuple[str, int]] = []
    for batch in batching.batches(speech.source, "test", speech.alphabet).as_numpy_iterator():
        found += zip([key.decode() for key in batch["key"]], batch["audio_lengths"].tolist(), strict=True)
    assert found == expected
    chosen = expected[1][0]
    (batch,) = batching.batches(speech.source, "test", speech.alphabet, {chosen}).as_numpy_iterator()
    assert batch["key"].tolist() == [chosen.encode()]


@pytest.mark.slow
def test_the_first_epoch_has_the_shorter_recordings(varied_corpus: Path) -> None:
    configuration, speech = of_manifest(varied_corpus, first_epoch_seconds=1.5)
    first, second = (take(speech, configuration, 20, EXACT, epoch=epoch) for epoch in (0, 1))
    assert max(batch["audio_lengths"].max() for batch in first) <= 1.5 * RATE
    assert max(batch["audio_lengths"].max() for batch in second) > 1.5 * RATE


def test_the_first_epoch_does_not_search_for_ever(varied_corpus: Path) -> None:
    configuration, speech = of_manifest(varied_corpus, first_epoch_seconds=0.01)
    lengths = sorted(utterance.samples for utterance in speech.utterances["train"])
    batches = take(speech, configuration, 3, EXACT, epoch=0)
    assert max(batch["audio_lengths"].max() for batch in batches) <= lengths[len(lengths) // 4]


def test_long_recordings_are_left_out_and_named(varied_corpus: Path) -> None:
    configuration, speech = of_manifest(varied_corpus, maximum_seconds=1.5)
    rows = [json.loads(line) for line in varied_corpus.read_text().splitlines()]
    long = [row for row in rows if row["split"] == "train" and len(row["text"]) > 15]
    assert speech.skipped == [(row["audio_filepath"], "longer than 1.5 s") for row in long]
    assert max(batch["audio_lengths"].max() for batch in take(speech, configuration, 20, EXACT)) <= 1.5 * RATE
    assert {row["text"] for row in long}.isdisjoint(learned_texts(SpeechConfiguration(), speech)[0])
    with pytest.raises(
        SpeechDataError, match=r"All 40 .* longer than 0.1 s.*--data.maximum_seconds.*shortest has 0.5 s"
    ):
        of_manifest(varied_corpus, maximum_seconds=0.1)


def test_unusable_recordings_are_named_or_left_out(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    manifest = make_corpus(tmp_path / "tones", recordings=24)
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    rows[0]["text"] = "abcd " * 40  # train
    rows[4]["text"] = ""  # validation
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tones" / "5.wav").write_bytes(b"no audio")  # test
    with pytest.raises(SpeechDataError, match=r"(?s)1 of 16 recordings of train.*0.wav: the transcript needs"):
        of_manifest(manifest)
    rows[0]["text"] = "abc"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(SpeechDataError, match=r"(?s)1 of 4 recordings of validation.*4.wav: the transcript is empty"):
        of_manifest(manifest)
    _, speech = of_manifest(manifest, skip_unlearnable=True)
    assert [key for key, _ in speech.skipped] == ["4.wav", "5.wav"]
    assert "5.wav cannot be decoded" in speech.skipped[1][1]
    assert [len(speech.utterances[split]) for split in ("train", "validation", "test")] == [16, 3, 3]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Never seen in training")
def test_validation_and_test_never_influence_training(
    make_corpus: MakeCorpus, configure: Configure, tmp_path: Path
) -> None:
    """Other sentences, with letters of their own, in validation and test: nothing that is learned changes."""
    learned = []
    for name, letters, seed in (("one", "", 0), ("other", "dce", 7)):
        manifest = make_corpus(tmp_path / name, recordings=24, held_out_letters=letters, held_out_seed=seed)
        configuration = configure(manifest, augmentation={"speed": 0.1})
        speech, recogniser, *_ = train.prepare(configuration)
        learned.append((speech, recogniser, configuration.data))
    (one, network, configuration_one), (other, other_network, configuration_other) = learned
    for split in ("validation", "test"):
        texts = [[utterance.text for utterance in speech.utterances[split]] for speech in (one, other)]
        assert set(texts[0]).isdisjoint(texts[1]), "the test changes what it means to change"
    assert one.alphabet == other.alphabet
    for weight, same in zip(network.variables, other_network.variables, strict=True):
        np.testing.assert_array_equal(weight.numpy(), same.numpy(), err_msg=weight.path)
    assert float(np.ptp(network.mean.numpy())) > 0
    assert learned_texts(SpeechConfiguration(), one) == learned_texts(SpeechConfiguration(), other)
    for epoch in (0, 1):
        batches = take(one, configuration_one, 4, epoch=epoch)
        for batch, same in zip(batches, take(other, configuration_other, 4, epoch=epoch), strict=True):
            for name, values in batch.items():
                np.testing.assert_array_equal(values, same[name], err_msg=name)


class FakeSource(Source):
    """Recordings from memory; counts those that were read."""

    def __init__(self, splits: dict[str, list[Utterance]]) -> None:
        self.splits, self.times_read = splits, 0

    def utterances(self, split: str) -> list[Utterance]:
        return list(self.splits[split])

    def read(self, split: str, number: int) -> np.ndarray:
        self.times_read += 1
        return np.full(self.splits[split][number].samples, 0.1, np.float32)


def spoken(*texts: str, samples: int = 4000, prefix: str = "") -> list[Utterance]:
    return [Utterance(f"{prefix}{number}", text, samples) for number, text in enumerate(texts)]


def test_the_stream_is_read_as_it_is_used() -> None:
    """However many recordings there are, the first batch needs no more of them than the buffers hold."""
    read = []
    for recordings in (500, 5000):
        source = FakeSource({"train": spoken(*["ab"] * recordings)})
        utterances = {"train": source.utterances("train")}
        speech = Speech(source, None, utterances, frozenset(), (" ", "a", "b"), [])
        configuration = DataConfiguration(batch_seconds=1.6)  # two in a batch
        stream = iter(data.training_batches(speech, configuration, EXACT, RATE, 0, 1, 2))
        assert next(stream)["audio"].shape == (2, 6400)
        read.append(source.times_read)
        del stream
    assert all(0 < count < 60 for count in read), read  # 16 batches of 2 ahead, some on their way


@pytest.fixture
def with_synthetic_speech(monkeypatch: pytest.MonkeyPatch) -> Speech:
    """Real recordings of three sentences, and synthetic ones, of which two say what validation and test do."""
    real = FakeSource(
        {
            "train": spoken("ab ba", "ba ab", "aa b", prefix="real-"),
            "validation": spoken("bab a"),
            "test": spoken("a bb"),
        }
    )
    synthetic = FakeSource(
        {
            "train": [
                *spoken("abab", "bab a", "a bb", "baba", "ab ba", "what", prefix="made-"),
                Utterance("made-long", "abba abba", 90000),
                Utterance("made-short", "abababab", 400),
                Utterance("made-silent", "ab", 0, "the recording is silent"),
            ]
        }
    )
    monkeypatch.setattr(data, "open_source", lambda configuration, rate, transcripts: real)
    monkeypatch.setattr(data, "SyntheticSpeech", lambda config: config)
    monkeypatch.setattr(
        "pipelines.speech.language_models.all_sentences",
        lambda: ["a bb", "ab ba", "abab", "bab a", "baba", "bb bb", "what"],
    )
    monkeypatch.setattr(data.data, "prepare", lambda builder: builder)
    monkeypatch.setattr(data.sources, "DatasetSource", lambda builder, rate: synthetic)
    configuration = DataConfiguration(pretraining="one_hour", maximum_seconds=10.0)
    return data.load(configuration, RATE, label_frames)


def test_synthetic_sentences_of_validation_and_test_are_left_out(with_synthetic_speech: Speech) -> None:
    speech = with_synthetic_speech
    assert speech.pretraining_keys == {"made-0", "made-3", "made-4"}
    texts, weights = learned_texts(SpeechConfiguration(), speech)
    assert texts == ["ab ba", "ba ab", "aa b", "ab ba", "abab", "baba", "bb bb"], "bb bb is written, not spoken"
    assert weights == [4.0] * 3 + [1.0] * 4
    assert speech.alphabet == (" ", "a", "b"), "of the real transcripts"


def test_synthetic_share_of_the_epochs(with_synthetic_speech: Speech) -> None:
    real, synthetic = {"ab ba", "ba ab", "aa b"}, {"abab", "baba", "ab ba"}
    for share, epoch, expected in ((1.0, 0, real), (1.0, 1, synthetic), (0.5, 1, real | synthetic)):
        configuration = DataConfiguration(
            pretraining="one_hour", batch_seconds=8.0, pretraining_first_share=share, pretraining_last_share=share
        )
        batches = take(with_synthetic_speech, configuration, 6, EXACT, epoch=epoch)
        assert {text for batch in batches for text in texts_of(batch, with_synthetic_speech.alphabet)} == expected


def test_synthetic_share_falls_linearly_after_the_first_epoch() -> None:
    configuration = DataConfiguration(pretraining_first_share=0.8, pretraining_last_share=0.2)
    shares = [data.pretraining_share(configuration, epoch, 5) for epoch in range(5)]
    np.testing.assert_allclose(shares, [0.0, 0.8, 0.6, 0.4, 0.2])


def test_an_alphabet_beyond_ascii(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    """Characters of several bytes, one of them a mark that combines with the letter before."""
    manifest = make_corpus(tmp_path / "tones", recordings=12)
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["text"] = f"žq̌ъ {'abcdefghijkl'[number]}"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.warns(UserWarning, match="Never seen in training"):
        _, speech = of_manifest(manifest)
    assert {"ž", "q", "\N{COMBINING CARON}", "ъ"} < set(speech.alphabet)
    (batch,) = batching.batches(speech.source, "validation", speech.alphabet).as_numpy_iterator()
    assert texts_of(batch, speech.alphabet) == ["žq̌ъ "] * 2, "unknown letters have no label"


@pytest.mark.parametrize("source", ["manifest", "ljspeech", "librispeech"])
def test_own_recordings_without_a_path(source: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{source} reads recordings of yours.*--data.path.*Received: no path"):
        data.open_source(DataConfiguration(source=source), RATE)
