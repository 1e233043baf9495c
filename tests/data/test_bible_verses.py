"""Aligned verses: the split is by whole books, and books that repeat each other are not divided."""

import pytest

import data
from data.bible_verses import TEST, VALIDATION, BibleVerses, align, split_by_book
from data.parallel_text import Pair
from data.sword_texts import Verse

# Books with long passages in common, a group a line.
PARALLELS = [
    {"Matthew", "Mark", "Luke", "John"},
    {"I Samuel", "II Samuel", "I Kings", "II Kings", "I Chronicles", "II Chronicles", "Ezra", "Nehemiah", "Psalms"},
    {"II Kings", "Isaiah", "Jeremiah", "Micah", "Obadiah"},
    {"Exodus", "Leviticus", "Numbers", "Deuteronomy", "Joshua", "Judges", "Genesis", "I Chronicles"},
    {"Ephesians", "Colossians"},
    {"II Peter", "Jude"},
    {"I Timothy", "II Timothy", "Titus"},
    {"I Thessalonians", "II Thessalonians"},
]


def split_of(book: str) -> str:
    return "test" if book in TEST else "validation" if book in VALIDATION else "train"


@pytest.mark.parametrize("books", PARALLELS)
def test_parallel_books_are_on_one_side(books: set[str]) -> None:
    assert {split_of(book) for book in books} == {"train"}


def test_splits_are_whole_books() -> None:
    assert not TEST & VALIDATION
    pairs = [Pair(f"{book} 1:{number}", book, "a", "b") for book in ("Acts", "Ruth", "Mark") for number in (1, 2)]
    splits = split_by_book(pairs)
    assert {name: {pair.group for pair in members} for name, members in splits.items()} == {
        "train": {"Mark"},
        "validation": {"Ruth"},
        "test": {"Acts"},
    }


def test_verses_of_one_text_alone_are_left_out() -> None:
    english = [
        Verse("Acts", 8, 36, "See, water."),
        Verse("Tobit", 1, 1, "The book"),
        Verse("Acts", 8, 38, "He commanded"),
    ]
    spanish = [Verse("Acts", 8, 36, "He aquí agua"), Verse("Acts", 8, 37, "Y Felipe"), Verse("Acts", 8, 38, "Y mandó")]
    assert [(pair.key, pair.source, pair.target) for pair in align(english, spanish)] == [
        ("Acts 8:36", "See, water.", "He aquí agua"),
        ("Acts 8:38", "He commanded", "Y mandó"),
    ]


@pytest.mark.slow
def test_the_data_set_is_what_it_says() -> None:
    builder = data.prepare(BibleVerses())
    sizes = {name: split.num_examples for name, split in builder.info.splits.items()}
    left_out = sum(len(builder.info.metadata[name]) for name in ("also_held_out", "uneven"))
    assert sum(sizes.values()) + left_out == 31_077
    assert sizes["test"] == 2_908
    for split in sizes:
        groups = {example["group"].decode() for example in builder.as_dataset(split=split).as_numpy_iterator()}
        assert {split_of(group) for group in groups} == {split}
    first = next(iter(builder.as_dataset(split="train", shuffle_files=False).as_numpy_iterator()))
    assert set(first) == {"en", "es", "key", "group"}
