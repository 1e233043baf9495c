"""The page that an evaluation of a tagger writes: table, labels of spans, tags taken for others, curves."""

from collections import Counter
from collections.abc import Sequence

from nervaluate import Evaluator

from pipelines.evaluation import Evaluation
from pipelines.nlp.tagged_files import UNTAGGED, Sentence, has_spans, spans_of
from pipelines.nlp.tagging.data import Sets
from pipelines.nlp.tagging.scoring import Tags
from pipelines.report import Section, Table, write_evaluation
from pipelines.runs import Run

SHOWN = 30  # rows of the table of confusions


def write_tagging_report(run: Run, evaluation: Evaluation, sets: Sets, answers: Tags) -> None:
    """Writes `report.html` and the answers into the run's folder, for another split than test by names of its own."""
    sentences = sets.splits[evaluation.split]
    errors = Counter(
        (tag, predicted, word.lower())
        for each, tags in zip(sentences, answers, strict=True)
        for word, tag, predicted in zip(each.words, each.tags, tags, strict=True)
        if tag not in (UNTAGGED, predicted)
    )
    confusions = Table(["true", "predicted", "word", "times"], [[*key, n] for key, n in errors.most_common(SHOWN)])
    columns = {name: [getattr(each, name) for each in sentences] for name in Sentence._fields}
    spans = [Section("Spans", [span_table(columns["tags"], answers, sets.tags)])] if has_spans(sets.tags) else []
    sections = [*spans, Section("Tags taken for others", [confusions])]
    explained = "Accuracy is the share of words whose tag is right. F1 is that of whole spans, with the right label."
    columns["predicted"] = list(answers)
    write_evaluation(run, evaluation, "A tag for each word", "accuracy", explained, sections, columns)


def span_table(truth: Tags, answers: Tags, tags: Sequence[str]) -> Table:
    """Returns the figures of the spans of each label, as nervaluate counts them."""
    spans = [
        [[dict(zip(("start", "end", "label"), span, strict=True)) for span in spans_of(each, tags)] for each in part]
        for part in (truth, answers)
    ]
    labels = sorted({tag[2:] for tag in tags if tag[2:]})
    found = Evaluator(*spans, tags=labels, loader="dict").evaluate()["entities"]
    rows = []
    for label in sorted(found):
        strict, partial = found[label]["strict"], found[label]["partial"]
        figures = (strict.precision, strict.recall, strict.f1, partial.f1)
        rows.append([label, *(f"{figure:.3f}" for figure in figures)])
    return Table(["label", "precision", "recall", "F1", "F1 of parts"], rows)
