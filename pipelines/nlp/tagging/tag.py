"""Prints the words of texts with their tags, or their labelled spans, by a trained tagger.

Everything after `--` is text, even what begins with a dash: `unrolled tag --run FOLDER -- "- Who?"`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines import commands, hints
from pipelines.counting import counted
from pipelines.nlp.given_texts import TextOptions

if TYPE_CHECKING:
    from pipelines.nlp.tagging.predictor import Predictor


class Options(TextOptions):
    """Options of the tagging."""


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints a line for each text: its spans, each as text/label; or writes them beside the rows of a file."""
    from pipelines.nlp.tagging.predictor import EXAMPLE  # and TensorFlow, which --help does without

    if options.output is not None:
        options.answer_rows(load().answers, "Tagged")
        return
    texts = options.texts(hints.answer(*EXAMPLE))
    predictor = load()
    if options.format == "json":
        pairs = zip(texts, predictor.answers(texts), strict=True)
        commands.print_answers({"text": text, **found} for text, found in pairs)
    else:
        for found in predictor.tag_all(texts):
            print(" ".join(f"{span.text}/{span.label}" for span in found.spans))
    commands.report_done(f"Tagged {counted(len(texts), 'text')}")
