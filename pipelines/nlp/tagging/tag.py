"""Tags the words of texts, or finds their labelled spans.

Everything after `--` is text, even if it begins with a dash: `unrolled tag --run FOLDER -- "- Who?"`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines.nlp.given_texts import TextOptions

if TYPE_CHECKING:
    from pipelines.nlp.tagging.predictor import Predictor


class Options(TextOptions):
    """Options of the tagging."""


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints a line for each text: its spans, each as text/label; or writes them beside the rows of a file."""
    from pipelines.nlp.tagging.predictor import EXAMPLE  # and TensorFlow, which --help does without

    def show(texts: list[str], predictor: "Predictor") -> None:
        for found in predictor.tag_all(texts):
            print(" ".join(f"{span.text}/{span.label}" for span in found.spans))

    options.answer(load, EXAMPLE, "Tagged", show)
