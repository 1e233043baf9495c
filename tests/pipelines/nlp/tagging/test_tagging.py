"""The tagger: it learns, every weight moves, run and export answer alike, and neither padding nor order matters."""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines import commands, predictors
from pipelines.configuration import ConfigurationError
from pipelines.nlp.tagged_files import spans_of
from pipelines.nlp.tagging import data, train
from pipelines.nlp.tagging.baselines import commonest_tags
from pipelines.nlp.tagging.config import TaggingConfiguration
from pipelines.nlp.tagging.evaluate import evaluate
from pipelines.nlp.tagging.model import load_model
from pipelines.nlp.tagging.predictor import Predictor, Tagging
from pipelines.nlp.tagging.scoring import metrics, tallies
from pipelines.nlp.text_files import TextDataError
from pipelines.optimization import TrainingConfiguration, TrainingStep
from pipelines.runs import Run

Experiment = Callable[..., TaggingConfiguration]
TEXTS = ["Ada Ulm sees w7 in Kiel.", "", "  Ben  Falk, 😀 שלום 日本", "w1 " * 90, "Zoe Bonn sees w3 in Ulm ."]


@pytest.fixture(scope="module")
def both(trained_run: Run, loaded_both_ways: Callable[[Run], tuple[Any, Any]]) -> tuple[Predictor, Predictor]:
    """The predictors of the run and of its export."""
    return loaded_both_ways(trained_run)


def assert_alike(first: list[Tagging], second: list[Tagging]) -> None:
    for one, two in zip(first, second, strict=True):
        assert one.words == two.words and one.tags == two.tags
        assert [span[:4] for span in one.spans] == [span[:4] for span in two.spans]
        np.testing.assert_allclose([each[4] for each in one.spans], [each[4] for each in two.spans], atol=1e-5)


def test_names_are_learned_from_what_is_around_them(trained_run: Run) -> None:
    evaluation = evaluate(trained_run)
    model, baseline = (row.metrics for row in evaluation.rows)
    assert model["f1"].value > 0.95 > baseline["f1"].value  # a name alone does not tell whether it is a place
    assert model["accuracy"].value > baseline["accuracy"].value
    answers = trained_run.read_json("answers-test.json")
    assert len(answers["words"]) == evaluation.examples
    page = (trained_run.folder / "report.html").read_text(encoding="utf-8")
    assert "PER" in page and "F1 of parts" in page


def test_the_export_reaches_the_row_model(trained_run: Run, reaches_the_row_model: Callable[[Run], None]) -> None:
    reaches_the_row_model(trained_run)


def test_run_and_export_answer_alike_alone_and_among_others(both: tuple[Predictor, Predictor]) -> None:
    alone = [both[0].tag(text) for text in TEXTS]
    for predictor in both:
        assert_alike(predictor.tag(TEXTS), alone)
        assert_alike(predictor.tag(TEXTS[::-1] * 20), alone[::-1] * 20)
        assert predictor.tag([]) == []
    assert [(span.text, span.label) for span in alone[0].spans] == [("Ada Ulm", "PER"), ("Kiel", "LOC")]
    assert alone[1] == Tagging([], [], [])
    for text, answer in zip(TEXTS, alone, strict=True):
        assert "".join(answer.words) == "".join(text.split())
        for span in answer.spans:
            assert text[span.start : span.end] == span.text and 0 < span.probability <= 1


def test_words_that_are_divided_already_are_tagged_as_they_are(both: tuple[Predictor, Predictor]) -> None:
    sentences = [each.words for each in map(both[0].tag, TEXTS)]
    for predictor in both:
        found = predictor.tag(sentences)
        assert [each.words for each in found] == sentences
        assert_alike(predictor.tag([np.array(each, object) for each in sentences]), found)  # as of Parquet
        assert_alike(predictor.tag([["Ada", "U.l.m.", "sees"]]), [predictor.tag([["Ada", "U.l.m.", "sees"]])[0]])
        for words, own in zip(sentences, found, strict=True):
            for span in own.spans:
                assert " ".join(words)[span.start : span.end] == span.text
        assert found[0].tags == predictor.tag(TEXTS[0]).tags


def test_what_is_no_text_is_refused(both: tuple[Predictor, Predictor]) -> None:
    for wrong in (None, 3, b"Ada"):
        with pytest.raises(ConfigurationError, match=r"is not a string. .* Received: "):
            both[0].tag(["Ada", wrong])
        with pytest.raises(ConfigurationError, match=r"is not a string. .* Received: "):
            both[0].tag([["Ada", wrong]])
    with pytest.raises(ConfigurationError, match=r"A word needs a character.* Received: an empty word in text 1"):
        both[0].tag([["Ada", ""]])
    for predictor in both:
        with pytest.raises(ConfigurationError, match=r"words: expected empty words behind the last one only\."):
            predictor._served("words", words=[["Ada", "", "Ulm"], ["Kiel", "", ""]])


def test_the_export_needs_nothing_of_ours(
    trained_run: Run,
    export_once: Callable[[Run], Path],
    answer_elsewhere: Callable[..., Any],
    both: tuple[Predictor, Predictor],
) -> None:
    folder = export_once(trained_run)
    answer = answer_elsewhere(folder, ["serving_default", {"text": TEXTS}])
    expected = both[0].tag(TEXTS)
    for place, own in enumerate(expected):
        count = len(own.words)
        assert answer["words"][place][:count] == own.words and not any(answer["words"][place][count:])
        assert answer["tags"][place][:count] == own.tags and not any(answer["tags"][place][count:])
        starts, ends = answer["starts"][place], answer["ends"][place]
        assert [TEXTS[place][starts[i] : ends[i]] for i in range(count)] == own.words
    assert "B-PER" in (folder / "model_card.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_one_step_moves_every_weight_and_one_batch_is_learned(experiment: Experiment) -> None:
    configuration = experiment(network={"layers": 2, "dropout": 0.0, "word_dropout": 0.0})
    sets, tagger, *_ = train.prepare(configuration)
    learned = data.numbered(sets, tagger.words)
    batch = next(iter(data.training_batches(learned, 16, seed=0, epoch=0)))
    loss = partial(train.batch_loss, tagger)
    specification = tf.nest.map_structure(tf.TensorSpec.from_tensor, batch)
    step = TrainingStep(tagger, loss, TrainingConfiguration(learning_rate=0.03), 200, specification)
    before = [weight.numpy() for weight in tagger.trainable_variables]
    step(batch)
    for weight, old in zip(tagger.trainable_variables, before, strict=True):
        assert np.any(old != weight.numpy()), weight.path
    for _ in range(40):
        step(batch)
    assert float(loss(batch, training=False)) < 0.01


def test_words_without_a_tag_have_no_part_in_the_loss(experiment: Experiment) -> None:
    sets, tagger, *_ = train.prepare(experiment())
    batch = next(iter(data.training_batches(data.numbered(sets, tagger.words), 4, seed=0, epoch=0)))
    tags = batch["tags"].numpy()
    tags[:, 3] = -1
    logits = tagger(batch["numbers"], batch["lengths"]).numpy()
    chosen = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    losses = -np.log(np.take_along_axis(chosen, np.maximum(tags, 0)[..., np.newaxis], -1))[..., 0][tags >= 0]
    found = train.batch_loss(tagger, batch | {"tags": tf.constant(tags)}, training=False)
    assert float(found) == pytest.approx(losses.mean(), rel=1e-4)


def test_nothing_is_learned_from_held_out_sentences(experiment: Experiment) -> None:
    sets, _, description, *_ = train.prepare(experiment(network={"minimum_count": 1}))
    learned = {word.lower() for each in sets.splits["train"] for word in each.words}
    assert {word for word in description["vocabulary"] if word.isalpha()} == {w for w in learned if w.isalpha()}
    assert set(sets.tags) == {tag for each in sets.splits["train"] for tag in each.tags}


def test_figures_are_counted_by_hand() -> None:
    sentences = [
        data.Sentence("1", ("Ada", "Ulm", "w"), ("B-PER", "I-PER", "O")),
        data.Sentence("2", ("Bonn", "x"), ("B-LOC", "")),
    ]
    answers = [["B-PER", "O", "O"], ["B-LOC", "B-LOC"]]
    tally = tallies(sentences, answers, {"ada", "w"}, ["B-LOC", "B-PER", "I-PER", "O"])
    found = {name: metric.value for name, metric in metrics(tally).items()}
    # Of four words with a tag, Ulm is wrong; it and Bonn are unseen. Of two spans one is right; three are predicted.
    assert found == pytest.approx({"accuracy": 3 / 4, "unseen_accuracy": 1 / 2, "f1": 2 / (2 + 3)})
    baseline = commonest_tags(sentences, [data.Sentence("3", ("ADA", "new"), ("", ""))])
    assert baseline == [["B-PER", "B-PER"]]


def test_a_run_whose_data_cannot_be_used_is_refused(experiment: Experiment, tmp_path: Path) -> None:
    path = tmp_path / "one.conll"
    path.write_text("".join(f"a{number} X\n\n" for number in range(60)), encoding="utf-8")
    with pytest.raises(TextDataError, match=r"two tags or more.*Received: sentences .* the tags X"):
        data.load(experiment(data={"path": str(path)}).data)
    with pytest.raises(ConfigurationError, match=r"data\.path: it does not fit the source"):
        data.load(experiment(data={"path": ""}).data)
    with pytest.raises(ConfigurationError, match=r"data\.path: it does not fit the source"):
        data.load(experiment(data={"source": "brown_corpus"}).data)


def test_files_for_validation_and_test_are_used_and_their_new_tags_named(
    experiment: Experiment, tmp_path: Path
) -> None:
    path = tmp_path / "test.conll"
    path.write_text("Ada B-PER\nsees B-NEW\n", encoding="utf-8")
    sets = data.load(experiment(data={"test": str(path)}).data)
    whole = data.load(experiment().data)
    assert [each.words for each in sets.splits["test"]] == [("Ada", "sees")]
    assert sum(map(len, sets.splits.values())) - 1 == sum(map(len, whole.splits.values()))
    assert any("B-NEW (1×)" in note for note in sets.notes)


def test_the_command_prints_spans(trained_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    commands.answer("tag", ["Ada Ulm sees w1 in Kiel.", "--run", str(trained_run.folder)])
    assert capsys.readouterr().out == "Ada Ulm/PER Kiel/LOC\n"
    commands.answer("tag", ["Ada Ulm sees w1.", "--run", str(trained_run.folder), "--format", "json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["text"] == "Ada Ulm sees w1."
    assert [(span["start"], span["end"], span["label"]) for span in answer["spans"]] == [(0, 7, "PER")]


def test_rows_of_a_file_get_their_spans(trained_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["Ada Ulm sees w1 in Kiel.", "", "Kiel"]
    table, run = tmp_path / "in.csv", ["--run", str(trained_run.folder)]
    table.write_text("id,text\n" + "".join(f"{number},{text}\n" for number, text in enumerate(texts)))
    expected = [[span._asdict() for span in each.spans] for each in predictors.load(trained_run.folder).tag_all(texts)]
    for name in ("out.jsonl", "out.csv"):
        commands.answer("tag", ["--file", str(table), "--output", str(tmp_path / name), *run])
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    for number, (line, row, spans) in enumerate(zip(lines, rows, expected, strict=True)):
        assert line["id"] == row["id"] == str(number) and line["text"] == texts[number]
        assert (line.get("spans") or [], json.loads(row["spans"] or "[]")) == (spans, spans)
    assert "Tagged 2 texts" in capsys.readouterr().err
    with pytest.raises(ConfigurationError, match="is not overwritten"):
        commands.answer("tag", ["--file", str(table), "--output", str(tmp_path / "out.csv"), *run])


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(
    tagged_file: Path, whole_and_resumed: Callable[[str, str, str], Run]
) -> None:
    changes = f"--data.path {tagged_file} --data.batch_size 32 --network.units 8 --network.embedding 8"
    whole = whole_and_resumed("tagging", "own-tagging", f"{changes} --training.epochs 3")
    assert load_model(whole).tags == ("B-LOC", "B-PER", "I-PER", "O")


def test_parts_of_speech_are_spans_of_one_word() -> None:
    assert spans_of(["O", "NN"], ["NN", "O"]) == [(0, 0, "O"), (1, 1, "NN")]


@pytest.mark.slow
def test_two_devices_train_as_one(experiment: Experiment, same_on_two_devices: Callable[..., None]) -> None:
    same_on_two_devices("tagging", experiment(network={"dropout": 0.0, "word_dropout": 0.0}, training={"epochs": 1}))


@pytest.mark.slow
def test_a_job_has_the_same_answers(trained_run: Run, tmp_path: Path) -> None:
    texts = ["Ada Ulm sees w1 in Kiel.", "", "Kiel", "w1 sees Ada Ulm.", "w2"]
    given, output = tmp_path / "texts.txt", tmp_path / "answers.jsonl"
    given.write_text("\n".join(texts))
    options = ["--workers", "2", "--part", "2", "--run", str(trained_run.folder)]
    commands.answer("tag", ["--file", str(given), "--output", str(output), *options])
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(each["line"], each["text"]) for each in found] == list(enumerate(texts, 1))
    expected = predictors.load(trained_run.folder).tag_all(texts)
    for each, other in zip(found, expected, strict=True):
        assert [span["text"] for span in each["spans"]] == [span.text for span in other.spans]


def test_a_job_needs_texts_and_a_free_name(trained_run: Run, tmp_path: Path) -> None:
    options = ["--workers", "2", "--run", str(trained_run.folder), "--output", str(tmp_path / "answers.jsonl")]
    with pytest.raises(ConfigurationError, match=r"needs texts.*--file"):
        commands.answer("tag", options)
    with pytest.raises(ConfigurationError, match="There is no such file"):
        commands.answer("tag", [*options, "--file", str(tmp_path / "none.txt")])
