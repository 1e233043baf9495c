"""The verses in another wording: the same translations in the same splits."""

import pytest

import data
from data.bible_verses import BibleVerses
from data.king_james_verses import KingJamesVerses, reworded
from data.parallel_text import Pair
from data.sword_texts import Verse


def test_another_wording_keeps_everything_else() -> None:
    pairs = [
        Pair("Ruth 1:1", "Ruth", "a", "b"),
        Pair("I John 2:3", "I John", "c", "d"),
        Pair("Ruth 1:3", "Ruth", "e", "f"),
    ]
    english = [Verse("I John", 2, 3, "C"), Verse("Ruth", 1, 1, "A"), Verse("Ruth", 1, 2, "not among the pairs")]
    assert reworded(pairs, english) == [Pair("Ruth 1:1", "Ruth", "A", "b"), Pair("I John 2:3", "I John", "C", "d")]


@pytest.mark.slow
def test_the_splits_are_those_of_the_first_wording() -> None:
    first, second = data.prepare(BibleVerses()), data.prepare(KingJamesVerses())
    for split in first.info.splits:
        of_first, of_second = (
            {
                example["key"]: example
                for example in builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator()
            }
            for builder in (first, second)
        )
        assert len(of_first) - 20 < len(of_second) <= len(of_first)
        assert all(example["es"] == of_first[key]["es"] for key, example in of_second.items())
        assert sum(example["en"] != of_first[key]["en"] for key, example in of_second.items()) > 0.9 * len(of_second)
