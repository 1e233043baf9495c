"""Evaluates a trained language model beside the baselines, and looks at what it makes up."""

import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Literal

import numpy as np
from pydantic import Field

from pipelines import commands
from pipelines.evaluation import Evaluation, Metric, Row, bootstrap, ratio
from pipelines.nlp.language_model import baselines, data
from pipelines.nlp.language_model.adaptation import Cache, DynamicEvaluation
from pipelines.nlp.language_model.baselines import Costs
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.model import LanguageModel
from pipelines.nlp.language_model.report import Details, write_language_report
from pipelines.nlp.language_model.samples import make_samples
from pipelines.nlp.language_model.scoring import Scored, score
from pipelines.nlp.language_model.trained import load_language_model
from pipelines.nlp.subwords import Subwords
from pipelines.nlp.text_files import Document
from pipelines.runs import Run

STRETCH, BLOCK = 1000, 5  # characters, and stretches of them that are drawn together for an interval


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Literal["validation", "test"] = Field("test", description="split to evaluate")
    slow: bool = Field(True, description="also the rows that take minutes: dynamic evaluation and n-gram model")


def evaluate(run: Run, split: Literal["validation", "test"] = "test", slow: bool = True) -> Evaluation:
    """Scores the documents of a split with a run's model and the baselines; writes table, plots and page."""
    configuration = run.read_configuration(LanguageModelConfiguration)
    model, subwords = load_language_model(run)
    sets = data.load(configuration.data, configuration.vocabulary, subwords)
    documents: Sequence[Document] = getattr(sets.corpus, split)
    numbers = data.encode(subwords, documents)

    rows: dict[str, tuple[str, Callable[[], Costs]]] = {}
    scored = cache(lambda: score(model, numbers, with_outputs=True))
    note = f"{len(documents)} whole documents, their ends counted"
    rows["model"] = (note, lambda: costs(subwords, numbers, scored()))
    rows["model with neural cache"] = (
        "mixed with what followed similar states in the same document; settings chosen on the validation split",
        lambda: _with_cache(model, sets, numbers, scored()),
    )
    if slow:
        rows["model, dynamic evaluation"] = (
            "learns from what it has been scored on; the rate chosen on the validation split",
            lambda: _with_dynamic_evaluation(model, sets, numbers),
        )
    for name, baseline in baselines.available(slow).items():
        rows[name] = (baseline.note, partial(baseline.costs, sets.corpus.train, documents))

    table = []
    for name, (note, cost) in rows.items():
        print(f"Scoring: {name}", flush=True)
        started = time.perf_counter()
        metric = bits_per_character(cost())
        table.append(Row(name, {"bits_per_character": metric}, (time.perf_counter() - started) / 60, note))
    evaluation = Evaluation(split, len(documents), table)
    run.write_json(evaluation.file_name("evaluation.json"), evaluation.to_json())
    samples = make_samples(model, subwords, documents, sets.corpus.train)
    run.write_json(evaluation.file_name("samples.json"), samples.to_json())
    write_language_report(run, evaluation, Details(documents, scored(), samples))
    return evaluation


def costs(subwords: Subwords, numbers: Sequence[np.ndarray], scored: Sequence[Scored]) -> Costs:
    """The bits of the subwords of documents and of their ends, and the characters that begin in each."""
    begun = np.array([sum(map(baselines.starts_character, piece)) for piece in subwords.pieces])  # (size,)
    characters = [np.append(begun[document], 0) for document in numbers]
    return Costs(np.concatenate([each.nats for each in scored]) / np.log(2), np.concatenate(characters))


def bits_per_character(found: Costs) -> Metric:
    """All bits over all characters; with an interval by resampling stretches of 1,000 characters, five together."""
    stretches = (np.cumsum(found.characters) // STRETCH).astype(int)
    if stretches[-1] < 4 * BLOCK or len(found.bits) == 1:
        return Metric(float(found.bits.sum() / found.characters.sum()))
    sums = [np.bincount(stretches, weights=each) for each in found]
    return bootstrap((sums[0], sums[1]), ratio, block=BLOCK)


def _with_cache(
    model: LanguageModel, sets: data.Sets, numbers: Sequence[np.ndarray], scored: Sequence[Scored]
) -> Costs:
    validation = data.encode(sets.subwords, sets.corpus.validation)
    cache = Cache.fit(validation, score(model, validation, with_outputs=True))
    print(f"  flatness {cache.flatness:g}, share {cache.share:g}")
    nats = [Scored(cache.nats(*pair)) for pair in zip(numbers, scored, strict=True)]
    return costs(sets.subwords, numbers, nats)


def _with_dynamic_evaluation(model: LanguageModel, sets: data.Sets, numbers: Sequence[np.ndarray]) -> Costs:
    dynamic = DynamicEvaluation(model)
    rate = dynamic.fit(data.encode(sets.subwords, sets.corpus.validation))
    print(f"  rate {rate:g}")
    return costs(sets.subwords, numbers, [Scored(nats) for nats in dynamic.nats(numbers, rate)])


def main(arguments: list[str]) -> None:
    options = commands.run_options(EvaluationOptions, "nlp", "evaluate", arguments, __doc__ or "")
    run = options.open("nlp")
    evaluation = evaluate(run, options.split, options.slow)
    evaluation.print()
    table, page = evaluation.file_name("evaluation.json"), evaluation.file_name("report.html")
    print(f"Wrote {run.folder}/{table} and {page}")
    print(f'Next: open {run.folder / page} in a browser; make export-nlp; make generate PROMPT="…"')


if __name__ == "__main__":
    commands.main(main)
