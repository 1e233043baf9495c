"""The page that an evaluation of a language model writes: table, documents, samples, learning curves."""

from collections.abc import Sequence

import numpy as np

from pipelines import plots
from pipelines.evaluation import Evaluation
from pipelines.nlp.language_model.samples import COPIED_WORDS, LENGTH, TEXTS, Sample, Samples
from pipelines.nlp.language_model.scoring import Scored
from pipelines.nlp.text_files import Document
from pipelines.report import Code, Section, Table, write_evaluation
from pipelines.runs import Run

SHOWN = 40  # documents


def write_language_report(
    run: Run, evaluation: Evaluation, documents: Sequence[Document], scored: Sequence[Scored], samples: Samples
) -> None:
    """Writes `report.html` and its plots into the run's folder, for another split than test under names of its own."""
    plots.save(plots.bars(evaluation, "bits_per_character"), run.folder / evaluation.file_name("bits.png"))
    plots.save(plots.learning_curves(run.history()), run.folder / "learning_curves.png")
    write_evaluation(
        run,
        evaluation,
        "Language model",
        "bits_per_character",
        "Bits that a character of whole documents takes, each after all that came before it in its document; fewer are "
        "better. All rows are scored on the same characters. The compressors and the n-gram model have read the "
        "training text and go on learning (compressors) or not (n-gram).",
        [
            Section("Generated texts", [sample_table(samples.kinds), *sample_texts(samples)]),
            Section("Documents", [document_table(documents, scored)]),
        ],
    )


def sample_table(samples: Sequence[Sample]) -> Table:
    """Returns how much generated texts repeat themselves and the training text, beside real text."""
    return Table(
        ["", "distinct words", "distinct pairs", "distinct triples", "copied"],
        [[each.kind, *(f"{share:.3f}" for share in each.distinct), f"{each.copied:.3f}"] for each in samples],
        "Shares: of all stretches of one, two and three words those that differ; of all stretches of "
        f"{COPIED_WORDS} words those that stand in the training text. {TEXTS} texts of {LENGTH} subwords of each kind.",
    )


def sample_texts(samples: Samples) -> list[str | Code]:
    """Returns the first text of each kind, and the most probable one."""
    texts = {
        "all begin with": samples.prompt,
        **{sample.kind: sample.text for sample in samples.kinds},
        "the most probable text, by a beam of 4": samples.most_probable,
    }
    return [block for kind, text in texts.items() for block in (f"{kind[:1].upper()}{kind[1:]}:", Code(text))]


def document_table(documents: Sequence[Document], scored: Sequence[Scored]) -> Table:
    """Returns the documents that take most bits by character."""
    costs = [float(each.nats.sum() / np.log(2)) for each in scored]
    pairs = [(bits / max(len(each.text), 1), each) for bits, each in zip(costs, documents, strict=True)]
    found = sorted(pairs, key=lambda pair: -pair[0])
    rows = [[document.name, str(len(document.text)), f"{bits:.3f}"] for bits, document in found[:SHOWN]]
    caption = "The hardest first." if len(found) <= SHOWN else f"The hardest {SHOWN} of {len(found)}."
    return Table(["document", "characters", "bits a character"], rows, caption)
