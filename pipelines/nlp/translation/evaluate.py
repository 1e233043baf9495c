"""Evaluates a trained translator beside the baselines: `python -m pipelines.nlp.evaluate [--run FOLDER]`."""

import time
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

from pydantic import Field

from pipelines import commands
from pipelines.evaluation import Evaluation, Row
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.dictionary import Dictionary
from pipelines.nlp.translation.pairs import Pair
from pipelines.nlp.translation.report import Details, write_translation_report
from pipelines.nlp.translation.scoring import metrics, signatures
from pipelines.nlp.translation.sources import Embedded, Split, open_corpus
from pipelines.nlp.translation.trained import load_translator, translate_texts
from pipelines.runs import Run

Translate = Callable[[list[str]], list[str]]


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Split = Field("test", description="split to evaluate")
    data: Literal["", Embedded] = Field("", description="another embedded data set to evaluate on")


class Baseline(NamedTuple):
    """How a row translates sentences, and what is to be said of it."""

    translate: Translate
    note: str


def evaluate(run: Run, split: Split = "test", data: Literal["", Embedded] = "") -> Evaluation:
    """Translates a split with a run's translator and the baselines; writes table, plots and page into its folder.

    Args:
        run: a finished run.
        split: of its data set, or of `data`.
        data: another embedded data set.
    """
    configuration = run.read_configuration(TranslationConfiguration)
    translator = load_translator(run)
    train = open_corpus(configuration.data).pairs["train"]
    judged = configuration.data.replace(source=data, more=()) if data else configuration.data
    pairs = open_corpus(judged).pairs[split]
    sources, references = [pair.source for pair in pairs], [pair.target for pair in pairs]

    def by_model(beam_width: int, texts: list[str]) -> list[str]:
        return translate_texts(translator, texts, configuration.search.replace(beam_width=beam_width))[0]

    width = configuration.search.beam_width
    rows = {"model": Baseline(partial(by_model, width), f"beam search, {width} beams")}
    if width > 1:
        rows["model, greedy"] = Baseline(partial(by_model, 1), "the same network, always the most probable subword")
    rows |= baselines(train)

    translations, table = {}, []
    for name, row in rows.items():
        print(f"Translating {len(sources)} sentences: {name}", flush=True)
        started = time.perf_counter()
        translations[name] = row.translate(sources)
        minutes = (time.perf_counter() - started) / 60
        table.append(Row(name, metrics(references, translations[name]), minutes, row.note))
    table[0] = table[0]._replace(notes=f"{table[0].notes}; {signatures(references, translations['model'])}")
    evaluation = Evaluation(f"{split}-{data}" if data else split, len(pairs), table)
    run.write_json(evaluation.file_name("evaluation.json"), evaluation.to_json())
    details = Details(translator, pairs, translations["model"])
    write_translation_report(run, evaluation, details)
    lines = zip(pairs, translations["model"], strict=True)
    run.write_json(
        evaluation.file_name("translations.json"), [pair._asdict() | {"translation": text} for pair, text in lines]
    )
    return evaluation


def baselines(train: list[Pair]) -> dict[str, Baseline]:
    """Returns the baselines by name, fitted on the training split alone."""

    def word_by_word(texts: list[str]) -> list[str]:
        dictionary = Dictionary([pair.source for pair in train], [pair.target for pair in train])
        return [dictionary.translate(text) for text in texts]

    return {
        "word by word": Baseline(word_by_word, "a dictionary learned by alignment (IBM model 1)"),
        "copy": Baseline(list, "the source as it is"),
    }


def main(arguments: list[str]) -> None:
    options = commands.run_options(EvaluationOptions, "nlp", "evaluate", arguments, __doc__ or "")
    run = options.open("nlp")
    evaluation = evaluate(run, options.split, options.data)
    evaluation.print()
    table, page, texts = map(evaluation.file_name, ("evaluation.json", "report.html", "translations.json"))
    print(f"Wrote {run.folder}/{table}, {page} and {texts}")
    print(f'Next: open {run.folder / page} in a browser; make export-nlp; make translate TEXT="…"')
