"""Files as users keep them: packed, in archives and folders; and what a file is that holds no text."""

import bz2
import gzip
import io
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple, cast

ZIP = b"PK\x03\x04"
PACKINGS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_UNPACK = {"gzip": gzip.decompress, "bzip2": bz2.decompress, "xz": lzma.decompress}
_OPEN: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
_SUFFIXES = {"gzip": "gz", "bzip2": "bz2", "xz": "xz"}
UNPACKING_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)
_PACKED_SUFFIX = re.compile(r"\.(gz|bz2|xz|zst|zip|tar|tgz)$")
_DELIMITER = re.compile(r"\"?sep=([^\r\n])\"?[ ,;\t]*(\r\n?|\n)?", re.IGNORECASE)
_MAXIMUM_LISTED = 5  # files that a message names
_OTHER_KINDS = {  # how it begins, what it is, and what to do
    b"%PDF": ("a PDF document", "Save its text as .txt"),
    b"\xd0\xcf\x11\xe0": ("a document of Microsoft Office", "Save a table as .csv in UTF-8, a document as .txt"),
    b"{\\rtf": ("an RTF document", "Save its text as .txt"),
    b"SQLite format 3": ("an SQLite data base", "Write a table of it as .csv"),
    b"\x89HDF": ("an HDF5 file", "Write a table of it as .csv"),
    **{head: ("a NetCDF file", "Write a table of it as .csv") for head in (b"CDF\x01", b"CDF\x02", b"CDF\x05")},
    b"MATLAB 5.0 MAT-file": ("a file of MATLAB", "Write a table of it as .csv, writetable(…)"),
    **{head: ("a file of SPSS", "Save its table as .csv") for head in (b"$FL2", b"$FL3")},
    b"\x00" * 12 + b"\xc2\xea\x81\x60": ("a data set of SAS", "Save its table as .csv"),
    b"HEADER RECORD*******LIBRARY": ("a data set of SAS", "Save its table as .csv"),
    **{head: ("an object of R", "Write it as .csv") for head in (b"RDX2\n", b"RDX3\n", b"X\n\x00\x00\x00")},
    b"RIFF": ("a recording or a video", "Give the text as a file"),
    b"fLaC": ("a recording", "Give the text as a file"),
    b"OggS": ("a recording", "Give the text as a file"),
    b"ID3": ("a recording", "Give the text as a file"),
    b"PAR1": ("a Parquet file", "Give it where a table of texts is expected, or write it as .csv"),
    b"ARROW1": ("a Feather file", "Give it where a table is expected, or write its texts to a file"),
    b"Obj\x01": ("an Avro file", "Convert it to .jsonl or .parquet"),
    b"ORC": ("an ORC file", "Convert it to .parquet"),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", "Unpack it, or pack it as .zip"),
    b"Rar!": ("a RAR archive", "Unpack it, or pack it as .zip"),
    b"\x89PNG": ("a picture", "Give the text as a file"),
    b"\xff\xd8\xff": ("a picture", "Give the text as a file"),
    b"\x80\x04\x95": ("a pickle of Python", "Write its table as .csv or .parquet"),
    b"\x80\x05\x95": ("a pickle of Python", "Write its table as .csv or .parquet"),
    b"\x93NUMPY": ("an array of NumPy", "Write its texts as .csv or .jsonl"),
    b"\xff\xff\xff\xff": ("a stream of Arrow", "Give it where a table is expected, or write its texts to a file"),
    b"\x04\x22\x4d\x18": ("packed with lz4", "Unpack it, or pack it with gzip"),
    b"\x1f\x9d": ("packed with compress", "Unpack it, or pack it with gzip"),
}
_DOCUMENTS = {  # archives inside: a file that each holds, what it is
    "xl/workbook.xml": "an Excel workbook",
    "xl/workbook.bin": "an Excel workbook",
    "word/document.xml": "a Word document",
    "content.xml": "a document of LibreOffice",
    "META-INF/container.xml": "an e-book",
}


class FileError(ValueError):
    """A user's file, or something in it, that cannot be used; the message names the file, the row and the remedy."""


class Member(NamedTuple):
    """A file of a folder or an archive: its `name`, the path in there such as `news/1.txt`, and its `content`."""

    name: str
    content: bytes


def plain_suffix(path: Path) -> str:
    """Returns the ending of a file's name, in small letters and without that of a packing.

    >>> plain_suffix(Path("Reviews.CSV.gz"))
    '.csv'
    """
    name = path.name.lower()
    while _PACKED_SUFFIX.search(name):
        name = _PACKED_SUFFIX.sub("", name)
    return Path(name).suffix


def stated_delimiter(line: str) -> str:
    """Returns what the first line of a table states to be between its columns, as spreadsheets write it; "": nothing.

    >>> stated_delimiter("sep=;"), stated_delimiter('"SEP=|"\\r\\n'), stated_delimiter("sep;text")
    (';', '|', '')
    """
    stated = _DELIMITER.fullmatch(line)
    return stated[1] if stated else ""


def missing_file(path: Path, expected: str) -> FileError:
    """Returns what to raise where no file is; `expected` is what should be there, such as "a table"."""
    kind = "is a folder" if path.is_dir() else "does not exist"
    return FileError(f"{path} {kind}; expected {expected}. Correct the path. Received: {str(path)!r}")


def read_file(path: Path, expected: str = "a file") -> Member:
    """Returns a file, unpacked: gzip, bzip2, xz, zstd, or the only file of a zip or tar archive, under its name there.

    Documents that are archives inside, such as Excel's, are returned as they are.

    Args:
        path: of the file.
        expected: what it holds, for the message where it is not there.

    Raises:
        FileError: the file is not there, is damaged, or holds several files.
    """
    if not path.is_file():
        raise missing_file(path, expected)
    return only_file(path.read_bytes(), str(path))


def read_bytes(path: Path, expected: str = "a file") -> bytes:
    """Returns the content of a file, unpacked as by `read_file`."""
    return read_file(path, expected).content


def open_unpacked(path: Path) -> BinaryIO:
    """Returns a file opened for reading, which is unpacked while it is read: gzip, bzip2 or xz; others at once.

    Raises:
        FileError: the file is not there, or is an archive of several.
    """
    if not path.is_file():
        return io.BytesIO(read_file(path).content)  # which names what is wrong
    with path.open("rb") as file:
        begin = file.read(512)
    packing = next((each for magic, each in PACKINGS.items() if begin.startswith(magic)), "")
    if packing in _OPEN and not path.name.lower().endswith((".tgz", f".tar.{_SUFFIXES[packing]}")):
        return cast(BinaryIO, _OPEN[packing](path))
    if packing or begin.startswith(ZIP) or begin[257:262] == b"ustar":
        return io.BytesIO(read_file(path).content)
    return path.open("rb")


@contextmanager
def as_path(given: Any, name: str, error_type: type[ValueError]) -> Iterator[Any]:
    """Yields the path of a temporary file with what is given as bytes, or open for reading; else what is given.

    Args:
        given: the content of a file, an open file, or anything else.
        name: what errors call the file.
        error_type: of the errors that name it.

    Raises:
        ValueError: the file is open as text.
    """
    if not isinstance(given, bytes | io.IOBase):
        yield given
        return
    if isinstance(given, io.TextIOBase):
        raise error_type(
            f"{name} is open as text. Expected a file that is read as bytes. Open it so: open(path, 'rb'). "
            "Received: a text file"
        )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(given if isinstance(given, bytes) else given.read())
        try:
            yield path
        except error_type as error:
            raise error_type(str(error).replace(str(path), name)) from None


def only_file(content: bytes, name: str) -> Member:
    """Returns bytes under a name, unpacked as by `read_file`."""
    content = unpacked(content, name)
    if not _is_archive(content, name):
        return Member(name, content)
    files = [each for each in _archived(content, name) if not _hidden(Path(each.name))]
    if len(files) != 1:
        found = ", ".join([each.name for each in files[:_MAXIMUM_LISTED]] + ["…"] * (len(files) > _MAXIMUM_LISTED))
        raise FileError(
            f"{name} is an archive of {len(files)} files; expected one with a single file here. Unpack it, and give "
            f"the file that is meant. Received: {found or 'an empty archive'}"
        )
    return Member(files[0].name, unpacked(files[0].content, f"{name}, {files[0].name}"))


def is_folder(path: Path) -> bool:
    """Whether a path is a folder, or an archive of more than one file."""
    if path.is_dir() or not path.is_file():
        return path.is_dir()
    with path.open("rb") as file:
        begin = file.read(512)
    if not (begin.startswith((ZIP, *PACKINGS)) or begin[257:262] == b"ustar"):
        return False
    content = unpacked(path.read_bytes(), str(path))
    return (
        _is_archive(content, str(path))
        and sum(not _hidden(Path(each.name)) for each in _archived(content, str(path))) > 1
    )


def files_below(folder: Path) -> Iterator[Path]:
    """Yields the files of a folder and its subfolders, and of folders elsewhere that links there lead to."""
    root, seen = os.path.realpath(folder), set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        for name in [each for each in folders if os.path.islink(os.path.join(parent, each))]:
            target = os.path.realpath(os.path.join(parent, name))
            if target in seen or os.path.commonpath([root, target]) in (root, target):  # is or would be read anyway
                folders.remove(name)
            seen.add(target)
        yield from (Path(parent, name) for name in names)


def members(path: Path) -> list[Member]:
    """Returns the files of a folder and its subfolders, or of an archive, by name; hidden ones are passed over."""
    if path.is_dir():
        files = ((each, each.relative_to(path)) for each in sorted(files_below(path)))
        return [
            Member(name.as_posix(), each.read_bytes()) for each, name in files if each.is_file() and not _hidden(name)
        ]
    found = list(_archived(unpacked(path.read_bytes(), str(path)), str(path)))
    return sorted(each for each in found if not _hidden(Path(each.name)))


def unpacked(content: bytes, name: str) -> bytes:
    """Returns bytes that are packed with gzip, bzip2, xz or zstd unpacked, others as they are, whatever their name is.

    Raises:
        FileError: they are damaged.
    """
    packing = next((each for magic, each in PACKINGS.items() if content.startswith(magic)), None)
    if packing:
        try:
            return unpacked(_zstd(content, name) if packing == "zstd" else _UNPACK[packing](content), name)
        except (*UNPACKING_ERRORS, ValueError) as error:
            if isinstance(error, FileError):
                raise
            raise FileError(
                f"{name} cannot be unpacked; expected a whole {packing} file. Get it again, or unpack it yourself. "
                f"Received: {error}"
            ) from None
    return content


def refuse_what_is_no_text(content: bytes, name: str) -> None:
    """Refuses bytes of a kind that holds no text, and names the kind.

    Raises:
        FileError: they are a document, a picture, an archive or so.
    """
    for magic, (kind, remedy) in _OTHER_KINDS.items():
        if content.startswith(magic):
            raise FileError(f"{name} is {kind}; expected text. {remedy}. Received: {content[:16]!r}")
    if content.startswith(ZIP) and (holds := _document(content, name)):
        raise FileError(
            f"{name} is {_DOCUMENTS[holds]}; expected text. Save a table as .csv in UTF-8, a document as .txt. "
            f"Received: an archive with {holds}"
        )


def _zstd(content: bytes, name: str) -> bytes:
    try:
        import pyarrow
    except ImportError:
        raise FileError(
            f"{name} is packed with zstd, which needs the library pyarrow. Install it, pip install pyarrow, or unpack "
            "the file. Received: no pyarrow"
        ) from None
    unpacked_bytes: bytes = pyarrow.input_stream(pyarrow.BufferReader(content), compression="zstd").read()
    return unpacked_bytes


def _is_archive(content: bytes, name: str) -> bool:
    """Whether bytes are an archive of files of the user's, no document."""
    return content[257:262] == b"ustar" or (content.startswith(ZIP) and not _document(content, name))


def _document(content: bytes, name: str) -> str:
    """The file by which an archive is known as a document; "": it is none."""
    names = {each.name for each in _archived(content, name, with_content=False)}
    return next((each for each in _DOCUMENTS if each in names), "")


def _archived(content: bytes, name: str, with_content: bool = True) -> Iterator[Member]:
    try:
        if content.startswith(ZIP):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for each in archive.infolist():
                    if not each.is_dir():
                        yield Member(each.filename, archive.read(each) if with_content else b"")
        else:
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                for information in tar:
                    if file := tar.extractfile(information):
                        yield Member(information.name, file.read())
    except (zipfile.BadZipFile, tarfile.TarError, RuntimeError, zlib.error, EOFError) as error:
        raise FileError(
            f"{name} cannot be unpacked; expected a whole archive without a password. Get it again, or unpack it "
            f"yourself. Received: {error}"
        ) from None


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
