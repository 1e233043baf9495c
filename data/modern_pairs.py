"""Modern English and its translations: help pages of GNOME, and the dialogue of the game Fish Fillets."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from data.dialogue_scripts import DIALOGUE_PACKAGE, dialogue_entries
from data.packages import Package, fetch
from data.parallel_text import Pair, ParallelText, clear_splits
from data.splits import assign_split

HELP_PACKAGE = Package(
    "apt",
    "gnome-user-docs",
    version="43.0-2",
    sha256="0d635a840747958ca84da778b40d341f1155603851f922c9a171f5a181d6a39f",
    alternative="give pairs of your own: the preset `own-translation`",
)
LANGUAGES = ("es", "cs", "de", "fr", "it", "nl", "pl", "ru", "sl", "sv")  # both sources have them
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}  # of pages and of levels of the game
SPLIT_SALT = "modern_pairs"
BLOCKS = frozenset(("title", "desc", "p"))  # of a help page: what holds a sentence or a few

_DESCRIPTION = """\
Paragraphs and titles of the help pages of GNOME, aligned by the structure of the pages, and the lines of the game Fish
Fillets - Next Generation, aligned by their names; English first. What is not translated is left out. The split is by
pages and by levels of the game; training pairs that are nearly the same as a held-out one are left out.
"""
_CITATION = """\
@misc{gnome-user-docs,
  author = {{GNOME Documentation Project}},
  title = {GNOME Help},
  howpublished = {Debian package gnome-user-docs},
}
@misc{fillets-ng-data,
  author = {{ALTAR interactive} and Dvorak, Ivo and others},
  title = {Fish Fillets - Next Generation, data files},
  howpublished = {Debian package fillets-ng-data},
}
"""


class ModernPairs(ParallelText):
    """TFDS builder of modern pairs, a configuration for each language that English is translated to, such as `es`.

    A `group` is a page, or a level of the game.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "GNOME Help 43.0; Fish Fillets - Next Generation, data 1.0.1."}
    BUILDER_CONFIGS: ClassVar = [
        tfds.core.BuilderConfig(name=language, description=f"English and {language}.") for language in LANGUAGES
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return self.text_info(
            ("en", self.builder_config.name),
            description=_DESCRIPTION,
            homepage="https://help.gnome.org",
            citation=_CITATION,
            license="CC-BY-SA-3.0 (help pages), GPL-2 (dialogue)",
        )

    def _splits(self) -> dict[str, Any]:
        language = self.builder_config.name
        pairs = [*help_pairs(fetch(HELP_PACKAGE), language), *dialogue_pairs(fetch(DIALOGUE_PACKAGE), language)]
        splits: dict[str, list[Pair]] = {split: [] for split in SHARES}
        for pair in pairs:
            splits[assign_split(pair.group, SHARES, SPLIT_SALT)].append(pair)
        splits, left_out = clear_splits(splits)
        self.info.metadata.update(left_out)
        return {name: self._generate_examples(members) for name, members in splits.items()}


def help_pairs(folder: Path, language: str) -> Iterator[Pair]:
    """Yields the paragraphs and titles of the pages whose translation has the structure of the original.

    Args:
        folder: The unpacked package, with `usr/share/help/LANGUAGE/BOOK/PAGE.page`; C is English.
        language: Code of the translation.
    """
    pages = folder / "usr/share/help"
    for original in sorted(pages.glob("C/*/*.page")):
        translated = pages / language / original.relative_to(pages / "C")
        if not translated.exists():
            continue
        english, other = blocks(original), blocks(translated)
        if [name for name, _ in english] != [name for name, _ in other]:
            continue
        group = f"{original.parent.name}/{original.stem}"
        for number, ((_, source), (_, target)) in enumerate(zip(english, other, strict=True), start=1):
            if source and target and source != target:
                yield Pair(f"{group} {number}", group, source, target)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Returns the titles, descriptions and paragraphs of a help page in their order, with their words alone."""
    found = []
    for element in ElementTree.parse(page).iter():
        name = element.tag.rpartition("}")[2]
        if name in BLOCKS:
            found.append((name, " ".join("".join(element.itertext()).split())))
    return found


def dialogue_pairs(folder: Path, language: str) -> Iterator[Pair]:
    """Yields the translated lines of the game.

    Args:
        folder: The unpacked package, with `script/LEVEL/dialogs_LANGUAGE.lua`.
        language: Code of the translation.
    """
    for script in sorted(folder.glob(f"usr/share/games/fillets-ng/script/*/*dialogs_{language}.lua")):
        level = f"dialogue/{script.parent.name}"
        seen = set()
        for entry in dialogue_entries(script.read_text(encoding="utf-8")):
            source, target = (" ".join((text or "").split()) for text in (entry.english, entry.translation))
            key = f"{level}/{script.name.partition('dialogs')[0]}{entry.name}"
            if source and target and source != target and "%1" not in source and key not in seen:
                seen.add(key)
                yield Pair(key, level, source, target)
