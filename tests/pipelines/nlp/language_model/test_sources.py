"""Documents: the user's own in all forms, public ones by their name, whole splits, and what is wrong is said."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from pipelines.configuration import ConfigurationError
from pipelines.nlp.language_model import data, sources
from pipelines.nlp.language_model.sources import DataConfiguration, open_corpus, read_own, split_own
from pipelines.nlp.subwords import SubwordConfiguration
from pipelines.nlp.text_files import Document, TextDataError

SCRIPTS = "שלום עולם 🙂👩‍👩‍👧\nسلم\n日本語のテキスト\n"


def own(path: Path, **changes: object) -> DataConfiguration:
    return DataConfiguration(source="own", path=str(path)).replace(**changes)


def test_file_folder_table_and_json_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/one.txt").write_text(SCRIPTS, encoding="utf-8")
    (tmp_path / "folder/two.txt.gz").write_bytes(gzip.compress("zwei\n".encode("utf-16")))
    (tmp_path / "table.csv").write_text(f'name,text\na,"{SCRIPTS}"\nb,  \n', encoding="utf-8")
    (tmp_path / "lines.jsonl").write_text(json.dumps({"story": SCRIPTS}) + "\n", encoding="utf-8")
    found = {
        "folder": read_own(own(tmp_path / "folder")),
        "file": read_own(own(tmp_path / "folder/one.txt")),
        "table": read_own(own(tmp_path / "table.csv")),
        "lines": read_own(own(tmp_path / "lines.jsonl", column="story")),
    }
    assert [document.text for document in found["folder"]] == [SCRIPTS, "zwei\n"]
    for kind in ("file", "table", "lines"):
        assert [document.text for document in found[kind]] == [SCRIPTS]


def test_any_script_comes_back_from_its_subwords(tmp_path: Path) -> None:
    path = tmp_path / "scripts.txt"
    path.write_text(SCRIPTS * 40, encoding="utf-8")
    sets = data.load(own(path, batch_size=2, window=4), SubwordConfiguration(size=300))
    parts = [document for split in sets.corpus for document in split]
    assert "".join(document.text for document in parts) == SCRIPTS * 40
    numbers = data.encode(sets.subwords, parts)
    assert [sets.subwords.decode(each[np.newaxis]).numpy()[0].decode() for each in numbers] == [
        document.text for document in parts
    ]


@pytest.mark.parametrize("line", ["some words of a line\n", "words ", "x"])
def test_few_documents_are_divided_at_the_ends_of_lines_or_words(line: str) -> None:
    document = Document("a.txt", line * 500)
    corpus = split_own([document], DataConfiguration(source="own"))
    assert "".join(part.text for split in corpus for part in split) == document.text
    sizes = [len(split[0].text) / len(document.text) for split in corpus]
    assert sizes == pytest.approx([0.85, 0.05, 0.1], abs=0.01)
    assert all(split[0].text.endswith(line[-1]) for split in corpus)


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        ({"train": ["ptb.train.txt"], "validation": ["ptb.valid.txt"], "test": ["ptb.test.txt"]}, {"test"}),
        ({"train": ["wiki.train.tokens"], "test": ["wiki.test.tokens"]}, {"test"}),
        ({"train": ["train/a.txt", "train/b.txt"], "validation": ["dev/c.txt"]}, {"validation"}),
        ({"train": ["train.txt", "notes.txt"], "test": ["test.txt"]}, set()),
    ],
)
def test_names_of_files_state_their_splits(names: dict[str, list[str]], splits: set[str], tmp_path: Path) -> None:
    for split, files in names.items():
        for name in files:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(f"{split} of {name}\n" * 100)
    corpus = open_corpus(own(tmp_path))
    texts = {split: "".join(corpus.texts(split)) for split in corpus._fields}
    assert all(texts.values()) and sum(map(len, texts.values())) == sum(
        len((tmp_path / name).read_text()) for files in names.values() for name in files
    )
    for split in corpus._fields:
        assert (split not in splits) or set(texts[split].split("\n")) == {
            "",
            *(f"{split} of {n}" for n in names[split]),
        }
        assert not splits or f"{split} of" not in "".join(texts[each] for each in splits - {split})


def test_many_documents_are_split_whole_and_equal_ones_stay_together() -> None:
    documents = [Document(str(number), f"text {number % 400}") for number in range(2000)]
    corpus = split_own(documents, DataConfiguration(source="own"))
    assert sum(map(len, corpus)) == 2000
    texts = [{document.text for document in split} for split in corpus]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]
    assert [len(each) / 400 for each in texts] == pytest.approx([0.85, 0.05, 0.1], abs=0.05)
    assert split_own(documents[::-1], DataConfiguration(source="own")).test == list(corpus.test)[::-1]


@pytest.mark.parametrize(
    "name, splits", [("tiny_shakespeare", ("train", "validation", "test")), ("imdb_reviews", ("train", "test"))]
)
def test_public_data_sets_are_read_by_their_names(
    name: str, splits: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where validation is missing, it is taken from training by a hash of the text."""
    monkeypatch.setattr(sources.data, "prepare", lambda builder: with_splits(builder, splits))
    with tfds.testing.mock_data(num_examples=40, policy=tfds.testing.MockPolicy.USE_CODE):
        corpus = open_corpus(DataConfiguration(source="tfds", name=name))
    assert all(document.text for split in corpus for document in split)
    assert len(corpus.test) == 40 and len(corpus.train) > 20 and len(corpus.validation) > 0
    assert len(corpus.train) + len(corpus.validation) == 40 * (len(splits) - 1)


def with_splits(builder: tfds.core.DatasetBuilder, names: tuple[str, ...]) -> tfds.core.DatasetBuilder:
    """A builder that knows its splits, as one does that is prepared."""
    splits = [tfds.core.SplitInfo(name=name, shard_lengths=[40], num_bytes=0) for name in names]
    builder.info.set_splits(tfds.core.splits.SplitDict(splits))
    return builder


def test_an_unknown_public_data_set_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"data.name: .* no such data set.*Received: 'no_such_set'"):
        open_corpus(DataConfiguration(source="tfds", name="no_such_set"))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"source": "own"}, r"Name a file or a folder: --data.path my.txt. Received: --data.path ''"),
        ({"source": "tfds"}, r"needs its name: --data.name tiny_shakespeare. Received"),
        ({"source": "tfds", "name": "tiny_shakespeare", "column": "words"}, "Expected one of: text.*Received: 'words'"),
    ],
)
def test_missing_names_are_asked_for(changes, message, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources.data, "prepare", lambda builder: builder)
    with tfds.testing.mock_data(num_examples=2), pytest.raises(ConfigurationError, match=message):
        open_corpus(DataConfiguration(**changes))


@pytest.mark.parametrize("content", ["", " \n\n", "\ufeff"])
def test_empty_text_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TextDataError, match=r"empty.txt holds no text.*Received: 1 empty texts"):
        open_corpus(own(path))


def test_wrong_encoding_names_the_file_and_the_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("one\ntwo é\n".encode("latin-1"))
    with pytest.raises(TextDataError, match=r"latin.txt, line 2, is not UTF-8.*Received: "):
        open_corpus(own(path, encoding="utf-8"))


def test_too_little_text_for_a_batch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("a few words\n" * 20, encoding="utf-8")
    with pytest.raises(TextDataError, match=r"too little text for one batch: 64 windows of 64.*Received: \d+ subwords"):
        data.load(own(path), SubwordConfiguration(size=300))


def test_split_without_text_is_refused() -> None:
    one = [Document(str(number), "always the same") for number in range(50)]
    corpus = split_own(one, DataConfiguration(source="own"))
    assert sorted(map(len, corpus)) == [0, 0, 50]


def test_a_split_that_is_empty_is_named(tmp_path: Path) -> None:
    path = tmp_path / "same.jsonl"
    path.write_text((json.dumps({"text": "always the same"}) + "\n") * 50, encoding="utf-8")
    with pytest.raises(TextDataError, match=r"split has no text.*Received: \d+, \d+, \d+ documents"):
        data.load(own(path, batch_size=1, window=2), SubwordConfiguration(size=300))


def test_rows_without_a_text_are_left_out_of_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": null}\n{"text": "two"}\n')
    found = read_own(DataConfiguration(source="own", path=str(path)))
    assert [each.text for each in found] == ["one", "two"]
    assert f"Left out of {path}: 1 text" in capsys.readouterr().out
