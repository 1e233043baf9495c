"""The lists that people have: each is read as its makers mean it, and each bad row is named."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.speech.audio_files import SpeechDataError, load_audio
from pipelines.speech.recording_folders import read_own
from pipelines.speech.user_recordings import manifest
from tests.pipelines.speech.written_lists import (
    TEXTS,
    audacity,
    audacity_with_empty_labels,
    bars_and_few_quotes,
    bars_and_quotes,
    behind_a_link,
    colons,
    common_voice,
    ctm,
    deepspeech,
    festival,
    fisher,
    gigaspeech,
    kaldi,
    kaldi_named_from_above,
    kaldi_with_commands,
    lhotse,
    lhotse_cuts,
    lhotse_supervisions,
    lines,
    ljspeech,
    markdown,
    more_columns_than_are_read,
    names_of_another_language,
    nemo,
    one_list_for_a_tree,
    one_subset_of_librispeech,
    speechbrain,
    sphinx,
    sphinx_list,
    spreadsheet,
    stm,
    synthesis,
    synthesis_of_other_order,
    table_in_a_tree,
    tables_of_speakers,
    texts_beside,
    the_same_list_alone,
    timit,
    two_columns,
    two_columns_with_commas,
    voxforge,
)


@pytest.mark.parametrize(
    "write",
    [deepspeech, common_voice, nemo, spreadsheet, bars_and_quotes, bars_and_few_quotes, two_columns,
     two_columns_with_commas, ljspeech, kaldi, texts_beside,
     lhotse, lhotse_supervisions, lhotse_cuts, stm, ctm, sphinx, sphinx_list, voxforge, one_subset_of_librispeech,
     one_list_for_a_tree, timit, synthesis, synthesis_of_other_order, audacity,
     audacity_with_empty_labels, fisher, kaldi_with_commands, kaldi_named_from_above, festival, colons, gigaspeech,
     more_columns_than_are_read, the_same_list_alone, table_in_a_tree, tables_of_speakers, behind_a_link, speechbrain,
     names_of_another_language, markdown],
)  # fmt: skip
def test_each_list_is_read(folder: Path, write: Callable[[Path], Path]) -> None:
    entries, notes = read_own(write(folder))
    assert [entry.text for entry in entries] == TEXTS
    assert [len(load_audio(entry.path, 8000, entry.offset, entry.duration)) for entry in entries] == [
        800, 1600, 2400, 3200,
    ]  # fmt: skip
    assert len({entry.key for entry in entries}) == 4
    assert {entry.split for entry in entries} == {""}
    assert not any(entry.key.startswith("/") for entry in entries)  # so that the keys are those of another machine
    if write in (common_voice, kaldi, stm, voxforge, one_subset_of_librispeech, timit, synthesis,
                 synthesis_of_other_order, fisher, kaldi_with_commands, table_in_a_tree, speechbrain):  # fmt: skip
        assert len({entry.speaker for entry in entries}) == 2
    if write is deepspeech:
        assert notes == ["Columns: audio from `wav_filename`, text from `transcript`; not used: wav_filesize."]


def test_a_quoted_text_may_go_over_lines_and_the_rows_after_it_keep_their_numbers(folder: Path) -> None:
    path = folder / "all.csv"
    path.write_text('path,text\nclips/0.wav,"one\ntwo"\nclips/1.wav,three\nclips/2.wav,four,five\n')
    with pytest.raises(SpeechDataError, match=r"all\.csv, line 5: expected 2 fields.*in quotes.*Received: 3 fields"):
        read_own(path)
    path.write_text('path,text\nclips/0.wav,"one\ntwo"\nclips/1.wav,three\n')
    assert [entry.text for entry in read_own(path)[0]] == ["one\ntwo", "three"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,other\nclips/0.wav,one\n", r"all\.csv, line 1: expected a JSON object, names of columns"),
        ("one word\n", r"all\.csv, line 1: expected a JSON object"),
        ("clips/0.wav,one, two\n", r"all\.csv, line 1: expected a recording and its text.*quotes"),
        ("path,text,split\nclips/0.wav,one,train\nclips/1.wav,two,holdout\n", r"line 3: expected a `split`"),
        ("path,text\n,one\n", r"line 2: expected a string `path`"),
        ("path,text,text\na.wav,one,two\n", r"expected each column once.*Received: text"),
        ("path,text\n", r"all\.csv is empty"),
        ("0 clips/0.wav\n1 clips/1.wav\n", r"all\.csv names recordings in the place of texts.*Received"),
        ("path,start,end,text\nclips/3.wav,-1,0.1,one\n", r"line 2: expected seconds.*`start`, 0 or more"),
        ("path,text\nhttps://a.org/a.wav,one\n", r"line 2: expected a file.*an address.*Download it"),
    ],
)
def test_each_bad_table_names_its_row(folder: Path, content: str, message: str) -> None:
    (folder / "all.csv").write_text(content)
    with pytest.raises(SpeechDataError, match=message):
        read_own(folder / "all.csv")


def test_each_bad_row_of_other_toolkits_is_named(folder: Path) -> None:
    for name, content, message in (
        ("a.stm", "3 1 s 0.2 0.1 text\n", r"a\.stm, line 1: expected a begin and an end after it"),
        ("a.stm", "3 1 s 0.2\n", r"a\.stm, line 1: expected recording channel speaker begin end text"),
        ("a.ctm", "3 A 0.1 -1 word\n", r"a\.ctm, line 1: expected a begin and a duration"),
        ("a.transcription", "<s> one </s>\n", r"a\.transcription, line 1: expected <s> text </s> \(name\)"),
    ):
        (folder / name).write_text(content)
        with pytest.raises(SpeechDataError, match=message):
            read_own(folder / name)
    path = lhotse_supervisions(folder)
    recordings = folder / "mini_recordings_all.jsonl.gz"
    recordings.write_bytes(gzip.compress(gzip.decompress(recordings.read_bytes()).replace(b'"file"', b'"command"')))
    with pytest.raises(SpeechDataError, match=r"all\.jsonl\.gz, line 1: expected a recording of one file.*command"):
        read_own(path)


def test_pieces_of_one_recording_have_keys_of_their_own(folder: Path) -> None:
    rows = [{"audio_filepath": "3.wav", "text": "abc"[n], "offset": 0.1 * n, "duration": 0.1} for n in range(3)]
    (folder / "all.jsonl").write_text(lines(*map(json.dumps, rows)))
    source = manifest(folder / "all.jsonl", 8000)
    assert len({entry.key for entry in source.entries}) == 3
    assert source.notes()[1] == "3 of 3 rows name a piece of a recording."


TWO = [{"audio": "a.wav", "text": "one"}, {"audio": "b.wav", "text": "two"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("all.json", json.dumps(TWO)),
        ("all.json", json.dumps(TWO, indent=2)),
        ("all.json", json.dumps({"version": 1, "data": TWO}, indent=2)),
        ("all.json", json.dumps({"a.wav": "one", "b.wav": "two"}, indent=2)),
        ("all.json", json.dumps({"a.wav": {"text": "one"}, "b.wav": {"text": "two"}}, indent=2)),
        ("all.json", json.dumps([["a.wav", "one"], ["b.wav", "two"]])),
        ("all.jsonl", '{"audio": {"path": "a.wav"}, "text": "one"}\n{"audio": {"path": "b.wav"}, "text": "two"}\n'),
        (
            "all.jsonl",
            '{"key": "a", "wav": "a.wav", "txt": "one"}\n{"key": "b", "wav": "b.wav", "txt": "two"}\n',
        ),  # WeNet
        ("all.jsonl", '{"key": "a", "source": "a.wav", "target": "one"}\n{"source": "b.wav", "target": "two"}\n'),
        (
            "all.jsonl",
            '{"utt": "a", "feat": "a.wav", "text": "one"}\n{"feat": "b.wav", "text": "two"}\n',
        ),  # PaddleSpeech
        ("all.csv", "sep=;\npath;text\na.wav;one\nb.wav;two\n"),
        ("all.csv", '"SEP=;"\npath;text\na.wav;one\nb.wav;two\n'),
        ("all.tsv", "7\ta.wav\tOne.\tone\to n e |\t800\tMALE\n8\tb.wav\tTwo!\ttwo\tt w o |\t90\tFEMALE\n"),
        ("all.csv", "1,a.wav,one\n2,b.wav,two\n"),
        ("all.txt", "one|a.wav\ntwo|b.wav\n"),
        ("all.txt", "a.wav: one\nb.wav: two\n"),
        ("all.csv", ',Audio File,Transcription Text\n0,a.wav, "one"\n1,b.wav,two\n'),
        ("all.tsv", "# made by hand\npath\ttext\na.wav\tone\nb.wav\ttwo\n"),
        ("PROMPTS", "a.wav one\nb.wav two\n"),
        ("all.tsv.gz", "path\ttext\na.wav\tone\nb.wav\ttwo\n"),
    ],
)
def test_other_forms_of_lists(tmp_path: Path, write_tone: Callable[..., Path], name: str, content: str) -> None:
    write_tone(tmp_path / "a.wav", 0.1)
    packed = gzip.compress(content.encode()) if name.endswith(".gz") else content.encode()
    (tmp_path / name).write_bytes(packed)
    entries, _ = read_own(tmp_path / name)
    assert [(entry.key, entry.text, entry.path) for entry in entries] == [
        ("a.wav", "one", tmp_path / "a.wav"), ("b.wav", "two", tmp_path / "b.wav"),
    ]  # fmt: skip


def test_a_column_that_may_be_the_split_is_if_it_names_splits(tmp_path: Path) -> None:
    for name, values, expected in (
        ("set", ("train", "dev"), ["train", "validation"]),
        ("Fold", ("1", "2"), ["", ""]),
        ("usage", ("train", "other"), ["", ""]),
    ):
        (tmp_path / "all.csv").write_text(f"path,text,{name}\na.wav,one,{values[0]}\nb.wav,two,{values[1]}\n")
        assert [entry.split for entry in read_own(tmp_path / "all.csv")[0]] == expected


def test_times_of_a_clock_in_milliseconds_and_with_commas(tmp_path: Path) -> None:
    for content in (
        'path,start,end,text\na.wav,00:01:00.5,1:02,one\nb.wav,0,"0:00,5",two\n',
        "path,Start (ms),end_ms,text\na.wav,60500,62000,one\nb.wav,0,500,two\n",
        "path,startMilliseconds,endMilliseconds,text\na.wav,60500,62000,one\nb.wav,0,500,two\n",
        "audioFilePath,startTime,stop_time (s),text\na.wav,60.5,62,one\nb.wav,0,0.5,two\n",
        "path | offset_s | duration_s | text\na.wav | 60.5 | 1.5 | one\nb.wav | 0 | 0.5 | two\n",
        "path;start;end;text\na.wav;60,5;62,0;one\nb.wav;0;0,5;two\n",
        "path,onset,offset,text\na.wav,60.5,62,one\nb.wav,0,0.5,two\n",
        "path,from,to,text\na.wav,60.5,62,one\nb.wav,0,0.5,two\n",
        "path,xmin,xmax,text\na.wav,60.5,62,one\nb.wav,0,0.5,two\n",
    ):
        (tmp_path / "all.csv").write_text(content)
        assert [(each.offset, each.duration) for each in read_own(tmp_path / "all.csv")[0]] == [(60.5, 1.5), (0.0, 0.5)]


CHANNELS = {
    "a.csv": "file,channel,start,end,text\ncall.wav,{0},0,1,one\ncall.wav,{1},0.5,1.5,two\n",
    "a.stm": "call {0} s 0 1 one\ncall {1} t 0.5 1.5 two\n",
    "a.ctm": "call {0} 0 1 one\ncall {1} 0.5 1 two\n",
    "a_supervisions.jsonl": '{{"recording_id": "r", "start": 0, "duration": 1, "channel": 0, "text": "one"}}\n'
    '{{"recording_id": "r", "start": 0.5, "duration": 1, "channel": 1, "text": "two"}}\n',
}


@pytest.mark.parametrize("name", [*CHANNELS, "segments"])
@pytest.mark.parametrize("sides", ["12", "AB"])
def test_each_channel_of_a_call_has_its_own_texts(tmp_path: Path, name: str, sides: str) -> None:
    tones = 0.4 * np.sin(np.arange(16000)[:, np.newaxis] * [0.1, 0.3])
    soundfile.write(tmp_path / "call.wav", tones, 8000)
    if name == "segments":
        (tmp_path / "wav.scp").write_text("call call.wav\n")
        (tmp_path / "reco2file_and_channel").write_text("c-A call {}\nc-B call {}\n".format(*sides))
        (tmp_path / name).write_text("u c-A 0 1\nv c-B 0.5 1.5\n")
        (tmp_path / "text").write_text("u one\nv two\n")
    else:
        (tmp_path / name).write_text(CHANNELS[name].format(*sides))
        source = {"type": "file", "channels": [0, 1], "source": "call.wav"}
        (tmp_path / "a_recordings.jsonl").write_text(json.dumps({"id": "r", "duration": 2.0, "sources": [source]}))
    entries = read_own(tmp_path if name == "segments" else tmp_path / name)[0]
    assert [entry.text for entry in entries] == ["one", "two"] and entries[0].key != entries[1].key
    for place, (entry, start) in enumerate(zip(entries, (0, 4000), strict=True)):
        heard = load_audio(entry.path, 8000, entry.offset, entry.duration, entry.channel)
        np.testing.assert_allclose(heard, tones[start : start + 8000, place], atol=1e-4)


def test_a_list_in_json_may_have_the_name_of_a_recording(folder: Path) -> None:
    path = folder / "clips" / "0.json"
    path.write_text(json.dumps([{"path": f"{number}.wav", "text": text} for number, text in enumerate(TEXTS)]))
    assert [entry.path.name for entry in read_own(path)[0]] == [f"{number}.wav" for number in range(len(TEXTS))]


def test_a_recording_with_several_texts_is_noted_and_a_repeated_row_left_out(folder: Path) -> None:
    (folder / "all.csv").write_text("path,text\nclips/0.wav,one\nclips/0.wav,two\nclips/0.wav,one\n")
    source = manifest(folder, 8000)
    assert any("1 recordings have several texts each (0.wav" in note for note in source.notes())
    assert [entry.text for entry in source.entries] == ["one", "two"]
    assert "1 rows repeat others, and are left out." in source.notes()


def test_what_has_a_text_of_null_can_be_left_out(folder: Path) -> None:
    (folder / "all.jsonl").write_text(
        '{"audio": "clips/0.wav", "text": null}\n{"audio": "clips/1.wav", "text": "one"}\n'
    )
    assert [entry.text for entry in manifest(folder, 8000).entries] == ["", "one"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "is empty"),
        ("3", "expected one JSON object"),
        ("{}", "expected a string `audio_filepath`"),
        ('{"text": "where"}', "expected a string `audio_filepath`"),
        ('["a.wav", "b.wav"]', "item 1: expected an object"),
    ],
)
def test_json_without_recordings_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "all.json").write_text(content)
    with pytest.raises(SpeechDataError, match=rf"all.json.*{message}.*Received: "):
        read_own(tmp_path / "all.json")
