"""Splits: stable, of the wanted sizes, and with near duplicates on one side."""

import itertools
import random
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz import fuzz

from data.splits import (
    assign_split,
    group_alike,
    group_near_duplicates,
    stable_fraction,
    without_near_duplicates,
)
from data.transcripts import normalise, parts

ROOT = Path(__file__).parents[2]
SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


def test_split_is_the_same_in_another_process():
    code = "from data.splits import stable_fraction; print([stable_fraction(str(i)) for i in range(20)])"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == str([stable_fraction(str(i)) for i in range(20)])


def test_shares_are_met():
    splits = [assign_split(f"text {i}", SHARES) for i in range(20_000)]
    for name, share in SHARES.items():
        assert splits.count(name) / len(splits) == pytest.approx(share, abs=0.01)  # 3 standard deviations


def test_salt_cuts_independently():
    agree = sum(assign_split(str(i), SHARES, "a") == assign_split(str(i), SHARES, "b") for i in range(20_000))
    assert agree / 20_000 == pytest.approx(sum(share**2 for share in SHARES.values()), abs=0.015)


@pytest.mark.parametrize("shares", [{"train": 0.5}, {"train": 1.5, "test": -0.5}, {}])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ValueError, match=r"sum to 1\. Received:"):
        assign_split("text", shares)


@cache
def longest_common_subsequence(left: str, right: str) -> int:
    row = [0] * (len(right) + 1)
    for a in left:
        above = row
        row = [0]
        for j, b in enumerate(right):
            row.append(above[j] + 1 if a == b else max(above[j + 1], row[j]))
    return row[-1]


def alike(left: str, right: str) -> bool:
    """The documented rule, written down again from its definition."""
    both = [[normalise(text, "en"), *parts(text, "en")] for text in (left, right)]
    short, long = sorted((both[0][0], both[1][0]), key=len)
    return any(
        2 * longest_common_subsequence(a, b) >= 0.8 * (len(a) + len(b)) for a, b in itertools.product(*both)
    ) or (len(short.split()) >= 3 and f" {short} " in f" {long} ")


def random_texts(count: int) -> list[str]:
    generator = random.Random(3)
    # Random phrases are far apart; they are repeated, shortened and joined, so groups of all sizes arise.
    letters = "abcdefghijklmnopqrst      "
    phrases = ["".join(generator.choices(letters, k=generator.randint(6, 16))) for _ in range(count)]
    texts = []
    for phrase in phrases:
        other = generator.choice(phrases)
        texts.append(
            generator.choice([phrase, phrase[:-1], f"{phrase}. {other}", f"{phrase}, {other}", f"x {other} y"])
        )
    return texts


def test_groups_are_the_connected_components_of_the_rule():
    texts = random_texts(40)
    pairs = [(i, j) for i, j in itertools.combinations(range(len(texts)), 2) if alike(texts[i], texts[j])]
    component = list(range(len(texts)))
    for _ in texts:  # until nothing changes
        for i, j in pairs:
            component[i] = component[j] = min(component[i], component[j])
    groups = group_near_duplicates(texts, "en")
    assert 4 < len(set(component)) < 36
    for i, j in itertools.combinations(range(len(texts)), 2):
        assert (groups[i] == groups[j]) == (component[i] == component[j]), (texts[i], texts[j])


def test_groups_do_not_depend_on_the_order():
    texts = random_texts(20)
    assert group_near_duplicates(texts[::-1], "en") == group_near_duplicates(texts, "en")[::-1]


def test_nothing_kept_is_like_a_held_out_text():
    texts = random_texts(80)
    held_out, others = texts[:20], texts[20:]
    kept = without_near_duplicates(others, held_out, "en")
    assert 0 < len(kept) < len(others)
    assert kept == [text for text in others if not any(alike(text, held) for held in held_out)]


def test_group_alike_agrees_with_comparing_all_pairs() -> None:
    generator = np.random.default_rng(3)
    texts = ["".join(generator.choice(list("ab cd"), generator.integers(3, 9))).strip() or "x" for _ in range(60)]
    sources = [str(generator.integers(40)) for _ in texts]
    plain = [" ".join(text.split()) for text in texts]
    groups = [{index} for index in range(len(texts))]
    for one, other in itertools.combinations(range(len(texts)), 2):
        if fuzz.ratio(plain[one], plain[other]) >= 80 or sources[one] == sources[other]:
            joined = groups[one] | groups[other]
            for member in joined:
                groups[member] = joined
    expected = [min(texts[member] for member in group) for group in groups]
    assert group_alike(texts, sources) == expected
    assert len(set(expected)) > 1


def test_group_alike_tells_texts_without_words_apart() -> None:
    assert group_alike(["😀", "...", "😀", "Good!", "good"]) == ["😀", "...", "😀", "Good!", "Good!"]
