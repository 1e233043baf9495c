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
    """Prints a line for each text: its spans, each as text/label."""
    from pipelines.nlp.tagging.predictor import EXAMPLE  # and TensorFlow, which --help does without

    texts = options.texts(hints.answer(*EXAMPLE))
    predictor = load()
    found = predictor.tag_all(texts)
    if options.format == "json":
        spans = [[span._asdict() for span in each.spans] for each in found]
        commands.print_answers({"text": text, "spans": own} for text, own in zip(texts, spans, strict=True))
    else:
        print("\n".join(" ".join(f"{span.text}/{span.label}" for span in each.spans) for each in found))
    commands.report_done(f"Tagged {counted(len(texts), 'text')}")
