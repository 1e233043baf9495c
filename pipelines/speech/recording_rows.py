"""The rows of the user's lists, of any packing and encoding, and where each stands."""

from collections.abc import Iterator
from pathlib import Path

from data.encodings import decoded
from data.files import FileError, read_bytes
from pipelines.speech.audio_files import SpeechDataError


def rows_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yields where it stands, and the line, for each line of a text that is not blank, of any packing and encoding."""
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise SpeechDataError(
            f"{path} {kind}; expected a list of recordings. Correct the path. Received: {str(path)!r}"
        )
    text = text_of(path)
    if not text.strip():
        raise empty_list(path)
    yield from lines_of(text, str(path))


def lines_of(text: str, name: str) -> list[tuple[str, str]]:
    """Returns where it stands, and the line, for each line of a text, of the file of this name, that is not blank."""
    return [(f"{name}, line {number}", line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def text_of(path: Path) -> str:
    """Returns the text of a file of any packing and encoding.

    Raises:
        SpeechDataError: it holds no text.
    """
    try:
        return decoded(read_bytes(path), str(path))
    except FileError as error:
        raise SpeechDataError(str(error)) from error


def empty_list(path: Path) -> SpeechDataError:
    """Returns the error for a list without recordings."""
    size = path.stat().st_size
    return SpeechDataError(f"{path} is empty; expected one recording a row. Fill it. Received: {size} bytes")
