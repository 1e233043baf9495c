"""Fingerprints: the same for the same data in every process, another for any change."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pipelines.fingerprint import fingerprint

REPOSITORY = Path(__file__).parents[2]


class Example(NamedTuple):
    text: str
    label: int


@dataclass
class Series:
    name: str
    values: np.ndarray


class Reader:
    def __init__(self, numbers):
        self.numbers = numbers
        self._read = []

    def __call__(self):
        self._read.append(1)


def enclosing(numbers):
    return lambda place: numbers[place]


def everything():
    return {
        "examples": [Example("one", 1), Example("two", 2)],
        "series": Series("a", np.arange(4.0)),
        "names": frozenset(f"name {number}" for number in range(20)),  # whose order differs between processes
        "tensor": tf.constant([1, 2]),
        "table": pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}),
        "read": partial(enclosing, np.arange(3)),
        "object": Reader([1, 2]),
        "method": np.arange(3).__getitem__,
        "nothing": None,
    }


@pytest.mark.slow
def test_another_process_finds_the_same():
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(REPOSITORY)}
    module = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_fingerprint import *; "
    command = module + "print(fingerprint(everything()))"
    found = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True)
    in_this = subprocess.run(
        [sys.executable, "-c", command], env=environment | {"PYTHONHASHSEED": "8"}, capture_output=True, text=True
    )
    assert found.stdout == in_this.stdout
    assert len(found.stdout.strip()) == 32


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([Example("a", 1), Example("b", 2)], [Example("b", 2), Example("a", 1)]),
        ([Example("a", 1)], [Example("a", 2)]),
        ([Example("a", 1)], [("a", 1)]),
        (["ab", "c"], ["a", "bc"]),
        ([["a"], ["b"]], [["a", "b"], []]),
        ([1], [1.0]),
        ([1], [True]),
        (None, ""),
        (np.zeros(4), np.zeros((2, 2))),
        (np.zeros(4, "float32"), np.zeros(4, "int32")),
        (np.array([0.0, 1.0]), np.array([1.0, 0.0])),
        (np.array(["a", None], object), np.array(["b", None], object)),
        (Series("a", np.zeros(2)), Series("a", np.ones(2))),
        ({"a": 1}, {"a": 2}),
        ({1, 2}, {1, 3}),
        (pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"y": [1, 2]})),
        (pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [2, 1]})),
        (pd.Series([1, 2], index=[0, 1]), pd.Series([1, 2], index=[0, 2])),
        (tf.constant([1, 2]), tf.constant([1, 3])),
        (partial(print, 1), partial(print, 2)),
        (enclosing(np.zeros(2)), enclosing(np.ones(2))),
        (Reader([1]), Reader([2])),
        (Reader([1]).__call__, Reader([2]).__call__),
        (np.zeros(2).__getitem__, np.ones(2).__getitem__),
    ],
)
def test_any_change_is_another(one, other):
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one) == fingerprint(one)


def test_a_method_of_an_array_is_that_of_its_copy():
    one = np.arange(3)
    assert fingerprint(one.__getitem__) == fingerprint(one.copy().__getitem__)


def test_what_was_computed_meanwhile_does_not_count():
    reader = Reader([1])
    before = fingerprint(reader)
    reader()
    assert fingerprint(reader) == before


def test_order_does_not_count_in_mappings_and_sets():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_a_view_counts_as_its_copy():
    array = np.arange(12).reshape(3, 4)
    assert fingerprint(array.T) == fingerprint(array.T.copy())


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_replaced_file_is_another_and_a_touched_or_renamed_one_is_not(tmp_path, size):
    file = tmp_path / "a.bin"
    content = np.random.default_rng(0).integers(256, size=size, dtype=np.uint8)
    file.write_bytes(content.tobytes())
    before, folder = fingerprint([file]), fingerprint(tmp_path)
    os.utime(file, (1, 1))
    assert (fingerprint([file]), fingerprint(tmp_path)) == (before, folder)
    file.write_bytes(content[::-1].tobytes())
    assert fingerprint([file]) != before
    assert fingerprint(tmp_path) != folder
    file.write_bytes(content.tobytes())
    assert fingerprint([file.rename(tmp_path / "b.bin")]) == before
    assert fingerprint(tmp_path) != folder


def test_a_missing_file_is_told_by_its_name(tmp_path):
    assert fingerprint(tmp_path / "a") != fingerprint(tmp_path / "b")


def test_a_cycle_ends():
    cycle: list[object] = [1]
    cycle.append(cycle)
    assert fingerprint(cycle) == fingerprint(cycle)


def test_large_arrays_are_quick():
    array = np.zeros(10**8, np.uint8)
    start = time.process_time()  # other work of the machine does not count
    fingerprint(array)
    assert time.process_time() - start < 2
