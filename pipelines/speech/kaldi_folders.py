"""Folders of Kaldi: `wav.scp` and `text`, and `segments`, `reco2file_and_channel`, `utt2spk` where there are any."""

import re
import shlex
from pathlib import Path

from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recording_entries import channels_of, entry_of
from pipelines.speech.recording_rows import rows_of
from pipelines.speech.recording_texts import Read

CHANNEL = "channel"  # an option whose value is the only channel to read
_RATE = dict.fromkeys(("-r", "-b", "-e", "-t", "-c", "-L", "rate"), "value")
_OUTPUT = ("-f", "-ar", "-ac", "-ab", "-acodec", "-c:a", "-codec:a", "-v", "-loglevel", "-threads")
DECODERS: dict[str, dict[str, str]] = {
    "flac": dict.fromkeys(
        ("-c", "-d", "-s", "-cd", "-dc", "-cds", "-dcs", "-sdc", "-scd", "--silent", "--stdout", "--decode"), ""
    ),
    "sph2pipe": {"-f": "value", "-p": "", "-c": CHANNEL},
    "sox": {**_RATE, "-q": "", "-G": "", "-V1": "", "-D": "", "remix": CHANNEL},
    "ffmpeg": {**dict.fromkeys(_OUTPUT, "value"), **dict.fromkeys(("-i", "-y", "-vn", "-nostdin", "-hide_banner"), "")},
    "cat": {},
    "opusdec": dict.fromkeys(("--quiet", "--force-wav"), ""),
}
"""Programs that only decode, with options that change nothing that is learned; "": an option without a value."""


def read_kaldi(folder: Path) -> Read | None:
    """Reads the files `wav.scp` and `text` of a Kaldi folder, and `segments` and `utt2spk` where there are any."""
    if not (folder / "wav.scp").is_file():
        return None
    recordings = _pairs(folder / "wav.scp")
    for row, name in recordings.values():
        if re.search(r"\.ark:\d+$", name):
            raise SpeechDataError(
                f"{row} is a place in a Kaldi archive, which is not read; expected a file. Write each recording to "
                f"one: wav-copy scp:wav.scp … . Received: {name!r}"
            )
    commands = {key: _decoded(row, name) for key, (row, name) in recordings.items() if name.endswith("|")}
    texts = _pairs(folder / "text", empty=True)
    speakers = _pairs(folder / "utt2spk") if (folder / "utt2spk").is_file() else {}
    segments = _pairs(folder / "segments") if (folder / "segments").is_file() else {}
    sides = folder / "reco2file_and_channel"  # of the recordings in `segments`, where wav.scp has the files
    channels = _pairs(sides) if segments and sides.is_file() else {}
    entries = []
    for key, (row, text) in texts.items():
        recording, offset, duration = key, 0.0, None
        if segments:
            if key not in segments:
                raise _unknown(row, key, folder / "segments")
            recording, offset, duration = _segment(*segments[key])
        channel = ""
        if recording in channels and recording not in recordings:
            recording, _, channel = channels[recording][1].partition(" ")
        if recording not in recordings:
            raise _unknown(segments[key][0] if segments else row, recording, folder / "wav.scp")
        name, channel = commands.get(recording, (recordings[recording][1], channel))
        speaker, side = speakers.get(key, ("", ""))[1], channels_of([channel])[0]
        entries.append(entry_of(folder, name, text, row, "", speaker, offset, duration, key, side))
    without = sorted((set(segments) or set(recordings)) - set(texts))
    left = [f"Without a row in `text`, left out: {len(without)} ({', '.join(without[:3])} …)."] if without else []
    if commands:
        left.append(f"The files of {len(commands)} commands in wav.scp are read without running them.")
    return entries, [f"Kaldi folder {folder.name}: {len(recordings)} recordings, {len(entries)} utterances.", *left]


def _decoded(row: str, command: str) -> tuple[str, str]:
    """Returns the file that a command only decodes, or resamples, and the channel that it takes; "": all.

    Raises:
        SpeechDataError: it does something else.
    """
    files, channel = [], ""
    for stage in command.removesuffix("|").split("|"):
        try:
            words = iter(shlex.split(stage))
        except ValueError:  # quotes without an end
            words = iter(())
        program = DECODERS.get(Path(next(words, "")).name)
        for word in words if program is not None else ("", ""):  # two files that are none: it is refused
            option = None if program is None else program.get(word)
            value = next(words, "") if option else ""
            if option == CHANNEL:
                channel = value.strip("-")
            elif option is None and word not in ("-", "pipe:", "pipe:1", "/dev/stdout"):
                files.append(word)
    if len(files) != 1 or files[0].startswith("-"):
        raise SpeechDataError(
            f"{row} is a command, and commands in lists are not run; expected a file, or a command that only decodes "
            f"one ({', '.join(DECODERS)}). Run it once, and name the file that it writes. Received: {command!r}"
        )
    return files[0], channel


def _pairs(path: Path, empty: bool = False) -> dict[str, tuple[str, str]]:
    """Reads lines of a key and what belongs to it: the row and the rest, by key."""
    found: dict[str, tuple[str, str]] = {}
    for row, line in rows_of(path):
        key, *rest = line.strip().split(maxsplit=1)
        if key in found or not (rest or empty):
            wrong = "the same key again" if key in found else "a key alone"
            raise SpeechDataError(
                f"{row}: expected a key of its own and what belongs to it. Correct it. Received: {wrong}, {key!r}"
            )
        found[key] = (row, rest[0] if rest else "")
    return found


def _segment(row: str, line: str) -> tuple[str, float, float | None]:
    fields = line.split()
    try:
        recording, start, end = fields[0], float(fields[1]), float(fields[2])
        if len(fields) > 4 or not start >= 0 or (end <= start and end != -1):  # -1: the end of the recording
            raise ValueError
    except (IndexError, ValueError) as error:
        raise SpeechDataError(
            f"{row}: expected the recording, and a start and an end after it in seconds. Correct it. Received: {line!r}"
        ) from error
    return recording, start, None if end == -1 else end - start


def _unknown(row: str, key: str, path: Path) -> SpeechDataError:
    return SpeechDataError(
        f"{row}: {path} does not have it; expected all keys there. Add or remove it. Received: {key!r}"
    )
