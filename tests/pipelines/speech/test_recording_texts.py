"""The text of one recording beside it: annotations, subtitles and what recognisers answer."""

import json
from pathlib import Path

import pytest

from models.decoding import Word
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recording_folders import read_own
from pipelines.speech.recording_texts import pieces_of
from pipelines.speech.subtitles import srt
from tests.pipelines.speech.written_lists import WriteTone


def test_words_of_a_ctm_are_cut_at_pauses(folder: Path) -> None:
    (folder / "all.ctm").write_text(
        "3 1 0.00 0.05 one\n3 1 0.06 0.04 two\n3 1 0.1 0.6 <eps>\n3 1 0.70 0.10 three\n2 1 0 0.1 four\n"
    )
    entries = read_own(folder / "all.ctm")[0]
    assert [(entry.text, entry.offset, entry.duration) for entry in entries] == [
        ("one two", 0.0, pytest.approx(0.1)), ("three", 0.7, pytest.approx(0.1)), ("four", 0.0, pytest.approx(0.1)),
    ]  # fmt: skip


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
<TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="1000"/>
<TIME_SLOT TIME_SLOT_ID="open"/></TIME_ORDER>
<TIER TIER_ID="s"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="1" TIME_SLOT_REF1="a" TIME_SLOT_REF2="b">
<ANNOTATION_VALUE>one two "2"</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="translation" PARENT_REF="s"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="2" ANNOTATION_REF="1">
<ANNOTATION_VALUE>eins</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"""
ONE = (
    '<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="0" TIME_SLOT_REF1="a" TIME_SLOT_REF2="open">'
    "<ANNOTATION_VALUE>one</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
)
OPEN_EAF = EAF.replace('REF1="a"', 'REF1="open"').replace("one two", "two")  # nobody has set the time between two
OPEN_EAF = OPEN_EAF.replace('<TIER TIER_ID="s">', f'<TIER TIER_ID="s">{ONE}')
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
        ("a.TextGrid", TEXT_GRID), ("a.TextGrid", SHORT_TEXT_GRID), ("a.eaf", EAF),
        ("a.eaf", OPEN_EAF), ("a.wav.srt", SUBRIP),
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


def test_subtitles_beside_a_recording_are_pieces_of_it(tmp_path: Path, write_tone: WriteTone) -> None:
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
