"""Pairs that do not belong together: named one by one, and refused where lines are shifted; healthy ones pass."""

import numpy as np
import pytest

from pipelines.nlp.texts import TextDataError
from pipelines.nlp.translation.misfits import misfits, refuse_shifted, refuse_unrelated
from pipelines.nlp.translation.pairs import Pair


def _pairs(count: int = 400, seed: int = 0) -> list[Pair]:
    """Sentences of random lengths whose translations are about as long, some with numbers and question marks."""
    random = np.random.default_rng(seed)
    pairs = []
    for number in range(count):
        words = [f"w{each}" for each in random.choice(list("abcdefgh"), random.integers(3, 30))]
        end = str(random.choice(["?", ".", ".", f" {random.integers(10, 10_000)}."]))
        target = [f"{word}xy" for word in words][: max(1, len(words) - int(random.integers(0, 3)))]
        pairs.append(Pair(f"line {number + 1}", " ".join(words) + end, " ".join(target) + end))
    return pairs


def _with_targets(pairs: list[Pair], targets: list[str]) -> list[Pair]:
    return [pair._replace(target=target) for pair, target in zip(pairs, targets, strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_pairs_that_belong_together_pass(seed: int) -> None:
    pairs = _pairs(seed=seed)
    assert misfits(pairs) == []
    refuse_shifted(pairs)
    refuse_shifted(pairs[:5])
    refuse_shifted([Pair("line 1", "same", "lo mismo")] * 100)
    random = np.random.default_rng(seed)
    spoken = [" ".join(random.choice(["one", "two"], 4)) for _ in range(300)]
    refuse_shifted([Pair("", text, text.replace("one", "uno")) for text in spoken])
    of_another_kind = [Pair("", " ".join(["word"] * 20), f"key {number}") for number in range(60)]
    refuse_shifted(pairs + of_another_kind)
    refuse_unrelated(pairs + of_another_kind * 10)
    refuse_unrelated([Pair("", text, text[::-1]) for text in spoken])


@pytest.mark.parametrize("shift", [1, -1, 3])
@pytest.mark.parametrize("first", [0, 200])
def test_shifted_lines_are_refused_where_they_begin(shift: int, first: int) -> None:
    pairs = _pairs()
    targets = [pair.target for pair in pairs]
    later = targets[first:]
    shifted = _with_targets(pairs, targets[:first] + later[-shift:] + later[:-shift])
    with pytest.raises(
        TextDataError, match=rf"shifted by {abs(shift)} line.*--data.misfits ignore.*Received: "
    ) as caught:
        refuse_shifted(shifted)
    line = int(str(caught.value).split("from line ")[1].split(" ")[0])
    assert abs(line - first - 1) <= 8


def test_rotated_files_are_refused() -> None:
    pairs = _pairs()
    targets = [pair.target for pair in pairs]
    with pytest.raises(TextDataError, match="shifted by 137 lines"):
        refuse_shifted(_with_targets(pairs, targets[-137:] + targets[:-137]))


@pytest.mark.parametrize("first", [0, 400])
def test_translations_in_another_order_are_refused(first: int) -> None:
    pairs = _pairs(800)
    targets = [pair.target for pair in pairs]
    for others in (sorted(targets[first:]), np.random.default_rng(0).permutation(targets[first:]).tolist()):
        with pytest.raises(TextDataError, match=r"pairs from line .*--data.misfits ignore.*Received: ") as caught:
            refuse_unrelated(_with_targets(pairs, targets[:first] + others))
        assert first < int(str(caught.value).split("from line ")[1].split(" ")[0]) < first + 100  # in steps


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"target": "short"}, "the lengths differ"),
        ({"source": "It is what it is, is it.", "target": "It is what it is, is it."}, "a copy of the source"),
        ({"source": "It is what it is, is it.", "target": " It is what it is – is it"}, "a copy of the source"),
        ({"source": "In the year 1999 it was.", "target": "En el año 2005 lo fue."}, "the numbers differ: 1999"),
        ({"source": "Was it really like that?", "target": "Eso fue realmente así."}, "the source alone is a question"),
    ],
)
def test_single_misfits_are_named(change: dict[str, str], reason: str) -> None:
    pairs = _pairs()
    place = next(number for number, pair in enumerate(pairs) if len(pair.source) > 60)
    pairs[place] = pairs[place]._replace(**change)
    (found,) = misfits(pairs)
    assert found.where == f"line {place + 1}" and reason in found.reason
