"""Splits: the labels' shares, near duplicates together, boilerplate, rare labels, and what is reported of them."""

from collections import Counter

import numpy as np
import pytest

from pipelines.nlp.sentiment import data, labels
from pipelines.nlp.sentiment.sources import DataConfiguration, divided
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.splits import SPLITS

NOTICE = (
    "This message and its attachments are confidential and meant for the addressee alone; whoever receives it by "
    "mistake is asked to delete it and to tell the sender, who is not liable for what may be lost on the way."
)


def _texts(number: int, seed: int = 0, words: int = 12) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(f"w{each}" for each in random.integers(0, 5000, words)) for _ in range(number)]


def _examples(sizes: dict[str, int]) -> list[Example]:
    labels = [label for label, size in sizes.items() for _ in range(size)]
    return [
        Example(f"row {number}", text, label)
        for number, (label, text) in enumerate(zip(labels, _texts(len(labels)), strict=True))
    ]


def test_each_split_has_the_shares_of_the_labels() -> None:
    sizes = {"a": 600, "b": 60, "c": 20}
    examples = _examples(sizes)
    splits = divided(examples, DataConfiguration(), notes := [])
    for split, share in (("validation", 0.1), ("test", 0.15)):
        found = Counter(each.label for each in splits[split])
        assert all(abs(found[label] - share * size) <= 1 for label, size in sizes.items())
    assert sorted(each.where for members in splits.values() for each in members) == sorted(
        each.where for each in examples
    )
    assert not notes
    assert divided(examples, DataConfiguration(), []) == splits
    again = divided(examples[::-1], DataConfiguration(), [])
    assert {split: set(members) for split, members in again.items()} == {
        split: set(members) for split, members in splits.items()
    }


def test_labels_too_rare_for_every_split_are_named_and_learned() -> None:
    splits = divided(_examples({"a": 100, "b": 2, "c": 1, "d": 3}), DataConfiguration(), notes := [])
    assert any("too few texts for every split" in note and "'b' (2), 'c' (1)" in note for note in notes)
    assert {"b", "c"} <= {each.label for each in splits["train"]}
    assert all(any(each.label == "d" for each in splits[split]) for split in SPLITS)


def test_mails_with_one_notice_are_no_near_duplicates() -> None:
    examples = [each._replace(text=f"{each.text}.\n\n{NOTICE}") for each in _examples({"a": 300, "b": 300})]
    splits = divided(examples, DataConfiguration(), notes := [])
    assert [len(splits[split]) for split in SPLITS] == [450, 60, 90]
    assert len(notes) == 1 and "'This message and its attachments" in notes[0] and "600 texts have" in notes[0]


def test_texts_of_one_form_must_be_more_alike_to_be_near_duplicates() -> None:
    form = "The weather in town number {} will be as fair and as mild on this day as it has been on the day before it."
    examples = [Example(f"row {number}", form.format(number), "ab"[number % 2]) for number in range(100, 400)]
    splits = divided(examples, DataConfiguration(), notes := [])
    assert all(len(splits[split]) > 20 for split in SPLITS)
    assert any("--data.similarity" in note for note in notes)


@pytest.mark.parametrize("similarity", [0.8, 1.0])
def test_near_duplicates_stay_together_unless_they_may_part(similarity: float) -> None:
    examples = _examples({"a": 100, "b": 100})
    examples += [each._replace(where=f"copy of {each.where}", text=f"{each.text} more") for each in examples]
    splits = divided(examples, DataConfiguration(similarity=similarity), [])
    split_of = {each.where: split for split, members in splits.items() for each in members}
    together = [split_of[each.where] == split_of[f"copy of {each.where}"] for each in examples[:200]]
    assert all(together) == (similarity < 1)


def test_a_run_of_the_version_before_is_divided_as_then() -> None:
    old = DataConfiguration.from_json("{}")
    assert old.splits == "hash" and DataConfiguration.from_json(DataConfiguration().to_json()).splits == "balanced"
    splits = divided(_examples({"a": 300}), old, [])
    sizes = [len(splits[split]) for split in SPLITS]
    assert sum(sizes) == 300 and min(sizes) > 10 and sizes != [225, 30, 45]  # by chance


def test_labels_that_are_one_number_become_one_and_those_alike_are_named() -> None:
    examples = [Example("", "x", label) for label in ("1", "1.0", "0", "Good", "good ", "x1")]
    splits = labels.one_name_a_number({"train": examples}, notes := [])
    assert [each.label for each in splits["train"]] == ["1", "1", "0", "Good", "good ", "x1"]
    assert notes == ["the labels '1' (1) and '1.0' (1) are one number, and one label: '1'"]
    versions = {"train": [Example("", "x", label) for label in ("1.1", "1.10", "1.2")]}
    assert labels.one_name_a_number(versions, notes := []) == versions
    assert "'1.1' (1) and '1.10' (1) are one number, learned as 2" in notes[0]
    one, other = "12345678901234567890", "12345678901234567891"  # alike in floating point
    splits = {split: [Example("", "x", each) for each in ("nan", "10", one, "2", other, "1_0")] for split in SPLITS}
    assert labels.one_name_a_number(splits, []) == splits
    assert labels.label_names(splits) == ("2", "10", one, other, "1_0", "nan")
    assert "'nan' (3) learned as a label" in labels.odd_labels(splits, (), True)[0]
    splits = {"train": examples}
    assert "'Good' (1) and 'good ' (1) differ in case" in labels.odd_labels(splits, (), True)[0]
    assert not labels.odd_labels({"train": [Example("", "x", each) for each in ("-1", "1", "+", "-")]}, (), True)


def test_small_splits_are_named() -> None:
    splits = {split: _examples({"a": size}) for split, size in zip(SPLITS, (100, 29, 30), strict=True)}
    assert [note.split(",")[0] for note in data.few_texts(splits)] == ["the validation split has 29 labelled texts"]
