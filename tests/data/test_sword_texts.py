"""The reader of SWORD modules: every verse at its place, its words and nothing else."""

import struct
import zlib
from pathlib import Path

import pytest
from pysword.canons import canons

from data.packages import fetch
from data.sword_texts import ENGLISH, SPANISH, Verse, read_verses, without_markup

CONFIGURATION = """\
[Tiny]
DataPath=./modules/tiny/
ModDrv=zText
SourceType=OSIS
Encoding=UTF-8
BlockType=BOOK
"""


def write_module(folder: Path, verses: dict[tuple[str, int, int], str]) -> None:
    """Writes a compressed module of the King James canon: a table of places, a table of blocks, and the blocks."""
    (folder / "mods.d").mkdir(parents=True)
    (folder / "mods.d/tiny.conf").write_text(CONFIGURATION)
    data = folder / "modules/tiny"
    data.mkdir(parents=True)
    for testament in ("ot", "nt"):
        text, places = b"", [(0, 0), (0, 0)]  # headings of the module and of the testament
        for name, _, _, chapters in canons["kjv"][testament]:
            places.append((0, 0))  # heading of the book
            for chapter, length in enumerate(chapters, start=1):
                places.append((0, 0))  # heading of the chapter
                for number in range(1, length + 1):
                    verse = verses.get((name, chapter, number), "").encode()
                    places.append((len(text), len(verse)))
                    text += verse
        block = zlib.compress(text)
        (data / f"{testament}.bzv").write_bytes(b"".join(struct.pack("<IIH", 0, *place) for place in places))
        (data / f"{testament}.bzs").write_bytes(struct.pack("<III", 0, len(block), len(text)))
        (data / f"{testament}.bzz").write_bytes(block)


def test_every_verse_at_its_place_in_canonical_order(tmp_path):
    write_module(
        tmp_path / "usr/share/sword",
        {
            ("Revelation of John", 22, 21): 'Amen.<div sID="gen1" type="glossary"/> Abba means father.',
            ("Matthew", 1, 1): "The book of “Jesus”",
            ("Genesis", 1, 1): "<w>In</w> the beginning",
            ("Genesis", 2, 3): "<w>He</w> rested",
            ("Malachi", 4, 6): "<note>nothing else</note>",
        },
    )
    assert list(read_verses(tmp_path)) == [
        Verse("Genesis", 1, 1, "In the beginning"),
        Verse("Genesis", 2, 3, "He rested"),
        Verse("Matthew", 1, 1, "The book of “Jesus”"),
        Verse("Revelation of John", 22, 21, "Amen."),
    ]


@pytest.mark.parametrize(
    "verse, text",
    [
        ("<w>God</w><note>or, Elohim</note><w>made</w>", "God made"),
        ("he <note>or, she</note>, it", "he, it"),
        ("‘a while’<note>John 1:1</note>? We", "‘a while’? We"),
        ("increased!<l eID='1'/> <l level='2' sID='2'/>Many", "increased! Many"),
        ("soul,<l/>“There", "soul, “There"),
        ('<title canonical="true">A Psalm.</title><q>Yahweh</q>', "A Psalm. Yahweh"),
        ("<note>a\nb</note>", ""),
    ],
)
def test_markup_goes_and_words_stay_apart(verse, text):
    assert without_markup(verse) == text


def test_folder_without_a_module_is_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"should hold one SWORD module.*Received: 0 modules"):
        list(read_verses(tmp_path))


@pytest.mark.slow
def test_real_modules_have_the_same_verses():
    english, spanish = (
        {verse[:3]: verse.text for verse in read_verses(fetch(package))} for package in (ENGLISH, SPANISH)
    )
    assert english["Genesis", 1, 1] == "In the beginning, God created the heavens and the earth."
    assert spanish["Genesis", 1, 1] == "EN el principio crió Dios los cielos y la tierra."
    assert len(english.keys() & spanish.keys()) > 31_000
    for text in (*english.values(), *spanish.values()):
        assert "<" not in text and ">" not in text and "  " not in text
