"""The user's text files: encodings told and refused, gzip, lines and documents."""

import codecs
import gzip
from pathlib import Path

import pytest

from pipelines.nlp.text_files import Document, TextDataError, read_documents, read_lines, read_text

WRITTEN = {
    "utf-8": "Přílíš žluťoučký kůň 😀 שלום",
    "utf-8-sig": "naïve",
    "utf-16": "naïve 😀",
    "utf-16-le": "plain letters",
    "utf-16-be": "plain letters",
    "utf-32": "naïve",
    "cp1252": "Ein schöner Film, größer als alle anderen – über alles gut. Voilà.",
    "cp1251": "Очень хороший фильм, всем советую посмотреть",
    "koi8_r": "Очень хороший фильм, мне понравилось",
    "cp932": "とても良い映画です。本当に面白かった。",
    "gb18030": "这部电影非常好看。我很喜欢。",
    "cp949": "정말 재미있는 영화였다",
}


@pytest.mark.parametrize("encoding", WRITTEN)
def test_encodings_are_told_and_reported(encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(f"plain\n{WRITTEN[encoding]}\n".encode(encoding))
    assert read_text(path) == f"plain\n{WRITTEN[encoding]}\n"
    printed, warned = capsys.readouterr()
    assert not printed  # a command's own answers stand there
    if encoding.startswith("utf-8"):
        assert not warned
    else:
        told = warned.split("is read as ")[1].split(",")[0]
        assert codecs.lookup(told) == codecs.lookup(encoding) and str(path) in warned


def test_a_given_encoding_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("žluťoučký".encode("latin2"))
    assert read_text(path, "iso8859-2") == "žluťoučký"
    assert capsys.readouterr() == ("", "")
    for wrong in ("utf-9", "rot13", "base64"):
        with pytest.raises(TextDataError, match=rf"no such encoding.*Received: '{wrong}'"):
            read_text(path, wrong)


@pytest.mark.parametrize("given", ["", "utf-8"])
def test_a_damaged_line_is_named(given: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("žluťoučký\n".encode() * 5 + b"caf\xe9 noir\n" + "kůň\n".encode())
    with pytest.raises(TextDataError, match=r"text\.txt, line 6, is not UTF-8.*Received: .*caf\\xe9 noir"):
        read_text(path, given)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"one\ntwo\0\n")
    with pytest.raises(TextDataError, match=r"line 2, holds a zero byte"):
        read_text(path)
    with pytest.raises(TextDataError, match=r"does not exist.*Correct the path"):
        read_text(tmp_path / "missing.txt")
    with pytest.raises(TextDataError, match="is a folder"):
        read_text(tmp_path)


def test_gzip_is_unpacked_whatever_the_name(tmp_path: Path) -> None:
    for name in ("text.txt.gz", "text"):
        (tmp_path / name).write_bytes(gzip.compress("naïve\n".encode()))
        assert read_lines(tmp_path / name) == ["naïve"]
    (tmp_path / "text").write_bytes(gzip.compress(b"naive" * 1000)[:-9])
    with pytest.raises(TextDataError, match="cannot be unpacked; expected a whole gzip file"):
        read_lines(tmp_path / "text")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_keep_their_numbers(end: str, tmp_path: Path) -> None:
    lines = ["one", "", "two\u2028still two\x0c\x85", "  three "]
    (tmp_path / "text.txt").write_bytes(end.join(lines).encode())
    assert read_lines(tmp_path / "text.txt") == lines
    (tmp_path / "text.txt").write_bytes((end.join(lines) + end).encode())
    assert read_lines(tmp_path / "text.txt") == lines
    (tmp_path / "text.txt").write_bytes(b"")
    assert read_lines(tmp_path / "text.txt") == []


def test_documents_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b/2.txt", "b/1.md", "a.txt", ".git/c.txt", "b/.hidden.txt", "b/picture.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}\n")
    (tmp_path / "z.TXT.gz").write_bytes(gzip.compress(b"packed"))
    documents = read_documents(tmp_path)
    assert documents == [
        Document("a.txt", "this is a.txt\n"),
        Document("b/1.md", "this is b/1.md\n"),
        Document("b/2.txt", "this is b/2.txt\n"),
        Document("z.TXT.gz", "packed"),
    ]
    assert "Left out of" in (printed := capsys.readouterr().out) and "b/picture.png" in printed
    assert read_documents(tmp_path / "a.txt") == documents[:1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(TextDataError, match=r"holds no text files.*Received: an empty folder"):
        read_documents(tmp_path / "empty")
