"""Evaluates a translator beside the baselines."""

from functools import partial
from pathlib import Path
from typing import Any, get_args

from pydantic import Field

from pipelines import commands
from pipelines.comparison import compared_rows, timed
from pipelines.evaluation import Evaluation
from pipelines.nlp.splits import Split
from pipelines.nlp.texts import TextDataError
from pipelines.nlp.translation import baselines, predictor
from pipelines.nlp.translation.baselines import Translate
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.data import load
from pipelines.nlp.translation.pairs import Pair, identities, usable
from pipelines.nlp.translation.predictor import Predictor
from pipelines.nlp.translation.report import Details, write_translation_report
from pipelines.nlp.translation.scoring import comparison, metrics, sacrebleu_signatures
from pipelines.nlp.translation.sources import DataConfiguration, Embedded, read_own
from pipelines.preparation import report_changed_data
from pipelines.runs import Run


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Split = Field("test", description="split to evaluate")
    data: str = Field(
        "", description="other pairs to evaluate on: a built-in data set, a table, or two files with a comma between"
    )


def evaluate(run: Run, split: Split = "test", data: str = "") -> Evaluation:
    """Translates a split with a run's translator and the baselines; writes table, plots and page into its folder.

    Args:
        data: another built-in data set; or all pairs of a table, or of two files, with a comma between their names.
    """
    configuration = run.read_configuration(TranslationConfiguration).data
    translator, corpus = predictor.load(run), load(configuration)
    pairs = other_pairs(data, split, configuration) if data else corpus.pairs[split]
    report_changed_data(run, corpus, identities(corpus.pairs["train"]), identities([] if data else pairs))
    sources, references = [pair.source for pair in pairs], [pair.target for pair in pairs]
    methods = model_rows(translator) | baselines.available(corpus.pairs["train"])
    calls = {name: partial(translate, sources) for name, (_, translate) in methods.items()}
    translations, minutes = timed(calls, f"Translating {len(sources)} sentences")
    notes = {name: note for name, (note, _) in methods.items()}
    notes["model"] += f"; {sacrebleu_signatures(references, translations['model'])}"
    rows = compared_rows(
        translations,
        lambda texts: metrics(references, texts),
        lambda model, other: comparison(references, model, other),
        notes,
        minutes,
    )
    name = f"{split}-{Path(data.partition(',')[0]).name.partition('.')[0]}" if data else split
    evaluation = Evaluation(name, len(pairs), rows)
    write_translation_report(run, evaluation, Details(translator, pairs, translations["model"]))
    return evaluation


def other_pairs(data: str, split: Split, configuration: DataConfiguration) -> list[Pair]:
    """Returns the pairs of a split of a built-in data set, or those of a user's files that have text on both sides.

    Raises:
        TextDataError: a file cannot be read, or has no such pairs.
    """
    if data in get_args(Embedded):
        return load(DataConfiguration().replace(source=data, languages=configuration.languages)).pairs[split]
    pairs, left_out = usable(read_own(data.split(","), configuration))
    for each in left_out[:1]:
        print(f"Note: {len(left_out)} pairs are not evaluated, such as {each.where}: {each.reason}.")
    if not pairs:
        raise TextDataError(
            f"{data} has no pairs with text on both sides; expected some to evaluate on. Fill it, or give another. "
            f"Received: {len(left_out)} pairs"
        )
    return pairs


def model_rows(translator: Predictor) -> dict[str, tuple[str, Translate]]:
    """Returns the rows of a translator, of its beam search and of a greedy one, in the form of the baselines'."""

    def translate(texts: list[str], **options: Any) -> list[str]:
        return [each.text for each in translator.translate_all(texts, **options)]

    # What the network writes by itself, as a server returns it.
    by_beams, greedy = partial(translate, placeholders=False), partial(translate, placeholders=False, beam_width=1)
    rows: dict[str, tuple[str, Translate]] = {
        "model": (f"beam search, {translator.beam_width} beams", by_beams),
        "model, kept": ("the same, placeholders, addresses and numbers kept as they are", translate),
    }
    if translator.beam_width > 1:
        rows["model, greedy"] = ("the same network, always the most probable subword", greedy)
    return rows
