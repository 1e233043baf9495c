"""The user's text files: their encoding, found or given, gzip, the lines of a file, and the documents of a folder."""

import codecs
import gzip
import re
import reprlib
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import charset_normalizer

from pipelines.nlp.texts import listed

GZIP = b"\x1f\x8b"
TEXT_SUFFIXES = (".txt", ".text", ".md")
SAMPLE = 65_536  # bytes that an encoding is told from
# Legacy encodings that are looked for; of those that fit equally well the first. Hardly any bytes are not Shift JIS.
ENCODINGS = (
    *("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("gb18030", "big5", "cp949", "euc_jp", "cp932", "tis_620"),
)
_BYTE_ORDER_MARKS = {  # the longer ones first: that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF8: "utf_8_sig",
    codecs.BOM_UTF32_LE: "utf_32",
    codecs.BOM_UTF32_BE: "utf_32",
    codecs.BOM_UTF16_LE: "utf_16",
    codecs.BOM_UTF16_BE: "utf_16",
}
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120


class TextDataError(ValueError):
    """Text of the user that cannot be used; the message names the file, the line and the remedy."""


class Document(NamedTuple):
    """A text file of a folder: its `name`, the path in the folder such as `news/1.txt`, and its `text`."""

    name: str
    text: str


def read_text(path: Path | str, encoding: str = "") -> str:
    r"""Returns the text of a file, unpacked if it is gzipped, with `\n` at the end of lines and no byte order mark.

    UTF-8 and UTF-16 are told for sure, the legacy encodings of the world's languages by what they would spell; any
    encoding but UTF-8 that is found is printed.

    Args:
        path: the file.
        encoding: Python's name of its encoding, such as `latin-1`; "": found.

    Raises:
        TextDataError: the file is not there, is damaged, is no text, or not in that encoding; the line is named.
    """
    path = Path(path).expanduser()
    return decoded(_bytes(path), str(path), encoding)


def decoded(content: bytes, name: str, encoding: str = "") -> str:
    """Returns bytes as text, as `read_text` does those of a file.

    Args:
        content: the bytes.
        name: of what they are from, for messages.
        encoding: as of `read_text`.

    Raises:
        TextDataError: as `read_text`.
    """
    if not encoding:
        encoding = _find_encoding(content)
        if encoding not in ("utf_8", "utf_8_sig"):
            # Beside what a command prints, which may be piped.
            print(f"{name} is read as {encoding}, as it seems; if that is wrong, name its encoding.", file=sys.stderr)
    try:
        text = content.decode(encoding)
    except LookupError:  # Python has none of that name, or it is none of text, such as rot13
        raise TextDataError(
            f"There is no such encoding. Expected a name that Python knows, such as utf-8, latin-1, cp1251 or "
            f"shift_jis, or none, and it is found. Received: {encoding!r}"
        ) from None
    except UnicodeError as error:
        raise _undecodable(name, content, encoding, error) from None
    if "\0" in text:
        raise TextDataError(
            f"{name}, line {text.count(chr(10), 0, text.index(chr(0))) + 1}, holds a zero byte; expected text, no "
            f"binary file. Remove it, or name the file's encoding. Received: {_SHORT.repr(text)}"
        )
    return text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")


def read_lines(path: Path | str, encoding: str = "") -> list[str]:
    """Returns the lines of a file, as `lines_of` a text; `path` and `encoding` as of `read_text`."""
    return lines_of(read_text(path, encoding))


def lines_of(text: str) -> list[str]:
    """Returns the lines of a text, blank ones too, so that the first is line 1 and two aligned files stay aligned.

    Lines end where editors show it, not at the rarer separators of Unicode.
    """
    return text.removesuffix("\n").split("\n") if text else []


def read_documents(path: Path | str, encoding: str = "") -> list[Document]:
    """Returns the text files of a folder and its subfolders in the order of their names, or the only file.

    Args:
        path: a folder with files .txt or .md, also gzipped, or one file of any name. Hidden files are passed over;
            others are named.
        encoding: of all files; "": that of each is found.

    Raises:
        TextDataError: there is no such file, or it cannot be read.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        return [Document(folder.name, read_text(folder, encoding))]
    files = [each for each in sorted(folder.rglob("*")) if each.is_file() and not _hidden(each.relative_to(folder))]
    texts = [each for each in files if plain_suffix(each) in TEXT_SUFFIXES]
    if others := [str(each.relative_to(folder)) for each in files if each not in set(texts)]:
        print(f"Left out of {folder}: {listed(others)}, for they are not {', '.join(TEXT_SUFFIXES)}.")
    if not texts:
        raise TextDataError(
            f"{folder} holds no text files; expected some with the endings {', '.join(TEXT_SUFFIXES)}, also with .gz. "
            f"Rename them, or give another folder. Received: {listed(others) or 'an empty folder'}"
        )
    return [Document(each.relative_to(folder).as_posix(), read_text(each, encoding)) for each in texts]


def plain_suffix(path: Path) -> str:
    """Returns the ending of a file's name, in small letters and that of gzip left out.

    >>> plain_suffix(Path("Reviews.CSV.gz"))
    '.csv'
    """
    return Path(re.sub(r"\.gz$", "", path.name.lower())).suffix


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise TextDataError(f"{path} {kind}; expected a text file. Correct the path. Received: {str(path)!r}")
    content = path.read_bytes()
    if not content.startswith(GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise TextDataError(
            f"{path} cannot be unpacked; expected a whole gzip file. Get it again, or unpack it yourself. "
            f"Received: {error}"
        ) from None


def _find_encoding(content: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return encoding
    size, zeros = len(content[:SAMPLE]), [content[start:SAMPLE:2].count(0) for start in (0, 1)]
    if max(zeros) > 0.15 * size > 2 * min(zeros):  # the empty halves of plain letters
        return "utf_16_be" if zeros[0] > zeros[1] else "utf_16_le"
    if _is_utf8(content):
        return "utf_8"
    beyond_ascii = [line for line in content.split(b"\n") if not line.isascii()]
    if 2 * sum(map(_is_utf8, beyond_ascii)) > len(beyond_ascii):
        return "utf_8"  # with damaged lines: no other encoding's lines are UTF-8 by chance
    return _legacy_encoding(b"\n".join(beyond_ascii)[:SAMPLE]) or "utf_8"


def _legacy_encoding(sample: bytes) -> str | None:
    matches = charset_normalizer.from_bytes(sample, cp_isolation=list(ENCODINGS))
    fitting = [
        (int(10 * match.chaos), -match.coherence, ENCODINGS.index(encoding), encoding)
        for match in matches
        for encoding in match.could_be_from_charset
        if encoding in ENCODINGS
    ]
    return min(fitting)[-1] if fitting else None


def _undecodable(name: str, content: bytes, encoding: str, error: UnicodeError) -> TextDataError:
    """Says which line is not in an encoding."""
    line, around = "", content[:20]
    if isinstance(error, UnicodeDecodeError):
        before = content[: error.start].decode(encoding, "replace")
        line, around = f", line {before.count(chr(10)) + 1},", content[max(0, error.start - 10) : error.end + 10]
    return TextDataError(
        f"{name}{line} is not {encoding.replace('_', '-').upper()}. Correct the line, or name the encoding of the "
        f"file, such as latin-1. Received: {around!r}"
    )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf_8")
    except UnicodeDecodeError:
        return False
    return True


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
