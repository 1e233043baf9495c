"""Splits of translated text: nothing that is held out is learned from, in either language."""

from difflib import SequenceMatcher

from data.parallel_text import Pair, clear_splits, near_copies

HELD_OUT = [
    Pair("Acts 2:20", "Acts", "The sun will be turned into darkness.", "El sol se volverá en tinieblas."),
    Pair("Acts 9:1", "Acts", "But Saul went on.", "Y Saulo, respirando aún amenazas."),
]
TRAIN = [
    Pair("Joel 2:31", "Joel", "The sun shall be turned into darkness!", "Otra cosa bien distinta es esta."),
    Pair("Mark 1:1", "Mark", "The beginning of the good news of a king.", "Y SAULO respirando aun amenazas"),
    Pair("Mark 1:2", "Mark", "Something else that is quite different.", "Algo que es del todo diferente."),
    Pair("Mark 1:3", "Mark", "Short.", "Una frase que es mucho más larga que la otra."),
]


def test_copies_are_found_in_either_language() -> None:
    assert near_copies(TRAIN, HELD_OUT) == {"Joel 2:31", "Mark 1:1"}
    for pair in TRAIN:
        alike = max(
            SequenceMatcher(None, *(getattr(each, side).casefold() for each in (pair, other))).ratio()
            for other in HELD_OUT
            for side in ("source", "target")
        )
        assert (alike >= 0.8) == (pair.key in ("Joel 2:31", "Mark 1:1"))


def test_training_is_cleared_and_test_is_left_whole() -> None:
    validation = [Pair("Ruth 1:1", "Ruth", "But Saul went onward.", "Nada."), Pair("Ruth 1:2", "Ruth", "Yes.", "Sí.")]
    uneven_test = Pair("Acts 1:1", "Acts", "No.", "Una frase que es mucho más larga que la otra.")
    splits, left_out = clear_splits({"train": TRAIN, "validation": validation, "test": [*HELD_OUT, uneven_test]})
    assert [pair.key for pair in splits["train"]] == ["Mark 1:2"]
    assert [pair.key for pair in splits["validation"]] == ["Ruth 1:2"]
    assert splits["test"] == [*HELD_OUT, uneven_test]
    assert left_out == {"also_held_out": ["Joel 2:31", "Mark 1:1", "Mark 1:3", "Ruth 1:1"], "uneven": []}


def test_uneven_pairs_are_no_translations() -> None:
    splits, left_out = clear_splits({"train": TRAIN, "validation": [], "test": HELD_OUT})
    assert left_out["uneven"] == ["Mark 1:3"]
    assert [pair.key for pair in splits["train"]] == ["Mark 1:2"]
