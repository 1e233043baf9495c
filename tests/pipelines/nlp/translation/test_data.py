"""Splits, subwords and batches: nothing is lost, nothing leaks, batches have about as many tokens as wanted."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from pipelines.configuration import ConfigurationError
from pipelines.nlp.subwords import END, PADDING, START, SubwordConfiguration, Subwords
from pipelines.nlp.text_files import TextDataError
from pipelines.nlp.translation import data
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.model import normalised
from pipelines.nlp.translation.pairs import Pair
from pipelines.nlp.translation.sources import DataConfiguration, split_key

Experiment = Callable[..., TranslationConfiguration]


def random_pairs(count: int, longest: int = 60) -> data.Encoded:
    random = np.random.default_rng(0)
    sizes = random.integers(1, longest, (count, 2))
    sources = [np.append(random.integers(3, 100, size), END).astype(np.int32) for size in sizes[:, 0]]
    targets = [np.concatenate([[START], random.integers(3, 100, size), [END]]).astype(np.int32) for size in sizes[:, 1]]
    return data.Encoded(sources, targets)


@pytest.mark.parametrize(("count", "tokens"), [(1, 500), (7, 500), (500, 300), (500, 10), (300, 100_000)])
def test_an_epoch_has_every_pair_and_hardly_any_twice(count: int, tokens: int) -> None:
    encoded = random_pairs(count)
    plans = data.plan(encoded, tokens)
    known = Counter(tuple(target.tolist()) for target in encoded.target)
    seen: Counter[tuple[int, ...]] = Counter()
    for batch in data.training_batches(encoded, plans, seed=0, epoch=0).as_numpy_iterator():
        for source, target in zip(batch["source"], batch["target"], strict=True):
            number = next(n for n, each in enumerate(encoded.target) if np.array_equal(each, target[target != PADDING]))
            np.testing.assert_array_equal(source[source != PADDING], encoded.source[number])
            seen[tuple(encoded.target[number].tolist())] += 1
    assert seen.keys() == known.keys()
    assert seen.total() - known.total() < sum(plan.batches for plan in plans)


def test_batches_are_scheduled_by_tokens() -> None:
    encoded = random_pairs(3000)
    shapes = {
        (batch["source"].shape, batch["target"].shape)
        for batch in data.training_batches(encoded, data.plan(encoded, 600), seed=0, epoch=0)
    }
    tokens = [target[0] * target[1] for _, target in shapes]
    assert max(tokens) <= 600 + 50 and np.mean(tokens) > 400  # the start of each target is not counted
    assert len({source[0] for source, _ in shapes}) > 5
    assert len(shapes) == len({source[1] for source, _ in shapes}), "each length has one shape"


def test_batches_follow_from_seed_and_epoch() -> None:
    encoded = random_pairs(200)
    plans = data.plan(encoded, 300)

    def epoch(seed: int, epoch: int) -> list[list[list[int]]]:
        return [
            batch["target"].tolist() for batch in data.training_batches(encoded, plans, seed, epoch).as_numpy_iterator()
        ]

    assert epoch(0, 0) == epoch(0, 0)
    assert epoch(0, 0) != epoch(0, 1)
    assert epoch(0, 0) != epoch(1, 0)


def test_regularised_subwords_spell_the_same_texts() -> None:
    texts = [
        "the other theory of the thé",
        "then there is nothing other than the thing 😀, and then the other thing 😀",
        "the",
    ] * 30
    subwords = Subwords.learn(texts, SubwordConfiguration(size=330))
    encoded = [np.append(numbers, np.int32(END)) for numbers in subwords.encode_each(texts, normalised)]
    pairs = data.Encoded(encoded, encoded)
    plans = data.plan(pairs, 200)
    halves = subwords.halves()

    def epoch(number: int, share: float) -> list[tuple[list[str], np.ndarray]]:
        batches = data.training_batches(pairs, plans, 0, number, data.SubwordRegularisation(halves, halves, share))
        return [
            (subwords.decode(batch["source"]).numpy().tolist(), batch["source"])
            for batch in batches.as_numpy_iterator()
        ]

    for (plain, as_learned), (same, otherwise) in zip(epoch(0, 0.0), epoch(0, 0.9), strict=True):
        assert same == plain and otherwise.shape == as_learned.shape
    spellings = {tuple(row[row != PADDING]) for number in range(5) for _, batch in epoch(number, 0.3) for row in batch}
    assert len(spellings) > 3 * len(set(texts))


@pytest.mark.parametrize("too_long", ["leave_out", "truncate"])
def test_long_pairs_are_counted_and_named(too_long: str) -> None:
    encoded = random_pairs(100, 40)
    pairs = [Pair(f"line {number}", "", "") for number in range(100)]
    configuration = DataConfiguration(maximum_subwords=20, too_long=too_long)
    kept, changed = data.limited(encoded, pairs, configuration)
    long = [
        number for number in range(100) if len(encoded.source[number]) - 1 > 20 or len(encoded.target[number]) - 2 > 20
    ]
    assert [each.where for each in changed] == [f"line {number}" for number in long]
    assert all(("truncated" in each.reason) == (too_long == "truncate") for each in changed)
    assert len(kept.source) == len(kept.target) == (100 if too_long == "truncate" else 100 - len(long))
    for source, target in zip(*kept, strict=True):
        assert len(source) <= 21 and len(target) <= 22
        assert (source[-1], target[0], target[-1]) == (END, START, END)


def test_only_long_pairs_are_refused() -> None:
    encoded = random_pairs(3, 40)
    with pytest.raises(
        TextDataError, match=r"longer than 2 subwords.*--data.maximum_subwords.*Received: line 0: \d+ subwords"
    ):
        data.limited(encoded, [Pair(f"line {n}", "", "") for n in range(3)], DataConfiguration(maximum_subwords=2))


def test_splits_are_stable_and_share_no_sentence(experiment: Experiment) -> None:
    corpus = data.load(experiment().data)
    again = data.load(experiment().data)
    assert again == corpus
    sizes = {split: len(pairs) for split, pairs in corpus.pairs.items()}
    assert sizes["train"] > 5 * sizes["test"] > 100
    keys = {split: {split_key(text) for pair in pairs for text in pair[1:]} for split, pairs in corpus.pairs.items()}
    assert not keys["train"] & keys["validation"] and not keys["train"] & keys["test"]
    assert not keys["validation"] & keys["test"]
    assert sum(sizes.values()) + len(corpus.left_out) == 1200


def test_one_more_pair_moves_no_other(experiment: Experiment, pair_files: tuple[Path, Path], tmp_path: Path) -> None:
    files = tmp_path / "en.txt", tmp_path / "es.txt"
    for path, new, line in zip(pair_files, files, ("Hello.", "Hola."), strict=True):
        new.write_text(f"{line}\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    changed = experiment(data={"source_path": str(files[0]), "target_path": str(files[1])})
    before, after = data.load(experiment().data).pairs, data.load(changed.data).pairs
    for split, pairs in before.items():
        assert {pair[1:] for pair in pairs} <= {pair[1:] for pair in after[split]}


def test_a_pair_whose_translation_is_held_out_is_left_out(tmp_path: Path) -> None:
    sources = [f"sentence {number}" for number in range(200)]
    table = tmp_path / "pairs.tsv"
    table.write_text(
        "".join(f"{source}\tlo mismo\n" for source in sources) + "".join(f"x{n}\ty{n}\n" for n in range(200))
    )
    corpus = data.load(DataConfiguration(source="table", path=str(table), validation_fraction=0.1, test_fraction=0.1))
    assert "lo mismo" in {pair.target for pair in corpus.pairs["test"]}
    for split in ("train", "validation"):
        assert "lo mismo" not in {pair.target for pair in corpus.pairs[split]}
    assert {each.reason for each in corpus.left_out} == {"its source or its translation is held out"}


def _sentences(count: int, seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    letters = str.maketrans("0123456789", "abcdefghij")
    return [" ".join(str(each) for each in random.integers(0, 5000, 10)).translate(letters) for _ in range(count)]


def test_near_copies_of_held_out_pairs_are_not_learned_from(tmp_path: Path) -> None:
    sources, targets = _sentences(400, 0), _sentences(400, 1)
    copies = [(f"{source} more", f"other {number}") for number, source in enumerate(sources[:60])]
    table = tmp_path / "pairs.tsv"
    rows = [*zip(sources, targets, strict=True), *copies]
    table.write_text("".join(f"{source}\t{target}\n" for source, target in rows))
    configuration = DataConfiguration(source="table", path=str(table), test_fraction=0.2)
    corpus = data.load(configuration)
    held_out = {pair.source for split in ("validation", "test") for pair in corpus.pairs[split]}
    learned = {pair.source for pair in corpus.pairs["train"]}
    assert not any(f"{source} more" in learned for source in held_out)
    assert not any(source.removesuffix(" more") in learned for source in held_out if source.endswith(" more"))
    reasons = [each.reason for each in corpus.left_out]
    assert reasons and all(reason == "nearly the same as a held-out pair (80% alike)" for reason in reasons)
    assert not data.load(configuration.replace(similarity=1.0)).left_out


def test_texts_of_one_form_are_learned_from(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = data.load(experiment().data)
    assert len(corpus.pairs["train"]) > 600


def test_files_of_their_own_for_validation_and_test(tmp_path: Path) -> None:
    files = {}
    for seed, split in enumerate(("train", "validation", "test")):
        files[split] = tmp_path / f"{split}.en", tmp_path / f"{split}.es"
        for side, path in enumerate(files[split]):
            path.write_text("".join(f"{text}\n" for text in _sentences(50, 10 * seed + side)))
    source, target = map(str, files["train"])
    given = {split: tuple(map(str, files[split])) for split in ("validation", "test")}
    corpus = data.load(DataConfiguration(source="files", source_path=source, target_path=target, **given))
    assert all(len(pairs) == 50 for pairs in corpus.pairs.values())
    assert all(pair.where.startswith(f"{split}.en") for split, pairs in corpus.pairs.items() for pair in pairs)
    only_test = {"test": given["test"], "validation_fraction": 0.2}
    corpus = data.load(DataConfiguration(source="files", source_path=source, target_path=target, **only_test))
    assert len(corpus.pairs["test"]) == 50 and len(corpus.pairs["train"]) + len(corpus.pairs["validation"]) == 50
    with pytest.raises(ConfigurationError, match=r"data.test: a data set has splits of its own"):
        data.load(DataConfiguration(test=given["test"]))


def test_misfits_are_reported_and_left_out_if_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources, targets = _sentences(400, 0), _sentences(400, 1)
    table = tmp_path / "pairs.tsv"
    targets[7] = "x"
    table.write_text("".join(f"{source}\t{target}\n" for source, target in zip(sources, targets, strict=True)))
    for misfits, words in (("report", "kept"), ("leave_out", "left out of training"), ("ignore", "")):
        corpus = data.load(DataConfiguration(source="table", path=str(table), misfits=misfits))
        printed = capsys.readouterr().out
        assert ("line 8: the lengths differ" in printed) == (misfits != "ignore") and words in printed
        assert any(pair.target == "x" for pairs in corpus.pairs.values() for pair in pairs) == (misfits != "leave_out")


def test_subwords_are_learned_from_the_training_split_alone(experiment: Experiment) -> None:
    pairs = data.load(experiment().data).pairs["train"]
    source, target = data.learn_subwords(pairs, SubwordConfiguration(size=400), shared=False)
    assert source is not target
    assert any(piece == " seven" for piece in source.to_json())
    assert not any("siete" in piece for piece in source.to_json())
    both, same = data.learn_subwords(pairs, SubwordConfiguration(size=400), shared=True)
    assert both is same


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_path": ""}, r"data.source_path: the source 'files' needs it.*Received: no source_path"),
        ({"source": "table"}, r"data.path: the source 'table' needs it"),
        ({"path": "pairs.tsv"}, r"data.path belongs to another source.*--data.source table.*Received: 'files'"),
        ({"source": "bible_verses"}, r"data.source_path belongs to another source"),
    ],
)
def test_settings_that_do_not_fit_are_refused(experiment: Experiment, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        data.load(experiment(data=changes).data)


def test_too_few_pairs_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "pairs.tsv"
    table.write_text("one\tuno\ntwo\t\n")
    with pytest.raises(
        TextDataError, match=r"no pairs for validation and test.*1 left out; .*line 2: the target is empty"
    ):
        data.load(DataConfiguration(source="table", path=str(table)))


def test_a_public_set_comes_through_the_same_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {name: SimpleNamespace(num_bytes=1, num_shards=1) for name in ("train", "validation", "test")}
    monkeypatch.setattr(tfds.core.DatasetInfo, "splits", known)  # the mock knows none
    configuration = DataConfiguration(source="dataset", dataset="ted_hrlr_translate/pt_to_en", languages=("pt", "en"))
    with tfds.testing.mock_data(num_examples=8):
        corpus = data.load(configuration)
        assert 0 < len(corpus.pairs["train"]) <= 8
        assert all(pair.source and pair.target for pairs in corpus.pairs.values() for pair in pairs)
        assert corpus.pairs["test"][0].where.startswith("ted_hrlr_translate, test ")
        message = r"has no texts in fr. Expected two of: .*Received: \('pt', 'fr'\)"
        with pytest.raises(ConfigurationError, match=message):
            data.load(configuration.replace(languages=("pt", "fr")))
        monkeypatch.setattr(tfds.core.DatasetInfo, "splits", {"train": known["train"]})
        with pytest.raises(ConfigurationError, match=r"has no split validation, test; expected .*Received: train"):
            data.load(configuration)
    with pytest.raises(ConfigurationError, match=r"no such data set.*Received: 'ted_hrlr'"):
        data.load(configuration.replace(dataset="ted_hrlr"))


@pytest.mark.parametrize("languages", [("en", "xx"), ("es", "de")])
def test_modern_pairs_need_a_language_that_they_have(languages: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"English and another language.*one of: es, cs, .*Received: "):
        data.load(DataConfiguration(source="modern_pairs", languages=languages))
