"""Labelled texts: where they come from, what is refused or left out, and that splits do not leak."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from pipelines.command_line import parse_command_line
from pipelines.configuration import ConfigurationError
from pipelines.nlp.sentiment import data, sources, train
from pipelines.nlp.sentiment.config import PRESETS, SentimentConfiguration
from pipelines.nlp.sentiment.labels import label_names
from pipelines.nlp.sentiment.pretraining import texts_of
from pipelines.nlp.sentiment.sources import DataConfiguration, open_source
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.sentiment.words import Words
from pipelines.nlp.text_files import TextDataError

Experiment = Callable[..., SentimentConfiguration]
WriteTable = Callable[..., Path]


def own(path: Path, **changes: object) -> DataConfiguration:
    return PRESETS["own-sentiment"].data.replace(path=str(path), text="review", label="stars", **changes)


def test_each_format_gives_the_same_splits(
    tmp_path: Path, make_opinions: Callable[..., list], write_table: WriteTable
) -> None:
    rows = [*make_opinions(80), ("naïve 😀 שלום", "great", 2.0)]
    table = write_table(tmp_path / "a.csv", rows)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(table.read_bytes()))
    heads = ("review", "stars", "score")
    with (tmp_path / "a.jsonl").open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(dict(zip(heads, row, strict=True))) + "\n" for row in rows)
    content = "\n".join("\t".join(map(str, row)) for row in [heads, *rows])
    (tmp_path / "a.tsv").write_text(content, encoding="utf-16")
    read = [open_source(own(tmp_path / f"a.{kind}", rating="score"), []) for kind in ("csv", "csv.gz", "jsonl", "tsv")]
    for splits in read:
        assert [len(splits[split]) for split in sources.SPLITS] == [len(read[0][split]) for split in sources.SPLITS]
        for split in sources.SPLITS:
            assert [each[1:] for each in splits[split]] == [each[1:] for each in read[0][split]]
    everything = {each.text: each for split in sources.SPLITS for each in read[0][split]}
    assert len(everything) == 81 and everything["naïve 😀 שלום"].rating == 2.0
    assert everything[rows[0][0]].where == f"{table}, line 2"


def test_a_folder_has_its_labels_as_folders(tmp_path: Path, make_opinions: Callable[..., list]) -> None:
    for number, (text, _, _) in enumerate(make_opinions(60)):
        path = tmp_path / ("pos" if number % 2 else "neg") / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    sets = data.load(PRESETS["own-sentiment"].data.replace(path=str(tmp_path)))
    assert sets.labels == ("neg", "pos") and not sets.rated
    for example in sets.splits["train"]:
        assert Path(example.where).parent.name == example.label


def test_public_data_sets_are_read_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {name: SimpleNamespace(num_bytes=1, num_shards=1) for name in ("train", "test", "unsupervised")}
    monkeypatch.setattr(tfds.core.DatasetInfo, "splits", known)  # the mock knows none
    with tfds.testing.mock_data(num_examples=80):
        sets = data.load(DataConfiguration(source="imdb_reviews"))
        assert sets.labels == ("neg", "pos") and len(sets.splits["test"]) == 80
        assert len(sets.splits["train"]) + len(sets.splits["validation"]) == 80
        assert not {each.text for each in sets.splits["train"]} & {each.text for each in sets.splits["validation"]}
        with pytest.raises(ConfigurationError, match="has no such column; expected opinion"):
            data.load(DataConfiguration(source="imdb_reviews", text="opinion"))
    with pytest.raises(ConfigurationError, match=r"no such data set.*Received: 'imdb_review'"):
        data.load(DataConfiguration(source="imdb_review"))


def test_near_duplicates_are_in_one_split() -> None:
    examples = [Example("", f"{'abcdefghij'[number] * 9} text", "a") for number in range(10)]
    examples += [each._replace(text=f"{each.text.upper()}!") for each in examples]
    splits = sources.divided(examples, DataConfiguration(validation_fraction=0.3, test_fraction=0.3), [])
    where = {each.text.lower().rstrip("!"): set() for each in examples}
    for split, members in splits.items():
        for each in members:
            where[each.text.lower().rstrip("!")].add(split)
    assert all(len(found) == 1 for found in where.values()) and all(splits.values())


def test_what_cannot_be_learned_from_is_left_out_and_named(
    tmp_path: Path, make_opinions: Callable[..., list], write_table: WriteTable
) -> None:
    rows = [*make_opinions(100), ("  ", "bad", 1.0), ("no label", "", 1.0)]
    sets = data.load(own(write_table(tmp_path / "a.csv", rows)))
    assert sum(map(len, sets.splits.values())) == 100
    notes = "\n".join(sets.notes)
    assert "1 text without words: left out" in notes and "a.csv, line 102" in notes
    assert "1 text without a label: left out" in notes and "a.csv, line 103" in notes


def test_what_json_lines_lack_is_left_out_and_named(tmp_path: Path, make_opinions: Callable[..., list]) -> None:
    rows = [{"review": text, "stars": label} for text, label, _ in make_opinions(100)]
    rows += [{"review": "null", "stars": None}, {"review": "none"}]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    sets = data.load(own(path))
    assert sum(map(len, sets.splits.values())) == 100
    assert all(f"line {line}" in "\n".join(sets.notes) for line in (101, 102))


def test_a_rating_that_is_nan_is_named(
    tmp_path: Path, write_table: WriteTable, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_table(tmp_path / "a.csv", [("fine", "a", "nan"), ("good", "a", ""), ("bad", "b", 1)])
    open_source(own(table, rating="score"), [])
    printed = capsys.readouterr().out
    assert "1 rating given as nan" in printed and f"{table}, line 2" in printed and "line 3" not in printed
    with pytest.raises(TextDataError, match=r"line 2: the rating is no number.*Received: 'inf'"):
        open_source(own(write_table(table, [("fine", "a", "inf")]), rating="score"), [])


def test_one_text_with_two_labels_is_named(
    tmp_path: Path, make_opinions: Callable[..., list], write_table: WriteTable
) -> None:
    rows = [("as it is", "bad", 0), *make_opinions(100), ("as  it is", "great", 0), ("as it is", "bad", 0)]
    table = write_table(tmp_path / "a.csv", rows)
    notes = data.load(own(table)).notes
    assert notes[-1] == f"1 text with different labels: {table}, line 2 (bad) and {table}, line 103 (great)"


def test_texts_that_are_all_equal_are_said_to_be(tmp_path: Path, write_table: WriteTable) -> None:
    table = write_table(tmp_path / "a.csv", [("It is a truly good film.", "ab"[number % 2], 0) for number in range(30)])
    with pytest.raises(
        TextDataError, match=r"30 of 30 texts are near duplicates.*a.csv, line 2 and .*, line 3.*differ"
    ):
        data.load(own(table))


def test_json_without_a_text_is_left_out(tmp_path: Path, make_opinions: Callable[..., list]) -> None:
    rows = [{"review": text, "stars": label} for text, label, _ in make_opinions(100)]
    rows += [{"review": None, "stars": "bad"}, {"stars": "bad"}]
    table = tmp_path / "a.jsonl"
    table.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    notes = " ".join(data.load(own(table)).notes)
    assert "without words: left out" in notes and "line 101" in notes and "line 102" in notes
    table.write_text("".join(f"{json.dumps({'revue': row['stars'], 'stars': 'bad'})}\n" for row in rows))
    with pytest.raises(TextDataError, match="did you mean 'revue'"):
        data.load(own(table))


def test_long_texts_are_cut_off_and_counted_or_refused(
    tmp_path: Path, make_opinions: Callable[..., list], write_table: WriteTable
) -> None:
    rows = [*make_opinions(100), ("word " * 50, "bad", 1.0)]
    table = write_table(tmp_path / "a.csv", rows)
    sets = data.load(own(table, maximum_words=20))
    assert any("1 text of more than 20 words" in note and "line 102 (50 words)" in note for note in sets.notes)
    with pytest.raises(TextDataError, match=r"more than 20 words. Raise --data.maximum_words.*line 102 \(50 words\)"):
        data.load(own(table, maximum_words=20, too_long="refuse"))


def test_bad_labels_are_refused(tmp_path: Path, make_opinions: Callable[..., list], write_table: WriteTable) -> None:
    rows = make_opinions(100)
    one = write_table(tmp_path / "one.csv", [(text, "bad", 0) for text, _, _ in rows])
    with pytest.raises(TextDataError, match=r"All texts have one label.*Received: 'bad'"):
        data.load(own(one))
    few = write_table(tmp_path / "few.csv", [("good", "a", 0), ("bad", "b", 0)])
    with pytest.raises(TextDataError, match=r"split has no labelled text\. No label has more than 1 text; "):
        data.load(own(few))
    wrong = write_table(tmp_path / "wrong.csv", [("good", "a", "high")])
    with pytest.raises(TextDataError, match=r"wrong.csv, line 2: the rating is no number.*Received: 'high'"):
        data.load(own(wrong, rating="score"))


def test_a_label_that_training_never_sees_is_refused() -> None:
    splits = {
        "train": [Example("1", "x", "a"), Example("2", "y", "b")],
        "validation": [Example("3", "z", "a")],
        "test": [Example("reviews.csv, line 9", "v", "c")],
    }
    with pytest.raises(TextDataError, match=r"reviews.csv, line 9: no text of the training split has the label 'c'"):
        label_names(splits)


def test_of_many_labels_some_are_named() -> None:
    splits = {"train": [Example("", "", f"label {number}") for number in range(500)], "validation": []}
    with pytest.raises(TextDataError, match=r"label 0, [^…]*… \(500 in all\)"):
        label_names(splits | {"test": [Example("", "", "new")]})


def test_labels_are_in_the_order_of_numbers_then_letters() -> None:
    splits = {"train": [Example("", "", each) for each in ("10", "9", "x", "-1", "B")], "validation": [], "test": []}
    assert label_names(splits) == ("-1", "9", "10", "B", "x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "own"}, "data.path: the source `own` reads texts of yours"),
        ({"path": "x.csv"}, "data.path: texts of your own are given, but another source is wanted"),
        ({"source": "rated_snippets/songs"}, "there is no such set; expected one of rated_snippets/movies"),
    ],
)
def test_settings_that_do_not_fit(changes: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        open_source(DataConfiguration(**changes), [])


@pytest.mark.parametrize(
    ("option", "renamed"),
    [
        ("data.longest", "data.maximum_words"),
        ("network.fewest", "network.minimum_count"),
        ("pretraining.fewest", "pretraining.minimum_count"),
    ],
)
def test_settings_of_earlier_versions_are_read_but_not_taken(
    option: str, renamed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    part, name = option.split(".")
    old = SentimentConfiguration.from_json(json.dumps({part: {name: 7}}))
    assert getattr(getattr(old, part), renamed.split(".")[1]) == 7
    with pytest.raises(SystemExit):
        parse_command_line(PRESETS, [f"--{option}", "7"], "train", "")
    assert f"has a new name. Expected '{renamed}'" in capsys.readouterr().err


def test_batches_hold_every_text_and_are_the_same_again(experiment: Experiment) -> None:
    sets = data.load(experiment().data)
    words = Words(["bad"], pieces=20)
    examples = [*sets.splits["train"], Example("", "only bad", "", 2.0), Example("", "bad only", "bad")]

    def batches(epoch: int) -> list[dict[str, np.ndarray]]:
        return list(data.training_batches(examples, sets.labels, words, 16, 3, epoch).as_numpy_iterator())

    first, again, other = batches(0), batches(0), batches(1)
    tf.nest.map_structure(np.testing.assert_array_equal, first, again)
    assert any(not np.array_equal(one["lengths"], two["lengths"]) for one, two in zip(first, other, strict=True))
    assert {batch["words"].shape[0] for batch in first} == {16}
    assert all(batch["words"].shape[1] % 8 == 0 for batch in first)
    for batch in first:
        assert np.array_equal((batch["words"] > 0).sum(axis=1), batch["lengths"])
    seen = np.concatenate([batch["rating"] for batch in first])
    expected = [example.rating for example in examples]
    assert set(np.float32(expected)[np.isfinite(expected)]) == set(seen[np.isfinite(seen)])
    labels = np.concatenate([batch["label"] for batch in first])
    assert (labels == -1).any() and set(labels) == {-1, 0, 1, 2}


@pytest.mark.slow
def test_the_test_split_changes_nothing_that_is_learned(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = experiment(pretraining={"texts": ("training",)})
    sets, classifier, *_ = train.prepare(configuration)
    unlabelled = texts_of(configuration.pretraining, sets.splits["train"])
    original = data.open_source

    def changed(configuration: DataConfiguration, notes: list[str]) -> dict[str, list[Example]]:
        splits = original(configuration, notes)
        members = [each._replace(text=f"surprise {each.text}", rating=99.0) for each in splits["test"]]
        return splits | {"test": members[::-1]}

    monkeypatch.setattr(data, "open_source", changed)
    other_sets, other, *_ = train.prepare(configuration)
    other_unlabelled = texts_of(configuration.pretraining, other_sets.splits["train"])
    assert other_sets.splits["test"] != sets.splits["test"]
    assert other.words.vocabulary == classifier.words.vocabulary and unlabelled == other_unlabelled
    for one, two in zip(classifier.variables, other.variables, strict=True):
        np.testing.assert_array_equal(one, two)
    for split in ("train", "validation"):
        assert str(sets.splits[split]) == str(other_sets.splits[split])
