"""The user's text files: packed or not, as lines and as documents."""

import gzip
import zipfile
from pathlib import Path

import pytest

from pipelines.nlp.text_files import Document, TextDataError, read_documents, read_lines


def test_a_text_is_found_in_a_packed_file_of_any_encoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_bytes(gzip.compress("Größe und Gewicht für alle Häuser\n".encode("cp850")))
    assert read_lines(tmp_path / "text") == ["Größe und Gewicht für alle Häuser"]
    assert "text is read as cp850" in capsys.readouterr().err


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
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("b/1.txt", "one")
        archive.writestr("a.txt.gz", gzip.compress(b"two"))
    assert read_documents(tmp_path / "all.zip") == [Document("a.txt.gz", "two"), Document("b/1.txt", "one")]
