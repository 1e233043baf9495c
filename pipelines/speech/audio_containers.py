"""What the first and last bytes of an audio file tell before it is decoded: its kind, and whether it is whole."""

import mmap
import re
import struct
from pathlib import Path
from typing import BinaryIO

UNKNOWN_LENGTH = 0x7FFFF000  # so long or longer is what programs write that cannot go back to the header
LENGTH_TOLERANCE = 64  # bytes: some programs count the header, or the byte that pads an odd length
XING_TOLERANCE = 4096  # bytes: editors of tags are not exact
_OGG_PAGE = 27 + 255 + 255 * 255  # bytes in the largest page
_MATROSKA, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_ASF, _ASF_FILE = b"\x30\x26\xb2\x75", bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_NO_AUDIO = {
    rb"\s*(<!doctype html|<html|<\?xml)": "a web page or XML, as a failed download leaves it",
    rb"version https://git-lfs": "a pointer of Git LFS; fetch the file itself with `git lfs pull`",
    rb"\x89PNG|\xff\xd8\xff|GIF8|BM.{4}\0\0\0\0": "a picture",
    rb"%PDF": "a PDF document",
    rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ": "an archive; unpack it first",
    rb"MThd": "MIDI, notes without sound",
    rb"\0BKALDI|\0B[FC]M ": "a Kaldi archive",
    rb"NIST_1A(.|\n)*shorten": "NIST SPHERE compressed by shorten; convert it with `sph2pipe -f wav`",
    rb"#!AMR-WB\+|#!SILK|\x02#!SILK": "SILK or AMR-WB+, as messengers write it; convert it with their tools",
}


def no_audio(path: Path) -> str:
    """Returns what a file is that holds no sound; "" where its first bytes do not tell."""
    with path.open("rb") as file:
        head = file.read(1024)
    for pattern, name in _NO_AUDIO.items():
        if re.match(pattern, head, re.IGNORECASE):
            return name
    text = head.decode("utf-8", errors="ignore")
    return "text" if len(text) > 0.9 * len(head) and " ".join(text.split()).isprintable() else ""


def missing_bytes(path: Path) -> int:
    """Returns how many bytes the header promises and the file lacks: decoders read what is there without a word.

    It knows WAV, AVI, AIFF, CAF, SPHERE, ASF (WMA), MP4, Matroska, Ogg, and MP3 with a Xing header; 0 for the others.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[8:] == b"AVI ":
            return max(0, 8 + int.from_bytes(head[4:8], "little") - size)
        if head[:4] in (b"RIFF", b"RIFX", b"FORM"):
            sound = find_chunk(file, head[:4])
            if sound is None or sound[1] >= UNKNOWN_LENGTH:
                return 0
            missing = sum(sound) - size
            return missing if missing > LENGTH_TOLERANCE else 0
        if head[:4] == b"caff":
            return _missing_in_caf(file, size)
        if head[:4] == _ASF:
            return _missing_in_asf(file, size)
        if head[:4] == b"NIST":
            return _missing_in_sphere(file, size)
        if head[4:8] == b"ftyp":
            return _missing_in_boxes(file, size)
        if head[:4] == _MATROSKA:
            return _missing_in_matroska(file, size)
        if head[:4] == b"OggS":
            return 0 if _last_ogg_page_is_whole(file, size) else 1
    missing = xing_missing(path) or 0
    return missing if missing > XING_TOLERANCE else 0


def find_chunk(file: BinaryIO, kind: bytes) -> tuple[int, int] | None:
    """Returns where the samples of a WAV or AIFF file start, and their length by the header."""
    order = "<" if kind == b"RIFF" else ">"
    file.seek(12)
    while len(header := file.read(8)) == 8:
        name, length = struct.unpack(f"{order}4sI", header)
        if name in (b"data", b"SSND"):
            return file.tell(), length
        file.seek(length + length % 2, 1)  # chunks start at even bytes
    return None


def behind_the_samples(path: Path) -> str:
    """Returns what follows the samples of a WAV file and is not read; "" for tags, and for nothing."""
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or not (sound := find_chunk(file, b"RIFF")) or not sound[1]:
            return ""
        start = sum(sound) + sound[1] % 2
        file.seek(start)
        name, length = file.read(4), int.from_bytes(file.read(4), "little")
    rest = path.stat().st_size - start
    if name == b"RIFF":
        return "another WAV file follows in the file, which is not read"
    is_chunk = re.fullmatch(rb"[ -~]{4}", name) and 8 + length <= rest + 1
    wrong = "its header tells fewer samples than there are, as those of a recorder that was killed may"
    return "" if rest <= XING_TOLERANCE or is_chunk else f"{wrong}; {rest} bytes are not read"


def wav_without_length(path: Path) -> bool:
    """Whether the header of a WAV file says that there are no samples, and there are: the recorder was killed."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or (sound := find_chunk(file, b"RIFF")) is None:
            return False
        start, length = sound
        file.seek(start)
        following = file.read(8)
    rest = size - start
    is_chunk = len(following) == 8 and abs(struct.unpack("<I", following[4:])[0] - (rest - 8)) <= 1
    return length == 0 and rest > 0 and not is_chunk


def is_joined(path: Path) -> bool:
    """Whether a second FLAC or Ogg recording follows the first in the file, as `cat` joins them."""
    with path.open("rb") as file:
        kind = file.read(4)
        if kind not in (b"fLaC", b"OggS"):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if kind == b"fLaC":
                return content.rfind(b"fLaC\0\0\0\x22") > 0  # the header of its first block, of 34 bytes
            second_page = re.search(rb"OggS\0[^\2]", content)  # the first that begins no stream
            return second_page is not None and content.rfind(b"OggS\0\2") > second_page.start()


def xing_missing(path: Path) -> int | None:
    """Returns how many bytes less an MP3 file has than its Xing header says; None without such a header.

    A negative number tells that more follows.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head, start = file.read(10), 0
        if head[:3] == b"ID3":
            start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        file.seek(start)
        found = re.match(rb"\xff[\xe0-\xff].{7,64}?(?:Xing|Info)(.{4})(.{8})", file.read(128), re.DOTALL)
    if not found or not found[1][3] & 2:  # the flag "bytes"
        return None
    promised = found[2][4:] if found[1][3] & 1 else found[2][:4]  # behind the number of frames, if that is there
    return int.from_bytes(promised, "big") - (size - start)


def _missing_in_caf(file: BinaryIO, size: int) -> int:
    file.seek(8)
    while len(header := file.read(12)) == 12:
        name, length = struct.unpack(">4sq", header)
        if length < 0:  # to the end of the file
            return 0
        if name == b"data":
            return max(0, file.tell() + length - size)
        file.seek(length, 1)
    return 0


def _missing_in_asf(file: BinaryIO, size: int) -> int:
    file.seek(0)
    _, found, behind = file.read(4096).partition(_ASF_FILE)
    return max(0, int.from_bytes(behind[24:32], "little") - size) if found else 0  # of a live stream it is 0


def _missing_in_sphere(file: BinaryIO, size: int) -> int:
    file.seek(8)
    start = file.read(8)
    header = file.read(int(start) - 16) if start.strip().isdigit() else b""
    names = (b"sample_count", b"sample_n_bytes", b"channel_count")
    found = [re.search(name + rb" -i (\d+)", header) for name in names]
    is_plain = b"shorten" not in header and b"wavpack" not in header
    if not is_plain or None in found:
        return 0
    samples, width, channels = (int(each[1]) for each in found if each)
    return max(0, int(start) + samples * width * channels - size)


def _missing_in_boxes(file: BinaryIO, size: int) -> int:
    place = 0
    while place < size:
        file.seek(place)
        header = file.read(16)
        if len(header) < 8:
            return 0
        length = struct.unpack(">I", header[:4])[0]
        if length == 1 and len(header) == 16:
            length = struct.unpack(">Q", header[8:])[0]
        if length < 8:  # 0: to the end of the file; less than a header is no box
            return 0
        place += length
    return place - size


def _missing_in_matroska(file: BinaryIO, size: int) -> int:
    file.seek(4)
    file.seek(_variable_length(file), 1)
    if file.read(4) != _SEGMENT:
        return 0
    length = _variable_length(file)
    return max(0, file.tell() + length - size)


def _variable_length(file: BinaryIO) -> int:
    """A length of EBML (RFC 8794): the leading zero bits tell how many bytes it has; 0 for an unknown one."""
    first = (file.read(1) or b"\0")[0]
    more = 8 - first.bit_length()
    if more > 7:
        return 0
    length = int.from_bytes(bytes([first & (0x7F >> more)]) + file.read(more), "big")
    return 0 if length == (1 << (7 * (more + 1))) - 1 else length


def _last_ogg_page_is_whole(file: BinaryIO, size: int) -> bool:
    """Whether the last page of an Ogg file (RFC 3533) is complete; a stream that was cut off may lack the end mark."""
    file.seek(max(0, size - _OGG_PAGE))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:  # 27 bytes, then a table of so many segment lengths
        return False
    return len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
