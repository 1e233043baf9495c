"""Prints the words of texts with their tags, or their labelled spans, by a trained tagger.

Everything after `--` is text, even what begins with a dash: `unrolled tag --run FOLDER -- "- Who?"`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines import commands, hints
from pipelines.counting import counted
from pipelines.nlp.given_texts import TextOptions

if TYPE_CHECKING:
    from pipelines.nlp.tagging.predictor import Predictor, Tagging


class Options(TextOptions):
    """Options of the tagging."""


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints a line for each text: its spans, each as text/label; or writes them beside the rows of a file."""
    from pipelines.nlp.tagging.predictor import EXAMPLE  # and TensorFlow, which --help does without

    if options.output is not None:
        predictor = load()
        done = options.answer_rows(lambda texts: [{"spans": spans_of(each)} for each in predictor.tag_all(texts)])
        commands.report_done(f"Tagged {counted(done.rows - done.blank, 'text')}")
        commands.report_done(f"Wrote {options.output}")
        return
    texts = options.texts(hints.answer(*EXAMPLE))
    predictor = load()
    found = predictor.tag_all(texts)
    if options.format == "json":
        pairs = zip(texts, found, strict=True)
        commands.print_answers({"text": text, "spans": spans_of(each)} for text, each in pairs)
    else:
        print("\n".join(" ".join(f"{span.text}/{span.label}" for span in each.spans) for each in found))
    commands.report_done(f"Tagged {counted(len(texts), 'text')}")


def spans_of(found: "Tagging") -> list[dict[str, object]]:
    """Returns the spans of a text as JSON has them."""
    return [span._asdict() for span in found.spans]
