"""The preset `own`: what the recordings say of the settings that nobody chose."""

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.configuration import ConfigurationError
from pipelines.speech import rules, train
from pipelines.speech.config import PRESETS, SpeechConfiguration
from pipelines.speech.data import Opened
from pipelines.speech.sources import Utterance
from pipelines.speech.transcripts import Transcripts

OWN = PRESETS["own"]


def settled(monkeypatch: pytest.MonkeyPatch, seconds: list[float], text: str = "some words") -> SpeechConfiguration:
    """What follows from recordings of such lengths."""

    def opened(configuration: object, rate: int) -> Opened:
        utterances = [Utterance(str(number), text, round(each * rate)) for number, each in enumerate(seconds)]
        return Opened(SimpleNamespace(utterances=lambda split: utterances), Transcripts())

    monkeypatch.setattr(rules.data, "opened", opened)
    return rules.settle(OWN)[0]


def test_amounts_get_the_sizes_of_the_presets_that_were_tuned_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for preset, seconds in (("small", [3.0] * 380), ("czech", [3.0] * 1300)):
        tuned, found = PRESETS[preset], settled(monkeypatch, seconds)
        assert found.network == tuned.network.replace(phonemes="")
        assert found.data.batch_seconds == tuned.data.batch_seconds and found.consistency == tuned.consistency
        steps = found.steps_per_epoch * found.training.epochs
        assert 0.75 < steps / (tuned.steps_per_epoch * tuned.training.epochs) < 1.25


def test_more_recordings_get_larger_networks_and_fewer_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    amounts = ((4.0, 20), (4.0, 300), (4.0, 2000), (4.0, 10_000), (20.0, 40_000))
    found = [settled(monkeypatch, [seconds] * number) for seconds, number in amounts]
    for few, many in itertools.pairwise(found):
        assert few.network.units <= many.network.units and few.network.layers <= many.network.layers
        assert few.data.batch_seconds <= many.data.batch_seconds
        assert few.steps_per_epoch < many.steps_per_epoch
    assert found[0].steps_per_epoch == rules.FEWEST_STEPS and found[-1].steps_per_epoch == rules.MOST_STEPS
    assert not any(rules.is_open(each) for each in found)


def test_long_recordings_share_a_batch_and_fast_speech_has_labels_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settled(monkeypatch, [15.0] * 50).data.batch_seconds == 60.0
    assert settled(monkeypatch, [2.0] * 50).network.subsampling == 4
    assert settled(monkeypatch, [2.0] * 50, text="ab" * 30).network.subsampling == 2  # 50 frames of 40 ms


@pytest.mark.parametrize(
    ("language", "network", "phonemes", "why"),
    [
        ("Czech", {}, "cs", "phonemes of cs"),
        ("", {}, "", "if you name the language, --data.language"),
        ("km", {}, "", "eSpeak NG does not speak km"),
        ("cs", {"layers": 1}, "", "no layer passes on what it reads"),
        ("cs", {"self_conditioning": False}, "", "no layer passes on what it reads"),
        ("cs", {"phonemes": "de"}, "de", ""),
    ],
)
def test_the_first_layer_reads_phonemes_of_the_language(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    language: str,
    network: dict[str, object],
    phonemes: str,
    why: str,
) -> None:
    monkeypatch.setitem(globals(), "OWN", OWN.replace(data={"language": language}, network=network))
    assert settled(monkeypatch, [3.0] * 50).network.phonemes == phonemes
    assert why in capsys.readouterr().out


def test_what_is_chosen_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "OWN", OWN.replace(network={"units": 96}, steps_per_epoch=7, consistency=0.1))
    found = settled(monkeypatch, [3.0] * 2000)
    assert (found.network.units, found.network.layers) == (96, 2)
    assert (found.steps_per_epoch, found.consistency) == (7, 0.1)
    assert rules.settle(PRESETS["czech"]) == (PRESETS["czech"], None)


def test_a_run_to_start_from_shapes_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    before = PRESETS["base"]
    run = SimpleNamespace(read_configuration=lambda kind: before)
    monkeypatch.setattr("pipelines.speech.rules.Run.open", lambda folder: run)
    monkeypatch.setitem(globals(), "OWN", OWN.replace(initialise=Path("run"), network={"layers": 5}))
    found = settled(monkeypatch, [3.0] * 50)
    assert found.features == before.features
    assert found.network == before.network.replace(layers=5, dropout=OWN.network.dropout)
    monkeypatch.setitem(globals(), "OWN", OWN.replace(data={"language": "cs"}))
    assert settled(monkeypatch, [3.0] * 50).network.phonemes == "cs", "its symbols are taken by name"
    before = before.replace(network={"phonemes": ""})
    assert settled(monkeypatch, [3.0] * 50).network.phonemes == ""
    assert found.data.batch_seconds == 16.0, "follows from the recordings, as all that shapes no weight"


def test_the_rate_is_that_of_most_recordings(
    tmp_path: Path,
    write_tone: Callable[..., Path],
    write_manifest: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for usual, wanted, bands in ((8000, 8000, 40), (44100, 16000, 64)):
        rows = []
        for number in range(9):
            name = f"{usual}/{number}.wav"
            write_tone(tmp_path / name, 1.0, rate=usual if number else 11025)
            split = ("train", "dev", "test")[number % 3]
            rows.append({"audio_filepath": name, "text": f"text {'abcdefghi'[number]}", "split": split})
        manifest = write_manifest(tmp_path / f"{usual}.jsonl", rows)
        prepared = train.prepare(OWN.replace(data={"path": str(manifest)}))
        assert prepared.configuration.features.sample_rate == prepared.model.features.sample_rate == wanted
        assert prepared.configuration.features.mel_bands == bands
        printed = capsys.readouterr().out
        assert f"From the recordings: {wanted} samples a second; of the recordings, 2 of 3 have {usual}" in printed
        assert "2 layers of 160 units" in printed
    assert train.prepare(prepared.configuration).configuration is None  # nothing is open, so the run's stands


def test_a_number_out_of_range_is_refused() -> None:
    for wrong in ({"network": {"units": 0}}, {"features": {"sample_rate": 100}}, {"steps_per_epoch": -2}):
        with pytest.raises(ConfigurationError, match="or -1 to follow from the recordings"):
            OWN.replace(**wrong)
