"""The user's files of labelled texts: folders with splits, archives, fastText, several columns, files of their own."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.nlp.sentiment import data
from pipelines.nlp.sentiment.own_texts import read_own
from pipelines.nlp.sentiment.sources import DataConfiguration, open_source
from pipelines.nlp.splits import SPLITS
from pipelines.nlp.text_files import FileConfiguration, TextDataError

WriteTable = Callable[..., Path]
MakeOpinions = Callable[..., list[tuple[str, str, float]]]


@pytest.fixture
def imdb(tmp_path: Path, make_opinions: MakeOpinions) -> Path:
    """A folder as aclImdb is."""
    root = tmp_path / "aclImdb"
    for seed, split in enumerate(("train", "test")):
        for number, (text, label, _) in enumerate(make_opinions(150, seed)):
            file = root / split / label / f"{number}_1.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    (root / "train/unsup").mkdir()
    (root / "train/unsup/0_0.txt").write_text("no label")
    (root / "train/urls_pos.txt").write_text("http://a\n")
    (root / "imdb.txt").write_text("words")
    return root


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_has_its_own_splits_and_texts_without_labels(
    imdb: Path, packed: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = imdb
    if packed:
        path = tmp_path / "aclImdb.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(imdb.rglob("*.txt")):
                archive.write(file, file.relative_to(tmp_path))
    sets = data.load(DataConfiguration(source="own", path=str(path)))
    assert sets.labels == ("bad", "fine", "great")
    assert len(sets.splits["test"]) == 150 and len(sets.splits["train"]) + len(sets.splits["validation"]) == 150
    assert all("test" in Path(each.where).parts for each in sets.splits["test"])
    printed = capsys.readouterr().out
    assert "has splits of its own: 150 for test, 151 for train." in printed
    assert "2 files in no folder of a label" in printed and "imdb.txt" in printed and "urls_pos.txt" in printed
    assert any("1 text without a label: left out" in note and "unsup" in note for note in sets.notes)


def test_lines_of_fasttext(tmp_path: Path, make_opinions: MakeOpinions, capsys: pytest.CaptureFixture[str]) -> None:
    rows = make_opinions(120)
    path = tmp_path / "reviews.txt"
    path.write_text("".join(f"__label__{label} {text}\n" for text, label, _ in rows))
    splits = open_source(DataConfiguration(source="own", path=str(path)), [])
    assert sorted((each.text, each.label) for split in SPLITS for each in splits[split]) == sorted(
        (text, label) for text, label, _ in rows
    )
    assert "lines of fastText" in capsys.readouterr().err


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_tables_has_its_splits_in_their_names(
    packed: bool, tmp_path: Path, make_opinions: MakeOpinions, write_table: WriteTable
) -> None:
    rows, folder = make_opinions(150), tmp_path / "reviews"
    folder.mkdir()
    for name, some in {
        "train-0": rows[:50],
        "train-1": rows[50:100],
        "Test": rows[100:140],
        "sample": rows[140:],
    }.items():
        write_table(folder / f"{name}.csv", some)
    (folder / "README.txt").write_text("Of a fair.")
    (folder / "dataset_info.json").write_text('{"splits": ["train", "test"]}')  # of Hugging Face
    path = folder
    if packed:
        path = tmp_path / "reviews.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)
    settings = {"source": "own", "path": str(path), "text": "review", "label": "stars"}
    splits = open_source(DataConfiguration(**settings), [])
    assert {each.text for each in splits["test"]} == {text for text, *_ in rows[100:140]}
    assert len(splits["train"]) + len(splits["validation"]) == 100


def test_a_folder_without_labels_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("fine")
    with pytest.raises(TextDataError, match=r"has no folders of labels.*Received: one\.txt"):
        data.load(DataConfiguration(source="own", path=str(tmp_path)))


def test_the_unicode_form_of_a_label_makes_no_other(tmp_path: Path, write_table: WriteTable) -> None:
    rows = [(f"text {number}", ("caf\u00e9", "cafe\u0301", "the")[number % 3]) for number in range(60)]
    path = write_table(tmp_path / "a.csv", rows, ("text", "label"))
    assert data.load(DataConfiguration(source="own", path=str(path))).labels == ("café", "the")


@pytest.mark.parametrize("form", ["__label__{label} , {text}", "{text} __label__{label}", "  {text} __label__{label}"])
def test_labels_of_fasttext_stand_on_either_side(tmp_path: Path, form: str) -> None:
    lines = [form.format(label=label, text=text) for label, text in (("a", "good one"), ("b\u200b", "bad one"))]
    (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    found = read_own(tmp_path / "a.txt", ("text",), (), "", FileConfiguration())[""]
    assert [(each.text, each.label) for each in found] == [("good one", "a"), ("bad one", "b")]


def test_invisible_marks_make_no_other_label_and_ratings_are_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["good\u200b,5 stars", '\ufeffgood ,"3,5"', "bad,1 ★", "bad,\u22122"]
    rows += ["bad,\u0663\u066b\u0665", 'bad,"1,234"', "bad,N/A"]
    (tmp_path / "a.csv").write_text("\n".join(["label,stars,text", *(f"{row},x" for row in rows)]))
    found = read_own(tmp_path / "a.csv", ("text",), ("label",), "stars", FileConfiguration())[""]
    assert [each.label for each in found] == ["good"] * 2 + ["bad"] * 5
    np.testing.assert_equal([each.rating for each in found], [5, 3.5, 1, -2, 3.5, 1.234, np.nan])
    printed = capsys.readouterr().out
    assert "read with a decimal comma: " in printed and "a.csv, line 7" in printed and "a.csv, line 8" in printed


def test_several_columns_are_one_text(tmp_path: Path, write_table: WriteTable) -> None:
    rows = [(f"title {number}", "" if number == 3 else f"body {number}", "ab"[number % 2]) for number in range(40)]
    table = write_table(tmp_path / "a.csv", rows, ("title", "body", "label"))
    configuration = DataConfiguration(source="own", path=str(table), text=("title", "body"))
    texts = {each.text for members in open_source(configuration, []).values() for each in members}
    assert "title 5\nbody 5" in texts and "title 3" in texts
    assert (
        DataConfiguration.from_json('{"text": "review"}').text == ("review",) == DataConfiguration(text="review").text
    )


def test_files_of_their_own_for_validation_and_test(
    tmp_path: Path, make_opinions: MakeOpinions, write_table: WriteTable
) -> None:
    files = {name: write_table(tmp_path / f"{name}.csv", make_opinions(90, seed)) for seed, name in enumerate(SPLITS)}
    settings = {"source": "own", "text": "review", "label": "stars", "path": str(files["train"])}
    held_out = {name: str(files[name]) for name in SPLITS[1:]}
    sets = data.load(DataConfiguration(**settings, **held_out))
    for split in SPLITS:
        assert len(sets.splits[split]) == 90
        assert all(each.where.startswith(str(files[split])) for each in sets.splits[split])
    sets = data.load(DataConfiguration(**settings, test=held_out["test"]))
    assert len(sets.splits["test"]) == 90 and len(sets.splits["train"]) + len(sets.splits["validation"]) == 90


def test_a_split_is_given_once(imdb: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data.test: the folder of data.path has a test split, too"):
        data.load(DataConfiguration(source="own", path=str(imdb), test=str(tmp_path / "x.csv")))
