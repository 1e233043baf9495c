"""The user's text files: the lines of a file, and the documents of a folder or an archive."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pydantic
from pydantic import Field

from data.encodings import decoded
from data.files import Member, is_folder, members, plain_suffix, read_bytes, unpacked
from pipelines.configuration import Configuration
from pipelines.hints import listed
from pipelines.nlp.texts import TextDataError

__all__ = ["Document", "TextDataError", "decoded", "plain_suffix", "read_documents", "read_lines", "read_text"]

TEXT_SUFFIXES = (".txt", ".text", ".md", ".tokens")  # the last one of WikiText


class FileConfiguration(Configuration):
    """How a user's files are written, for those whose form is not found."""

    encoding: str = Field("", description="encoding of your files; detected by default")
    delimiter: str = Field(
        "", max_length=1, description=r"separator of the columns of a table, \t for tabs; detected by default"
    )
    quote: str = Field('"', max_length=1, description="quote character around cells of a table; '' for none")
    escape: str = Field(
        "", max_length=1, description="escape character before a quote within quotes; default: a second quote"
    )

    @pydantic.field_validator("delimiter", mode="before")
    @classmethod
    def _tab(cls, delimiter: str) -> str:
        return "\t" if delimiter == r"\t" else delimiter


class Document(NamedTuple):
    """A text file of a folder: its `name`, the path in the folder such as `news/1.txt`, and its `text`."""

    name: str
    text: str


def read_text(path: Path | str, encoding: str = "") -> str:
    r"""Returns the text of a file, unpacked, with `\n` at the end of lines and no byte order mark.

    Args:
        path: the file: as it is, or packed with gzip, bzip2, xz, zstd or zip.
        encoding: as of `decoded`.

    Raises:
        TextDataError: the file is not there, is damaged, is no text, or not in that encoding; the line is named.
    """
    path = Path(path).expanduser()
    return decoded(read_bytes(path), str(path), encoding)


def read_lines(path: Path | str, encoding: str = "") -> list[str]:
    """Returns the lines of a file, as `lines_of` a text; `path` and `encoding` as of `read_text`."""
    return lines_of(read_text(path, encoding))


def lines_of(text: str) -> list[str]:
    """Returns the lines of a text, blank ones too, so that the first is line 1 and two aligned files stay aligned.

    Lines end where editors show it, not at the rarer separators of Unicode.
    """
    return text.removesuffix("\n").split("\n") if text else []


def read_documents(path: Path | str, encoding: str = "") -> list[Document]:
    """Returns the text files of a folder and its subfolders, or of an archive, by name; or the only file.

    Args:
        path: a folder or an archive (zip, tar) with files .txt or .md, also packed, or one file of any name. Hidden
            files are passed over; others are named.
        encoding: of all files; "": that of each is found.

    Raises:
        TextDataError: there is no such file, or it cannot be read.
    """
    folder = Path(path).expanduser()
    if not is_folder(folder):
        return [Document(folder.name, read_text(folder, encoding))]
    return documents_of(folder, members(folder), encoding)


def documents_of(folder: Path, files: Sequence[Member], encoding: str = "") -> list[Document]:
    """Returns the text files among those of a folder or an archive, as `read_documents` does."""
    texts = [each for each in files if plain_suffix(Path(each.name)) in TEXT_SUFFIXES]
    if others := [each.name for each in files if plain_suffix(Path(each.name)) not in TEXT_SUFFIXES]:
        print(f"Left out of {folder}: {listed(others)}, for they are not {', '.join(TEXT_SUFFIXES)}.")
    if not texts:
        raise TextDataError(
            f"{folder} holds no text files; expected some with the endings {', '.join(TEXT_SUFFIXES)}, also with .gz. "
            f"Rename them, or give another folder. Received: {listed(others) or 'an empty folder'}"
        )
    names = [str(folder / each.name) for each in texts]
    return [
        Document(each.name, decoded(unpacked(each.content, name), name, encoding))
        for name, each in zip(names, texts, strict=True)
    ]
