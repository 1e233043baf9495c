"""Every change of a transcript is counted and shown before training; what cannot be spoken is refused by row."""

import json

import pytest
import soundfile

from pipelines.configuration import ConfigurationError
from pipelines.speech import data
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.data import DataConfiguration
from pipelines.speech.train import prepare, report
from pipelines.speech.transcripts import TRANSCRIPTS, Transcripts

RATE = 8000


@pytest.fixture
def own(tmp_path, say, write_manifest):
    """A function from transcripts to the configuration of a manifest of them, the first ones in train."""

    def write(texts, **settings):
        rows = []
        for number, text in enumerate(texts):
            soundfile.write(tmp_path / f"{number}.wav", say("abcdabcd" * 8, number), RATE)
            split = ("validation", "test")[number - len(texts)] if number >= len(texts) - 2 else "train"
            rows.append({"audio_filepath": f"{number}.wav", "text": text, "split": split})
        path = write_manifest(tmp_path / "all.jsonl", rows)
        return DataConfiguration(source="manifest", path=str(path), **settings)

    return write


def load(configuration):
    return data.load(configuration, RATE, lambda samples: samples // 40)


def test_changes_are_counted_with_examples():
    transcripts = Transcripts("en-US")
    for number, text in enumerate(["20% off", "20% on", "a | b", "c | d", "Dr. No"]):
        transcripts.normalise(text, f"row {number}")
    assert transcripts.lines() == [
        "Transcripts (en-US): 5 normalised.",
        "  spelled out: 2 (“20%” → “twenty percent” 2 times)",
        "  removed, not spoken: 2 (“|” 2 times, as in “a | b”)",
        "  kept as written, check how they are spoken: 1 (“Dr.”)",
    ]
    found = json.loads(json.dumps(transcripts.report()))["changes"]["removed, not spoken"]
    assert found == [{"written": "|", "spoken": "", "count": 2, "context": "a | b"}]


def test_all_rows_that_cannot_be_spoken_are_refused_at_once(own):
    texts = ["at 10:30", "at 9:15", "so be it", "well then", "at last"]
    with pytest.raises(SpeechDataError) as caught:
        load(own(texts, language="en"))
    message = str(caught.value)
    assert message.startswith("2 of 5 transcripts")
    assert "line 1: “10:30”" in message and "line 2: “9:15”" in message and "--data.skip_unlearnable" in message
    assert message.rpartition("\n")[2].startswith("Received: ")
    with pytest.raises(SpeechDataError, match=r"--data\.language en"):
        load(own(["room 5", *texts[2:]]))


def test_rows_that_cannot_be_spoken_are_left_out_on_demand(own, capsys):
    speech = load(own(["at 10:30", "so be it", "well then", "at last"], language="EN", skip_unlearnable=True))
    assert [utterance.text for utterance in speech.utterances["train"]] == ["so be it"]
    report(speech)
    assert "left out, not to be spoken with certainty: 1 (“10:30” once)" in capsys.readouterr().out


def test_clean_text_is_taken_as_it_is(own, capsys):
    """With case and punctuation, which the recogniser then learns to write."""
    speech = load(own(["It's  5€!", "Cafe\u0301 <b>", "Well, then.", "At last."], normalisation="off"))
    assert [utterance.text for utterance in speech.utterances["train"]] == ["It's 5€!", "Café <b>"]
    assert {"I", "!", "5", "€"} <= set(speech.alphabet)
    report(speech)
    shown = capsys.readouterr().out
    assert "taken as they are" in shown and "“€”, as in “It's 5€!”" in shown


def test_the_report_is_shown_and_kept_before_training(own, configure, capsys):
    given = own(["5€ a", "so be it", "so is it", "be it so", "5 it is"], language="en")
    prepared = prepare(configure(given.path, data=given.model_dump()))
    assert "spelled out: 2 (“5€” → “five euros”, “5” → “five”)" in capsys.readouterr().out
    assert prepared.files[TRANSCRIPTS]["transcripts"] == 5


def test_rare_characters_are_named(own, capsys):
    report(load(own(["abba", "abba c", "abba", "abba", "ab"])))
    shown = capsys.readouterr().out
    assert "'c' (LATIN SMALL LETTER C) in 1.wav" in shown and "'a'" not in shown.partition("slips perhaps")[2]


def test_settings_that_nothing_would_use_are_refused():
    with pytest.raises(ConfigurationError, match="telephone_prompts"):
        DataConfiguration(normalisation="off")
    with pytest.raises(ConfigurationError, match="perhaps german"):
        DataConfiguration(source="manifest", path="a", language="Germann")
    assert DataConfiguration(source="manifest", path="a", language="eng").language == "en"
