"""Help pages and dialogue: paragraphs that stand at the same place, whole pages on one side of a split."""

from pathlib import Path

import pytest

import data
from data.modern_pairs import LANGUAGES, ModernPairs, blocks, dialogue_pairs, help_pairs
from data.parallel_text import Pair

PAGE = """\
<page xmlns="http://projectmallard.org/1.0/" id="clock">
  <info><credit><name>{name}</name></credit><desc>{desc}</desc></info>
  <title>{title}</title>
  <steps><item><p>{first} <gui>GNOME</gui>
    .</p></item></steps>
  <p>{second}</p>
</page>
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_pages_are_aligned_by_their_structure(tmp_path: Path) -> None:
    folder = tmp_path / "usr/share/help"
    english = {"name": "A", "desc": "Set it.", "title": "Clock", "first": "Open", "second": "Not translated."}
    spanish = english | {"name": "B", "desc": "Póngalo.", "title": "Reloj", "first": "Abra"}
    write(folder / "C/gnome-help/clock.page", PAGE.format(**english))
    write(folder / "es/gnome-help/clock.page", PAGE.format(**spanish))
    write(folder / "C/gnome-help/other.page", PAGE.format(**english))
    write(folder / "es/gnome-help/other.page", PAGE.format(**spanish).replace("<p>Not", "<p>More</p><p>Not"))
    write(folder / "C/gnome-help/lonely.page", PAGE.format(**english))
    assert list(help_pairs(tmp_path, "es")) == [
        Pair("gnome-help/clock 1", "gnome-help/clock", "Set it.", "Póngalo."),
        Pair("gnome-help/clock 2", "gnome-help/clock", "Clock", "Reloj"),
        Pair("gnome-help/clock 3", "gnome-help/clock", "Open GNOME .", "Abra GNOME ."),
    ]
    assert [name for name, _ in blocks(folder / "C/gnome-help/clock.page")] == ["desc", "title", "p", "p"]


def test_dialogue_is_aligned_by_its_names(tmp_path: Path) -> None:
    script = """
dialogId("let-m-divna", "font_small", "What kind of  ship is that?")
dialogStr("¿Qué clase de nave es esa?")
dialogId("let-v-same", "font_big", "Hm...")
dialogStr("Hm...")
dialogId("let-v-none", "font_big", "Nothing.")
dialogId("let-v-number", "font_big", "It takes %1 moves.")
dialogStr("Lleva %1 movimientos.")
"""
    write(tmp_path / "usr/share/games/fillets-ng/script/airplane/dialogs_es.lua", script)
    write(tmp_path / "usr/share/games/fillets-ng/script/airplane/dialogs_de.lua", script)
    assert list(dialogue_pairs(tmp_path, "es")) == [
        Pair(
            "dialogue/airplane/let-m-divna",
            "dialogue/airplane",
            "What kind of ship is that?",
            "¿Qué clase de nave es esa?",
        )
    ]


@pytest.mark.slow
@pytest.mark.parametrize("language", ["es", "sl"])
def test_the_data_set_is_whole(language: str) -> None:
    builder = data.prepare(ModernPairs(config=language))
    groups = {
        split: {example["group"].decode() for example in builder.as_dataset(split=split).as_numpy_iterator()}
        for split in builder.info.splits
    }
    assert set(groups) == {"train", "validation", "test"}
    assert not groups["train"] & groups["test"] and not groups["train"] & groups["validation"]
    assert not groups["validation"] & groups["test"]
    assert builder.info.metadata["languages"] == ["en", language]


def test_each_language_has_a_configuration() -> None:
    assert tuple(ModernPairs.builder_configs) == LANGUAGES
