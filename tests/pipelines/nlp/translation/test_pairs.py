"""The user's pairs: what is read, what is left out by name, what is refused, and with which words."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.nlp.text_files import TextDataError
from pipelines.nlp.translation.pairs import Pair, first_misfit, read_files, read_table, usable

Numbers = tuple[list[str], list[str]]


def write(path: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return path


@pytest.mark.parametrize("lost_of", ["source", "target"])
@pytest.mark.parametrize("line", [1, 7, 200, 1190])
def test_a_lost_line_is_found(numbers: Numbers, lost_of: str, line: int) -> None:
    sides = {"source": list(numbers[0]), "target": list(numbers[1])}
    del sides[lost_of][line - 1]
    assert first_misfit(sides["source"], sides["target"]) == pytest.approx(line, abs=4)


def test_a_lost_line_of_distinct_lengths_is_found_exactly() -> None:
    random = np.random.default_rng(0)
    sources = ["x" * int(size) for size in random.permutation(np.arange(10, 400, 3))]
    targets = ["y" * (len(line) * 6 // 5) for line in sources]
    for line in (1, 30, 77, 130):
        assert first_misfit(sources, targets[: line - 1] + targets[line:]) == line
        assert first_misfit(sources[: line - 1] + sources[line:], targets) == line


def test_a_lost_line_of_equal_lengths_is_found_by_its_numbers() -> None:
    sources, targets = (
        [f"the music {number:03}" for number in range(400)],
        [f"la trama {number:03}" for number in range(400)],
    )
    for line in (1, 201, 400):
        assert first_misfit(sources, targets[: line - 1] + targets[line:]) == line
        assert first_misfit(sources[: line - 1] + sources[line:], targets) == line


def test_misaligned_files_are_refused_with_the_line(tmp_path: Path, numbers: Numbers) -> None:
    source, target = write(tmp_path / "en.txt", numbers[0]), write(tmp_path / "es.txt", numbers[1][:4] + numbers[1][5:])
    with pytest.raises(TextDataError) as raised:
        read_files(source, target)
    message = str(raised.value)
    assert f"{source} and {target} do not fit together" in message
    assert "first suspicious one is line " in message and " beside " in message
    assert "add or remove lines until they fit again" in message
    assert message.endswith("Received: 1200 and 1199 lines")


def test_an_empty_file_is_named() -> None:
    assert first_misfit(["one"], []) == 1
    assert first_misfit([], ["uno", "dos"]) == 1


def test_files_are_read_in_their_encodings_and_unpacked(tmp_path: Path) -> None:
    source = write(tmp_path / "en.txt", ["The child.", "Good morning 😀", "אור"])
    target = tmp_path / "es.txt.gz"
    target.write_bytes(gzip.compress("El niño.\nBuenos días\nلنور\n".encode()))
    pairs = read_files(source, target)
    assert pairs[0] == Pair("en.txt and es.txt.gz, line 1", "The child.", "El niño.")
    assert [pair.target for pair in pairs] == ["El niño.", "Buenos días", "لنور"]
    target = write(tmp_path / "latin.txt", ["El niño.", "Buenos días", "sí"], "latin-1")
    assert read_files(source, target)[0].target == "El niño."


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "en.txt", ["one"])
    with pytest.raises(TextDataError, match=r"es\.txt does not exist.*Received:"):
        read_files(source, tmp_path / "es.txt")


@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.csv", "pairs.jsonl"])
def test_tables_have_named_columns(tmp_path: Path, name: str) -> None:
    rows = [("Good day, sir", "Buenos días"), ("one", "uno")]
    if name.endswith("jsonl"):
        lines = [json.dumps({"en": source, "es": target}) for source, target in rows]
    elif name.endswith("tsv"):
        lines = ["en\tes", *("\t".join(row) for row in rows)]
    else:
        lines = ["en,es", *(f'"{source}",{target}' for source, target in rows)]
    pairs = read_table(write(tmp_path / name, lines), "en", "es")
    assert [pair[1:] for pair in pairs] == rows
    assert pairs[1].where == f"{tmp_path / name}, line {2 if name.endswith('jsonl') else 3}"
    with pytest.raises(TextDataError, match="'fr'"):
        read_table(tmp_path / name, "en", "fr")


def test_columns_can_be_numbers(tmp_path: Path) -> None:
    pairs = read_table(write(tmp_path / "pairs.tsv", ["one\tuno", "two\tdos"]), "1", "2")
    assert [pair[1:] for pair in pairs] == [("one", "uno"), ("two", "dos")]


def test_empty_sides_are_left_out_by_name() -> None:
    pairs = [Pair("1", "one", "uno"), Pair("2", "", "dos"), Pair("3", "three", " \t"), Pair("4", "", "")]
    good, left_out = usable(pairs)
    assert good == pairs[:1]
    assert {each.where: each.reason for each in left_out} == {
        "2": "the source is empty",
        "3": "the target is empty",
        "4": "the source and the target are empty",
    }


def test_numbers_are_aligned(pair_files: tuple[Path, Path], numbers: Numbers) -> None:
    assert [pair[1:] for pair in read_files(*pair_files)] == list(zip(*numbers, strict=True))


TMX = """<?xml version="1.0" encoding="{encoding}"?>
<tmx{space} version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en-GB"><seg>A <bpt i="1">&lt;b&gt;</bpt>fine<ept i="1">&lt;/b&gt;</ept> film &amp; more</seg></tuv>
<tuv xml:lang="es"><seg>Una película <hi>buena</hi> y más</seg></tuv></tu>
<tu><tuv xml:lang="en-GB"><seg>Alone</seg></tuv></tu>
<tu><tuv lang="es"><seg>Sí</seg></tuv><tuv lang="EN"><seg>Yes</seg></tuv><tuv lang="fr"><seg>Oui</seg></tuv></tu>
</body></tmx>"""


@pytest.mark.parametrize("space", ["", ' xmlns="http://www.lisa.org/tmx14"'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_translation_memory_is_read(
    space: str, encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "memory.tmx"
    path.write_bytes(TMX.format(encoding=encoding, space=space).encode(encoding))
    pairs = read_table(path, "1", "2", languages=("en", "es"))
    assert pairs == [
        Pair("memory.tmx, unit 1", "A fine film & more", "Una película buena y más"),
        Pair("memory.tmx, unit 3", "Yes", "Sí"),
    ]
    assert "1 of 3 units" in capsys.readouterr().out
    with pytest.raises(TextDataError, match=r"no unit in both en and de.*--data.languages.*Received: en-GB \(2\)"):
        read_table(path, "1", "2", languages=("en", "de"))
    path.write_bytes(TMX.format(encoding=encoding, space=space).encode(encoding)[:-20])
    with pytest.raises(TextDataError, match="expected a whole file of XML"):
        read_table(path, "1", "2")


XLIFF = """<?xml version="1.0"?><xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"><file><body>
<trans-unit id="1"><source>Hello <g id="1">you</g></source><target>Hallo <g id="1">du</g></target>
<alt-trans><source>Hello</source><target>Servus</target></alt-trans></trans-unit>
<trans-unit id="2"><source>Open</source><target state="needs-translation">Open</target></trans-unit>
</body></file></xliff>"""
XLIFF_2 = """<?xml version="1.0"?><xliff version="2.0" xmlns="urn:oasis:names:tc:xliff:document:2.0"><file><unit>
<segment state="final"><source>Hello you</source><target>Hallo du</target></segment>
<segment state="initial"><source>Open</source><target>Open</target></segment>
</unit></file></xliff>"""
QT = f"""<?xml version="1.0"?><!--{3000 * "x"}--><TS version="2.1"><context><message numerus="yes">
<source>Hello you</source><translation><numerusform>Hallo</numerusform><numerusform>Hallo du</numerusform></translation>
</message><message><source>Open</source>
<translation type="unfinished">Auf</translation></message></context></TS>"""
PO = """\ufeffmsgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgid "Hello "
"you"
msgstr "Hallo du"

#, fuzzy
msgid "Open"
msgstr "Auf"
"""


@pytest.mark.parametrize(("name", "content"), [("a.xlf", XLIFF), ("a.xliff", XLIFF_2), ("a.ts", QT), ("a.po", PO)])
def test_files_of_translators_tools(
    name: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content)
    assert [pair[1:] for pair in read_table(tmp_path / name, "1", "2")] == [("Hello you", "Hallo du")]
    assert "1 of 2 texts of" in capsys.readouterr().out
    (tmp_path / name).write_text(
        content.replace("Hallo du", "").replace("Hallo<", "<").replace('<g id="1">', "").replace("Servus", "")
    )
    with pytest.raises(TextDataError, match=rf"{name}.*(has no translated text|cannot be read)"):
        read_table(tmp_path / name, "1", "2")


@pytest.mark.parametrize(
    ("name", "content", "stated"),
    [
        ("a.xlf", XLIFF, ("<file>", '<file source-language="en" target-language="de-DE">')),
        ("a.xliff", XLIFF_2, ('version="2.0"', 'version="2.0" srcLang="en" trgLang="de"')),
        ("a.ts", QT, ('<TS version="2.1">', '<TS version="2.1" language="de_DE">')),
        ("a.po", PO, ("charset=UTF-8\\n", 'charset=UTF-8\\n"\n"Language: de\\n')),
    ],
)
def test_files_of_the_other_direction_are_turned(
    name: str, content: str, stated: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content.replace(*stated))
    for languages, expected in ((("en", "de"), ("Hello you", "Hallo du")), (("de", "en"), ("Hallo du", "Hello you"))):
        assert [pair[1:] for pair in read_table(tmp_path / name, "1", "2", languages)] == [expected]
        assert ("its translations are the sources" in capsys.readouterr().out) == (languages[0] == "de")


def test_subtitles_are_pairs_by_their_numbers(tmp_path: Path) -> None:
    cue = "{0}\n00:00:0{0},000 --> 00:00:0{0},900\n{1}\n\n"
    for name, texts in (("a.srt", ("one\ntwo", "three")), ("b.srt", ("eins zwei", "drei"))):
        (tmp_path / name).write_text("".join(cue.format(number, text) for number, text in enumerate(texts, start=1)))
    pairs = read_files(tmp_path / "a.srt", tmp_path / "b.srt")
    assert [pair[1:] for pair in pairs] == [("one two", "eins zwei"), ("three", "drei")]
    (tmp_path / "b.srt").write_text("{10}{20}eins\n")
    with pytest.raises(TextDataError, match=r"b.srt has no subtitles that are read.*Received: '\{10\}"):
        read_files(tmp_path / "a.srt", tmp_path / "b.srt")
