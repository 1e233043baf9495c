"""The Bible as documents: a line a verse, whole books in each split, in canonical order."""

from pathlib import Path

import pytest

import data
from data import bible_text
from data.bible_text import BibleText
from data.documents import Document, split_at_end
from data.sword_texts import Verse


def read(builder, split):
    examples = sorted(builder.as_dataset(split=split).as_numpy_iterator(), key=lambda example: example["number"])
    return [Document(each["title"].decode(), each["text"].decode()) for each in examples]


def test_prepared_books_are_whole_and_ordered(monkeypatch, tmp_path):
    titles = [f"Book {number:02}" for number in range(30)]
    verses = [
        Verse(title, chapter, number, f"“Verse” {title} {chapter}:{number}.")
        for title in titles
        for chapter in (1, 2)
        for number in (1, 2)
    ]
    monkeypatch.setattr(bible_text, "fetch", lambda package: tmp_path)
    monkeypatch.setattr(bible_text, "read_verses", lambda folder: iter(verses))
    builder = data.prepare(BibleText(data_dir=tmp_path))
    splits = {split: read(builder, split) for split in ("train", "validation", "test")}
    assert [book.title for split in splits.values() for book in split] == titles
    assert [len(split) for split in splits.values()] == [26, 1, 3]
    places = ("1:1.\n", "1:2.\n\n", "2:1.\n", "2:2.\n")
    assert splits["test"][0].text == "".join(f"“Verse” Book 27 {place}" for place in places)
    assert builder.info.redistribution_info.license == "public domain"


@pytest.mark.parametrize("last", ["z", "z" * 1000])
def test_what_is_tested_does_not_change_which_documents_come_first(last):
    documents = [Document(str(number), "word " * 20) for number in range(20)] + [Document("last", last)]
    splits = split_at_end(documents, 0.05, 0.1)
    assert [each for split in ("train", "validation", "test") for each in splits[split]] == documents
    assert splits["test"][-1].title == "last"


@pytest.mark.slow
def test_real_bible():
    builder = data.prepare(BibleText())
    splits = {split: read(builder, split) for split in ("train", "validation", "test")}
    assert {name: len(split) for name, split in splits.items()} == {"train": 56, "validation": 1, "test": 23}
    assert [splits[name][0].title for name in splits] == ["Genesis", "John", "Acts"]
    sizes = {name: sum(len(book.text) for book in split) for name, split in splits.items()}
    assert 0.1 <= sizes["test"] / sum(sizes.values()) < 0.11
    assert Path(builder.data_path).exists()
