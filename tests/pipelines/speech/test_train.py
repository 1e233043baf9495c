"""Training: it learns, it moves every weight, it goes on after a kill as if nothing had happened."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import jiwer
import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax
from scipy.stats import entropy

from pipelines import predictors
from pipelines.configuration import ConfigurationError
from pipelines.runs import Run, RunError
from pipelines.speech import data, train
from pipelines.speech import decoder as decoding
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.decoder import load_decoder
from pipelines.speech.model import build, load_model
from pipelines.speech.readings import Transcribed, transcribe_split
from pipelines.speech.sources import Utterance
from pipelines.speech.user_recordings import manifest

Configure = Callable[..., SpeechConfiguration]
REPOSITORY = Path(__file__).parents[3]


def test_tones_are_learned(trained_run: Run, corpus: Path) -> None:
    recogniser = load_model(trained_run)
    for split, count, most in (("train", 28, 0.05), ("test", 6, 0.15)):
        recordings = list(transcribe_split(recogniser, manifest(corpus, 8000), split))
        assert len(recordings) == count
        texts = [recording.greedy for recording in recordings]
        assert jiwer.cer([recording.text for recording in recordings], texts) < most


def test_run_folder_holds_what_a_training_must_leave(trained_run: Run) -> None:
    timing = trained_run.read_json("timing.json")
    assert timing["seconds"] > 0
    assert timing["examples_per_second"] > 0
    assert 0 <= timing["waiting_share"] < 1
    assert [row["epoch"] for row in trained_run.history()] == [1, 2]
    assert {"loss", "validation_cer", "validation_wer"} <= trained_run.history()[0].keys()
    assert trained_run.read_json("description.json")["alphabet"] == [" ", "a", "b", "c", "d"]
    decoder = load_decoder(trained_run)
    assert decoder.language_model_weight in decoding.LANGUAGE_MODEL_WEIGHTS
    assert decoder.insertion_bonus in decoding.INSERTION_BONUSES
    assert decoder.beam_width == 8


def test_one_step_moves_every_trainable_weight(corpus: Path, configure: Configure) -> None:
    configuration = configure(corpus, network={"dropout": 0.2}, spec_augment={"frequency_masks": 1})
    speech, recogniser, *_ = train.prepare(configuration)
    stream = data.training_batches(speech, configuration.data, configuration.augmentation, 8000, 0, 0, 1)
    before = [weight.numpy() for weight in recogniser.trainable_variables]
    mean = recogniser.mean.numpy()
    with tf.GradientTape() as tape:
        loss = train.batch_loss(recogniser, next(iter(stream)), True)
    gradients = tape.gradient(loss, [weight.value for weight in recogniser.trainable_variables])
    keras.optimizers.Adam().apply(gradients, recogniser.trainable_variables)
    assert len(before) > 10
    for old, weight in zip(before, recogniser.trainable_variables, strict=True):
        assert np.any(old != weight.numpy()), weight.path
    np.testing.assert_array_equal(recogniser.mean, mean)


def test_disagreement_is_the_divergence_over_the_frames_that_count() -> None:
    random, lengths = np.random.default_rng(0), [3, 2]
    first, second = random.normal(size=(2, 2, 4, 5)).astype(np.float32)  # (batch, frames, labels)
    expected = 0.0
    for row, length in enumerate(lengths):
        p, q = softmax(first[row, :length], axis=-1), softmax(second[row, :length], axis=-1)
        expected += (entropy(p, q, axis=-1).sum() + entropy(q, p, axis=-1).sum()) / 4
    first[0, 3:], second[1, 2:] = 1e9, np.nan  # padding may hold anything
    logits = tf.constant(np.concatenate([first, second]))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = train.disagreement(logits, lengths * 2)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    gradient = tape.gradient(loss, logits).numpy()
    np.testing.assert_array_equal(gradient[[0, 2], 3:], 0)
    np.testing.assert_array_equal(gradient[[1, 3], 2:], 0)
    # Each reading is drawn towards the other, held fixed: the gradient of a cross-entropy with soft labels.
    p, q = softmax(first[0, 0]), softmax(second[0, 0])
    np.testing.assert_allclose(gradient[0, 0], (p - q) / 4, atol=1e-6)
    np.testing.assert_allclose(gradient[2, 0], (q - p) / 4, atol=1e-6)


@pytest.mark.slow
def test_readings_disagree_only_where_something_is_random(corpus: Path, configure: Configure) -> None:
    configuration = configure(corpus, network={"dropout": 0.5}, spec_augment={"frequency_masks": 0})
    configuration = configuration.replace(spec_augment={"time_masks_a_second": 0.0})
    speech, recogniser, *_ = train.prepare(configuration)
    batch = next(iter(data.training_batches(speech, configuration.data, configuration.augmentation, 8000, 0, 0, 1)))

    def more_loss() -> float:
        return float(train.batch_loss(recogniser, batch, True, 5.0) - train.batch_loss(recogniser, batch, True, 1e-9))

    assert more_loss() > 0.1
    for dropout in recogniser.dropouts:
        dropout.rate = 0.0
    assert abs(more_loss()) < 1e-3


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(
    make_corpus: Callable[..., Path], tmp_path: Path, whole_and_resumed: Callable[[str, str, str], Run]
) -> None:
    """With everything random on: order, speed, noise, masks, dropout."""
    changes = (
        f"--data.source manifest --data.path {make_corpus(tmp_path / 'corpus', recordings=12)} "
        "--data.batch_seconds 3.2 --features.mel_bands 8 "
        "--network.units 4 --network.layers 2 --network.filters 2 --network.dropout 0.3 --data.pretraining none "
        "--augmentation.speed 0.1 --augmentation.noise_share 0.5 --steps_per_epoch 6 --training.epochs 3 "
        "--training.weight_average_decay 0.9 --decoding.beam_width 2 --consistency 0.2"
    )
    whole_and_resumed("speech", "small", changes)


def test_resuming_with_other_recordings_is_refused(
    corpus: Path, configure: Configure, make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    configuration = configure(make_corpus(tmp_path / "other", recordings=6, letters="abe"))
    run = Run.create("speech", "other", configuration, tmp_path / "runs")
    run.write_json("description.json", {"alphabet": [" ", "a", "b", "c"]})
    run.append_history({"epoch": 1})
    with pytest.raises(RunError, match=r"have changed.*alphabet: \[' ', 'a', 'b', 'c'\] before, .*'a', 'b', 'e'"):
        train.train(run, configuration)
    assert run.folder.exists()


@pytest.mark.parametrize("kind", ["data", "configuration"])
def test_what_is_refused_leaves_no_run_behind(corpus: Path, configure: Configure, tmp_path: Path, kind: str) -> None:
    if kind == "data":
        configuration = configure(tmp_path / "missing.jsonl")
        refused = pytest.raises(SpeechDataError, match=r"missing.jsonl does not exist")
    else:
        configuration = configure(corpus, training={"jit_compile": True})
        refused = pytest.raises(ConfigurationError, match=r"training.jit_compile.*Received: True")
    run = Run.create("speech", "refused", configuration, tmp_path)
    with refused:
        train.train(run, configuration)
    assert not run.folder.exists()


def test_mixed_precision_reads_nearly_the_same(trained_run: Run, say: Callable[..., np.ndarray]) -> None:
    audio = say("dab cc")[np.newaxis]
    expected, _, text = load_model(trained_run).read(audio, [audio.shape[1]])
    configuration = trained_run.read_configuration(SpeechConfiguration).replace(training={"mixed_precision": True})
    keras.config.set_dtype_policy(configuration.training.dtype_policy)
    try:
        recogniser = build(configuration, tuple(" abcd"))
        recogniser.load_weights(trained_run.folder / "model.weights.h5")
        logits, _, same = recogniser.read(audio, [audio.shape[1]])
        with tf.GradientTape() as tape:
            batch = {
                "audio": audio,
                "audio_lengths": tf.constant([audio.shape[1]]),
                "labels": [[5, 2, 3]],
                "label_lengths": [3],
            }
            loss = train.batch_loss(recogniser, batch, True)
        gradients = tape.gradient(loss, [weight.value for weight in recogniser.trainable_variables])
    finally:
        keras.config.set_dtype_policy("float32")
    assert recogniser.compute_dtype == "bfloat16"
    assert {weight.dtype for weight in recogniser.trainable_variables} == {"float32"}
    np.testing.assert_allclose(tf.nn.softmax(logits), tf.nn.softmax(expected), atol=0.1)
    assert same[0] == text[0] == b"dab cc"
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)


def test_tuning_is_bounded_and_finds_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of far more speech than is needed to compare two numbers, each point of the grid is tried once at most."""
    decoded: list[int] = []
    utterances = [Utterance(str(number), "ab ba", 8000 * 10) for number in range(500)]  # 5000 s
    speech = SimpleNamespace(source=None, utterances={"validation": utterances}, alphabet=(" ", "a", "b"))

    def transcribe(recogniser: object, source: object, split: str, keys: frozenset[str]) -> list[Transcribed]:
        assert split == "validation"
        decoded.append(len(keys))
        return [Transcribed(key, "ab ba", np.zeros(0), np.zeros((6, 4), np.float32), "") for key in sorted(keys)]

    def best_at(best_model: str, weight: float, bonus: float) -> type:
        class FakeDecoder(NamedTuple):
            language_model: str
            language_model_weight: float
            insertion_bonus: float
            beam_width: int

            def __call__(self, logits: np.ndarray, alphabet: object, frame_seconds: float) -> list[Transcribed]:
                calls.append(self)
                distance = abs(self.language_model_weight - weight) * 10 + abs(self.insertion_bonus - bonus) * 4
                distance += self.language_model != best_model
                return [Transcribed("", "ab ba" + " c" * round(distance), np.zeros(0), np.zeros(0), "")]

        return FakeDecoder

    calls: list[Any] = []
    monkeypatch.setattr(decoding, "transcribe_split", transcribe)
    monkeypatch.setattr(decoding, "language_models", lambda *_: ["characters", "words"])
    for best in (("words", 0.2, 1.5), ("characters", 1.0, 0.0), ("words", 0.6, 0.5)):
        monkeypatch.setattr(decoding, "Decoder", best_at(*best))
        assert decoding.fit_decoder(SpeechConfiguration(), speech, None) == (*best, 32)
    assert decoded[0] * 10 <= 1.5 * decoding.TUNING_SECONDS
    points = set(calls[: len(calls) // 3])
    assert len(calls) <= 3 * 2 * 30 * decoded[0], "no point of the grid is decoded twice"
    assert len(points) < 2 * 30
    assert max(call.beam_width for call in calls) <= decoding.TUNING_BEAM_WIDTH


def test_json_of_the_decoder_is_plain(trained_run: Run) -> None:
    assert set(json.loads((trained_run.folder / "decoder.json").read_text())) == set(load_decoder(trained_run)._fields)


def test_run_of_an_older_version_is_read_and_one_that_does_not_fit_is_refused(trained_run: Run, tmp_path: Path) -> None:
    copy = Run.open(shutil.copytree(trained_run.folder, tmp_path / "speech" / "tiny" / "run"))
    values = copy.read_json("configuration.json")
    network = values["network"]
    del network["self_conditioning"]  # as written before the field came
    copy.write_json("configuration.json", values)
    assert len(load_model(copy).variables) == len(load_model(trained_run).variables)
    network["units"] += 1
    copy.write_json("configuration.json", values)
    with pytest.raises(RunError, match=r"do not fit the network.*Received: .*run"):
        load_model(copy)


def test_settings_and_files_of_0_1_are_read(trained_run: Run, tmp_path: Path, say: Callable[..., np.ndarray]) -> None:
    """They had an alphabet of its own file, another name for a setting, and no task."""
    copy = Run.open(shutil.copytree(trained_run.folder, tmp_path / "speech" / "tiny" / "run"))
    (copy.folder / "description.json").unlink()
    copy.write_json("alphabet.json", [" ", "a", "b", "c", "d"])
    values = copy.read_json("configuration.json")
    del values["task"]
    values["data"]["longest_seconds"] = values["data"].pop("maximum_seconds") / 2
    copy.write_json("configuration.json", values)
    configuration = copy.read_configuration(SpeechConfiguration)
    assert configuration.data.maximum_seconds == values["data"]["longest_seconds"]
    assert predictors.load(copy.folder).transcribe(say("ab cad"), 8000).text == "ab cad"
    with pytest.raises(ConfigurationError, match=r"data.longest_seconds.*new name. Expected 'data.maximum_seconds'"):
        SpeechConfiguration(data={"longest_seconds": 3.0})


@pytest.mark.slow
def test_two_devices_train_as_one(experiment: Configure, same_on_two_devices: Callable[..., None]) -> None:
    same_on_two_devices(
        "speech",
        experiment(
            network={"dropout": 0.0},
            training={"epochs": 1},
            steps_per_epoch=4,
        ),
    )
