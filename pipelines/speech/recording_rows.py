"""The rows of the user's lists, of any packing and encoding, and where each stands."""

from collections.abc import Iterator
from pathlib import Path

from data.encodings import decoded
from data.files import FileError, read_bytes
from pipelines.speech.audio_files import SpeechDataError


def rows_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yields where it stands, and the line, for each line of a text that is not blank, of any packing and encoding."""
    text = text_of(path, "a list of recordings")
    if not text.strip():
        raise empty_list(path)
    yield from lines_of(text, str(path))


def lines_of(text: str, name: str) -> list[tuple[str, str]]:
    """Returns where it stands, and the line, for each line of a text, of the file of this name, that is not blank."""
    return [(f"{name}, line {number}", line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def text_of(path: Path, expected: str = "a file") -> str:
    """Returns the text of a file of any packing and encoding; `expected` as of `data.files.read_file`.

    Raises:
        SpeechDataError: it is not there, or holds no text.
    """
    try:
        return decoded(read_bytes(path, expected), str(path))
    except FileError as error:
        raise SpeechDataError(str(error)) from error


def empty_list(path: Path) -> SpeechDataError:
    """Returns the error for a list without recordings."""
    size = path.stat().st_size
    return SpeechDataError(f"{path} is empty; expected one recording a row. Fill it. Received: {size} bytes")
