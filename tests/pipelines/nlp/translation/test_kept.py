"""What a translation takes over as it is, and long texts by their sentences."""

import numpy as np
import pytest

from pipelines.nlp.texts import count_words
from pipelines.nlp.translation.kept import missing, plain, restored, to_keep
from pipelines.nlp.translation.predictor import divided

FOUND = {
    'Click <a href="x">here</a>&nbsp;now': ['<a href="x">', "</a>", "&nbsp;"],
    "Dear {name}, ${user} and {{ title }} {0}": ["{name}", "${user}", "{{ title }}", "{0}"],
    "%s files, %(count)d of %1$s, 100 %%": ["%s", "%(count)d", "%1$s", "100", "%%"],
    "See https://a.org/x?y=1, or mail me@b.com.": ["https://a.org/x?y=1", "me@b.com"],
    "Edit /etc/fstab and ~/.bashrc with --force or -v": ["/etc/fstab", "~/.bashrc", "--force", "-v"],
    "On 2024-01-31 at 12:30 it was 3.14, 42 or 7": ["2024-01-31", "12:30", "3.14", "42"],
    "%05.2f of %ld, %-5s, %1 and %n; %{name}, #{x}, {{{y}}}": [
        "%05.2f",
        "%ld",
        "%-5s",
        "%1",
        "%n",
        "%{name}",
        "#{x}",
        "{{{y}}}",
    ],
    "1 000 000 at 2024-01-31T12:30:00Z from 1,234.56": ["1 000 000", "2024-01-31T12:30:00Z", "1,234.56"],
    "联系me@b.com,有42个,看https://a.org/x。谢谢": ["me@b.com", "42", "https://a.org/x"],
    "A well-known fact and/or 5 % of it - yes": [],
}


@pytest.mark.parametrize("text", FOUND)
def test_what_is_kept(text: str) -> None:
    assert [each.text for each in to_keep(text)] == FOUND[text]
    assert not to_keep(text, placeholders=False)
    assert all(text[start:end] == kept for start, end, kept in to_keep(text))


def test_terms_are_whole_words_and_do_not_overlap() -> None:
    found = to_keep("Open Office opens Open {Open}", ["Open", "Open Office"])
    assert [each.text for each in found] == ["Open Office", "Open", "{Open}"]
    found = to_keep("東京タワーでiPhoneを買う、C++も", ["東京タワー", "iPhone", "C++", "買", ""])
    assert [each.text for each in found] == ["東京タワー", "iPhone", "買", "C++"]
    assert not missing(to_keep("Ask Alice", ["Alice"]), "问Alice吧")
    assert [each.text for each in to_keep("Ask O’Neil", ["O'Neil"])] == ["O’Neil"]
    assert plain("Ada\u00a0 Lovelace\nin a cafe\u0301") == "Ada Lovelace in a café"


def test_what_is_lost_is_put_where_the_attention_looked() -> None:
    source, translation = "Press {key} 42 times.", "Pulse la tecla 4 veces."
    pieces = (
        ["Press", " {", "key", "}", " 42", " times", ".", ""],
        ["Pul", "se", " la", " tecla", " 4", " veces", ".", ""],
    )
    weights = np.full((8, 8), 0.02)
    weights[3, 1:4], weights[4, 4], weights[0, 0], weights[5, 5] = 0.3, 0.9, 0.9, 0.9
    lacking = missing(to_keep(source), translation)
    assert [each.text for each in lacking] == ["{key}", "42"]
    assert restored(source, translation, lacking, weights, pieces) == "Pulse la {key} 42 veces."
    added = restored(source, translation, lacking, np.zeros((8, 8)), pieces).split()  # where it would stand
    assert [word for word in added if word not in ("{key}", "42")] == translation.split()
    assert 0 < added.index("{key}") < added.index("42") < len(added) - 1


@pytest.mark.parametrize("look", [1.0, 0.0])
def test_what_is_there_stays(look: float) -> None:
    """Neither the characters of a script without spaces, nor kept terms, nor the spaces between words are lost."""
    pieces = (["Press", " {", "key", "}", ", Al", "ice"], [*"按下键。", "Alice", ""])
    lost = missing(kept := to_keep("Press {key}, Alice", ["Alice"]), "按下键。Alice")
    assert [each.text for each in lost] == ["{key}"]
    found = restored("Press {key}, Alice", "按下键。Alice", kept, np.full((6, 6), look), pieces)
    assert found.replace("{key}", "").replace(" ", "") == "按下键。Alice"
    found = restored(
        "a\n{x}", "uno\ndos  tres", to_keep("{x}"), np.zeros((3, 2)), (["a", "\n{x}"], ["uno", "\ndos", ""])
    )
    assert restored("{x}", "", to_keep("{x}"), np.ones((1, 2)), (["{x}", ""], [""])) == "{x}"
    assert found.replace("{x} ", "").replace(" {x}", "") == "uno\ndos  tres"


def test_nothing_is_changed_where_all_is_there() -> None:
    assert not missing(to_keep("{a} and {a}: 1,234.5 at 42"), "{a}: 1.234,5 {a} 42")
    assert [each.text for each in missing(to_keep("{a} and {a}"), "{a}")] == ["{a}"]
    assert [each.text for each in missing(to_keep("42"), "142 or 421")] == ["42"]
    for number in ("1234567", "1 234 567", "1.234.567", "١٬٢٣٤٬٥٦٧"):  # noqa: RUF001
        assert not missing(to_keep("1,234,567 of 3.14"), f"{number}: 3,14")
        assert not missing(to_keep(number), "1,234,567")
    assert [each.text for each in missing(to_keep("3.14"), "314")] == ["3.14"]
    assert not missing(to_keep("%10 indirim"), "10 % off") and missing(to_keep("%1 files"), "%10 ficheros")


@pytest.mark.parametrize("maximum", [3, 7, 20])
def test_a_long_text_is_divided_and_nothing_is_lost(maximum: int) -> None:
    sentences = [
        "One two.",
        "Three four five six, seven eight nine ten eleven!",
        "It is 3.5 so.\n\nNew one?",
        "x " * 50,
    ]
    for text in (" ".join(sentences), "\n".join(sentences), "x " * 700, "一只猫。" * 40, "a" + "-" * 9000, ""):
        parts = divided(text, maximum)
        assert "".join(sentence + between for sentence, between in parts) == text
        assert all(count_words(sentence) <= max(maximum, 3) for sentence, _ in parts)
        assert all(len(sentence) <= max(800, 40 * maximum) for sentence, _ in parts)
    assert divided("One. Two. Three.", 3) == [("One. Two. Three.", "")]
