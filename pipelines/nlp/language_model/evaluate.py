"""Evaluates a trained language model beside the baselines, and the texts that it generates."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines import commands, hints
from pipelines.comparison import compared_rows, comparison, timed
from pipelines.evaluation import Evaluation, Metric, bootstrap, ratio
from pipelines.nlp.language_model import baselines, data
from pipelines.nlp.language_model.adaptation import Cache, DynamicEvaluation
from pipelines.nlp.language_model.baselines import Costs
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.mixing import Tree, mixed_nats
from pipelines.nlp.language_model.model import LanguageModel, load_model
from pipelines.nlp.language_model.predictor import Predictor
from pipelines.nlp.language_model.report import make_samples, write_language_report
from pipelines.nlp.language_model.scoring import Scored, score
from pipelines.nlp.language_model.serving import signatures
from pipelines.nlp.subwords import Subwords
from pipelines.nlp.text_files import Document
from pipelines.preparation import report_changed_data
from pipelines.runs import Run
from pipelines.served import Served

STRETCH, BLOCK = 1000, 5  # characters, and stretches of them that are drawn together for an interval


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    RENAMED: ClassVar = {"slow": "slow_baselines", "no_slow": "no_slow_baselines"}

    split: Literal["validation", "test"] = Field("test", description="split to evaluate")
    slow_baselines: bool = Field(
        True, description="include the rows that take minutes: dynamic evaluation and n-gram model"
    )


def evaluate(run: Run, split: str = "test", slow_baselines: bool = True) -> Evaluation:
    """Scores the documents of a split with a run's model and the baselines; writes table, plots and page."""
    configuration = run.read_configuration(LanguageModelConfiguration)
    model = load_model(run)
    subwords = model.subwords
    sets = data.load(configuration.data, configuration.vocabulary, subwords)
    report_changed_data(run, sets, sets.corpus.texts("train"), sets.corpus.texts(split))
    documents: Sequence[Document] = getattr(sets.corpus, split)
    numbers = data.encode(subwords, documents)

    methods: dict[str, tuple[str, Callable[[], Costs]]] = {}
    scored = cache(lambda: score(model, numbers, with_outputs=True))
    note = f"{len(documents)} whole documents, their ends counted"
    methods["model"] = (note, lambda: costs(subwords, numbers, scored()))
    methods["model with neural cache"] = (
        "mixed with what followed similar states in the same document; settings chosen on the validation split",
        lambda: _with_cache(model, sets, numbers, scored()),
    )
    if slow_baselines:
        print(f"Some rows take minutes. To skip them, add {hints.option('--no_slow_baselines')}.")
        dynamic, validation = DynamicEvaluation(model), data.encode(subwords, sets.corpus.validation)
        rate = cache(lambda: _reported(dynamic.fit(validation)))
        methods["model, dynamic evaluation"] = (
            "learns from what it has been scored on; the rate chosen on the validation split",
            lambda: costs(subwords, numbers, [Scored(nats) for nats in dynamic.nats(numbers, rate())]),
        )
        methods["model, dynamic evaluation, mixed with n-grams"] = (
            "of bytes and words, and what followed the last match; the weights learned from the validation split on",
            lambda: _mixed(dynamic, rate(), sets, validation, numbers),
        )
    for name, baseline in baselines.available(slow_baselines).items():
        methods[name] = (baseline.note, partial(baseline.costs, sets.corpus.train, documents))

    answers, minutes = timed({name: cost for name, (_, cost) in methods.items()}, "Scoring")
    notes = {name: note for name, (note, _) in methods.items()}
    rows = compared_rows(
        answers, lambda found: {"bits_per_character": bits_per_character(found)}, compared, notes, minutes
    )
    evaluation = Evaluation(split, len(documents), rows)
    predictor = Predictor(run, Served(signatures(model)))
    samples = make_samples(predictor, subwords, documents, sets.corpus.train)
    run.write_json(evaluation.file_name("samples.json"), samples.to_json())
    write_language_report(run, evaluation, documents, scored(), samples)
    return evaluation


def costs(subwords: Subwords, numbers: Sequence[np.ndarray], scored: Sequence[Scored]) -> Costs:
    """Returns the bits of the subwords of documents and of their ends, and the characters that begin in each."""
    begun = np.array([sum(map(baselines.starts_character, piece)) for piece in subwords.pieces])  # (size,)
    characters = [np.append(begun[document], 0) for document in numbers]
    return Costs(np.concatenate([each.nats for each in scored]) / np.log(2), np.concatenate(characters))


def bits_per_character(found: Costs) -> Metric:
    """Returns all bits over all characters; with an interval by resampling stretches of characters, five together."""
    bits, characters = by_stretch(found, STRETCH)
    if len(bits) <= 4 * BLOCK or len(found.bits) == 1:
        return Metric(float(found.bits.sum() / found.characters.sum()))
    return bootstrap((bits, characters), ratio, block=BLOCK)


def compared(model: Costs, other: Costs) -> str:
    """Returns in words whether another row differs from the model beyond chance; nothing where only a total is known.

    Stretches that are as long as the blocks of the interval are resampled.
    """
    if len(other.bits) == 1:
        return ""
    ours, theirs = (by_stretch(each, BLOCK * STRETCH) for each in (model, other))
    return comparison(ours, theirs, "bits per character", statistic=ratio)


def by_stretch(found: Costs, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the bits and the characters of stretches of so many characters, (stretches,) both."""
    stretches = (np.cumsum(found.characters) // length).astype(int)
    return np.bincount(stretches, weights=found.bits), np.bincount(stretches, weights=found.characters)


def _with_cache(
    model: LanguageModel, sets: data.Sets, numbers: Sequence[np.ndarray], scored: Sequence[Scored]
) -> Costs:
    validation = data.encode(sets.subwords, sets.corpus.validation)
    cache = Cache.fit(validation, score(model, validation, with_outputs=True))
    print(f"  flatness {cache.flatness:g}, share {cache.share:g}")
    nats = [Scored(cache.nats(*pair)) for pair in zip(numbers, scored, strict=True)]
    return costs(sets.subwords, numbers, nats)


def _reported(rate: float) -> float:
    print(f"  rate {rate:g}")
    return rate


def _mixed(
    dynamic: DynamicEvaluation,
    rate: float,
    sets: data.Sets,
    validation: Sequence[np.ndarray],
    numbers: Sequence[np.ndarray],
) -> Costs:
    tree, documents = Tree(sets.subwords.pieces), [*validation, *numbers]
    odds: list[np.ndarray] = []
    dynamic.nats(documents, rate, lambda read, logits: odds.append(tree.log_odds(read, logits)))
    training, scored = (
        np.concatenate([np.append(one, data.BOUNDARY) for one in each]) for each in (sets.training, documents)
    )
    nats = mixed_nats(tree, training, scored, np.concatenate(odds)[:, np.newaxis])
    ends = np.cumsum([len(each) + 1 for each in documents])
    return costs(sets.subwords, numbers, [Scored(each) for each in np.split(nats, ends[:-1])[len(validation) :]])
