"""The addresses: split by year, in order."""

import json
from pathlib import Path

import pytest

import data
from data import state_of_the_union
from data.state_of_the_union import StateOfTheUnion, read_addresses


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package/data"
    folder.mkdir(parents=True)
    for year, name in ((1790, "George Washington"), (1986, "Ronald Reagan"), (1987, "Ronald Reagan"), (1990, "G Bush")):
        address = {"year": year, "name": name, "party": "None", "text": f"Fellow citizens – {year}."}
        (folder / f"{year}_{name.lower().replace(' ', '_')}_n.json").write_text(json.dumps(address), encoding="utf-8")
    return tmp_path


def test_split_by_year(package, monkeypatch, tmp_path):
    monkeypatch.setattr(state_of_the_union, "fetch", lambda _: package)
    builder = data.prepare(StateOfTheUnion(data_dir=tmp_path / "prepared"))
    found = {
        split: sorted(
            (each["number"], each["title"].decode(), each["text"].decode())
            for each in builder.as_dataset(split=split).as_numpy_iterator()
        )
        for split in ("train", "validation", "test")
    }
    assert found == {
        "train": [
            (0, "George Washington, 1790", "Fellow citizens – 1790."),
            (1, "Ronald Reagan, 1986", "Fellow citizens – 1986."),
        ],
        "validation": [(2, "Ronald Reagan, 1987", "Fellow citizens – 1987.")],
        "test": [(3, "G Bush, 1990", "Fellow citizens – 1990.")],
    }


def test_empty_package_is_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"should hold addresses.*Received: 0 files"):
        read_addresses(tmp_path)


@pytest.mark.slow
def test_real_addresses():
    builder = data.prepare(StateOfTheUnion())
    assert {split: builder.info.splits[split].num_examples for split in ("train", "validation", "test")} == {
        "train": 198,
        "validation": 3,
        "test": 32,
    }
