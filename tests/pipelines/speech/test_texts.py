"""Words of the user's own: texts that the language model learns from, and words that the search prefers."""

import bz2
import codecs
import gzip
import json
import lzma
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import unrolled
from pipelines import commands
from pipelines.configuration import ConfigurationError
from pipelines.runs import Run
from pipelines.speech import data
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.data import DataConfiguration
from pipelines.speech.decoder import fit_decoder, load_decoder
from pipelines.speech.evaluate import evaluate
from pipelines.speech.language_models import arpa_model, language_models
from pipelines.speech.texts import own_texts
from pipelines.speech.train import prepare, train

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
    (tmp_path / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.pdf").write_bytes(b"%PDF")
    refused = {"other.txt": "hold nothing", "picture.txt": "picture.txt", "none.txt": "none.txt"}
    for name, message in (refused | {"folder": r"holds no text files; .*txt"}).items():
        with pytest.raises(SpeechDataError, match=rf"(?s){message}.*Received: "):
            own_texts([str(tmp_path / name)], *speech)
    with pytest.raises(
        ConfigurationError, match=r"decoding\.texts\.0: expected a string of at least 1 character.*Received: ''"
    ):
        SpeechConfiguration().replace(decoding={"texts": ("",)})


def test_a_folder_of_texts_is_its_files(tmp_path, speech):
    for name in ("b.txt", "inside/a.md.gz", "c.pdf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        content = f"{Path(name).name[0]} cab".encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert own_texts([str(tmp_path)], *speech).sentences == ["b cab", "a cab"]


def test_texts_may_be_packed_and_of_another_encoding(tmp_path, speech):
    (tmp_path / "own.txt.gz").write_bytes(gzip.compress("A cab. Größe!".encode("utf-16")))
    assert own_texts([str(tmp_path / "own.txt.gz")], *speech).sentences == ["a cab"]


def test_the_language_model_learns_from_them(tmp_path, speech, corpus, configure, trained_run, capsys, monkeypatch):
    (tmp_path / "own.txt").write_text("ddcc ddcc ddcc\n" * 50, encoding="utf-8")
    configuration = configure(corpus, decoding={"texts": (str(tmp_path / "own.txt"),)})
    loaded, recogniser, *_ = prepare(configuration)
    assert "Texts for the language model: 50 sentences." in capsys.readouterr().out
    monkeypatch.setattr("pipelines.speech.decoder.transcribe_split", lambda *_: iter(()))
    monkeypatch.setattr("pipelines.speech.decoder.error_rates", lambda *_: {})
    of_texts = fit_decoder(configuration, loaded, recogniser).language_model
    without = fit_decoder(configure(corpus), loaded, recogniser).language_model
    assert of_texts.text_log_probability("ddcc") > without.text_log_probability("ddcc") + 1


ARPA = """\\data\\
ngram 1=7
ngram 2=2

\\1-grams:
-2	<unk>
0	<s>	-0.5
-0.7	</s>
-0.7	CAD	-0.5
-0.7	DAB	-0.5
-1	Żaba
-1	no-one

\\2-grams:
-0.1	CAD DAB
-0.1	DAB </s>

\\end\\
"""


def arpa_file(folder, content=ARPA, pack=gzip.compress):
    (folder / "model.arpa.gz").write_bytes(pack(content.encode()))
    return str(folder / "model.arpa.gz")


def test_an_arpa_file_takes_the_place_of_the_language_model(tmp_path, speech, corpus, configure, trained_run):
    """Words in the writing of the recogniser; the other ones are spelled."""
    configuration = configure(corpus, decoding={"arpa": arpa_file(tmp_path)})
    model, summary = arpa_model(configuration, speech[1])
    assert summary.startswith(
        f"Language model of {tmp_path / 'model.arpa.gz'}: 2-grams of words, 2 of them. Left out: "
    )
    assert "1 with characters that no training transcript has (“Żaba”)" in summary
    assert "1 that are not one word (“no-one”)" in summary
    after = {text: model.text_log_probability(text) for text in ("cad dab", "dab cad", "cab dab", "bcbc")}
    assert after["cad dab"] > after["dab cad"] > after["cab dab"] > after["bcbc"] > -60
    assert language_models(configuration, speech[1])[0] is model, "a file that has not changed is read once"
    for number, as_saved in enumerate((bz2.compress, lzma.compress, lambda text: codecs.BOM_UTF8 + text), start=1):
        file = Path(arpa_file(tmp_path, pack=as_saved))
        os.utime(file, (number, number))
        assert arpa_model(configuration, speech[1]).summary == summary


def test_a_finished_run_gets_another_language_model(tmp_path, trained_run, capsys):
    run = Run.open(shutil.copytree(trained_run.folder, tmp_path / "speech" / "tiny" / "run"))
    before = run.read_json("decoder.json")
    file = arpa_file(tmp_path)
    commands.evaluate(["speech", "--run", str(run.folder), "--decoding.arpa", file])
    printed = capsys.readouterr().out
    assert "2-grams of words, 2 of them" in printed
    assert f"That of its training is in {run.folder}/decoder-of-training.json" in printed
    assert run.read_json("decoder-of-training.json") == before != run.read_json("decoder.json")
    assert run.read_configuration(SpeechConfiguration).decoding.arpa == file
    (tmp_path / "model.arpa.gz").unlink()  # the run needs it no more
    decoder = load_decoder(run)
    logits = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    expected = decoder(logits, (" ", *"abcd"), 0.02)[0]
    assert unrolled.load(run.folder).decode(logits).text == expected.text
    assert expected.text != load_decoder(trained_run)(logits, (" ", *"abcd"), 0.02)[0].text


def test_an_arpa_file_of_characters(tmp_path, speech, corpus, configure):
    lines = ["-0.9\ta", "-0.9\tb", "-0.9\t<space>", "-0.7\t</s>", "-1\t<unk>"]
    content = "\n".join(["\\data\\", "ngram 1=5", "\\1-grams:", *lines, "\\end\\"])
    model, summary = arpa_model(configure(corpus, decoding={"arpa": arpa_file(tmp_path, content)}), speech[1])
    assert "1-grams of characters." in summary and model.alphabet == (" ", *"abcd")
    assert model.text_log_probability("a b") == pytest.approx(-3.4 * np.log(10))
    assert model.text_log_probability("c") == pytest.approx(-1.7 * np.log(10) - np.log(2))  # it shares <unk> with d


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"mmap lm http://kheafield.com/code format version 5", "binary file of KenLM.*lmplz"),
        ("Żółw".encode("cp1250"), "not UTF-8"),
        (b"some text", "no line"),
        (ARPA.replace("CAD", "ŻŻ").replace("DAB", "ŹŹ").encode(), "nothing that the recogniser can write"),
        (ARPA[:-8].encode(), "not whole"),
        (gzip.compress(ARPA.encode(), mtime=0)[:-30], "end-of-stream"),
        (None, "does not exist"),
    ],
)
def test_an_arpa_file_that_cannot_be_used_is_refused(tmp_path, speech, corpus, configure, content, message):
    if content is not None:
        (tmp_path / "model.arpa").write_bytes(content)
    configuration = configure(corpus, decoding={"arpa": str(tmp_path / "model.arpa")})
    with pytest.raises(SpeechDataError, match=rf"(?s)model.arpa.*{message}.*Received: "):
        arpa_model(configuration, speech[1])


@pytest.mark.slow
def test_case_and_punctuation_are_learned_where_the_transcripts_have_them(tmp_path, configure, say):
    """In tones, of which A and the full stop have their own."""
    random, rows = np.random.default_rng(0), []
    for number in range(60):
        words = ["".join(random.choice(list("bcd"), 2)) for _ in range(1 + number % 2)]
        text = f"A{' '.join(words)}."
        soundfile.write(tmp_path / f"{number}.wav", say(text, number), RATE)
        split = ("train", "train", "train", "train", "validation", "test")[number % 6]
        rows.append({"audio_filepath": f"{number}.wav", "text": f"“{text}”", "split": split})
    (tmp_path / "all.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    configuration = configure(tmp_path / "all.jsonl").replace(data={"normalisation": "punctuated"})
    run = Run.create("speech", "punctuated", configuration, tmp_path / "runs")
    train(run, configuration)
    model = evaluate(run).rows[0]
    assert model.metrics["wer"].value < 0.5 and model.metrics["wer_of_words"].value <= model.metrics["wer"].value
    predictor = unrolled.load(run.folder)
    assert predictor.transcribe(say("Abd cc."), RATE, hot_words=["Abd"]).text == "Abd cc."


def test_texts_beside_an_arpa_file_are_refused(corpus, configure):
    with pytest.raises(ConfigurationError, match="learns from no texts"):
        configure(corpus, decoding={"arpa": "a.arpa", "texts": ("a.txt",)})


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
    weighted = [
        predictor.transcribe(audio, 8000, hot_words={"cad": weight}).confidence for weight in (3, np.float32(3))
    ]
    assert weighted[0] == weighted[1]
    with pytest.raises(SpeechDataError, match=r"two weights.*Received: 'CAD': 4, 'cad': 3"):
        predictor.transcribe(audio, 8000, hot_words={"cad": 3, "CAD": 4})
    with pytest.raises(SpeechDataError, match="above 0"):
        predictor.transcribe(audio, 8000, hot_words={"ab": np.nan})
    with pytest.raises(SpeechDataError, match=r"nothing that is said.*Received: '!!'"):
        predictor.transcribe(audio, 8000, hot_words=["!!"])
    assert predictor.hot_word_weights("CAD!") == predictor.hot_word_weights(["cad"])
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
    for wrong in (["--hot_words", "ab:much"], ["--hot_words", "ab:3", "ab:4"], ["--n_best", "2", "--format", "srt"]):
        with pytest.raises(ValueError, match="Received: "):
            commands.answer("transcribe", [*arguments, *wrong])
