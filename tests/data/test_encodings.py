"""The encoding of a user's bytes: told, asked for, or refused."""

# ruff: noqa: RUF001

import codecs

import pytest

from data.encodings import UnclearEncodingError, decoded, find_encoding
from data.files import FileError

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
    "Дуже гарний фільм, усім раджу подивитися. Її роль найкраща.": ("cp1251", "koi8_u", "cp1125"),
    "Бұл фильм маған өте ұнады, актерлер тамаша ойнады, бірақ кітап жақсы.": ("kz1048",),
    "Πολύ καλή ταινία, τη συνιστώ σε όλους. Οι ηθοποιοί παίζουν υπέροχα.": ("cp1253", "cp737"),
    "سيناريو جيد جدا، أنصح به الجميع. الممثلون رائعون والنهاية مفاجئة.": ("cp1256", "iso8859_6"),
    "סרט טוב מאוד, מומלץ לכולם. השחקנים מצוינים.": ("cp1255", "cp862"),
    "หนังดีมาก แนะนำให้ทุกคนดู นักแสดงเล่นดีมาก": ("tis_620", "cp874"),
    "Phim râ\u0301t hay, tôi đa\u0303 xem hai lâ\u0300n. Diê\u0303n viên gio\u0309i, cu\u0323c.": ("cp1258",),
    "とても良い映画です。本当に面白かった。": (
        *("euc_jp", "iso2022_jp", "utf_16_le", "utf_16_be", "utf_32_le", "utf_32_be"),
    ),
    "這部電影非常好看。我很喜歡，推薦給大家。": ("big5",),
    "年月日,平均気温(℃),最高気温(℃),メモ": ("cp932",),
    "日期,温度,湿度": ("gb18030",),
    "time,Temp (°C),Niederschlag (mm/m²),PM10 (µg/m³),Preis (€)": ("cp1252",),
    "A “wonderful” film – don’t miss it.": ("cp1252", "mac_roman"),
}


@pytest.mark.parametrize(("text", "encodings"), LEGACY.items())
def test_legacy_encodings_are_told_apart(text: str, encodings: tuple[str, ...]) -> None:
    for encoding in encodings:
        assert decoded(f"plain\n{text}\n".encode(encoding), "text.txt") == f"plain\n{text}\n", encoding


def test_an_encoding_that_is_not_clear_is_asked_for() -> None:
    content = "ОЧЕНЬ ПЛОХОЙ ФИЛЬМ, НЕ СМОТРИТЕ".encode("cp1251")
    with pytest.raises(UnclearEncodingError, match=r"encoding of .* is not clear.*Received: what could be"):
        find_encoding(content, "text.txt")
    assert decoded(content, "text.txt", "cp1251") == "ОЧЕНЬ ПЛОХОЙ ФИЛЬМ, НЕ СМОТРИТЕ"


@pytest.mark.parametrize("encoding", WRITTEN)
def test_encodings_are_told_and_reported(encoding: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"plain\n{WRITTEN[encoding]}\n"
    assert decoded(text.encode(encoding), "text.txt") == text
    printed, warned = capsys.readouterr()
    assert not printed  # a command's own answers stand there
    if encoding.startswith("utf-8"):
        assert not warned
    else:
        told = warned.split("is read as ")[1].split(",")[0]
        assert codecs.lookup(told) == codecs.lookup(encoding) and "text.txt" in warned


def test_marks_of_joined_files_and_of_dos_are_no_text() -> None:
    content = b"one\n".join([codecs.BOM_UTF8] * 3) + b"two\n\x1a"
    assert decoded(content, "text.txt") == "one\none\ntwo\n"


def test_a_given_encoding_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    content = "žluťoučký".encode("latin2")
    assert decoded(content, "text.txt", "iso8859-2") == "žluťoučký"
    assert capsys.readouterr() == ("", "")
    for wrong in ("utf-9", "rot13", "base64"):
        with pytest.raises(FileError, match=rf"no such encoding.*Received: '{wrong}'"):
            decoded(content, "text.txt", wrong)


@pytest.mark.parametrize("given", ["", "utf-8"])
def test_a_damaged_line_is_named(given: str) -> None:
    content = "žluťoučký\n".encode() * 5 + b"caf\xe9 noir\n" + "kůň\n".encode()
    with pytest.raises(FileError, match=r"text\.txt, line 6, is not UTF-8.*Received: .*caf\\xe9 noir"):
        decoded(content, "text.txt", given)


def test_zero_bytes_are_no_text() -> None:
    with pytest.raises(FileError, match=r"line 2, holds a zero byte"):
        decoded(b"one\ntwo\0\n", "text.txt")
