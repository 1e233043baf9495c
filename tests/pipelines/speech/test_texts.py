"""Words of the user's own: texts that the language model learns from, and words that the search prefers."""

import json

import numpy as np
import pytest
import soundfile

import unrolled
from pipelines import commands
from pipelines.speech import data
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.data import DataConfiguration
from pipelines.speech.texts import own_texts
from pipelines.speech.train import prepare
from pipelines.speech.tuning import fit_decoder

RATE = 8000


@pytest.fixture(scope="module")
def speech(corpus):
    configuration = DataConfiguration(source="manifest", path=str(corpus), language="en")
    return configuration, data.load(configuration, RATE, lambda samples: samples // 160)


def test_sentences_are_written_as_the_recogniser_writes(tmp_path, speech):
    configuration, loaded = speech
    held_out = loaded.utterances["test"][0].text
    text = f"\ufeffA cab. “Dad, bad!”\n\nAdd\u00adab at 10:30. Zebra! Żaba.\n{held_out}\n"
    (tmp_path / "own.txt").write_text(text, encoding="utf-8")
    found = own_texts([str(tmp_path / "own.txt")], configuration, loaded)
    assert found.sentences == ["a cab", "dad bad"]
    assert found.summary.startswith("Texts for the language model: 2 sentences. Left out: ")
    assert "1 not to be spoken with certainty (“10:30”)" in found.summary
    assert "2 with characters that no training transcript has" in found.summary
    assert "1 that are in validation or test" in found.summary


def test_texts_that_cannot_be_used_are_refused(tmp_path, speech):
    (tmp_path / "other.txt").write_text("Żółw", encoding="utf-8")
    (tmp_path / "old.txt").write_bytes("Żółw".encode("cp1250"))
    for name, message in (("other.txt", "hold nothing"), ("old.txt", "not UTF-8"), ("none.txt", "cannot be read")):
        with pytest.raises(SpeechDataError, match=rf"(?s){message}.*Received: "):
            own_texts([str(tmp_path / name)], *speech)


def test_the_language_model_learns_from_them(tmp_path, speech, corpus, configure, trained_run, capsys, monkeypatch):
    (tmp_path / "own.txt").write_text("ddcc ddcc ddcc\n" * 50, encoding="utf-8")
    configuration = configure(corpus, decoding={"texts": (str(tmp_path / "own.txt"),)})
    loaded, recogniser, *_ = prepare(configuration)
    assert "Texts for the language model: 50 sentences." in capsys.readouterr().out
    monkeypatch.setattr("pipelines.speech.tuning.transcribe_split", lambda *_: iter(()))
    monkeypatch.setattr("pipelines.speech.tuning.error_rates", lambda *_: {})
    of_texts = fit_decoder(configuration, loaded, recogniser).language_model
    without = fit_decoder(configure(corpus), loaded, recogniser).language_model
    assert of_texts.text_log_probability("ddcc") > without.text_log_probability("ddcc") + 1


def test_hot_words_are_heard_where_they_are_likely(trained_run, say):
    predictor = unrolled.load(trained_run.folder)
    audio = say("ab cad")
    plain = predictor.transcribe(audio, 8000)
    assert predictor.transcribe(audio, 8000, hot_words=["dad"]).text == plain.text  # which was not said
    assert predictor.transcribe(audio, 8000, hot_words=["CAD!"]).confidence > plain.confidence  # which was
    logits = np.full((9, 6), -9.0)  # of the blank and " abcd"
    logits[::2, 0] = 9.0
    logits[1::2] = [[-9, -9, 2, 0, -9, -9], [-9, -9, -9, 2, -9, -9], [-9, -9, -9, 2, -9, -9], [-9, -9, 2, 0, -9, -9]]
    assert predictor.decode(logits).text == "abba"
    assert predictor.decode(logits, hot_words={"bbbb": 40.0}).text == "bbbb"
    with pytest.raises(SpeechDataError, match=r"characters that are never written.*Received: 'z'"):
        predictor.transcribe(audio, 8000, hot_words=["zab"])
    with pytest.raises(SpeechDataError, match="above 0"):
        predictor.transcribe(audio, 8000, hot_words={"ab": -1.0})
    for wrong in ([1], {"ab": "much"}, [["ab"]]):
        with pytest.raises(SpeechDataError, match="A hot word is a text, and its weight a number"):
            predictor.transcribe(audio, 8000, hot_words=wrong)


def test_several_texts_and_hot_words_on_the_command_line(trained_run, say, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", say("ab cad"), RATE)
    arguments = [str(tmp_path / "a.wav"), "--run", str(trained_run.folder)]
    commands.answer("transcribe", [*arguments, "--format", "json", "--n_best", "3"])
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["alternatives"]) == 2
    assert answer["confidence"] >= answer["alternatives"][0]["confidence"] >= answer["alternatives"][1]["confidence"]
    commands.answer("transcribe", [*arguments, "--format", "json", "--hot_words", "cad:9", "dad"])
    assert json.loads(capsys.readouterr().out)["confidence"] > answer["confidence"]
    for wrong in (["--hot_words", "ab:much"], ["--n_best", "2", "--format", "srt"]):
        with pytest.raises(ValueError, match="Received: "):
            commands.answer("transcribe", [*arguments, *wrong])
