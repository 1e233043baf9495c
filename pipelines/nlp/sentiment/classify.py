"""Prints the label of texts, by a trained model of sentiment.

Everything after `--` is text, even what begins with a dash: `unrolled classify --run FOLDER -- "- no good"`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import commands, hints
from pipelines.counting import counted
from pipelines.nlp.given_texts import TextOptions
from pipelines.nlp.texts import listed, shortened

if TYPE_CHECKING:
    from pipelines.nlp.sentiment.predictor import Classification, Predictor


class Options(TextOptions):
    """Options of the classification."""


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints the label of each text."""
    from pipelines.nlp.sentiment.predictor import EXAMPLE  # and TensorFlow, which --help does without

    texts = options.texts(hints.answer(*EXAMPLE))
    predictor = load()
    found = predictor.classify_all(texts)
    if options.format == "json":
        commands.print_answers({"text": text, **each._asdict()} for text, each in zip(texts, found, strict=True))
    else:
        Console().print(table_of(texts, found))
    report_long_texts(texts, predictor.maximum_words)
    commands.report_done(f"Classified {counted(len(texts), 'text')}")


def table_of(texts: list[str], found: "list[Classification]") -> Table:
    """Returns a table of the texts' labels and, where the model rates, of their ratings."""
    rated = any(each.rating is not None for each in found)
    table = Table("text", "label", "probability", *(["rating"] * rated))
    for text, each in zip(texts, found, strict=True):
        cells = [shortened(text), each.label, f"{each.probabilities[each.label]:.2f}"]
        cells += [] if each.rating is None else [f"{each.rating:.1f}"]
        table.add_row(*(Text(cell) for cell in cells))
    return table


def report_long_texts(texts: list[str], maximum_words: int) -> None:
    """Reports the texts that are longer than what the model reads of them."""
    from pipelines.nlp.sentiment.words import count_words

    counts = enumerate(count_words(texts), start=1)
    if long := [f"text {number} ({words} words)" for number, words in counts if words > maximum_words]:
        of = f"{counted(len(long), 'text')}: {listed(long, '; ')}"
        commands.report_done(f"Note: only the first {maximum_words} words were read of {of}")
