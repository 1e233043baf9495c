"""Classifies the sentiment of texts, or of the rows of a file.

Everything after `--` is text, even if it begins with a dash: `unrolled classify --run FOLDER -- "- no good"`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import commands
from pipelines.hints import counted, listed
from pipelines.nlp.given_texts import TextOptions
from pipelines.nlp.texts import shortened

if TYPE_CHECKING:
    from pipelines.nlp.sentiment.predictor import Classification, Predictor


class Options(TextOptions):
    """Options of the classification."""


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints the labels of each text, or writes them beside the columns of a file into another."""
    from pipelines.nlp.sentiment.predictor import EXAMPLE  # and TensorFlow, which --help does without

    texts, predictor = options.answer(load, EXAMPLE, "Classified", show, added_columns)
    if predictor.maximum_words is not None:
        report_long_texts(texts, predictor.maximum_words)


def show(texts: list[str], predictor: "Predictor") -> None:
    """Prints a table of the answers."""
    Console().print(table_of(texts, predictor.classify_all(texts)))


def added_columns(predictor: "Predictor", texts: list[str]) -> list[dict[str, object]]:
    """Returns what is added to the row of each text: the labels, the probability of each, and the rating."""
    rows: list[dict[str, object]] = []
    for found in predictor.classify_all(texts):
        row: dict[str, object] = {"predicted_label": found.label} if predictor.labels else {}
        row |= {f"probability_{label}": round(value, 6) for label, value in found.probabilities.items()}
        rows.append(row if found.rating is None else row | {"predicted_rating": round(found.rating, 4)})
    return rows


def table_of(texts: list[str], found: "list[Classification]") -> Table:
    """Returns a table of the texts' labels, of one the probability, and, where the model rates, of their ratings."""
    rated = any(each.rating is not None for each in found)
    labelled = any(each.probabilities for each in found)
    one = all(len(each.labels) == 1 for each in found)
    heads = ["label" if one else "labels", *["probability"] * one] if labelled else []
    table = Table("text", *heads, *["rating"] * rated)
    for text, each in zip(texts, found, strict=True):
        cells = [shortened(text), *[each.label] * labelled]
        cells += [f"{each.probabilities[each.labels[0]]:.2f}"] if one and labelled else []
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
