"""Prints the label of texts, by a trained model of sentiment.

Everything after `--` is text, even what begins with a dash: `unrolled classify --run FOLDER -- "- no good"`.
"""

from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import commands, hints
from pipelines.configuration import ConfigurationError
from pipelines.counting import counted
from pipelines.nlp.given_texts import TextOptions
from pipelines.nlp.sentiment.predictor import EXAMPLE, Classification, Predictor
from pipelines.nlp.sentiment.words import count_words
from pipelines.nlp.texts import listed, shortened


class Options(TextOptions):
    """Options of the classification."""


def answer(options: Options, load: Callable[[], Predictor]) -> None:
    """Prints the label of each text."""
    texts = numbered_texts(options)
    predictor = load()
    found = predictor.classify_all(list(texts.values()))
    if options.format == "json":
        pairs = zip(texts.values(), found, strict=True)
        commands.print_answers({"text": text, **each._asdict()} for text, each in pairs)
    else:
        Console().print(table_of(list(texts.values()), found))
    report_long_texts(texts, predictor.maximum_words)
    commands.report_done(f"Classified {counted(len(texts), 'text')} with {predictor.run.folder}")


def numbered_texts(options: Options) -> dict[int, str]:
    """Returns the texts to classify by their numbers; reports blank lines, which are left out.

    Raises:
        ConfigurationError: there is no text, or an argument is empty.
    """
    if empty := [number for number, text in enumerate(options.text, start=1) if not text.strip()]:
        raise ConfigurationError(
            "An empty text cannot be classified. Expected words. Leave it out. "
            f"Received: text {empty[0]} of {len(options.text)}, which is empty"
        )
    texts = options.texts(hints.answer(*EXAMPLE))
    filled = {number: text for number, text in enumerate(texts, start=1) if text.strip()}
    if blank := [str(number) for number in range(1, len(texts) + 1) if number not in filled]:
        commands.report_done(f"Note: {counted(len(blank), 'blank line')} left out: {listed(blank)}")
    return filled


def table_of(texts: list[str], found: list[Classification]) -> Table:
    """Returns a table of the texts' labels and, where the model rates, of their ratings."""
    rated = any(each.rating is not None for each in found)
    table = Table("text", "label", "probability", *(["rating"] * rated))
    for text, each in zip(texts, found, strict=True):
        cells = [shortened(text), each.label, f"{each.probabilities[each.label]:.2f}"]
        cells += [] if each.rating is None else [f"{each.rating:.1f}"]
        table.add_row(*(Text(cell) for cell in cells))
    return table


def report_long_texts(texts: dict[int, str], maximum_words: int) -> None:
    """Reports the texts that are longer than what the model reads of them."""
    counts = zip(texts, count_words(list(texts.values())), strict=True)
    if long := [f"text {number} ({words} words)" for number, words in counts if words > maximum_words]:
        of = f"{counted(len(long), 'text')}: {listed(long, '; ')}"
        commands.report_done(f"Note: only the first {maximum_words} words were read of {of}")
