"""The user's text files: encodings told and refused, packed files, lines and documents."""

# ruff: noqa: RUF001

import bz2
import codecs
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.nlp.text_files import Document, TextDataError, read_documents, read_lines, read_text

WRITTEN = {
    "utf-8": "Přílíš žluťoučký kůň 😀 שלום",
    "utf-8-sig": "naïve",
    "utf-16": "naïve 😀",
    "utf-16-le": "plain letters",
    "utf-16-be": "plain letters",
    "utf-32": "naïve",
    "cp1252": "Ein schöner Film, größer als alle anderen – über alles gut. Voilà.",
    "cp1251": "Очень хороший фильм, всем советую посмотреть",
    "koi8_r": "Очень хороший фильм, мне понравилось",
    "cp932": "とても良い映画です。本当に面白かった。",
    "gb18030": "这部电影非常好看。我很喜欢。",
    "cp949": "정말 재미있는 영화였다",
}


LEGACY = {
    "Bardzo dobry film, polecam. Aktorzy grają świetnie, a zakończenie jest zaskakujące. Źle, że tak późno.": (
        *("cp1250", "iso8859_2", "cp852", "mac_latin2"),
    ),
    "Film byl výborný, určitě ho uvidím znovu. Příliš krátký, škoda.": ("cp1250", "iso8859_2", "cp852"),
    "Veľmi dobrý film, odporúčam všetkým. Herci hrajú skvele. Škoda, že je taký krátky.": ("cp1250", "iso8859_2"),
    "Nagyon jó film, mindenkinek ajánlom. A színészek kiválóan játszanak, őszintén.": ("cp1250", "iso8859_2", "cp852"),
    "Vrlo dobar film, preporučujem ga svima. Glumci su odlični. Šteta što je kratak.": ("cp1250", "iso8859_2", "cp852"),
    "Labai geras filmas, rekomenduoju visiems. Pabaiga netikėta. Žiūrėjau jį šešis kartus.": ("cp1257", "cp775"),
    "Ļoti laba filma, iesaku visiem. Beigas ir pārsteidzošas. Žēl, ka tā ir tik īsa.": ("cp1257", "iso8859_4"),
    "Ein schöner Film, größer als alle anderen. Die Schauspieler überzeugen völlig.": ("cp850", "cp437", "mac_roman"),
    "Un très beau film, plein d'émotion. L'été à la campagne, ça fait rêver, même le début.": ("cp850", "iso8859_15"),
    "Çok güzel bir film, herkese tavsiye ederim. Sonu şaşırtıcı, ağladım.": ("cp1254", "iso8859_9", "cp857"),
    "Очень хороший фильм, всем советую посмотреть. Актёры играют прекрасно.": (
        *("cp1251", "koi8_r", "iso8859_5", "cp866", "mac_cyrillic", "utf_16_le", "utf_16_be"),
    ),
    "Дуже гарний фільм, усім раджу подивитися. Її роль найкраща.": ("cp1251", "koi8_u"),
    "Πολύ καλή ταινία, τη συνιστώ σε όλους. Οι ηθοποιοί παίζουν υπέροχα.": ("cp1253", "cp737"),
    "سيناريو جيد جدا، أنصح به الجميع. الممثلون رائعون والنهاية مفاجئة.": ("cp1256", "iso8859_6"),
    "סרט טוב מאוד, מומלץ לכולם. השחקנים מצוינים.": ("cp1255", "cp862"),
    "หนังดีมาก แนะนำให้ทุกคนดู นักแสดงเล่นดีมาก": ("tis_620",),
    "とても良い映画です。本当に面白かった。": ("euc_jp", "iso2022_jp", "utf_16_le", "utf_16_be"),
    "這部電影非常好看。我很喜歡，推薦給大家。": ("big5",),
    "A “wonderful” film – don’t miss it.": ("cp1252", "mac_roman"),
}


@pytest.mark.parametrize(("text", "encodings"), LEGACY.items())
def test_legacy_encodings_are_told_apart(text: str, encodings: tuple[str, ...], tmp_path: Path) -> None:
    for encoding in encodings:
        (tmp_path / "text.txt").write_bytes(f"plain\n{text}\n".encode(encoding))
        assert read_lines(tmp_path / "text.txt") == ["plain", text], encoding


def test_an_encoding_that_is_not_clear_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("ОЧЕНЬ ПЛОХОЙ ФИЛЬМ, НЕ СМОТРИТЕ".encode("cp1251"))
    with pytest.raises(TextDataError, match=r"encoding of .* is not clear.*--data.encoding .*Received: what could be"):
        read_text(path)
    assert read_text(path, "cp1251") == "ОЧЕНЬ ПЛОХОЙ ФИЛЬМ, НЕ СМОТРИТЕ"


@pytest.mark.parametrize("encoding", WRITTEN)
def test_encodings_are_told_and_reported(encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(f"plain\n{WRITTEN[encoding]}\n".encode(encoding))
    assert read_text(path) == f"plain\n{WRITTEN[encoding]}\n"
    printed, warned = capsys.readouterr()
    assert not printed  # a command's own answers stand there
    if encoding.startswith("utf-8"):
        assert not warned
    else:
        told = warned.split("is read as ")[1].split(",")[0]
        assert codecs.lookup(told) == codecs.lookup(encoding) and str(path) in warned


def test_a_given_encoding_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("žluťoučký".encode("latin2"))
    assert read_text(path, "iso8859-2") == "žluťoučký"
    assert capsys.readouterr() == ("", "")
    for wrong in ("utf-9", "rot13", "base64"):
        with pytest.raises(TextDataError, match=rf"no such encoding.*Received: '{wrong}'"):
            read_text(path, wrong)


@pytest.mark.parametrize("given", ["", "utf-8"])
def test_a_damaged_line_is_named(given: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("žluťoučký\n".encode() * 5 + b"caf\xe9 noir\n" + "kůň\n".encode())
    with pytest.raises(TextDataError, match=r"text\.txt, line 6, is not UTF-8.*Received: .*caf\\xe9 noir"):
        read_text(path, given)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"one\ntwo\0\n")
    with pytest.raises(TextDataError, match=r"line 2, holds a zero byte"):
        read_text(path)
    with pytest.raises(TextDataError, match=r"does not exist.*Correct the path"):
        read_text(tmp_path / "missing.txt")
    with pytest.raises(TextDataError, match="is a folder"):
        read_text(tmp_path)


def test_gzip_is_unpacked_whatever_the_name(tmp_path: Path) -> None:
    for name in ("text.txt.gz", "text"):
        (tmp_path / name).write_bytes(gzip.compress("naïve\n".encode()))
        assert read_lines(tmp_path / name) == ["naïve"]
    (tmp_path / "text").write_bytes(gzip.compress(b"naive" * 1000)[:-9])
    with pytest.raises(TextDataError, match="cannot be unpacked; expected a whole gzip file"):
        read_lines(tmp_path / "text")


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
    text = "naïve\n".encode() * 100
    (tmp_path / f"text.txt.{suffix}").write_bytes(PACKED[suffix](text))
    assert read_text(tmp_path / f"text.txt.{suffix}") == text.decode()
    (tmp_path / "damaged").write_bytes(PACKED[suffix](text)[:-9])
    with pytest.raises(TextDataError, match="cannot be unpacked; expected a whole"):
        read_text(tmp_path / "damaged")


@pytest.mark.parametrize("pack", [_zip, _tar])
def test_an_archive_of_several_files_is_a_folder(pack: Callable[[dict[str, bytes]], bytes], tmp_path: Path) -> None:
    (tmp_path / "all").write_bytes(pack({"b/1.txt": b"one", "a.txt.gz": gzip.compress(b"two"), ".hidden": b"x"}))
    assert read_documents(tmp_path / "all") == [Document("a.txt.gz", "two"), Document("b/1.txt", "one")]
    with pytest.raises(TextDataError, match=r"is an archive of 2 files; expected one.*Received: .*b/1\.txt"):
        read_text(tmp_path / "all")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%PDF-1.7 ...", "is a PDF document"),
        (b"\xd0\xcf\x11\xe0....", "is a document of Microsoft Office"),
        (_zip({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), r"is an Excel workbook.*as \.csv"),
        (_zip({"word/document.xml": b"", "a": b""}), "is a Word document"),
        (b"SQLite format 3\0", "is an SQLite data base"),
    ],
)
def test_what_a_file_is_instead_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    for read in (read_text, read_documents):
        with pytest.raises(TextDataError, match=message):
            read(tmp_path / "file")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_keep_their_numbers(end: str, tmp_path: Path) -> None:
    lines = ["one", "", "two\u2028still two\x0c\x85", "  three "]
    (tmp_path / "text.txt").write_bytes(end.join(lines).encode())
    assert read_lines(tmp_path / "text.txt") == lines
    (tmp_path / "text.txt").write_bytes((end.join(lines) + end).encode())
    assert read_lines(tmp_path / "text.txt") == lines
    (tmp_path / "text.txt").write_bytes(b"")
    assert read_lines(tmp_path / "text.txt") == []


def test_documents_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b/2.txt", "b/1.md", "a.txt", ".git/c.txt", "b/.hidden.txt", "b/picture.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}\n")
    (tmp_path / "z.TXT.gz").write_bytes(gzip.compress(b"packed"))
    documents = read_documents(tmp_path)
    assert documents == [
        Document("a.txt", "this is a.txt\n"),
        Document("b/1.md", "this is b/1.md\n"),
        Document("b/2.txt", "this is b/2.txt\n"),
        Document("z.TXT.gz", "packed"),
    ]
    assert "Left out of" in (printed := capsys.readouterr().out) and "b/picture.png" in printed
    assert read_documents(tmp_path / "a.txt") == documents[:1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(TextDataError, match=r"holds no text files.*Received: an empty folder"):
        read_documents(tmp_path / "empty")
