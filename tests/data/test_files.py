"""A user's files: packed, in archives and folders."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from data.encodings import decoded
from data.files import FileError, Member, is_folder, members, read_bytes, read_file, unpacked


def _tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            information = tarfile.TarInfo(name)
            information.size = len(content)
            archive.addfile(information, io.BytesIO(content))
    return packed.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _zstd(content: bytes) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as file:
        file.write(content)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


PACKED = {
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": _zstd,
    "zip": lambda content: _zip({"text.txt": content, "__MACOSX/._text.txt": b"x"}),
    "tar.gz": lambda content: _tar({"text.txt": content}),
}


@pytest.mark.parametrize("suffix", PACKED)
def test_packed_files_are_read(suffix: str, tmp_path: Path) -> None:
    text = b"naive\n" * 100
    (tmp_path / f"text.txt.{suffix}").write_bytes(PACKED[suffix](text))
    assert read_bytes(tmp_path / f"text.txt.{suffix}") == text
    (tmp_path / "damaged").write_bytes(PACKED[suffix](text)[:-9])
    with pytest.raises(FileError, match="cannot be unpacked; expected a whole"):
        read_bytes(tmp_path / "damaged")


def test_the_name_of_a_file_decides_nothing(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(gzip.compress(bz2.compress(b"one")))
    (tmp_path / "plain.gz").write_bytes(b"one")
    assert read_bytes(tmp_path / "text") == read_bytes(tmp_path / "plain.gz") == b"one"
    (tmp_path / "data.zip").write_bytes(_zip({"table.tsv": b"one"}))
    assert read_file(tmp_path / "data.zip") == Member("table.tsv", b"one")


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"does not exist.*Correct the path"):
        read_bytes(tmp_path / "missing.txt")
    with pytest.raises(FileError, match="is a folder"):
        read_bytes(tmp_path)


@pytest.mark.parametrize("pack", [_zip, _tar])
def test_an_archive_of_several_files_is_a_folder(pack: Callable[[dict[str, bytes]], bytes], tmp_path: Path) -> None:
    path = tmp_path / "all"
    path.write_bytes(pack({"b/1.txt": b"one", "a.txt.gz": gzip.compress(b"two"), ".hidden": b"x"}))
    assert is_folder(path) and is_folder(tmp_path)
    assert [(name, unpacked(content, name)) for name, content in members(path)] == [
        *(("a.txt.gz", b"two"), ("b/1.txt", b"one")),
    ]
    with pytest.raises(FileError, match=r"is an archive of 2 files; expected one.*Received: .*b/1\.txt"):
        read_bytes(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%PDF-1.7 ...", "is a PDF document"),
        (b"\xd0\xcf\x11\xe0....", "is a document of Microsoft Office"),
        (_zip({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), r"is an Excel workbook.*as \.csv"),
        (_zip({"word/document.xml": b"", "a": b""}), "is a Word document"),
        (b"SQLite format 3\0", "is an SQLite data base"),
        (b"\x93NUMPY\x01\0", "is an array of NumPy"),
        (b"\xff\xff\xff\xff\xa0\0", "is a stream of Arrow"),
        (b"\x1f\x9d\x90\0", "is packed with compress"),
    ],
)
def test_what_a_file_is_instead_of_text_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert read_bytes(tmp_path / "file") == content and not is_folder(tmp_path / "file")
    for encoding in ("", "cp1252"):
        with pytest.raises(FileError, match=message):
            decoded(content, "file", encoding)
