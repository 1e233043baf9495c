"""The recordings that a command is given: files, folders, and lists of files."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from data.files import files_below
from pipelines.configuration import ConfigurationError
from pipelines.json_lines import JSON
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recording_entries import AUDIO_SUFFIXES, find_audio
from pipelines.speech.recording_rows import text_of

LISTS = (".txt", ".lst", ".list", ".m3u", ".m3u8")  # a file a line
TABLES = (".csv", ".tsv", *JSON, ".xlsx", ".parquet")
WRITTEN = (".txt", ".srt", ".vtt", *TABLES)  # endings of names that mean a file
FOUND_IN_FOLDERS = (*AUDIO_SUFFIXES, ".wv", ".ape", ".mka", ".3gp", ".avi", ".ts", ".mpg", ".mpeg", ".caf", ".w64")


class Given(NamedTuple):
    """A recording, and `name`, under which a file about it is written: its place in its folder, without the ending."""

    path: Path
    name: Path


def given_recordings(paths: Sequence[Path]) -> list[Given]:
    """Returns the recordings of files, of folders and those below, without hidden ones, and of lists, in order.

    Args:
        paths: files; folders; text files with a path a line, relative to them, of which lines with # are remarks.

    Raises:
        SpeechDataError: a folder or list holds none.

    Example:
        >>> given_recordings([Path("talks/one.wav")])
        [Given(path=PosixPath('talks/one.wav'), name=PosixPath('one'))]
    """
    found = []
    for path in (each.expanduser() for each in paths):
        if path.is_dir():
            inside = [each for each in sorted(files_below(path)) if each.suffix.lower() in FOUND_IN_FOLDERS]
            inside = [
                each
                for each in inside
                if each.is_file() and not any(part.startswith(".") for part in each.relative_to(path).parts)
            ]
            _refuse_none(inside, path, "folder", f"files that end in {', '.join(FOUND_IN_FOLDERS[:5])} …")
            found += [Given(each, each.relative_to(path).with_suffix("")) for each in inside]
        elif path.suffix.lower() in LISTS and path.is_file():
            lines = [line.strip().strip("\"'") for line in text_of(path).split("\n")]
            lines = [line for line in lines if line and not line.startswith("#")]
            _refuse_none(lines, path, "list", "the path of a recording on each line")
            found += [Given(each, Path(each.stem)) for each in (find_audio(path.parent, line) for line in lines)]
        elif path.suffix.lower() in TABLES and path.is_file():
            raise SpeechDataError(
                f"{path} is a table, of which it is not known what to transcribe. Expected recordings, a folder, or a "
                f"text file with the path of a recording on each line ({', '.join(LISTS)}). Write one. "
                f"Received: {path.name}"
            )
        else:
            found.append(Given(path, Path(path.stem)))
    return found


def output_files(given: Sequence[Given], folder: Path, suffix: str) -> list[Path]:
    """Returns the file of each recording, `folder/name.suffix`; of those of one name, `folder/name.wav.suffix`.

    Raises:
        ConfigurationError: two would have one file, a file is there, or one lies where the folder would.
    """
    if blocking := [each for each in (folder, *folder.parents) if each.exists() and not each.is_dir()]:
        raise ConfigurationError(
            f"--output {folder}: {blocking[0]} is a file. Expected a folder, new or not. Name one. Received: {folder}"
        )
    if folder.suffix.lower() in WRITTEN and not folder.is_dir():
        raise ConfigurationError(
            "--output names a folder, which gets a file for each recording. Expected no name of a file. Name one; "
            f"or print one recording into a file, > {folder}, or all into one: --workers 1 --output answers.jsonl. "
            f"Received: {folder}"
        )
    names = [each.name for each in given]
    files = [
        folder / each.name.parent / f"{each.name.name if names.count(each.name) == 1 else each.path.name}.{suffix}"
        for each in given
    ]
    if doubled := [file for file in dict.fromkeys(files) if files.count(file) > 1]:
        raise ConfigurationError(
            "Two recordings have one name. Expected names that differ, or a folder that holds them. Rename one. "
            f"Received: {doubled[0].name} twice"
        )
    if there := [file for file in files if file.exists()]:
        raise ConfigurationError(
            f"{len(there)} of {len(files)} files are there, and are not overwritten; expected none. Move them, or name "
            f"another folder: --output. Received: {there[0]}"
        )
    return files


def _refuse_none(found: Sequence[object], path: Path, kind: str, expected: str) -> None:
    if not found:
        raise SpeechDataError(
            f"The {kind} {path} names no recording. Expected {expected}. Name the recordings. Received: none"
        )
