"""What is predicted follows from the data: one label, several, or a rating alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit
from sklearn.metrics import f1_score, log_loss

from pipelines.configuration import ConfigurationError
from pipelines.nlp.sentiment import baselines, data, evaluate, report
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.labels import of_columns, with_several
from pipelines.nlp.sentiment.model import Classifier, load_model, read_texts
from pipelines.nlp.sentiment.network import NetworkConfiguration
from pipelines.nlp.sentiment.scoring import Answers, Truth, comparison, fit_temperature, fit_thresholds, metrics
from pipelines.nlp.sentiment.sources import DataConfiguration
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.sentiment.train import batch_loss
from pipelines.nlp.sentiment.words import Words
from pipelines.nlp.text_files import TextDataError
from pipelines.runs import Run

KINDS = {"rude": "awful", "short": "brief", "warm": "lovely"}


def texts(number: int) -> list[tuple[str, tuple[str, ...]]]:
    """Texts with the labels whose words they have: none, some or all."""
    random = np.random.default_rng(1)
    rows = []
    for place in range(number):
        labels = tuple(label for label in KINDS if random.random() < 0.4)
        words = [f"w{each}" for each in random.integers(0, 40, 4)] + [KINDS[label] for label in labels]
        rows.append((" ".join(random.permutation(words)) + f" {place}", labels))
    return rows


WRITTEN: dict[str, Callable[[str, tuple[str, ...]], str]] = {
    "columns": lambda text, labels: ",".join([text, *(str(int(label in labels)) for label in KINDS)]),
    "separator": lambda text, labels: f"{text},{'|'.join(labels)}",
    "python": lambda text, labels: f'{text},"{list(labels)}"',
    "numpy": lambda text, labels: f'{text},"{np.array(labels, object)}"',
    "set": lambda text, labels: f'{text},"{set(labels) or []}"',
    "jsonl": lambda text, labels: json.dumps({"text": text, "label": labels}),
    "fasttext": lambda text, labels: " ".join([*(f"__label__{label}" for label in labels), text]),
}


def own(path: Path, kind: str, rows: list[tuple[str, tuple[str, ...]]]) -> DataConfiguration:
    heads = {
        "columns": f"text,{','.join(KINDS)}\n",
        "separator": "text,label\n",
        **dict.fromkeys(("python", "numpy", "set"), "text,label\n"),
    }
    file = path / f"{kind}{'.jsonl' if kind == 'jsonl' else '.txt' if kind == 'fasttext' else '.csv'}"
    file.write_text(heads.get(kind, "") + "".join(f"{WRITTEN[kind](*row)}\n" for row in rows))
    return DataConfiguration(source="own", path=str(file), label=tuple(KINDS) if kind == "columns" else ())


@pytest.mark.parametrize("kind", WRITTEN)
def test_several_labels_are_read(kind: str, tmp_path: Path) -> None:
    rows = texts(120)
    sets = data.load(own(tmp_path, kind, rows))
    assert sets.labels == tuple(KINDS) and sets.multiple and not sets.rated
    found = {each.text: set(each.labels) for members in sets.splits.values() for each in members}
    is_unknown = kind in ("separator", "fasttext")  # no label may mean that nobody looked
    assert found == {text: set(labels) for text, labels in rows if labels or not is_unknown}
    truth, _ = data.truth(sets.splits["train"], sets.labels)
    assert truth.tolist() == [[label in each.labels for label in KINDS] for each in sets.splits["train"]]


def test_a_sign_separates_only_what_stands_elsewhere() -> None:
    def read(cells: list[str], separator: str = "auto") -> list[tuple[str, ...] | None]:
        return [
            each.labels
            for each in with_several({"train": [Example("", "x", cell) for cell in cells]}, separator, [])["train"]
        ]

    assert read(["Yes, I do", "No, I don't", "Sci-Fi; Horror"]) == [None] * 3
    assert read(["a, b", "b", "a, c", "c"]) == [("a", "b"), ("b",), ("a", "c"), ("c",)]
    assert read(["1,5", "2,5", "1,0", "2,0", "5"]) == [None] * 5, "decimals"
    assert read(["1,5,2", "2,5", "1"]) == [("1", "5", "2"), ("2", "5"), ("1",)]
    assert read(["a, b", "b", "a, c"], "none") == [None] * 3
    assert read(["[0, 1, 1]", "[false, false, true]", "[0. 0. 0.]"]) == [("2", "3"), ("3",), ()], "indicators"
    assert read(["[0, 1]", "[2]", "(3)"]) == [("0", "1"), ("2",), ("(3)",)]
    assert read(["a/b", "c"], "/") == [("a", "b"), ("c",)]
    with pytest.raises(TextDataError, match=r"line 3: column 'b' is no label.*Received: '2'"):
        of_columns(["1", "2"], ["a", "b"], "x.csv, line 3")


def classifier(labels: tuple[str, ...], rated: bool, multiple: bool) -> Classifier:
    network = NetworkConfiguration(units=5, embedding=4, members=2)
    return Classifier(network, Words(["good", "bad"], 6, 30), labels, rated, 1, multiple).build_weights()


def test_several_labels_have_a_sigmoid_each() -> None:
    model = classifier(("a", "b", "c"), False, True)
    encoded = model.words(tf.constant(["good", "bad not", "x"]))
    truth = np.array([[1, 0, 1], [0, 0, 0], [-1, -1, -1]], np.int32)
    batch = dict(zip(("words", "pieces", "lengths"), encoded, strict=False))
    batch |= {"label": tf.constant(truth), "rating": tf.fill((3,), np.float32(np.nan))}
    shares = [expit(output.logits.numpy()) for output in model(*encoded[:3])]
    losses = [-np.log(np.where(truth == 1, each, 1 - each))[:2].sum(axis=1).mean() for each in shares]
    np.testing.assert_allclose(batch_loss(model, batch, training=False), np.mean(losses), rtol=1e-5)
    found = model.classify(tf.constant(["good", "bad not", "x"])).probabilities
    np.testing.assert_allclose(found, np.mean(shares, axis=0), rtol=1e-4)


def test_ratings_alone_must_be_learned() -> None:
    with pytest.raises(ConfigurationError, match="ratings alone, which would not be learned"):
        Classifier(NetworkConfiguration(rating_weight=0), Words(["good"]), (), True)


def test_thresholds_have_the_best_f1() -> None:
    random = np.random.default_rng(0)
    truth = (random.random((100, 3)) < [0.1, 0.5, 0.9]).astype(int)
    shares = np.clip(0.3 * truth + random.random((100, 3)) * 0.7, 0, 1).round(2)
    found = fit_thresholds(shares, truth)
    for place, threshold in enumerate(found):
        scores = [f1_score(truth[:, place], shares[:, place] >= each) for each in np.linspace(0, 1, 101)]
        assert f1_score(truth[:, place], shares[:, place] >= threshold) == pytest.approx(max(scores))
    assert fit_thresholds(shares, np.zeros((100, 3), int)).tolist() == [0.5] * 3


def test_metrics_of_several_labels_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    truth = (random.random((200, 3)) < 0.4).astype(int)
    shares = random.random((200, 3))
    answers = Answers((shares > 0.5).astype(int), shares)
    nothing = np.full(200, np.nan)
    found = metrics(answers, Truth(truth, nothing), 3)
    assert found["micro_f1"].value == pytest.approx(f1_score(truth, answers.labels, average="micro"))
    assert found["macro_f1"].value == pytest.approx(f1_score(truth, answers.labels, average="macro"))
    assert found["exact_accuracy"].value == pytest.approx((truth == answers.labels).all(axis=1).mean())
    assert found["cross_entropy"].value == pytest.approx(
        sum(log_loss(truth[:, place], shares[:, place]) for place in range(3))
    )
    assert "significantly better than the model: micro F1" in comparison(answers, Answers(truth), Truth(truth, nothing))
    sure = np.where(truth == 1, 0.99, 0.01)
    sure[:20] = 1 - sure[:20]  # right in nine of ten
    assert fit_temperature(sure, truth) == pytest.approx(np.log(99) / np.log(9), rel=1e-3)


@pytest.fixture(scope="module")
def several_run(
    experiment: Callable[..., SentimentConfiguration], train_tiny: Callable[..., Run], tmp_path_factory: Any
) -> Run:
    """A finished run of texts with several labels."""
    settings = own(tmp_path_factory.mktemp("several"), "columns", texts(160))
    return train_tiny(experiment(data=dict(settings) | {"batch_size": 16}, training={"epochs": 4}))


def test_several_labels_are_learned_evaluated_and_served(
    several_run: Run, loaded_both_ways: Callable[[Run], tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "EXPLAINED", 10)
    evaluation = evaluate.evaluate(several_run)
    rows = {row.name: row.metrics for row in evaluation.rows}
    assert list(rows) == ["model", "majority", "naive Bayes", "logistic regression"]
    assert rows["model"]["micro_f1"].value > 0.8 > rows["majority"]["micro_f1"].value > 0.4
    page = (several_run.folder / "report.html").read_text()
    assert "threshold" in page and "<h2>Labels</h2>" in page and "<h2>Calibration</h2>" not in page
    model = load_model(several_run)
    bounds = model.thresholds.numpy()
    given = ["w1 awful w3 lovely", "w1 w2", "brief", ""]
    shares, _ = read_texts(model, given)
    for predictor in loaded_both_ways(several_run):
        found = predictor.classify(given)
        for each, own_shares in zip(found, shares, strict=True):
            assert list(each.probabilities.values()) == pytest.approx(own_shares.tolist(), abs=1e-5)
            chosen = tuple(np.array(list(KINDS))[own_shares >= bounds].tolist())
            assert each.labels == chosen and each.label == ", ".join(chosen) and each.rating is None
        assert found[0].labels == ("rude", "warm") and found[2].labels == ("short",)


@pytest.mark.slow
def test_a_rating_alone_is_learned_evaluated_and_served(
    experiment: Callable[..., SentimentConfiguration],
    train_tiny: Callable[..., Run],
    loaded_both_ways: Callable[[Run], tuple[Any, Any]],
    tmp_path: Path,
    write_table: Callable[..., Path],
    make_opinions: Callable[..., list],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(report, "EXPLAINED", 10)
    rows = [(text, score) for text, _, score in make_opinions(160)]
    table = write_table(tmp_path / "rated.csv", rows, ("review", "score"))
    run = train_tiny(experiment(data={"path": str(table), "label": (), "rating": "score"}))
    rows = {row.name: row.metrics for row in evaluate.evaluate(run).rows}
    assert list(rows) == ["model", "mean", "ridge regression"]
    assert rows["model"]["mae"].value < 0.7 * rows["mean"]["mae"].value
    assert {"mae", "rmse", "correlation"} == rows["model"].keys()
    _, ratings = read_texts(load_model(run), ["superb", "awful"])
    for predictor in loaded_both_ways(run):
        found = predictor.classify(["superb", "awful"])
        assert [each.rating for each in found] == pytest.approx(ratings.tolist(), abs=1e-4)
        assert found[0].rating > found[1].rating and found[0].label == "" and found[0].probabilities == {}


def test_baselines_of_a_rating_alone() -> None:
    examples = [
        Example("", f"{word} {number}", "", value)
        for number in range(9)
        for word, value in (("good", 2.0), ("bad", -1.0))
    ]
    methods = baselines.available(data.Sets(dict.fromkeys(("train", "validation", "test"), examples), (), []))
    assert methods["mean"][1](["good"]).ratings == pytest.approx([0.5])
    high, low = methods["ridge regression"][1](["good", "bad"]).ratings
    assert high > 1.5 and low < -0.5


def test_weights_let_having_a_label_and_not_having_it_count_alike() -> None:
    truth = np.array([[1, 0], [0, 0], [0, 1], [0, 0], [-1, -1]])
    weights = data.label_weights(truth)
    for place in range(2):
        held, lacks = (weights[truth[:, place] == value, place].sum() for value in (1, 0))
        assert held == pytest.approx(lacks) and not weights[4].any()
