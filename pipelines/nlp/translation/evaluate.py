"""Evaluates a translator beside the baselines."""

import time
from typing import Literal

from pydantic import Field

from pipelines import commands
from pipelines.comparison import compared_rows
from pipelines.evaluation import Evaluation
from pipelines.nlp.translation import baselines, predictor
from pipelines.nlp.translation.baselines import Translate
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.data import load
from pipelines.nlp.translation.predictor import Predictor
from pipelines.nlp.translation.report import Details, write_translation_report
from pipelines.nlp.translation.scoring import comparison, metrics, sacrebleu_signatures
from pipelines.nlp.translation.sources import Embedded, Split
from pipelines.preparation import report_changed_data
from pipelines.runs import Run


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Split = Field("test", description="split to evaluate")
    data: Literal["", Embedded] = Field("", description="another embedded data set to evaluate on")


def evaluate(run: Run, split: Split = "test", data: Literal["", Embedded] = "") -> Evaluation:
    """Translates a split with a run's translator and the baselines; writes table, plots and page into its folder.

    Args:
        run: a finished run.
        split: of its data set, or of `data`.
        data: another embedded data set.
    """
    configuration = run.read_configuration(TranslationConfiguration).data
    translator, corpus = predictor.load(run), load(configuration)
    report_changed_data(run, corpus)
    evaluated = load(configuration.replace(source=data, more=())) if data else corpus
    pairs = evaluated.pairs[split]
    sources, references = [pair.source for pair in pairs], [pair.target for pair in pairs]
    methods = model_rows(translator) | baselines.available(corpus.pairs["train"])
    translations, minutes = {}, {}
    for name, (_, translate) in methods.items():
        print(f"Translating {len(sources)} sentences: {name}", flush=True)
        started = time.perf_counter()
        translations[name] = translate(sources)
        minutes[name] = (time.perf_counter() - started) / 60
    notes = {name: note for name, (note, _) in methods.items()}
    notes["model"] += f"; {sacrebleu_signatures(references, translations['model'])}"
    rows = compared_rows(
        translations,
        lambda texts: metrics(references, texts),
        lambda model, other: comparison(references, model, other),
        notes,
    )
    table = [row._replace(minutes=minutes[row.name]) for row in rows]
    evaluation = Evaluation(f"{split}-{data}" if data else split, len(pairs), table)
    write_translation_report(run, evaluation, Details(translator, pairs, translations["model"]))
    return evaluation


def model_rows(translator: Predictor) -> dict[str, tuple[str, Translate]]:
    """Returns the rows of a translator, of its beam search and of a greedy one, in the form of the baselines'."""

    def by_beams(texts: list[str]) -> list[str]:
        return [each.text for each in translator.translate_all(texts)]

    def greedy(texts: list[str]) -> list[str]:
        return [each.text for each in translator.translate_all(texts, beam_width=1)]

    rows: dict[str, tuple[str, Translate]] = {"model": (f"beam search, {translator.beam_width} beams", by_beams)}
    if translator.beam_width > 1:
        rows["model, greedy"] = ("the same network, always the most probable subword", greedy)
    return rows
