"""Lists and folders of the same four recordings, as other programs and corpora have them."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

WriteTone = Callable[..., Path]
TEXTS = ["the first", 'he said "no"', "one, two; three", "the last"]


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


def bars_and_quotes(folder: Path) -> Path:
    with (folder / "all.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="|", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerows(
            [["path", "sentence", "length"], *([f"clips/{n}.wav", text, n] for n, text in enumerate(TEXTS))]
        )
    return folder / "all.csv"


def bars_and_few_quotes(folder: Path) -> Path:
    with (folder / "all.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="|")
        writer.writerows([["path", "sentence"], *([f"clips/{n}.wav", text] for n, text in enumerate(TEXTS))])
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
