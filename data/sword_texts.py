"""Verses of the texts that SWORD modules hold, without their markup; read with pysword."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pysword.modules import SwordModules

from data.packages import Package

ENGLISH = Package(
    "apt",
    "sword-text-web",
    version="426.0-1",
    sha256="930b23670b352f0829a306501de4bebb5e654a2df02cde2cbe86b802177868e1",
    alternative="give texts of your own",
)
SPANISH = Package(
    "apt",
    "sword-text-sparv",
    version="2.60-1",
    sha256="5c87f9b2bc97457e8a872f5bae7ea7ce59cb3de1dcee73e4d4740451863694cf",
    alternative="give texts of your own",
)
KING_JAMES = Package(
    "apt",
    "sword-text-kjv",
    version="14.3-1",
    sha256="9f463f28ce665f6f528fc723179722bced880a4c5485f7a41bf742838315de57",
    alternative="give texts of your own",
)

_NOTE = re.compile(r"<note\b.*?</note>", re.DOTALL)
_GLOSSARY = re.compile(r'<div [^>]*type="glossary".*', re.DOTALL)  # follows the last verse, as a part of it
_BREAK = re.compile(r"</?(?:div|l|lb|lg|chapter|title)\b[^>]*>")  # ends a line of print, and so a word
# Words that the translators added are marked, in some modules without the spaces around them.
_ADDED = re.compile(r"(?<=</w>)(?=<transChange\b)|(?<=</transChange>)(?=<w\b)")
_TAG = re.compile(r"<[^>]*>")


class Verse(NamedTuple):
    """One verse: its book in English, such as "I Samuel", chapter and number from 1, and what it says."""

    book: str
    chapter: int
    number: int
    text: str


def read_verses(folder: Path) -> Iterator[Verse]:
    """Yields the verses of a module in the order of its canon; those that it leaves empty are left out.

    The old testament comes first, then what the module has of the apocrypha, then the new testament.

    Args:
        folder: An unpacked package with one module: a folder `mods.d` with one `.conf` file lies somewhere in it.

    Raises:
        FileNotFoundError: There is no module, or more than one.
    """
    descriptions = sorted(folder.rglob("mods.d/*.conf"))
    if len(descriptions) != 1:
        raise FileNotFoundError(
            f"The folder {folder} should hold one SWORD module, described by mods.d/NAME.conf. Remove it and try "
            f"again. Received: {len(descriptions)} modules"
        )
    modules = SwordModules(str(descriptions[0].parent.parent))
    (name,) = modules.parse_modules()
    bible = modules.get_bible_from_module(name)
    # For every verse pysword decompresses the whole book; kept, a Bible takes a few seconds instead of a minute.
    bible._decompressed_text = lru_cache(maxsize=1)(bible._decompressed_text)
    for books in bible.get_structure().get_books().values():
        for book in books:
            places = [
                (chapter, number)
                for chapter, length in enumerate(book.chapter_lengths, start=1)
                for number in range(1, length + 1)
            ]
            marked_up = bible.get_iter(books=[book.name], clean=False)
            for (chapter, number), verse in zip(places, marked_up, strict=True):
                if text := without_markup(verse):
                    yield Verse(book.name, chapter, number, text)


def without_markup(verse: str) -> str:
    """Returns the words of a verse in OSIS markup, with one space between them; footnotes are left out.

    (pysword's own cleaning joins the words on both sides of a footnote.)

    >>> without_markup('<w lemma="strong:H0430">God</w><note placement="foot">Elohim</note><w>created</w> <w>us</w>. ')
    'God created us.'
    >>> without_markup('<w>Gracia</w><transChange type="added">sea</transChange><w>á vosotros</w>,')
    'Gracia sea á vosotros,'
    """
    text = _NOTE.sub("\0", _GLOSSARY.sub("", verse))
    text = _TAG.sub("", _BREAK.sub(" ", _ADDED.sub(" ", text)))
    text = re.sub(r"\s*\0\s*(?=[,.;:!?)’”])", "", text)
    return " ".join(text.replace("\0", " ").split())
