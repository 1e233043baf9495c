"""The user's tables of texts: CSV, TSV, JSON and Parquet say the same, and each bad row is named."""

import csv
import datetime
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.nlp.text_files import FileConfiguration, TextDataError
from pipelines.nlp.text_tables import Row, read_rows

TEXTS = ['He said "no", twice; really', "naïve 😀 שלום", " two\tcells ", "plain", ""]
LABELS = ["-1", "0", "1", "two words", "x"]


def _texts(rows: list[Row]) -> list[tuple[str, ...]]:
    return [row.values for row in rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("packed", [False, True])
def test_csv_is_read_as_python_wrote_it(delimiter: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    texts = [*TEXTS, "two\nlines", "x" * 200_000]  # longer than what Python's reader allows by itself
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerow(["number", "label", "review"])
        writer.writerows((number, LABELS[number % 5], text) for number, text in enumerate(texts))
    if packed:
        content, path = path.read_bytes(), tmp_path / "reviews.csv.gz"
        path.write_bytes(gzip.compress(content))
    rows = read_rows(path, ("review", "label"))
    assert _texts(rows) == [(text, LABELS[number % 5]) for number, text in enumerate(texts)]
    assert rows[0].where == f"{path}, line 2" and rows[5].where == f"{path}, line 7"
    assert rows[6].where == f"{path}, line 9"  # after the row of two lines


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        (
            "semicolon.csv",
            "A fine film, with wit, and heart;good\nDull, mostly;bad\n",
            ("A fine film, with wit, and heart", 2),
        ),
        (
            "comma.csv",
            '"On monday; it rained: a; b",good\n"Dry; so",bad\nno; not,bad\n',
            ("On monday; it rained: a; b", 3),
        ),
        ("tab.txt", 'One, two\t"yes", no\nThree, four\tno\n', ("One, two", 2)),
        ("line.csv", "One, two; three|good\nFour, five; six|bad\n", ("One, two; three", 2)),
        ("one.csv", "Hello, you;good\n", ("Hello, you", 1)),
        ("ending.tsv", "a,b\tgood\nc;d\tbad\n", ("a,b", 2)),
    ],
)
def test_a_delimiter_is_one_that_all_rows_agree_on(
    name: str, content: str, rows: tuple[str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content)
    read = read_rows(tmp_path / name, ("1", "2"))
    assert (read[0].values[0], len(read)) == rows
    warned = capsys.readouterr().err
    kind = {"one": "semicolon", "line": "vertical line"}.get(name.partition(".")[0], name.partition(".")[0])
    assert (f"with a {kind} between columns" in warned) == (kind not in ("comma", "ending"))


def test_a_bad_row_does_not_hide_the_delimiter(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("fine, really;good\nso; so;bad\nbad;bad\n")
    with pytest.raises(TextDataError, match=r"line 2: expected 2 columns.*delimiter, a semicolon.*: 3 columns"):
        read_rows(tmp_path / "a.csv", ("1", "2"))


def test_what_json_lines_may_lack(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"review": "x", "stars": null}\n{"review": "y"}\n{"review": "z", "stars": 1}\n')
    assert _texts(read_rows(path, ("review", "stars"), may_lack=("stars",))) == [("x", ""), ("y", ""), ("z", "1")]
    with pytest.raises(TextDataError, match=r"in every line: .* under 'star'; did you mean 'stars'"):
        read_rows(path, ("review", "star"), may_lack=("star",))


def test_json_lines_and_their_kinds_of_values(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    written = [*zip(TEXTS, LABELS, strict=True), ("number", 3), ("share", 0.5), ("truth", True)]
    lines = [json.dumps({"review": text, "label": label, "other": None}) for text, label in written]
    path.write_text("\n\n".join(lines), encoding="utf-8")
    rows = read_rows(path, ("review", "label"))
    assert _texts(rows) == [*zip(TEXTS, LABELS, strict=True), ("number", "3"), ("share", "0.5"), ("truth", "true")]
    assert rows[1].where == f"{path}, line 3"
    path.rename(tmp_path / "reviews.data")
    assert _texts(read_rows(tmp_path / "reviews.data", ("review", "label"))) == _texts(rows)


def test_tab_separated_lines_hold_their_quotes(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text('5"\t"tall"\n"He said ""no""."\tsí\n"\tx\n', encoding="utf-8")
    assert _texts(read_rows(path, ("1", "2"))) == [('5"', "tall"), ('He said "no".', "sí"), ('"', "x")]
    assert _texts(read_rows(path, ("2",))) == [("tall",), ("sí",), ("x",)]


def test_quotes_of_tab_separated_cells_hold_line_breaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [("two\nlines", "a"), ('a "word"\n\tand a tab', "b"), ("plain", "c")]
    path = tmp_path / "pairs.tsv"
    with path.open("w", newline="") as file:
        csv.writer(file, "excel-tab").writerows(texts)
    rows = read_rows(path, ("1", "2"))
    assert _texts(rows) == texts
    assert [row.where for row in rows] == [f"{path}, line {line}" for line in (1, 3, 5)]
    assert "with quotes around cells that hold line breaks" in capsys.readouterr().err
    path.write_text('1\t"So she said\n2\t"and then"\n3\t"Stop\n')  # quotes of a dialogue
    assert _texts(read_rows(path, ("1", "2"))) == [("1", '"So she said'), ("2", "and then"), ("3", '"Stop')]
    assert "with quotes" not in capsys.readouterr().err


def test_a_first_row_that_is_data_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("en,es\nyes,sí\n")
    assert _texts(read_rows(path, ("1", "2"))) == [("en", "es"), ("yes", "sí")]
    assert "the first row is data, ['en', 'es']" in capsys.readouterr().err
    read_rows(path, ("en", "es"))
    assert capsys.readouterr().err == ""


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("review;stars;stars\nfine;5;5\n")
    with pytest.raises(TextDataError, match=r"has no column 'reviews'; did you mean 'review'.*review, stars, stars"):
        read_rows(path, ("reviews",))
    with pytest.raises(TextDataError, match=r"more than one column 'stars'\. Expected it once"):
        read_rows(path, ("review", "stars"))
    with pytest.raises(TextDataError, match="has no column '4'"):
        read_rows(path, ("1", "4"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "review,stars\n", "has no rows; expected at least one with review, stars"),
        ("a.csv", "", "has no rows"),
        ("a.csv", "review,stars\nfine,5\n\ngood, bad,1\n", r"a\.csv, line 4: expected 2 columns.*Put a text"),
        ("a.csv", 'review,stars\nfine,5\n"open,5\nmore,1\n', r"a\.csv, line 3: the row cannot be read"),
        ("a.tsv", "review\tstars\nfine\n", r"a\.tsv, line 2: expected 2 columns.*Received: 1 columns"),
        ("a.tsv", 'review\tstars\n"a\tb"\t5\n', r"line 2: expected 2 columns.*no quotes hide a tab: write.*\.csv"),
        (
            "a.jsonl",
            '{"review": "x", "stars": 1}\n{"review": "x"}\n',
            "line 2: expected text or a number under 'stars'",
        ),
        ("a.jsonl", '{"review": "x", "star": 1}\n', "'stars'; did you mean 'star'.*Received: review, star"),
        ("a.jsonl", '{"review": ["x"], "stars": 1}\n', r"line 1: expected text.*Received: \['x'\]"),
        ("a.jsonl", '{"review": "x", "stars": 1\n', "line 1 is not JSON"),
        ("a.json", '[{"review": "x", "stars": 1}, {"review": "x"}]', r"row 2: expected text or a number under 'stars'"),
        ("a.json", '[{"review": "x", "stars": 1}, ["x", 1]]', r"row 2: expected a JSON object in braces"),
        ("a.jsonl", '{"review": "x", "review": "y"}', "line 1: expected each name once"),
        ("a.jsonl", '{"review": "\\ud83d", "stars": 1}', "line 1: half of a surrogate pair"),
        ("a.json", '{"train": [{"review": "x"}], "test": [{"review": "y"}]}', "several splits.*Received: train, test"),
        ("a.htm", "<!DOCTYPE html><html><body>x</body></html>", "is an HTML page; expected texts or a table"),
        ("a.xml", '<?xml version="1.0"?><reviews/>', "is XML; expected texts or a table"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nOne.\n", "is a file of subtitles; expected texts or a table"),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nOne.\n", "is a file of subtitles; expected texts or a table"),
        ("a.po", '# A\n\n#: a.c:1\nmsgid "One"\nmsgstr ""\n', "is a PO file; expected texts or a table"),
    ],
)
def test_each_bad_row_is_named(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(TextDataError, match=message) as caught:
        read_rows(tmp_path / name, ("review", "stars"))
    assert "Received: " in str(caught.value)


ROWS = [("fine film", "1"), ("naïve", "0"), ('"quoted"', "1")]


def _records() -> list[dict[str, object]]:
    return [{"review": text, "stars": int(stars)} for text, stars in ROWS]


@pytest.mark.parametrize(
    "value",
    [
        _records(),
        {"version": "1.0", "data": _records()},
        {name: {str(number): row[name] for number, row in enumerate(_records())} for name in ("review", "stars")},
        {name: [row[name] for row in _records()] for name in ("review", "stars")},
        {"columns": ["review", "stars"], "index": [0, 1, 2], "data": [list(row.values()) for row in _records()]},
        {f"row {number}": row for number, row in enumerate(_records())},
        {name: {f"row {number}": row[name] for number, row in enumerate(_records())} for name in ("review", "stars")},
    ],
    ids=["list", "wrapped", "pandas", "columns", "split", "index", "names of rows"],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_json_of_any_form_is_the_same_table(value: object, indent: int | None, tmp_path: Path) -> None:
    path = tmp_path / "reviews.json"
    path.write_text(json.dumps(value, indent=indent), encoding="utf-8")
    assert _texts(read_rows(path, ("review", "stars"))) == ROWS


@pytest.mark.parametrize("form", ["{}", "[{}]", "{}\n{}", "{}{}", "\n{\n} {}"])
def test_nested_objects_of_a_single_row_are_no_columns(form: str, tmp_path: Path) -> None:
    row = '{"data": {"text": "x"}, "meta": {"label": "good"}}'
    (tmp_path / "a.jsonl").write_text(form.replace("{}", row).replace("{\n}", row.replace(",", ",\n")))
    found = _texts(read_rows(tmp_path / "a.jsonl", ("data.text", "meta.label")))
    assert found == [("x", "good")] * form.count("}")


def test_what_prodigy_rejected_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"text": each, "label": "good", "answer": each, "_input_hash": 1} for each in ("accept", "reject", "ignore")
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert _texts(read_rows(tmp_path / "a.jsonl", ("text",))) == [("accept",)]
    assert "rejected or ignored in Prodigy: 2" in capsys.readouterr().out


@pytest.mark.parametrize("lines", [True, False])
def test_the_values_of_lists_in_json_have_numbers(lines: bool, tmp_path: Path) -> None:
    path, values = tmp_path / "reviews.json", [list(row.values()) for row in _records()]
    path.write_text("\n".join(map(json.dumps, values)) if lines else json.dumps(values, indent=1))
    assert _texts(read_rows(path, ("1", "2"))) == ROWS


def test_nested_keys_have_dots(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    lines = [{"translation": {"en": "yes", "es": "sí"}}, {"translation": {"en": "no", "es": "no"}}]
    path.write_text("\n".join(map(json.dumps, lines)))
    assert _texts(read_rows(path, ("translation.en", "translation.es"))) == [("yes", "sí"), ("no", "no")]
    with pytest.raises(TextDataError, match=r"under 'translation\.fr'.*Received: translation\.en, translation\.es"):
        read_rows(path, ("translation.fr",))


@pytest.mark.parametrize("kind", ["parquet", "feather", "stream"])
def test_parquet_feather_and_streams_of_arrow_are_tables(kind: str, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")

    def write_stream(table: Any, path: Path) -> None:
        with pyarrow.ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table)

    write = {
        "parquet": pytest.importorskip("pyarrow.parquet").write_table,
        "feather": pytest.importorskip("pyarrow.feather").write_feather,
        "stream": write_stream,
    }[kind]
    rows = [{**row, "more": {"deep": row["review"]}} for row in [*_records(), {"review": "x", "stars": None}]]
    table = pyarrow.Table.from_pylist(rows)
    path = tmp_path / "reviews"  # told by its content
    write(table, path)
    found = read_rows(path, ("review", "stars", "more.deep"), may_lack=("stars",))
    assert _texts(found) == [(*row, row[0]) for row in ROWS] + [("x", "", "x")]
    assert found[1].where == f"{path}, row 2"
    values = {"price": Decimal("3.50"), "day": datetime.date(2026, 1, 2)}
    write(pyarrow.Table.from_pylist([values]), path)
    assert _texts(read_rows(path, tuple(values))) == [("3.50", "2026-01-02")]
    features = {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}, "text": {"_type": "Value"}}
    table = pyarrow.table({"text": ["a", "b", "c"], "label": [1, 0, -1]})
    write(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}), path)
    assert _texts(read_rows(path, ("text", "label"), ("label",))) == [("a", "good"), ("b", "bad"), ("c", "")]
    write(pyarrow.Table.from_pylist([values]), path)
    path.write_bytes(path.read_bytes()[: -8 if kind != "stream" else -100])
    with pytest.raises(TextDataError, match="cannot be read; expected a whole Parquet or Feather file"):
        read_rows(path, ("price",))


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_separator_line_of_excel_is_no_data(first: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text(first + '\nreview;stars\n"a; b";1\nc, d, e;0\n')
    rows = read_rows(path, ("review", "stars"))
    assert _texts(rows) == [("a; b", "1"), ("c, d, e", "0")]
    assert rows[0].where == f"{path}, line 3"
    assert "';' between columns, as its first line states" in capsys.readouterr().err


def test_backslashes_before_quotes_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text('review,stars\n"He said \\"no\\", twice",1\n"fine, really",0\n')
    assert _texts(read_rows(path, ("review", "stars"))) == [('He said "no", twice', "1"), ("fine, really", "0")]
    assert "a backslash before quotes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        ("review#stars\n'a # b'#1\n'it''s'#0\n", {"delimiter": "#", "quote": "'"}),
        ('review,stars\n"a^" # b",1\n', {"escape": "^"}),
        ('review\tstars\n5" tall\t1\n', {"delimiter": "\t", "quote": ""}),
        ('review\tstars\n5" tall\t1\n', {"delimiter": r"\t", "quote": ""}),
    ],
)
def test_how_a_table_is_written_can_be_given(content: str, settings: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    rows = _texts(read_rows(path, ("review", "stars"), files=FileConfiguration(**settings)))
    expected = {"#": [("a # b", "1"), ("it's", "0")], "": [('a" # b', "1")]}
    assert rows == expected.get(settings.get("delimiter", ""), [('5" tall', "1")])


def test_an_undecodable_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("review,stars\nkůň,1\nžluť,2\n".encode() + b"caf\xe9,3\n")
    with pytest.raises(TextDataError, match=r"a\.csv, line 4, is not UTF-8"):
        read_rows(tmp_path / "a.csv", ("review", "stars"))
