"""Whether a video file is cut short, by what its own structure states: lengths of boxes, chunks, tags and packets."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

TRANSPORT = {188: 0, 192: 4, 204: 0}
"""Bytes of a packet of a transport stream, and where in it the byte 0x47 stands."""


def truncated(path: Path) -> bool:
    """Returns whether bytes are missing at the end of a file; False where its format does not tell."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(1024)
        for fits, required in FORMATS:
            if fits(head):
                return required(file, size) > size
    return False


def _boxes(file: BinaryIO, size: int) -> int:
    """ISO base media (mp4, mov, 3gp): the end of the last box."""
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(16)
        if len(head) < 8 or not head[4:8].replace(b"\xa9", b"").isalnum():
            break  # what some cameras append
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            break  # 0: to the end of the file
        place += length
    return place


def _segment(file: BinaryIO, size: int) -> int:
    """Matroska and WebM: the end of the segment, unless it was written live."""
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(12)
        width = _width(head[0])
        length_width = _width(head[width]) if width < len(head) else 0
        if not length_width or width + length_width > len(head):
            return 0
        length = int.from_bytes(head[width : width + length_width], "big") & ((1 << 7 * length_width) - 1)
        if length == (1 << 7 * length_width) - 1:
            return 0
        place += width + length_width + length
        if head[:4] == b"\x18\x53\x80\x67":
            return place
    return 0


def _width(byte: int) -> int:
    """Bytes of a number of EBML by its first one."""
    return 9 - byte.bit_length() if byte else 0


def _chunks(file: BinaryIO, size: int) -> int:
    """RIFF (avi, webp): the end of the last one of its lists, which follow each other."""
    place = 0
    while place + 12 <= size:
        file.seek(place)
        head = file.read(12)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" or not length:
            break
        place += 8 + length
    return place


def _tags(file: BinaryIO, size: int) -> int:
    """Flash video: the end of the last tag."""
    file.seek(5)
    place = int.from_bytes(file.read(4), "big") + 4
    while place + 11 <= size:
        file.seek(place)
        head = file.read(11)
        if head[0] & 0x1F not in (8, 9, 18):
            return 0
        place += 11 + int.from_bytes(head[1:4], "big") + 4
    return place if place <= size or place - size > 4 else size


def _pages(file: BinaryIO, size: int) -> int:
    """Ogg: the end of the last page."""
    start = max(0, size - (1 << 17))
    file.seek(start)
    content = file.read()
    place = content.rfind(b"OggS")
    if place < 0 or place + 27 > len(content):
        return size + (place >= 0)
    lengths = content[place + 27 : place + 27 + content[place + 26]]
    return start + place + 27 + content[place + 26] + sum(lengths)


def _properties(file: BinaryIO, size: int) -> int:
    """ASF (wmv): the size that its properties state."""
    file.seek(0)
    content = file.read(1 << 16)
    place = content.find(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    return int.from_bytes(content[place + 40 : place + 48], "little") if place >= 0 else 0


def _packets(file: BinaryIO, size: int) -> int:
    """Transport stream: a whole number of packets."""
    file.seek(0)
    length = _packet_length(file.read(1024))
    return size + -size % length if length else 0


def _packet_length(head: bytes) -> int:
    for length, sync in TRANSPORT.items():
        if all(head[place] == 0x47 for place in range(sync, min(len(head), 5 * length), length)) and len(head) > length:
            return length
    return 0


def _program(file: BinaryIO, size: int) -> int:
    """Program stream (mpg, vob): the end of the last packet, whose length it states."""
    start = max(0, size - (1 << 17))
    file.seek(start)
    content = file.read()
    place = max(content.rfind(b"\0\0\1" + bytes([kind])) for kind in (0xBD, 0xBE, 0xBF, *range(0xC0, 0xF0)))
    length = int.from_bytes(content[place + 4 : place + 6], "big")
    return start + place + 6 + length if place >= 0 and length else size


def _digital_video(file: BinaryIO, size: int) -> int:
    """DV: a whole number of frames, of 50 or of 60 fields a second."""
    file.seek(3)
    return size + -size % (144_000 if file.read(1)[0] & 0x80 else 120_000)


def _trailer(file: BinaryIO, size: int) -> int:
    """GIF: the semicolon at its end."""
    file.seek(-min(size, 64), os.SEEK_END)
    return size + (b";" not in file.read())


FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO, int], int]], ...] = (
    (lambda head: head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"), _boxes),
    (lambda head: head.startswith(b"\x1a\x45\xdf\xa3"), _segment),
    (lambda head: head.startswith(b"RIFF"), _chunks),
    (lambda head: head.startswith(b"FLV"), _tags),
    (lambda head: head.startswith(b"OggS"), _pages),
    (lambda head: head.startswith(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")), _properties),
    (lambda head: head.startswith(b"GIF8"), _trailer),
    (lambda head: head.startswith(b"\0\0\1\xba"), _program),
    (lambda head: head.startswith(b"\x1f\x07\0"), _digital_video),
    (lambda head: bool(_packet_length(head)), _packets),
)
