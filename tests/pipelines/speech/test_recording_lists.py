"""The lists and folders that people have: each is read as its makers mean it, and each bad row is named."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.decoding import Word
from pipelines.configuration import ConfigurationError
from pipelines.speech.audio_files import SpeechDataError, load_audio
from pipelines.speech.data import DataConfiguration, open_source
from pipelines.speech.given_recordings import given_recordings
from pipelines.speech.recording_entries import SPLIT_NAMES, Entry
from pipelines.speech.recording_folders import read_own
from pipelines.speech.recording_splits import with_splits
from pipelines.speech.recording_texts import pieces_of
from pipelines.speech.subtitles import srt
from pipelines.speech.user_recordings import FileSource, manifest

WriteTone = Callable[..., Path]
TEXTS = ["the first", 'he said "no"', "one, two; three", "the last"]


@pytest.fixture
def folder(tmp_path: Path, write_tone: WriteTone) -> Path:
    """Four recordings in a folder `clips`, of 0.1 to 0.4 seconds."""
    for number in range(4):
        write_tone(tmp_path / "clips" / f"{number}.wav", 0.1 * (number + 1))
    return tmp_path


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


def deepspeech(folder: Path) -> Path:
    with (folder / "all.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["wav_filename", "wav_filesize", "transcript"])
        writer.writerows([f"clips/{n}.wav", 1644, text] for n, text in enumerate(TEXTS))
    return folder / "all.csv"


def common_voice(folder: Path) -> Path:
    rows = [f"{n % 2:0128x}\t{n}.wav\t{text}\t2\t0\ttwenties\tfemale" for n, text in enumerate(TEXTS)]
    head = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender"
    (folder / "validated.tsv").write_text(lines(head, *rows), encoding="utf-8")
    return folder / "validated.tsv"


def nemo(folder: Path) -> Path:
    rows = [{"audio_filepath": f"clips/{n}.wav", "offset": 0.0, "duration": 0.1 * (n + 1), "text": text}
            for n, text in enumerate(TEXTS)]  # fmt: skip
    (folder / "all.json").write_text(lines(*map(json.dumps, rows)))
    return folder / "all.json"


def spreadsheet(folder: Path) -> Path:
    rows = [f'{n}.wav;"{text.replace(chr(34), chr(34) * 2)}"' for n, text in enumerate(TEXTS)]
    (folder / "all.csv").write_text("\ufeffFile;Text\r\n" + "\r\n".join(rows), encoding="utf-8")
    return folder / "all.csv"


def two_columns(folder: Path) -> Path:
    (folder / "all.txt").write_text(lines(*(f"clips/{n}.wav\t{text}" for n, text in enumerate(TEXTS))))
    return folder / "all.txt"


def two_columns_with_commas(folder: Path) -> Path:
    with (folder / "all.csv").open("w", newline="") as file:
        csv.writer(file).writerows([f"clips/{n}.wav", text] for n, text in enumerate(TEXTS))
    return folder / "all.csv"


def ljspeech(folder: Path) -> Path:
    (folder / "clips").rename(folder / "wavs")
    (folder / "metadata.csv").write_text(lines(*(f"{n}|{text.upper()}|{text}" for n, text in enumerate(TEXTS))))
    return folder


def kaldi(folder: Path) -> Path:
    (folder / "wav.scp").write_text(lines(*(f"utt{n} clips/{n}.wav" for n in range(4))))
    (folder / "text").write_text(lines(*(f"utt{n} {text}" for n, text in enumerate(TEXTS))))
    (folder / "utt2spk").write_text(lines(*(f"utt{n} speaker{n % 2}" for n in range(4))))
    return folder


def texts_beside(folder: Path) -> Path:
    for number, text in enumerate(TEXTS):
        (folder / "clips" / f"{number}.txt").write_text(f"{text}\n")
    return folder


def lhotse(folder: Path) -> Path:
    """As `lhotse prepare` writes it; the recordings are named from the folder of the list."""
    recordings = [{"id": f"r{n}", "sources": [{"type": "file", "channels": [0], "source": f"clips/{n}.wav"}],
                   "sampling_rate": 8000, "num_samples": 800 * (n + 1), "duration": 0.1 * (n + 1), "channel_ids": [0]}
                  for n in range(4)]  # fmt: skip
    supervisions = [{"id": f"u{n}", "recording_id": f"r{n}", "start": 0.0, "duration": 0.1 * (n + 1), "channel": 0,
                     "text": text, "language": "English", "speaker": "s"}
                    for n, text in enumerate(TEXTS)]  # fmt: skip
    for name, rows in (("recordings", recordings), ("supervisions", supervisions)):
        packed = gzip.compress(lines(*map(json.dumps, rows)).encode())
        (folder / f"mini_{name}_all.jsonl.gz").write_bytes(packed)
    return folder


def lhotse_supervisions(folder: Path) -> Path:
    return lhotse(folder) / "mini_supervisions_all.jsonl.gz"


def lhotse_cuts(folder: Path) -> Path:
    rows = [{"id": f"c{n}", "start": 0.0, "duration": 0.1 * (n + 1), "channel": 0, "type": "MonoCut",
             "supervisions": [{"id": f"u{n}", "recording_id": f"r{n}", "start": 0.0, "duration": 0.1 * (n + 1),
                               "channel": 0, "text": text}],
             "recording": {"id": f"r{n}", "sources": [{"type": "file", "channels": [0], "source": f"clips/{n}.wav"}]}}
            for n, text in enumerate(TEXTS)]  # fmt: skip
    (folder / "cuts.jsonl").write_text(lines(*map(json.dumps, rows)))
    return folder / "cuts.jsonl"


def stm(folder: Path) -> Path:
    rows = [f"{n} 1 speaker{n % 2} 0.00 {0.1 * (n + 1):.2f} <o,f0,male> {text}" for n, text in enumerate(TEXTS)]
    gap = "3 1 inter_segment_gap 0 0.1 <o,,> ignore_time_segment_in_scoring"
    (folder / "all.stm").write_text(lines(";; CATEGORY", *rows, gap))
    return folder / "all.stm"


def ctm(folder: Path) -> Path:
    rows = []
    for n, text in enumerate(TEXTS):
        length = 0.1 * (n + 1) / len(text.split())
        rows += [f"{n} A {length * place:.4f} {length:.4f} {word} 0.9" for place, word in enumerate(text.split())]
    (folder / "all.ctm").write_text(lines(*rows))
    return folder / "all.ctm"


def sphinx(folder: Path) -> Path:
    (folder / "etc").mkdir()
    (folder / "etc" / "mini.fileids").write_text(lines(*(f"clips/{n}" for n in range(4))))
    rows = [f"<s> {text} ++UM++ </s> ({n})" for n, text in enumerate(TEXTS)]
    (folder / "etc" / "mini.transcription").write_text(lines(*rows))
    return folder


def sphinx_list(folder: Path) -> Path:
    return sphinx(folder) / "etc" / "mini.fileids"


def voxforge(folder: Path) -> Path:
    """Sessions, whose recordings have the same names."""
    for n, text in enumerate(TEXTS):
        session = folder / f"{'ab'[n // 2]}-2008010{n}-xyz"
        (session / "etc").mkdir(parents=True)
        (session / "wav").mkdir()
        (folder / "clips" / f"{n}.wav").rename(session / "wav" / "a0001.wav")
        (session / "etc" / "PROMPTS").write_text(f"{session.name}/mfc/a0001 {text.upper()}\n")
        (session / "etc" / "prompts-original").write_text(f"a0001 {text}\n")
        (session / "etc" / "README").write_text("User Name: a\n")
    return folder


def one_subset_of_librispeech(folder: Path) -> Path:
    for n, text in enumerate(TEXTS):
        chapter = folder / "clips" / f"6{n // 2}" / f"{n}"
        chapter.mkdir(parents=True)
        (folder / "clips" / f"{n}.wav").rename(chapter / f"6{n // 2}-{n}-0000.wav")
        (chapter / f"6{n // 2}-{n}.trans.txt").write_text(f"6{n // 2}-{n}-0000 {text}\n")
    return folder


def one_list_for_a_tree(folder: Path) -> Path:
    """As of AISHELL and multilingual LibriSpeech."""
    (folder / "transcript").mkdir()
    (folder / "transcript" / "all_v0.8.txt").write_text(lines(*(f"{n}\t{text}" for n, text in enumerate(TEXTS))))
    return folder


def timit(folder: Path) -> Path:
    for n, text in enumerate(TEXTS):
        speaker = folder / "DR1" / f"MCPM{n // 2}"
        speaker.mkdir(parents=True, exist_ok=True)
        (folder / "clips" / f"{n}.wav").rename(speaker / f"SX{n}.WAV")
        (speaker / f"SX{n}.TXT").write_text(f"0 {8000 * (n + 1)} {text} \n")
        (speaker / f"SX{n}.WRD").write_text("0 400 the\n")
    return folder


def synthesis(folder: Path) -> Path:
    rows = [f"clips/{n}.wav|{n % 2}|{text}" for n, text in enumerate(TEXTS)]
    (folder / "filelist.txt").write_text(lines(*rows))
    return folder / "filelist.txt"


def synthesis_of_other_order(folder: Path) -> Path:
    rows = [f"clips/{n}.wav|{text}|{n % 2}" for n, text in enumerate(TEXTS)]
    (folder / "filelist.txt").write_text(lines(*rows))
    return folder / "filelist.txt"


def audacity(folder: Path) -> Path:
    for n, text in enumerate(TEXTS):
        (folder / "clips" / f"{n}.txt").write_text(f"0.000000\t{0.1 * (n + 1):.6f}\t{text}\n\\\t300.0\t2000.0\n")
    return folder


def audacity_with_empty_labels(folder: Path) -> Path:
    for path in (audacity(folder) / "clips").glob("*.txt"):
        path.write_text(f"{path.read_text()}0.05\t0.05\tmark\n0.05\t0.1\t\n")
    return folder


def fisher(folder: Path) -> Path:
    for n, text in enumerate(TEXTS):
        (folder / "clips" / f"{n}.txt").write_text(f"# {n}.sph\n\n0.00 {0.1 * (n + 1):.2f} {'AB'[n % 2]}: {text}\n")
    return folder


def kaldi_with_commands(folder: Path) -> Path:
    kaldi(folder)
    commands = ("cat clips/0.wav |", "flac -c -d -s 'clips/1.wav' |", "sph2pipe -f wav -p -c 1 clips/2.wav |",
                "ffmpeg -i clips/3.wav -f wav -ar 16000 -ac 1 - | sox -t wav - -r 8000 -t wav - |")  # fmt: skip
    (folder / "wav.scp").write_text(lines(*(f"utt{n} {command}" for n, command in enumerate(commands))))
    return folder


def kaldi_named_from_above(folder: Path) -> Path:
    """As in recipes, which run two folders above."""
    (folder / "data" / "all").mkdir(parents=True)
    for name in ("wav.scp", "text", "utt2spk"):
        (kaldi(folder) / name).rename(folder / "data" / "all" / name)
    return folder / "data" / "all"


def festival(folder: Path) -> Path:
    (folder / "etc").mkdir()
    rows = [f'( {n} "{text.replace(chr(34), chr(92) + chr(34))}" )' for n, text in enumerate(TEXTS)]
    (folder / "etc" / "txt.done.data").write_text(lines(*rows))
    return folder


def more_columns_than_are_read(folder: Path) -> Path:
    """As in CSS10 and KSS: the recording, the text, its spoken form, its length and a translation."""
    rows = [f"clips/{n}.wav|{n}|{text}|{n}.5|translated" for n, text in enumerate(TEXTS)]
    (folder / "transcript.v.1.4.txt").write_text(lines(*rows))
    return folder


def the_same_list_alone(folder: Path) -> Path:
    return more_columns_than_are_read(folder) / "transcript.v.1.4.txt"


def colons(folder: Path) -> Path:
    (folder / "clips" / "transcript_utf8.txt").write_text(lines(*(f"{n}:{text}" for n, text in enumerate(TEXTS))))
    return folder


def table_in_a_tree(folder: Path) -> Path:
    """As in MAGICDATA and Primewords: recordings deeper than their list."""
    (folder / "clips").rename(folder / "a")
    (folder / "corpus" / "x").mkdir(parents=True)
    (folder / "a").rename(folder / "corpus" / "x" / "a")
    rows = [f"{n}.wav\tspeaker{n % 2}\t{text}" for n, text in enumerate(TEXTS)]
    (folder / "corpus" / "TRANS.txt").write_text(lines("UtteranceID\tSpeakerID\tTranscription", *rows))
    return folder


def tables_of_speakers(folder: Path) -> Path:
    """As in M-AILABS."""
    for speaker in range(2):
        (folder / f"s{speaker}" / "wavs").mkdir(parents=True)
        rows = []
        for n in (2 * speaker, 2 * speaker + 1):
            (folder / "clips" / f"{n}.wav").rename(folder / f"s{speaker}" / "wavs" / f"{n}.wav")
            rows.append(f"{n}|{n}|{TEXTS[n]}")
        (folder / f"s{speaker}" / "metadata.csv").write_text(lines(*rows))
    return folder


def behind_a_link(folder: Path) -> Path:
    (folder / "tree").mkdir()
    (folder / "tree" / "link").symlink_to(texts_beside(folder) / "clips")
    (folder / "clips" / "loop").symlink_to(folder / "tree")
    return folder / "tree"


def gigaspeech(folder: Path) -> Path:
    audios = [{"aid": n, "path": f"clips/{n}.wav", "duration": 0.5, "segments": [
        {"sid": n, "begin_time": 0.0, "end_time": 0.1 * (n + 1), "text_tn": text}]} for n, text in enumerate(TEXTS)
    ]  # fmt: skip
    (folder / "all.json").write_text(json.dumps({"dataset": "GigaSpeech", "audios": audios}))
    return folder / "all.json"


def speechbrain(folder: Path) -> Path:
    rows = {f"u{n}": {"wav": f"{{data_root}}/clips/{n}.wav", "length": 1.0, "words": text, "spk_id": n % 2}
            for n, text in enumerate(TEXTS)}  # fmt: skip
    (folder / "all.json").write_text(json.dumps(rows))
    return folder / "all.json"


def markdown(folder: Path) -> Path:
    rows = [f"| clips/{n}.wav | {text} |" for n, text in enumerate(TEXTS)]
    (folder / "all.md").write_text(lines("| Path | Text |", "| :--- | --- |", *rows))
    return folder / "all.md"


def names_of_another_language(folder: Path) -> Path:
    """With the empty rows of a spreadsheet."""
    with (folder / "all.csv").open("w", newline="") as file:
        rows = [["Datei", "Abschrift"], *([f"clips/{n}.wav", text] for n, text in enumerate(TEXTS)), ["", ""]]
        csv.writer(file, delimiter=";").writerows(rows)
    return folder / "all.csv"


@pytest.mark.parametrize(
    "write",
    [deepspeech, common_voice, nemo, spreadsheet, two_columns, two_columns_with_commas, ljspeech, kaldi, texts_beside,
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


def test_kaldi_segments(folder: Path) -> None:
    kaldi(folder)
    (folder / "segments").write_text("a utt3 0.1 0.25\nb utt3 0.3 -1\nc utt2 0 0.1\nd utt1 0 0.1\n")
    (folder / "text").write_text("a one\nb two\nc\n")
    entries, notes = read_own(folder)
    assert [(entry.key, entry.text) for entry in entries] == [("a", "one"), ("b", "two"), ("c", "")]
    assert [len(load_audio(entry.path, 8000, entry.offset, entry.duration)) for entry in entries] == [1200, 800, 800]
    assert notes[1] == "Without a row in `text`, left out: 1 (d …)."


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("wav.scp", "utt0 sox clips/0.wav -t wav - speed 1.1 |\n", r"wav\.scp, line 1 is a command.*not run.*speed"),
        ("wav.scp", "utt0 all.ark:17\n", r"wav\.scp, line 1 is a place in a Kaldi archive.*expected a file"),
        ("wav.scp", "utt0 clips/0.wav\nutt0 clips/1.wav\n", r"wav\.scp, line 2: expected a key of its own"),
        ("wav.scp", "utt0 clips/0.wav\n", r"text, line 2: .*wav\.scp does not have it.*'utt1'"),
        ("segments", "utt0 utt0 0.2 0.1\nutt1 utt1 0 1\nutt2 utt2 0 1\nutt3 utt3 0 1\n", r"segments, line 1: expected"),
        ("segments", "utt0 utt0 0 0.1\n", r"text, line 2: .*segments does not have it.*'utt1'"),
    ],
)  # fmt: skip
def test_each_bad_row_of_kaldi_is_named(folder: Path, file: str, content: str, message: str) -> None:
    kaldi(folder)
    (folder / file).write_text(content)
    with pytest.raises(SpeechDataError, match=message):
        read_own(folder)


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


def test_words_of_a_ctm_are_cut_at_pauses(folder: Path) -> None:
    (folder / "all.ctm").write_text("3 1 0.00 0.05 one\n3 1 0.06 0.04 two\n3 1 0.70 0.10 three\n2 1 0 0.1 four\n")
    entries = read_own(folder / "all.ctm")[0]
    assert [(entry.text, entry.offset, entry.duration) for entry in entries] == [
        ("one two", 0.0, pytest.approx(0.1)), ("three", 0.7, pytest.approx(0.1)), ("four", 0.0, pytest.approx(0.1)),
    ]  # fmt: skip


def test_splits_of_trees(tmp_path: Path, write_tone: WriteTone) -> None:
    for n, split in enumerate(("train", "dev", "test")):
        write_tone(tmp_path / "aishell" / "wav" / split / f"S{n}" / f"{n}.wav", 0.1)
        write_tone(tmp_path / "tedlium" / split / "sph" / f"talk{n}.wav", 0.5)
        (tmp_path / "tedlium" / split / "stm").mkdir()
        (tmp_path / "tedlium" / split / "stm" / f"talk{n}.stm").write_text(f"talk{n} 1 s{n} 0.1 0.4 <o,f0> {split}\n")
        write_tone(tmp_path / "sphinx" / "wav" / f"{n}.wav", 0.1)
        for kind, text in (("fileids", f"{n}"), ("transcription", f"<s> {split} </s> ({n})")):
            (tmp_path / "sphinx" / "etc").mkdir(exist_ok=True)
            (tmp_path / "sphinx" / "etc" / f"an4_{split}.{kind}").write_text(f"{text}\n")
    (tmp_path / "aishell" / "all.txt").write_text("0 train\n1 dev\n2 test\n3 dev\n")
    for name, missing in (("aishell", 1), ("tedlium", 0), ("sphinx", 0)):
        entries = read_own(tmp_path / name)[0]
        assert len(entries) == 3 + missing
        assert all(entry.split == SPLIT_NAMES[entry.text] for entry in entries if entry.path.is_file())
    write_tone(tmp_path / "words" / "yes" / "a_nohash_0.wav")
    write_tone(tmp_path / "words" / "no" / "b_nohash_0.wav")
    write_tone(tmp_path / "words" / "_background_noise_" / "c.wav")
    (tmp_path / "words" / "validation_list.txt").write_text("")
    (tmp_path / "words" / "testing_list.txt").write_text("no/b_nohash_0.wav\n")
    found = [(entry.text, entry.split, entry.speaker) for entry in read_own(tmp_path / "words")[0]]
    assert found == [("no", "test", "b"), ("yes", "train", "a")]


def test_pieces_of_one_recording_have_keys_of_their_own(folder: Path) -> None:
    rows = [{"audio_filepath": "3.wav", "text": "abc"[n], "offset": 0.1 * n, "duration": 0.1} for n in range(3)]
    (folder / "all.jsonl").write_text(lines(*map(json.dumps, rows)))
    source = manifest(folder / "all.jsonl", 8000)
    assert len({entry.key for entry in source.entries}) == 3
    assert source.notes()[1] == "3 of 3 rows name a piece of a recording."


def test_folders_and_lists_of_one_split_each(folder: Path, write_tone: WriteTone) -> None:
    for name in ("train", "dev", "test"):
        (folder / f"{name}.tsv").write_text(f"path\tsentence\n{'012'[len(name) % 3]}.wav\t{name}\n")
    (folder / "other.tsv").write_text("path\tsentence\n3.wav\tmore\n")
    entries, notes = read_own(folder)
    assert {(entry.text, entry.split) for entry in entries} == {
        ("train", "train"), ("dev", "validation"), ("test", "test"),
    }  # fmt: skip
    assert notes[-1] == "Other lists in the folder are not used: other.tsv."
    for name in ("train", "validation", "test"):
        write_tone(folder / "data" / name / "a.wav")
        (folder / "data" / name / "a.txt").write_text(name)
    entries, _ = read_own(folder / "data")
    assert {entry.text: entry.split for entry in entries} == {name: name for name in ("train", "validation", "test")}
    assert len({entry.key for entry in entries}) == 3


def test_recordings_without_texts_and_unknown_folders_are_named(folder: Path) -> None:
    with pytest.raises(SpeechDataError, match=r"holds no recordings with texts.*Received: \['clips'\]"):
        read_own(folder)
    (folder / "clips" / "0.txt").write_text("one")
    assert read_own(folder)[1][1].startswith("Without a text, left out: clips/1.wav, clips/2.wav, ")


def entries_of(speakers: int, texts: int, number: int = 300, known: bool = True) -> list[Entry]:
    random = np.random.default_rng(0)
    return [
        Entry(str(n), Path(f"{n}.wav"), f"text {n % texts}", speaker=f"s{random.integers(speakers)}" if known else "")
        for n in range(number)
    ]


@pytest.mark.parametrize(
    ("entries", "apart", "said"),
    [
        (entries_of(60, 300), "speaker", "Split by speaker: "),
        (entries_of(12, 300), "speaker", "Split by speaker: "),
        (entries_of(1, 300), "text", "Split by text: "),
        (entries_of(3, 100), "text", "Split by text: "),
        (entries_of(40, 100, known=False), "text", "Split by text: "),
        (entries_of(60, 2), "speaker", "Split by speaker: "),
        (entries_of(4, 2), "speaker", "Split by speaker: "),
        (entries_of(60, 2, known=False), "key", "Split by recording: "),
        (entries_of(1, 12, 12), "text", "Split by text: "),
    ],
)
def test_what_is_kept_on_one_side(entries: list[Entry], apart: str, said: str) -> None:
    found, (note,) = with_splits(entries)
    assert note.startswith(said)
    sides: dict[str, set[str]] = {}
    for entry in found:
        sides.setdefault(getattr(entry, apart), set()).add(entry.split)
    assert all(len(splits) == 1 for splits in sides.values())
    shares = [sum(entry.split == split for entry in found) / len(found) for split in ("train", "validation", "test")]
    assert min(shares) > 0.03
    if len(entries) == 300 and len(sides) > 10:
        assert shares[0] > 0.6
    assert {entry.key: entry.split for entry in with_splits(entries[::-1])[0]} == {e.key: e.split for e in found}


def test_folders_of_speakers_are_kept_apart_and_folders_of_words_are_not_taken_for_them() -> None:
    words = ["yes", "no"]
    by_speaker = [
        Entry(f"{s}{w}{n}", Path(f"c/s{s}/{w}{n}.wav"), w) for s in range(12) for w in words for n in range(4)
    ]
    found, (note,) = with_splits(by_speaker)
    assert note.startswith("Split by speaker, by folder: ")
    assert all(len({entry.split for entry in found if entry.path.parts[1] == f"s{s}"}) == 1 for s in range(12))
    by_word = [Entry(f"{w}{n}", Path(f"c/{w}/{n}.wav"), w) for w in words for n in range(40)]
    assert with_splits(by_word)[1][0].startswith("Split by recording: ")
    with pytest.raises(SpeechDataError, match="the speakers are unknown"):
        with_splits(by_word, "speaker")


def test_a_missing_split_is_set_aside_and_the_given_ones_stay() -> None:
    given = [entry._replace(split="test" if n % 10 == 0 else "train") for n, entry in enumerate(entries_of(1, 300))]
    found, (note,) = with_splits(given)
    assert [entry for entry in found if entry.split == "test"] == [entry for entry in given if entry.split == "test"]
    assert 0.05 < sum(entry.split == "validation" for entry in found) / 300 < 0.2
    assert note.startswith("Split by text: train ")
    assert with_splits(found) == (found, [])


def test_a_run_of_the_version_before_keeps_its_split() -> None:
    assert DataConfiguration().split_by == "auto"
    assert DataConfiguration.from_json('{"source": "manifest", "path": "all.jsonl"}').split_by == "text"
    assert DataConfiguration.from_json(DataConfiguration().to_json()).split_by == "auto"


def test_lists_of_ones_own_to_validate_and_to_test_on(folder: Path) -> None:
    def write(name: str, texts: list[str]) -> str:
        rows = [f"{n % 4}.wav,{text}" for n, text in enumerate(texts)]
        (folder / f"{name}.csv").write_text(lines("path,text", *rows))
        return str(folder / f"{name}.csv")

    path = write("all", [f"{letter} {other}" for letter in "abcdef" for other in "abcdef"])
    configuration = DataConfiguration(source="manifest", path=path, test=write("mine", ["x", "y"]))
    source = open_source(configuration, 8000)
    assert isinstance(source, FileSource)
    assert [entry.text for entry in source.entries if entry.split == "test"] == ["x", "y"]
    assert {entry.split for entry in source.entries} == {"train", "validation", "test"}
    configuration = DataConfiguration(source="manifest", path=path, test=path, validation=write("other", ["z"]))
    with pytest.warns(UserWarning, match="36 sentences are in train and in test"):
        open_source(configuration, 8000)
    with pytest.raises(ConfigurationError, match=r"data\.test: the source telephone_prompts has recordings of its own"):
        open_source(DataConfiguration(test=path), 8000)


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


@pytest.mark.parametrize(
    "name",
    [
        "C:\\data\\clips\\Übung 1.wav",
        "/home/other/clips/Übung 1.wav",
        "{uri}",
        "clips/%C3%9Cbung%201.wav",
        "clips/U\u0308bung 1.WAV",
        "clips/Übung 1.mp3",
        "$CORPUS_OF_TEST/clips/Übung 1.wav",
    ],
)
def test_a_recording_is_found_under_every_spelling_of_its_name(
    tmp_path: Path, write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "clips" / "Übung 1.wav"
    write_tone(path, 0.1)
    monkeypatch.setenv("CORPUS_OF_TEST", str(tmp_path))
    (tmp_path / "all.tsv").write_text(f"path\ttext\n{name.replace('{uri}', path.as_uri())}\tone\n", encoding="utf-8")
    assert [entry.path for entry in read_own(tmp_path / "all.tsv")[0]] == [path]


def test_of_recordings_of_one_name_none_is_guessed(tmp_path: Path, write_tone: WriteTone) -> None:
    for path in ("x/a.wav", "y/a.wav", "y/b.wav"):
        write_tone(tmp_path / path, 0.1)
    (tmp_path / "all.csv").write_text("path,text\na.wav,one\nb.wav,two\n")
    assert [entry.path for entry in read_own(tmp_path)[0]] == [tmp_path / "a.wav", tmp_path / "y" / "b.wav"]


def test_recordings_may_lie_in_a_folder_of_their_own(folder: Path) -> None:
    (folder / "lists").mkdir()
    common_voice(folder).rename(folder / "lists" / "validated.tsv")
    for root, found in (("", 0), (folder / "clips", 4)):
        assert sum(each.path.is_file() for each in manifest(folder / "lists", 8000, root=root).entries) == found


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


TEXT_GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "s - words"
        xmin = 0
        xmax = 2
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "one"
        intervals [2]:
            xmin = 0.5
            xmax = 1
            text = "two ""2"" "
        intervals [3]:
            xmin = 1
            xmax = 2
            text = ""
    item [2]:
        class = "IntervalTier"
        name = "s - phones"
        xmin = 0
        xmax = 2
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2
            text = "w"
    item [3]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 2
        points: size = 1
        points [1]:
            number = 1
            mark = "!"
"""
SHORT_TEXT_GRID = (
    'File type = "ooTextFile short"\n"TextGrid"\n0\n2\n<exists>\n1\n"IntervalTier"\n"said"\n0\n2\n2\n'
    '0\n1\n"one two ""2"""\n1\n2\n" "\n'
)
EAF = """<?xml version="1.0" encoding="UTF-8"?><ANNOTATION_DOCUMENT><TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="1000"/></TIME_ORDER>
<TIER TIER_ID="s"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="1" TIME_SLOT_REF1="a" TIME_SLOT_REF2="b">
<ANNOTATION_VALUE>one two "2"</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="translation" PARENT_REF="s"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="2" ANNOTATION_REF="1">
<ANNOTATION_VALUE>eins</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"""
WHISPER = json.dumps({"text": "one", "segments": [{"id": 0, "start": 0.0, "end": 1.0, "text": ' one two "2"'}]})
WHISPER_CPP = json.dumps({"transcription": [{"offsets": {"from": 0, "to": 1000}, "text": ' one two "2"'}]})
UTTERANCES = {"utterances": [{"speaker": "A", "start": 0, "end": 1000, "text": 'one two "2"'}]}
ASSEMBLY = json.dumps({"text": "", "words": [{"start": 0, "end": 10, "text": "one"}], **UTTERANCES})
SAID = 'one two "2"'
AWS_ITEMS = [
    {"start_time": "0.0", "end_time": "0.5", "alternatives": [{"content": "one"}], "type": "pronunciation"},
    {"alternatives": [{"content": "."}], "type": "punctuation"},
]
AWS_SEGMENTS = [{"id": 0, "transcript": SAID, "start_time": "0.0", "end_time": "1.0", "items": [0, 1]}]
AWS = {"results": {"transcripts": [{"transcript": SAID}], "items": AWS_ITEMS, "audio_segments": AWS_SEGMENTS}}
DEEPGRAM_WORDS = [{"word": "one", "start": 0.0, "end": 0.4}, {"word": "two", "start": 0.4, "end": 1.0}]
PARAGRAPHS = {"transcript": f"Speaker 0: {SAID}", "paragraphs": [
    {"sentences": [{"text": SAID, "start": 0.0, "end": 1.0}], "start": 0.0, "end": 1.0, "speaker": 0}]}  # fmt: skip
BEST = {"transcript": SAID, "words": DEEPGRAM_WORDS, "paragraphs": PARAGRAPHS}
DEEPGRAM = {"metadata": {"channels": 1}, "results": {"channels": [{"alternatives": [BEST]}]}}
AZURE_BEST = {"lexical": "one two", "itn": "1 2", "display": SAID}
AZURE = {"combinedRecognizedPhrases": [{"channel": 0, **AZURE_BEST}], "recognizedPhrases": [
    {"channel": 0, "offset": "PT0S", "duration": "PT1.0S", "durationInTicks": 1e7, "nBest": [AZURE_BEST]}]}  # fmt: skip
AZURE_PHRASES = [{"offsetMilliseconds": 0, "durationMilliseconds": 1000, "text": SAID}]
AZURE_FAST = {"durationMilliseconds": 2000, "combinedPhrases": [{"text": SAID}], "phrases": AZURE_PHRASES}
SUBRIP = '1\n00:00:00,000 --> 00:00:01,000\none two "2"\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.TextGrid", TEXT_GRID), ("a.TextGrid", SHORT_TEXT_GRID), ("a.eaf", EAF), ("a.wav.srt", SUBRIP),
        ("a.en.srt", SUBRIP), ("a.json", WHISPER), ("a.json", WHISPER_CPP), ("a.json", ASSEMBLY),
        ("a.wav.json", json.dumps(AWS)), ("a.json", json.dumps(DEEPGRAM)), ("a.json", json.dumps(AZURE)),
        ("a.json", json.dumps(AZURE_FAST)),
        ("a.sbv", '0:00:00.000,0:00:01.000\none two[br]"2"\n\n'),
        ("a.lrc", '[ti:a]\n[offset:500]\n[00:00.50]<00:00.50>one <00:00.80>two "2"\n[00:01.50]\n'),
        ("a.tsv", 'start\tend\ttext\n0\t1000\tone two "2"\n'),
        ("a.csv", 'start,end,text\n0,1000," one two ""2"""\n'), ("a.csv", 'begin;end;text\n0;1;"one two ""2"""\n'),
    ],
)  # fmt: skip
def test_annotations_beside_a_recording_are_pieces_of_it(
    tmp_path: Path, write_tone: WriteTone, name: str, content: str
) -> None:
    write_tone(tmp_path / "a.wav", 2.0)
    (tmp_path / name).write_text(content)
    for path in (tmp_path, tmp_path / name):
        found = [(each.path.name, each.text, each.offset, each.duration) for each in read_own(path)[0]]
        assert found == [("a.wav", 'one two "2"', 0.0, pytest.approx(1.0))]


ONE = [{"endTime": "0.400s", "word": "one"}, {"startTime": "0.400s", "endTime": "1s", "word": "two"}]
OTHER = [{"startTime": "1.5s", "endTime": "1.75s", "word": "three"}]
GOOGLE = {"results": [
    {"alternatives": [{"transcript": "one two", "words": ONE}, {"transcript": "won two"}], "resultEndTime": "1.1s"},
    {"alternatives": [{"transcript": " three", "words": OTHER}]},
    {"alternatives": [{"words": [{**word, "speakerTag": 1} for word in ONE + OTHER]}]},
]}  # fmt: skip
WITHOUT_TIMES = {"results": [{"alternatives": [{"transcript": text}]} for text in ("one two", " three")]}
VOSK = json.dumps({"result": DEEPGRAM_WORDS, "text": "one two"})
AWS_WORDS = [("Hello", 0.0, 0.4), (",", 0, 0), ("Mr", 0.4, 0.5), (".", 0, 0), ("Bean", 0.5, 0.9), ("!", 0, 0),
             ("So", 1.0, 1.2), ("far", 1.8, 2.0)]  # fmt: skip
AWS_ALONE = {"results": {"transcripts": [{"transcript": "Hello, Mr. Bean! So far"}], "items": [
    {"alternatives": [{"content": word}]} | ({"start_time": f"{begin}", "end_time": f"{end}"} if end else {})
    for word, begin, end in AWS_WORDS]}}  # fmt: skip
SIDES = [
    {"alternatives": [{"transcript": text, "words": words}]} for text, words in (("one two", ONE), ("three", OTHER))
]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (json.dumps(GOOGLE), [("one two", 0.0, 1.0, None), ("three", 1.5, 0.25, None)]),
        (json.dumps({"response": GOOGLE}), [("one two", 0.0, 1.0, None), ("three", 1.5, 0.25, None)]),
        (json.dumps(WITHOUT_TIMES), [("one two three", 0.0, None, None)]),
        (f'{VOSK}\n{{"text": ""}}\n', [("one two", 0.0, None, None)]),
        (f"{VOSK}\n{VOSK}\n", [("one two", 0.0, 1.0, None)] * 2),
        (json.dumps({"results": {"channels": SIDES}}), [("one two", 0.0, 1.0, 0), ("three", 1.5, 0.25, 1)]),
        (
            json.dumps(AWS_ALONE),  # cut at the end of a sentence and at a pause
            [("Hello, Mr. Bean!", 0.0, 0.9, None), ("So", 1.0, 0.2, None), ("far", 1.8, 0.2, None)],
        ),
        ('{"text": "", "segments": []}', []),
    ],
)  # fmt: skip
def test_parts_of_a_text_have_the_times_of_their_words(content: str, expected: list[object]) -> None:
    """As Google, Vosk and Deepgram write them; Google leaves out a begin of 0, and repeats all words for speakers."""
    pieces = pieces_of(content, ".json", "a.wav", "a.json")
    found = [(each.text, each.offset, each.duration and round(each.duration, 6), each.channel) for each in pieces]
    assert found == expected


def test_a_text_has_the_times_of_another_that_says_the_same(tmp_path: Path, write_tone: WriteTone) -> None:
    """As Whisper writes all of its files; a text that was corrected counts as it is."""
    write_tone(tmp_path / "a.wav", 2.0)
    (tmp_path / "a.tsv").write_text("start\tend\ttext\n0\t900\tone two\n900\t2000\tthree\n")
    for text, expected in (("one two\nthree\n", [0.0, 0.9]), ("one two\nfour\n", [0.0])):
        (tmp_path / "a.txt").write_text(text)
        assert [entry.offset for entry in read_own(tmp_path)[0]] == expected


def test_silences_and_unknown_words_of_an_aligner_are_no_words(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone(tmp_path / "a.wav", 2.0)
    words = ["sil", "one", "two", "sp", "three", "spn", "four", "<eps>"]
    rows = "".join(f'{0.2 * place:.1f}\n{0.2 * place + 0.2:.1f}\n"{word}"\n' for place, word in enumerate(words))
    for tier, expected in (("words", ["one two three", "four"]), ("said", ["one", "two", "three", "four"])):
        head = f'File type = "ooTextFile short"\n"TextGrid"\n0\n2\n<exists>\n1\n"IntervalTier"\n"{tier}"\n0\n2\n8\n'
        (tmp_path / "a.TextGrid").write_text(head + rows)
        assert [entry.text for entry in read_own(tmp_path)[0]] == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.TextGrid", TEXT_GRID[:400], r"a\.TextGrid cannot be read. Expected a whole file of Praat"),
        ("a.eaf", EAF[:400], r"a\.eaf cannot be read"),
        ("a.trs", "<Trans/>", "import them in ELAN"),
        ("a.json", '{"device": {"label": "x"}}', r"a\.json holds no text.*expected `text`.*Received: .*device"),
        ("a.json", '{"text": "x"', r"a\.json is not JSON"),
        ("a.txt", "Line\tStart\tContent\n1\t0.1\tone\n", r"a\.txt is a table whose columns are not known"),
        ("shard-0.tar", "", "archives"),
    ],
)
def test_what_is_not_read_is_named(
    tmp_path: Path, write_tone: WriteTone, name: str, content: str, message: str
) -> None:
    write_tone(tmp_path / "a.wav", 2.0)
    (tmp_path / name).write_text(content)
    with pytest.raises(SpeechDataError, match=message):
        read_own(tmp_path)
    with pytest.raises(SpeechDataError, match=r"a\.wav is a recording; expected a list"):
        read_own(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b.en.vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\none\n", r"is the text of one recording.* b\.wav.*: a\.wav"),
        ("a.json", '{"device": {"label": "x"}}', r"a\.json holds no text that is recognised"),
        ("a.json", '{"text": "x"', r"a\.json is not JSON.*Correct it, or remove it\. Received"),
    ],
)
def test_the_text_of_one_recording_that_is_not_read_is_named(
    tmp_path: Path, write_tone: WriteTone, name: str, content: str, message: str
) -> None:
    write_tone(tmp_path / "a.wav", 1.0)
    (tmp_path / name).write_text(content)
    with pytest.raises(SpeechDataError, match=message):
        read_own(tmp_path / name)


def test_a_list_in_json_may_have_the_name_of_a_recording(folder: Path) -> None:
    path = folder / "clips" / "0.json"
    path.write_text(json.dumps([{"path": f"{number}.wav", "text": text} for number, text in enumerate(TEXTS)]))
    assert [entry.path.name for entry in read_own(path)[0]] == [f"{number}.wav" for number in range(len(TEXTS))]


def test_folders_of_hugging_face_and_fairseq(folder: Path) -> None:
    (folder / "clips" / "train").mkdir()
    for number in range(3):
        (folder / "clips" / f"{number}.wav").rename(folder / "clips" / "train" / f"{number}.wav")
    (folder / "clips" / "test").mkdir()
    (folder / "clips" / "3.wav").rename(folder / "clips" / "test" / "3.wav")
    places = [f"{'test' if number == 3 else 'train'}/{number}.wav" for number in range(4)]
    rows = [json.dumps({"file_name": place, "text": text}) for place, text in zip(places, TEXTS, strict=True)]
    (folder / "clips" / "metadata.jsonl").write_text(lines(*rows))
    entries = read_own(folder)[0]  # the only folder in which is read
    assert [entry.split for entry in entries] == ["train", "train", "train", "test"]
    (folder / "data").mkdir()
    (folder / "clips").rename(folder / "data" / "clips")
    rows = [json.dumps({"file_name": f"./data/clips/{place}", "text": "one"}) for place in places]
    (folder / "metadata.jsonl").write_text(lines(*rows))
    assert [entry.split for entry in read_own(folder)[0]] == ["train", "train", "train", "test"]
    (folder / "data" / "clips").rename(folder / "clips")
    (folder / "train.tsv").write_text(lines(str(folder / "clips"), *(f"{place}\t800" for place in places)))
    (folder / "train.wrd").write_text(lines(*TEXTS))
    entries = read_own(folder / "train.tsv")[0]
    assert [entry.text for entry in entries] == TEXTS and all(entry.path.is_file() for entry in entries)
    (folder / "train.wrd").write_text("one\n")
    with pytest.raises(SpeechDataError, match=r"expected a text for each recording.*Received: 1 texts, 4 recordings"):
        read_own(folder / "train.tsv")


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


def test_kaldi_folders_of_splits_with_longer_names(tmp_path: Path) -> None:
    for name in ("train_clean", "train_dev", "test_other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "wav.scp").write_text(f"{name} {name}.wav\n")
        (tmp_path / name / "text").write_text(f"{name} words\n")
    found = {entry.key: entry.split for entry in read_own(tmp_path)[0]}
    assert found == {"train_clean": "train", "train_dev": "validation", "test_other": "test"}


def test_texts_in_a_folder_of_their_own(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    (tmp_path / "txt").mkdir()
    for name in "ab":
        write_tone(tmp_path / "wav" / f"{name}.wav", 0.1)
        (tmp_path / "txt" / f"{name}.TXT").write_text(f"text {name}")
    assert [entry.text for entry in read_own(tmp_path)[0]] == ["text a", "text b"]


def test_subtitles_beside_a_recording_are_pieces_of_it(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    """Those that `transcribe` writes, and such as others write."""
    for name in "ab":
        write_tone(tmp_path / f"{name}.wav", 2.0)
    words = [Word("one", 0.1, 0.4, 1.0), Word("two", 1.5, 1.9, 1.0)]
    (tmp_path / "a.srt").write_text(srt(words))
    (tmp_path / "b.vtt").write_text(
        "WEBVTT\n\nNOTE made by hand\n\n00:00.500 --> 00:01.250 align:start\n<i>Tom &amp;</i>\nme\n"
    )
    found = [(each.path.name, each.text, each.offset, each.duration) for each in read_own(tmp_path)[0]]
    assert found == [
        ("a.wav", "one", 0.1, pytest.approx(1.0)), ("a.wav", "two", 1.5, pytest.approx(1.0)),
        ("b.wav", "Tom & me", 0.5, 0.75),
    ]  # fmt: skip


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_recordings_to_transcribe_are_found_by_lists_and_through_links(
    tmp_path: Path, write_tone: WriteTone, encoding: str
) -> None:
    path = write_tone(tmp_path / "elsewhere" / "a b.wav", 0.1)
    (tmp_path / "talks").mkdir()
    (tmp_path / "talks" / "link").symlink_to(path.parent)
    (path.parent / "loop").symlink_to(tmp_path / "talks")
    content = '#EXTM3U\r\n"elsewhere/a b.wav"\r\nelsewhere\\a b.wav\r\n/other/elsewhere/a%20b.wav\r\n'
    (tmp_path / "all.m3u").write_bytes(content.encode(encoding))
    assert [each.path for each in given_recordings([tmp_path / "all.m3u"])] == [path] * 3
    inside = [each.name for each in given_recordings([tmp_path / "talks"])]
    assert inside == [Path("link/a b")]
    (tmp_path / "all.csv").write_text("path,text\na.wav,one\n")
    with pytest.raises(SpeechDataError, match=r"all\.csv is a table.*a text file with the path of a recording"):
        given_recordings([tmp_path / "all.csv"])
