"""Files answered row by row: nothing of a row is lost, whatever its kind, and few rows are in memory."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from pipelines.configuration import ConfigurationError
from pipelines.nlp.answered_files import ROWS_AT_ONCE, Answered, answer_file
from pipelines.nlp.text_files import TextDataError

ROWS = [{"id": "1", "text": "one, two", "note": 'a "b"'}, {"id": "2", "text": " ", "note": "c\nd"}]


def lengths(texts: list[str]) -> list[dict[str, int]]:
    """An answer that is easy to check."""
    assert len(texts) <= ROWS_AT_ONCE
    return [{"length": len(text)} for text in texts]


def written(path: Path) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    elif path.suffix == ".json":
        path.write_text(json.dumps(ROWS))
    else:
        with path.open("w", newline="", encoding="cp1252" if "1252" in path.name else "utf-8") as file:
            table = csv.DictWriter(file, ROWS[0], delimiter=";" if "semicolon" in path.name else ",")
            table.writeheader()
            table.writerows(ROWS)
    return path


@pytest.mark.parametrize("source", ["a.csv", "semicolon.csv", "a.jsonl", "a.json"])
@pytest.mark.parametrize("output", ["out.csv", "out.jsonl", "out.tsv.gz"])
def test_all_columns_are_kept(source: str, output: str, tmp_path: Path) -> None:
    path = tmp_path / output
    assert answer_file(written(tmp_path / source), path, ("text",), lengths) == Answered(2, 1)
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    if path.suffix == ".jsonl":
        assert [json.loads(line) for line in text.splitlines()] == [{**ROWS[0], "length": 8}, ROWS[1]]
    else:
        found = list(csv.DictReader(text.splitlines(keepends=True), delimiter="\t" if "tsv" in output else ","))
        assert found == [{**ROWS[0], "length": "8"}, {**ROWS[1], "length": ""}]


def test_a_file_of_lines_has_one_column(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\n\nthree\n"))
    answer_file(tmp_path / "a.txt.gz", tmp_path / "out.csv", (), lengths)
    assert (tmp_path / "out.csv").read_text() == "text,length\none,3\n,\nthree,5\n"


@pytest.mark.parametrize(
    ("name", "content", "columns", "found"),
    [
        ("nested.jsonl", b'{"a": {"b": "one"}, "n": "\\ud83d"}\n', ("a.b",), {"a": {"b": "one"}, "n": "\ud83d"}),
        ("lists.jsonl", b'["one", 2]\n', ("1",), {"1": "one", "2": 2}),
        ("no header.csv", b"one,2\n", ("1",), {"1": "one", "2": "2"}),
        ("unnamed.csv", b"text,,\r\none,2,3\r\n", ("text",), {"text": "one", "2": "2", "3": "3"}),
        ("old macintosh.csv", b"text,n\rone,2\r", ("text",), {"text": "one", "n": "2"}),
        ("json.txt", b'{"text": "one", "n": 2}\n', ("text",), {"text": "one", "n": 2}),
        ("dos.txt", b"one\rtwo\r\n\x1a", (), {"text": "one\rtwo"}),  # one line, as where its answer is printed
    ],
)
def test_rows_are_read_as_in_training(
    name: str, content: bytes, columns: tuple[str, ...], found: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    answer_file(tmp_path / name, tmp_path / "out.jsonl", columns, lambda texts: [{"length": 3} for _ in texts])
    assert json.loads((tmp_path / "out.jsonl").read_bytes()) == {**found, "length": 3}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be", "cp1252", "utf-8"])
def test_an_encoding_may_show_far_from_the_beginning(encoding: str, tmp_path: Path) -> None:
    rows = [*["plain text"] * 20_000, *["Größe für alle Häuser"] * 5]
    (tmp_path / "a.csv").write_bytes("\r\n".join(["text,label", *(f"{row},x" for row in rows)]).encode(encoding))
    answer_file(tmp_path / "a.csv", tmp_path / "out.jsonl", ("text",), lengths)
    assert [json.loads(line)["text"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == rows


def test_many_rows_go_through_in_parts(tmp_path: Path) -> None:
    count = 3 * ROWS_AT_ONCE + 1
    path = tmp_path / "many.csv"
    path.write_text("".join(["id,text\n", *(f"{number},größer {number}\n" for number in range(count))]), "cp1252")
    assert answer_file(path, tmp_path / "out.jsonl", ("text",), lengths) == Answered(count, 0)
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [each["text"] for each in found] == [f"größer {number}" for number in range(count)]


def test_rows_without_text_may_come_first(tmp_path: Path) -> None:
    path = tmp_path / "blank.csv"
    path.write_text("id,text\n" + "1,\n" * (ROWS_AT_ONCE + 1) + "2,two\n")
    assert answer_file(path, tmp_path / "out.csv", ("text",), lengths) == Answered(ROWS_AT_ONCE + 2, ROWS_AT_ONCE + 1)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [lines[0], lines[1], lines[-1]] == ["id,text,length", "1,,", "2,two,3"]


def test_json_of_any_name_may_have_other_keys_in_each_row(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text('{"text": "one"}\n{"text": "two", "note": "x"}\n')
    answer_file(tmp_path / "a.txt", tmp_path / "out.csv", ("text",), lengths)
    assert (tmp_path / "out.csv").read_text() == "text,note,length\none,,3\ntwo,x,3\n"


def test_nothing_is_left_of_what_fails(tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text("id,text\n1,a\n2\n")
    with pytest.raises(TextDataError, match=r"broken.csv, line 3: expected 2 columns.*Received: 1 columns"):
        answer_file(broken, tmp_path / "out.csv", ("text",), lengths)
    taken = tmp_path / "taken.csv"
    taken.write_text("length,text\n1,a\n")
    with pytest.raises(ConfigurationError, match=r"columns to add are there already.*Received: length"):
        answer_file(taken, tmp_path / "out.csv", ("text",), lengths)
    with pytest.raises(TextDataError, match=r"has no column ''.*Correct the name, or give numbers"):
        answer_file(taken, tmp_path / "out.csv", ("",), lengths)
    with pytest.raises(ConfigurationError, match=r"Expected one of .csv"):
        answer_file(taken, tmp_path / "out.xlsx", ("text",), lengths)
    (tmp_path / "page.xlf").write_text('<?xml version="1.0"?>\n<xliff/>')
    with pytest.raises(TextDataError, match=r"page.xlf is XML; expected texts or a table"):
        answer_file(tmp_path / "page.xlf", tmp_path / "out.csv", (), lengths)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"id,text\n" + b"1,a\n" * 99)[:-9])
    with pytest.raises(TextDataError, match=r"cut.csv.gz cannot be unpacked"):
        answer_file(tmp_path / "cut.csv.gz", tmp_path / "out.csv", ("text",), lengths)
    assert not list(tmp_path.glob("out*"))
